from typing import Any

import pytest

from structout import DataError, Grounded, Scripted, SpecError, StructoutWarning, Usage
from structout.document import Json
from structout.result import Example, Result, Task
from structout.schema import Schema
from tests.verifiers.test_verifiers import ORDER, Order, check


def test_grounded_refuses_what_the_record_does_not_hold() -> None:
    text = "Ann Lee ordered a nut and a bolt for 12,50"
    verdict = check(Grounded(), text, ORDER, Order)
    assert (verdict.decision, verdict.score, verdict.usage) == ("accept", 1.0, Usage())
    assert text[slice(*verdict.spans["/items/1"])] == "bolt"
    assert verdict.confidence.keys() == {"/customer", "/total", "/items/0", "/items/1"}
    verdict = check(Grounded(), text, {**ORDER, "items": ["nut", "washer"], "total": 13}, Order)
    assert verdict.decision == "reject"
    assert {issue.pointer for issue in verdict.issues} == {"/items/1", "/total"}
    assert "washer" in str(verdict.issues)


def test_grounded_looks_only_for_the_fields_it_is_told() -> None:
    assert check(Grounded(("/items/*",)), "nut, bolt", ORDER, Order).decision == "accept"
    assert check(Grounded(("/customer",)), "nut, bolt", ORDER, Order).decision == "reject"


class Labelled:
    examples = tuple(
        Example(f"{name} bought {item} in {year % 100}", {"name": name, "item": item, "year": year})
        for name, item, year in (("Ann", "nut", 1998), ("Bo", "bolt", 2004), ("Cy", "screw", 2010))
    )


def test_grounded_learns_which_fields_stand_in_the_record() -> None:
    assert Grounded.fit(Labelled()) == Grounded(("/item", "/name"), 1.0)


def test_grounded_is_as_strict_as_the_labels_allow() -> None:
    class Misspelt:
        examples = (*Labelled.examples, Example("Volkswagn, 1 nut", {"name": "Volkswagen", "item": "nut"}))

    assert Grounded.fit(Misspelt()) == Grounded(("/item", "/name"), 0.9)
    assert Grounded.fit(Misspelt(), threshold=1.0) == Grounded(("/item",), 1.0)


def test_grounded_learns_nothing_from_nothing() -> None:
    class Empty:
        examples: tuple[Example, ...] = ()

    for threshold in (None, 1.0):
        with pytest.raises(DataError, match="got no train records") as caught:
            Grounded.fit(Empty(), threshold=threshold)
        assert caught.value.hint


def test_grounded_finds_what_a_schema_enumerates_wherever_it_says_so() -> None:
    schema = {
        "$defs": {"Intent": {"anyOf": [{"const": "play"}, {"enum": ["stop", "pause"]}]}},
        "type": "object",
        "properties": {"intent": {"$ref": "#/$defs/Intent"}, "list": {"type": "array", "items": {"enum": ["a", "b"]}}},
        "additionalProperties": {"type": "string"},
    }
    assert check(Grounded(), "x", {"intent": "pause", "list": ["a"]}, schema).decision == "accept"
    assert check(Grounded(), "x", {"title": "y"}, schema).decision == "reject"


NAMED_BY_KEY: dict[str, Any] = {
    "type": "object",
    "patternProperties": {"^colour": {"enum": ["red"]}},
    "properties": {"kind": {"type": "string"}, "pair": {"prefixItems": [{"enum": ["a"]}]}},
    "if": {"required": ["kind"]},
    "then": {"properties": {"kind": {"enum": ["hex", "flange"]}}},
    "else": {"properties": {"note": {"const": "none"}}},
}


@pytest.mark.parametrize(
    ("document", "decision"),
    [
        ({"colour_1": "red"}, "accept"),
        ({"shade": "red"}, "reject"),
        ({"kind": "hex"}, "accept"),
        ({"note": "none"}, "accept"),
        ({"pair": ["a"]}, "accept"),
        ({"pair": ["a", "a"]}, "reject"),  # only the first of them is listed
    ],
)
def test_grounded_finds_what_a_schema_enumerates_by_pattern_and_by_condition(document: Json, decision: str) -> None:
    assert check(Grounded(), "x", document, NAMED_BY_KEY).decision == decision


def test_grounded_takes_a_schema_that_holds_itself() -> None:
    """With a branch for lists and one for objects, each key of digits once doubled the work."""
    ref = {"$ref": "#/$defs/Any"}
    inner = {"anyOf": [{"type": "array", "items": ref}, {"additionalProperties": ref}, {"enum": ["a"]}]}
    document: Json = "a"
    for depth in range(100):
        document = [document] if depth % 2 else {"0": document}
    assert check(Grounded(), "x", document, {"$defs": {"Any": inner}, **ref}).decision == "accept"


SALES: dict[str, Any] = {
    "type": "object",
    "properties": {"sales": {"additionalProperties": {"type": "integer"}}, "lines": {"type": "array", "items": {}}},
    "additionalProperties": False,
}


@pytest.mark.parametrize("field", ["/sales/2024", "/sales/*", "/lines/*", "/lines/0"])
def test_grounded_knows_a_field_by_its_own_place_too(field: str) -> None:
    document: Json = {"sales": {"2024": 7}, "lines": ["nut"]}
    assert check(Grounded((field,)), "x", document, SALES).decision == "reject"
    assert check(Grounded((field,)), "7 nut", document, SALES).decision == "accept"


@pytest.mark.parametrize(
    ("field", "schema", "document"),
    [
        ("/nmae", Order, ORDER),
        ("/customer/*", Order, ORDER),
        ("/items/*/name", Order, ORDER),
        ("/lanes/*", SALES, {}),
    ],
)
def test_grounded_says_that_a_schema_has_no_such_field(field: str, schema: Any, document: Json) -> None:
    with pytest.raises(SpecError, match=field.replace("*", ".")):
        check(Grounded((field,)), "x", document, schema)


def test_grounded_takes_a_field_that_a_schema_leaves_open() -> None:
    open_schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert check(Grounded(("/nmae",)), "x", {"nmae": "y"}, open_schema).decision == "reject"


@pytest.mark.parametrize("build", [lambda: Grounded(("name",)), lambda: Grounded.fit(Labelled(), least=5)])
def test_what_would_accept_everything_is_refused_with_a_hint(build: Any) -> None:
    with pytest.raises(SpecError) as caught:
        build()
    assert caught.value.hint


def test_grounded_takes_its_fields_from_the_examples_of_the_task() -> None:
    schema = Schema.of({"type": "object", "properties": {"name": {"type": "string"}, "year": {"type": "integer"}}})
    labels: dict[str, Json] = {
        "Ann came in 98": {"name": "Ann", "year": 1998},
        "Bo came in 04": {"name": "Bo", "year": 2004},
    }
    examples = tuple(Example(text, document) for text, document in labels.items())
    right: Json = {"name": "Di", "year": 1998}
    made_up: Json = {"name": "Ed", "year": 1998}

    def decision(document: Json, shown: tuple[Example, ...]) -> str:
        result: Result[Any] = Result("valid", None, document)
        return (
            Grounded(fields="examples")
            .check([Task("Di came in 98", schema, shown)], [result], Scripted(""))[0]
            .decision
        )

    assert [decision(one, examples) for one in (right, made_up)] == ["accept", "reject"], "the year is derived"
    with pytest.warns(StructoutWarning, match="got no examples, so it looks for all values"):
        assert decision(right, ()) == "reject"
    with pytest.raises(SpecError, match="invalid fields of Grounded: got 'all'"):
        Grounded(fields="all")  # type: ignore[arg-type]
