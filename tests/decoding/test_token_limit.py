"""Within a budget of tokens, too, the engine gives what the plain loop gives, and says the same of what was steered."""

from collections.abc import Callable
from typing import Any

import pytest

from structout.decoding.engine import Engine
from structout.decoding.features import Features
from structout.decoding.loop import generate
from structout.decoding.request import Generated, Request
from tests.decoding.test_engine import ENDS, SWITCHES, TEXTS

TEXT = {"type": "string"}
SCHEMAS = [
    {
        "type": "object",
        "properties": {
            "a": TEXT,
            "n": {"type": "integer"},
            "b": TEXT,
            "l": {"type": "array", "items": TEXT},
        },
        "required": ["a", "n", "b", "l"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {
            "a": {"type": "string", "pattern": "^[a-z]+-[0-9]{3}$"},
            "b": TEXT,
            "l": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
        },
        "required": ["a", "b", "l"],
    },
]

Answer = Callable[[list[Request]], list[Generated]]


def told(answer: Answer, requests: list[Request]) -> list[tuple[list[int], str, tuple[int, ...]]]:
    """What comes of each request: its tokens, how it ends, and which of them the budget chose."""
    return [
        (output.tokens, output.finish_reason, request.matcher.steered)
        for request, output in zip(requests, answer(requests), strict=True)
        if request.matcher is not None
    ]


@pytest.mark.parametrize("features", SWITCHES, ids=str)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["texts", "pattern"])
def test_every_switch_steers_what_the_plain_loop_steers(
    model: Any, ask: Any, features: Features, temperature: float, schema: Any
) -> None:
    def requests(limit: int) -> list[Request]:
        return [ask(text, schema, budget=True, max_tokens=limit, temperature=temperature) for text in TEXTS]

    def plainly(asked: list[Request]) -> list[Generated]:
        return generate(model, asked, ENDS, forced=features.force)

    engine = Engine(model, ENDS, slots=3, features=features)
    plain = told(plainly, requests(40))
    assert any(steered for _, _, steered in plain)
    for _ in range(2):  # again, when there is something to draft from
        assert told(engine.generate, requests(40)) == plain
