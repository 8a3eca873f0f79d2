"""Attention without the CPU's own operation, which is how it goes on a GPU, gives what it gives with it."""

from typing import Any

import pytest
import torch
from torch.nn.functional import pad

from structout.decoding import attention
from structout.decoding.engine import Engine
from structout.decoding.loop import generate
from tests.decoding.conftest import SCHEMA
from tests.decoding.test_engine import ENDS, TEXTS, same

_attend = attention._attend
Both = tuple[torch.Tensor, torch.Tensor]


def plainly(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any, **options: Any) -> Both:
    """The same attention by plain products: for values of another size than the keys there is no operation."""
    output, total = _attend(query, key, pad(value, (0, 1)), *rest, **options)
    return output[..., :-1], total


@pytest.mark.parametrize(("queries", "keys"), [(1, 9), (7, 7), (4, 9)])
def test_outputs_and_sums_are_the_same_by_plain_products(queries: int, keys: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 3, queries, 16)
    key, value = torch.randn(2, 3, keys, 16), torch.randn(2, 3, keys, 16)
    hidden = torch.arange(keys) > torch.randint(keys, (2, 1, queries, 1))
    mask = torch.zeros(2, 1, queries, keys).masked_fill(hidden, float("-inf"))
    cases: list[dict[str, Any]] = [{}, {"mask": mask}]
    if queries == keys:
        cases.append({"causal": True})
    for options in cases:
        found = _attend(query, key, value, 0.3, **options)
        for one, other in zip(found, plainly(query, key, value, 0.3, **options), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["schema", "free"])
def test_the_engine_gives_the_same_answers_by_plain_products(
    model: Any, ask: Any, schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "_attend", plainly)
    engine = Engine(model, ENDS, slots=3)
    for _ in range(2):
        found = engine.generate([ask(text, schema) for text in TEXTS])
        same(found, generate(model, [ask(text, schema) for text in TEXTS], ENDS, forced=True))
