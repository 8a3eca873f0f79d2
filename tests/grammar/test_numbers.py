"""Numbers under bounds and steps: the mask takes what complies, and nothing else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from structout.errors import SchemaError
from structout.grammar import compile  # noqa: A004
from structout.schema import Schema

_BYTES = LLTokenizer("byte")
_DECIMALS = st.builds(lambda n, places: n / 10**places, st.integers(-20_000, 20_000), st.integers(0, 3))
_BOUNDS = st.sampled_from(["minimum", "exclusiveMinimum"]), st.sampled_from(["maximum", "exclusiveMaximum"])


def takes(source: Any, text: str) -> bool:
    try:
        grammar = compile(Schema.of(source))
    except SchemaError:
        return False  # no document complies
    matcher = LLMatcher(_BYTES, grammar.source, log_level=0)
    return matcher.try_consume_tokens(list(text.encode())) == len(text) and bool(matcher.is_accepting())


def written(number: float) -> str:
    number = float(number)
    return str(int(number)) if number.is_integer() else json.dumps(number)


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(*_BOUNDS),
    _DECIMALS,
    st.floats(0, 3).map(lambda n: round(n, 2)),
    st.none() | st.sampled_from([0.01, 0.05, 0.25, 0.1, 0.5, 0.001, 2, 0.3]),
    st.lists(_DECIMALS, max_size=3),
)
def test_a_mask_takes_the_numbers_that_comply_and_no_others(
    keys: tuple[str, str], least: float, width: float, step: float | None, tried: list[float]
) -> None:
    most = round(least + width, 3)
    source: dict[str, Any] = {"type": "number", keys[0]: least, keys[1]: most}
    if step is not None:
        source["multipleOf"] = step
    schema = Schema.of(source)
    near = [least, most, round((least + most) / 2, 2), round(most, 1), round(least, 1), float(int(most))]
    stepped = [round(round(one / step) * step, 4) for one in near] if step else []
    for number in [*near, *stepped, *tried]:
        assert takes(source, written(number)) == schema.check(json.loads(written(number))).ok, (source, number)


@settings(max_examples=60, deadline=None)
@given(_DECIMALS, _BOUNDS[0] | _BOUNDS[1], _DECIMALS)
def test_a_single_bound_is_kept_to(bound: float, key: str, number: float) -> None:
    source = {"type": "number", key: bound}
    assume(abs(number) < 10**6)
    assert takes(source, written(number)) == Schema.of(source).check(json.loads(written(number))).ok


def test_the_only_number_can_be_written() -> None:
    assert takes({"type": "number", "multipleOf": 0.01, "minimum": 0.005, "maximum": 0.015}, "0.01")
    assert takes({"type": "number", "minimum": 0.005, "maximum": 0.015}, "0.01")
    assert not takes({"type": "number", "exclusiveMinimum": 20.0, "maximum": 20.43}, "20")


def test_of_two_bounds_at_one_end_the_tighter_one_is_kept_to() -> None:
    assert takes({"type": "number", "exclusiveMinimum": 1, "minimum": 1.3, "maximum": 1.8}, "1.3")
    assert not takes({"type": "number", "exclusiveMinimum": 1, "minimum": 1.3, "maximum": 1.8}, "1.1")
    assert not takes({"type": "number", "exclusiveMaximum": 2, "maximum": 1.7, "minimum": 1.2}, "1.9")


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(_BOUNDS[0] | _BOUNDS[1], _DECIMALS.map(lambda n: round(n % 4, 1)), min_size=3),
    st.none() | st.sampled_from([0.01, 0.25, 0.1, 0.5]),
    st.lists(_DECIMALS.map(lambda n: round(n % 4, 2)), max_size=6),
)
def test_all_bounds_are_kept_to(bounds: dict[str, float], step: float | None, tried: list[float]) -> None:
    source: dict[str, Any] = {"type": "number", **bounds} | ({"multipleOf": step} if step else {})
    schema = Schema.of(source)
    for number in [*bounds.values(), *tried]:
        assert takes(source, written(number)) == schema.check(json.loads(written(number))).ok, (source, number)


def test_a_count_may_be_written_as_a_float() -> None:
    assert takes({"type": "string", "minLength": 2.0, "maxLength": 3.0}, '"abc"')
    assert not takes({"type": "string", "minLength": 2.0, "maxLength": 3.0}, '"a"')


@pytest.mark.parametrize("bound", ["minimum", "maximum"])
@pytest.mark.parametrize("step", [{}, {"multipleOf": 0.5}, {"multipleOf": 2}])
@pytest.mark.parametrize("place", [lambda one: one, lambda one: {"not": one}])
def test_an_exclusive_bound_of_draft_4_is_kept_to(bound: str, step: Any, place: Callable[[Any], Any]) -> None:
    one = {bound: 8.0, "exclusiveMinimum" if bound == "minimum" else "exclusiveMaximum": True, **step}
    source = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "number", **place(one)}
    schema = Schema.of(source)
    grammar = compile(schema)
    if [gap for gap in grammar.gaps if not gap.narrower]:
        return
    for text in ("6", "8", "10"):
        assert takes(source, text) == schema.check(json.loads(text)).ok, text
