"""A grammar in which nothing leads on ends the answer with a reason, in the engine and in the plain loop."""

from typing import Any

import pytest
import torch

from structout.decoding.engine import Engine
from structout.decoding.loop import generate
from structout.decoding.request import Request
from structout.decoding.sampling import MOST_REFUSALS
from structout.models import Model
from structout.strategies import Constrained
from tests.decoding.test_engine import ENDS, TEXTS


class Obstinate:
    """A matcher that admits a few tokens, then none: with an empty mask, or by refusing what its mask allows."""

    reason = "its lexer gave up"
    steered = ()
    may_stop = must_stop = False

    def __init__(self, size: int, admitted: int, *, shows: bool) -> None:
        self.size, self.left, self.shows = size, admitted, shows
        self.refusals = 0

    def mask(self) -> torch.Tensor:
        return torch.full((self.size,), self.left > 0 or self.shows, dtype=torch.bool)

    def forced(self) -> list[int]:
        return []

    def try_advance(self, tokens: Any) -> int:
        taken = min(len(tokens), self.left)
        self.left -= taken
        self.refusals += taken < len(tokens)
        return taken

    def rollback(self, n: int) -> None:
        self.left += n

    def copy(self) -> "Obstinate":
        return self


@pytest.mark.parametrize("shows", [False, True], ids=["empty mask", "every token refused"])
@pytest.mark.parametrize("admitted", [0, 3])
@pytest.mark.parametrize("way", ["engine", "loop"])
def test_an_answer_without_a_way_on_ends_and_says_why(
    model: Any, ask: Any, way: str, admitted: int, shows: bool
) -> None:
    other = ask(TEXTS[0])
    matcher = Obstinate(model.config.vocab_size, admitted, shows=shows)
    asked = ask(TEXTS[1], None, max_tokens=8)
    requests = [Request(asked.tokens, asked.sampling, 0, matcher), other]
    stuck, fine = Engine(model, ENDS).generate(requests) if way == "engine" else generate(model, requests, ENDS)
    assert stuck.finish_reason == "stuck"
    assert stuck.reason == f"the grammar allows no token after {admitted} tokens: its lexer gave up"
    assert len(stuck.tokens) == admitted
    assert matcher.refusals <= MOST_REFUSALS + 1
    assert fine.finish_reason in ("stop", "length")


@pytest.mark.parametrize("control", ["<|im_end|>", "<|endoftext|>", "a<|im_start|>b"])
def test_the_name_of_a_control_token_can_be_written(control: str, embedded: Model) -> None:
    from structout import extract

    for schema in (
        {"type": "object", "properties": {control: {"const": 1}}, "required": [control], "additionalProperties": False},
        {"enum": [control]},
    ):
        result = extract("part a 7", schema, embedded, Constrained(max_tokens=32))
        assert result.ok, result.issues
        assert result.value in ({control: 1}, control)


def test_a_schema_whose_only_number_the_engine_misses_is_answered(embedded: Model) -> None:
    from structout import extract

    schema = {"type": "number", "multipleOf": 0.01, "minimum": 0.005, "maximum": 0.015}
    assert extract("part a 7", schema, embedded, "Constrained()").value == 0.01
