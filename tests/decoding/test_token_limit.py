"""Within a budget of tokens, too, the engine gives what the plain loop gives, and says the same of what was steered."""

from collections.abc import Callable
from functools import cache
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
Told = list[tuple[list[int], str, tuple[int, ...]]]


def requests(ask: Any, schema: int, temperature: float) -> list[Request]:
    """One more than there are slots."""
    return [ask(text, SCHEMAS[schema], budget=True, max_tokens=40, temperature=temperature) for text in TEXTS[:4]]


def told(answer: Answer, requests: list[Request]) -> Told:
    """What comes of each request: its tokens, how it ends, and which of them the budget chose."""
    return [
        (output.tokens, output.finish_reason, request.matcher.steered)
        for request, output in zip(requests, answer(requests), strict=True)
        if request.matcher is not None
    ]


@pytest.fixture(scope="module")
def plainly(model: Any, ask: Any) -> Callable[[int, float, bool], Told]:
    """What the plain loop makes of the requests, once for all switches."""

    @cache
    def plainly(schema: int, temperature: float, forced: bool) -> Told:
        return told(lambda some: generate(model, some, ENDS, forced=forced), requests(ask, schema, temperature))

    return plainly


@pytest.mark.parametrize("features", SWITCHES, ids=str)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("schema", [0, 1], ids=["texts", "pattern"])
def test_every_switch_steers_what_the_plain_loop_steers(
    model: Any,
    ask: Any,
    plainly: Callable[[int, float, bool], Told],
    features: Features,
    temperature: float,
    schema: int,
) -> None:
    engine = Engine(model, ENDS, slots=3, features=features)
    plain = plainly(schema, temperature, features.force)
    assert any(steered for _, _, steered in plain)
    for _ in range(1 + (features.share or features.draft)):  # again, when there is something to share and to draft from
        assert told(engine.generate, requests(ask, schema, temperature)) == plain
