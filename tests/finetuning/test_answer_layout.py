"""Documents in the schema's order, and the texts in them."""

import json
import random
from typing import Annotated, Any, Literal

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from structout.document import Json
from structout.finetuning.answer_layout import AnswerLayout
from structout.finetuning.demonstrations import demonstrate, hold_out
from structout.finetuning.order import reading_order
from structout.finetuning.variation import Variation
from structout.models.tuning import reordered
from structout.result import Example
from structout.schema import Schema
from tests.nesting import nested

SCHEMA = Schema.of(
    {
        "anyOf": [
            {
                "type": "object",
                "properties": {"do": {"const": "play"}, "artist": {"type": "string"}, "year": {"type": "integer"}},
                "required": ["do"],
                "additionalProperties": False,
            },
            {"$ref": "#/$defs/rate"},
        ],
        "$defs": {
            "rate": {
                "type": "object",
                "properties": {
                    "do": {"const": "rate"},
                    "book": {"type": "string"},
                    "authors": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["do"],
                "additionalProperties": False,
            }
        },
    }
)
PLAY: Json = {"year": 1967, "do": "play", "artist": "Nina Simone"}
RATE: Json = {"authors": ["Le Guin", "Wolfe"], "book": "Solaris", "do": "rate"}


class Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["a", "b"]
    size: Annotated[int, Field(ge=0)] = 0
    inner: "Pair | None" = None


def test_keys_take_the_order_of_the_alternative_that_fits() -> None:
    layout = AnswerLayout(SCHEMA)
    assert list(layout.order(PLAY)) == ["do", "artist", "year"]  # type: ignore[arg-type]
    assert list(layout.order(RATE)) == ["do", "book", "authors"]  # type: ignore[arg-type]
    assert layout.order(RATE) == RATE


class Fault(BaseModel):
    kinds: set[Literal["leak", "noise", "crack"]] = set()
    rooms: set[str] | None = None
    steps: list[str] = []


def test_the_members_of_sets_take_one_order() -> None:
    layout = AnswerLayout(Schema.of(Fault))
    first: Json = {"kinds": ["crack", "leak"], "rooms": ["attic", "hall", "yard"], "steps": ["b", "a"]}
    other: Json = {"kinds": ["leak", "crack"], "rooms": ["yard", "hall", "attic"], "steps": ["b", "a"]}
    ordered = layout.order(first, "A crack in the yard, a leak in the hall.")
    assert ordered == {"kinds": ["leak", "crack"], "rooms": ["yard", "hall", "attic"], "steps": ["b", "a"]}
    assert layout.order(other, "A crack in the yard, a leak in the hall.") == ordered
    assert layout.order(first) == {**ordered, "rooms": ["attic", "hall", "yard"]}


def test_the_items_of_a_tuple_keep_their_places() -> None:
    pair = Schema.of({"type": "array", "prefixItems": [{"enum": [2, 1]}, {"enum": [2, 1]}], "uniqueItems": True})
    assert AnswerLayout(pair).order([1, 2]) == [1, 2]


def test_order_follows_references_into_themselves() -> None:
    ordered = AnswerLayout(Schema.of(Pair)).order({"inner": {"size": 1, "kind": "b"}, "kind": "a"})
    assert str(ordered) == "{'kind': 'a', 'inner': {'kind': 'b', 'size': 1}}"


@given(nested(st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_order_never_changes_what_a_document_says(document: Any) -> None:
    assert AnswerLayout(SCHEMA).order(document) == document


def test_free_texts_are_told_apart_by_their_place_in_the_schema() -> None:
    layout = AnswerLayout(SCHEMA)
    (artist,) = layout.texts(PLAY)
    book, first, second = sorted(layout.texts(RATE), key=lambda found: found[0] != ("book",))
    assert (artist[0], artist[2]) == (("artist",), "Nina Simone")
    assert (book[0], first[0], second[0]) == (("book",), ("authors", 0), ("authors", 1))
    assert first[1] == second[1] != book[1] != artist[1]


def test_a_text_from_which_another_value_may_follow_is_not_free() -> None:
    class Part(BaseModel):
        name: str
        shelf: Literal["brakes", "wheels"]
        numbers: list[str]

    found = AnswerLayout(Schema.of(Part)).texts({"name": "disc", "shelf": "brakes", "numbers": ["A1"]})
    assert [text for _, _, text in found] == ["A1"]


def test_demonstrations_are_answers_that_a_constraint_admits() -> None:
    (shown,) = demonstrate([Example("play Nina Simone", PLAY)], SCHEMA)
    assert shown.response == '{"do": "play", "artist": "Nina Simone", "year": 1967}'
    assert shown.prompt[-1].content == "play Nina Simone"


@given(st.integers(0, 50), st.floats(0, 0.99), st.integers())
def test_holding_out_divides(count: int, share: float, seed: int) -> None:
    examples = [Example(str(i), {}) for i in range(count)]
    kept, held = hold_out(examples, share, seed)
    assert sorted(one.text for one in kept + held) == sorted(one.text for one in examples)
    assert len(held) == round(share * count)


def test_keys_are_read_in_the_order_in_which_records_name_them() -> None:
    schema = Schema.of({"type": "object", "properties": {key: {"type": "string"} for key in "abcd"}})
    examples = [
        Example("zip 12, town Bath, name Ann", {"a": "Ann", "b": "Bath", "c": "12", "d": "unsaid"}),
        Example("zip 13, town Hull, name Bob", {"a": "Bob", "b": "Hull", "c": "13"}),
        Example("name Cy, town Rye", {"a": "Cy", "b": "Rye"}),
    ]
    orders = reading_order(examples, schema)
    assert [key for key in orders[""] if key != "d"] == ["c", "b", "a"]
    assert sorted(orders[""]) == ["a", "b", "c", "d"]
    taught = reordered(schema, orders)
    assert json.dumps(AnswerLayout(taught).order(examples[1].document)) == '{"c": "13", "b": "Hull", "a": "Bob"}'
    assert taught.check(examples[0].document).ok
    assert list(schema.json_schema["properties"]) == ["a", "b", "c", "d"]  # type: ignore[index]


EXAMPLES = [
    Example("play Nina Simone now", {"do": "play", "artist": "Nina Simone"}),
    Example("some Bach, please", {"do": "play", "artist": "Bach"}),
    Example("rate Solaris", {"do": "rate", "book": "Solaris"}),
    Example("play play", {"do": "play", "artist": "play"}),
    Example("a song by somebody", {"do": "play", "artist": "unknown"}),
]


def test_variation_exchanges_text_and_label_alike() -> None:
    variation = Variation(EXAMPLES, SCHEMA, 1.0)
    varied = {str(variation.vary(EXAMPLES[0], random.Random(seed))) for seed in range(20)}
    assert varied == {
        str(EXAMPLES[0]),
        str(Example("play Bach now", {"do": "play", "artist": "Bach"})),
    }


def test_what_stands_twice_or_not_at_all_is_left_alone() -> None:
    variation = Variation(EXAMPLES, SCHEMA, 1.0)
    for example in EXAMPLES[3:]:
        assert all(variation.vary(example, random.Random(seed)) == example for seed in range(10))


@given(st.integers(), st.floats(0, 1))
def test_varied_records_are_valid_and_hold_their_texts(seed: int, share: float) -> None:
    variation = Variation(EXAMPLES, SCHEMA, share)
    for example in EXAMPLES[:3]:
        varied = variation.vary(example, random.Random(seed))
        assert SCHEMA.check(varied.document).ok
        assert all(text in varied.text for _, _, text in AnswerLayout(SCHEMA).texts(varied.document))
