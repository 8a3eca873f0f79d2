import json
import re
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from benchmarks.pydantic_models import CASES, Case
from structout.document import Json
from structout.errors import SchemaError
from structout.schema import Schema
from structout.schema.strict_form import strictified

_ALLOWED = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems"},
    "string": {"enum", "format", "pattern"},
    "integer": {"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": {"enum"},
    "null": set(),
}


def refused(node: Any, *, is_root: bool = True) -> list[str]:
    """What OpenAI's strict mode refuses of a schema, after its guide to structured outputs."""
    problems = ["the root is a list or a scalar"] if is_root and node.get("type") != "object" else []
    inner = [*node.get("$defs", {}).values()] if is_root else []
    if node.keys() & {"$ref", "anyOf"}:
        assert len(node) == 1, node
        inner += node.get("anyOf", [])
    else:
        kind, allowed = node["type"], _ALLOWED[node["type"]]
        problems += [f"{key} in {kind}" for key in node.keys() - allowed - {"type", "description", "$defs"}]
        if kind == "object":
            if node["additionalProperties"] is not False or node["required"] != list(node["properties"]):
                problems.append("an open object, or an optional key")
            inner += node["properties"].values()
        if kind == "array":
            inner.append(node["items"])
    return problems + [problem for one in inner for problem in refused(one, is_root=False)]


def answers(node: dict[str, Any], definitions: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Answers that a strict mode could give."""
    if "$ref" in node:
        return st.deferred(lambda: answers(definitions[node["$ref"].removeprefix("#/$defs/")], definitions, depth + 1))
    if "anyOf" in node:
        branches = [one for one in node["anyOf"] if depth < 4 or one.get("type") == "null"] or node["anyOf"]
        return st.one_of(*(answers(one, definitions, depth) for one in branches))
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if node["type"] == "object":
        return st.fixed_dictionaries({key: answers(one, definitions, depth) for key, one in node["properties"].items()})
    if node["type"] == "array":
        least = node.get("minItems", 0)
        most = max(least, min(node.get("maxItems", 3), 3 if depth < 4 else 0))
        return st.lists(answers(node["items"], definitions, depth), min_size=least, max_size=most)
    if "pattern" in node:
        return st.from_regex(re.compile(node["pattern"], re.ASCII)).filter(str.isprintable)
    if node.get("description") == "The value, written as JSON":
        return st.sampled_from(["null", "1", '"a"', "[1.50, {}]", '{"a": {"b": null}}'])
    if node["type"] in ("integer", "number"):
        least = node.get("minimum", node.get("exclusiveMinimum", min(-99, node.get("maximum", 0))))
        most = node.get("maximum", node.get("exclusiveMaximum", max(10**25, least + 10**25)))
        whole = node["type"] == "integer" or "multipleOf" in node
        found: st.SearchStrategy[Any] = st.integers(least, most) if whole else st.floats(least, min(most, 1e6))
        return found.map(lambda one: one * node.get("multipleOf", 1)).filter(jsonschema_rs.validator_for(node).is_valid)
    return {
        "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
        "boolean": st.booleans(),
        "null": st.none(),
    }[node["type"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_strict_modes_take_every_type_of_pydantic_and_its_documents_come_back(case: Case) -> None:
    schema = Schema.of(case.type)
    form = strictified(schema.json_schema)
    assert refused(form.schema) == []
    strict = jsonschema_rs.validator_for(form.schema)
    for document in case.valid:
        answer = form.answer(document)
        assert strict.is_valid(answer)
        back = form.text(json.dumps(answer))
        assert schema.check_text(back).ok
        if case.name != "defaults":  # an absent key whose default is null comes back as null
            assert json.loads(back) == document
        assert schema.check_text(back).value == schema.check(document).value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_answers_and_documents_go_there_and_back(case: Case, data: st.DataObject) -> None:
    form = strictified(Schema.of(case.type).json_schema)
    answer = data.draw(answers(form.schema, form.schema.get("$defs", {})))
    try:
        document = form.document(answer)
    except ValueError:  # a list of pairs may hold a key twice
        assume(False)
    assert form.document(form.answer(document)) == document
    assert json.loads(form.text(json.dumps(answer))) == document


@pytest.mark.parametrize(
    ("schema", "document", "answer"),
    [
        ({"additionalProperties": {"type": "integer"}}, {"a": 1}, {"value": [{"key": "a", "value": 1}]}),
        ({"properties": {"a": {"type": "integer", "default": 3}}}, {}, {"a": None}),
        ({"properties": {"a": {"type": ["integer", "null"], "default": 3}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {}}}, {}, {"a": "null"}),
        ({"type": "array", "items": {}}, [1, "a", None], {"value": ["1", '"a"', "null"]}),
        ({"enum": [[1], {"a": 2}]}, {"a": 2}, {"value": '{"a": 2}'}),
        (
            {"properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "integer"}, "required": ["a"]},
            {"a": "x", "b": 1},
            {"a": "x", "other_keys": [{"key": "b", "value": 1}]},
        ),
        (
            {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {"minimum": 1}}}], "required": ["a", "b"]},
            {"a": "x", "b": 2},
            {"a": '"x"', "b": 2},
        ),
        (
            {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "minItems": 2},
            ["a", 1, True],
            {"item_1": "a", "item_2": 1, "more": ["true"]},
        ),
    ],
)  # fmt: skip
def test_the_form_of_an_answer(schema: dict[str, Any], document: Json, answer: Json) -> None:
    form = strictified(schema)
    assert refused(form.schema) == []
    if document != {} or "default" in json.dumps(schema):
        assert form.answer(document) == answer
        assert form.document(answer) == document


class _Pair(BaseModel):
    """An object that looks like a pair of an object with keys of any name."""

    key: str
    value: int


class _Place(NamedTuple):
    row: int
    column: int = 1


_ROW = {"type": "array", "prefixItems": [{"type": "integer"}], "minItems": 1, "maxItems": 1}


@pytest.mark.parametrize(
    ("kind", "documents"),
    [
        (dict[str, int] | list[_Pair], [{"a": 1}, [{"key": "a", "value": 1}], {}, []]),
        (list[_Pair | int] | dict[str, int], [{"a": 1}, [{"key": "a", "value": 1}, 2]]),
        (str | _Place, ["[1, 2]", [1, 2], [1], "1"]),
        (str | Any, ["5", 5, '"5"', None]),
        ({"anyOf": [_ROW, {"properties": {"item_1": {}}, "required": ["item_1"]}]}, [[1], {"item_1": 1}]),
    ],
)  # fmt: skip
def test_alternatives_that_an_answer_cannot_tell_apart_are_written_as_json(kind: Any, documents: list[Json]) -> None:
    form = strictified(Schema.of(kind).json_schema)
    assert refused(form.schema) == []
    for document in documents:
        answer = form.answer(document)
        assert form.document(answer) == document
        assert answer == {"value": json.dumps(document)}


def test_alternatives_that_an_answer_tells_apart_stay_alternatives() -> None:
    for kind in (dict[str, int] | list[int], str | list[Any] | None, _Pair | list[_Pair], dict[str, int] | _Pair):
        assert "anyOf" in strictified(Schema.of(kind).json_schema).schema["properties"]["value"]


@pytest.mark.parametrize("beside", [{}, {"not": {"const": 5}}])
def test_null_that_two_exclusive_alternatives_take_means_that_the_key_is_absent(beside: dict[str, Any]) -> None:
    value = {"oneOf": [{"type": ["integer", "null"]}, {"type": ["string", "null"]}], **beside}
    form = strictified({"properties": {"a": value, "b": value}, "required": ["b"]})
    assert form.document({"a": None, "b": 1}) == {"b": 1}
    assert not jsonschema_rs.validator_for(form.schema).is_valid({"a": None, "b": None})


_MAY_BE_NULL = {"type": ["integer", "null"]}


@pytest.mark.parametrize(
    "refusing",
    [
        {"properties": {"a": {"type": ["integer", "null"], "not": {"maximum": 2}}}},
        {"properties": {"a": {"type": "null", "not": {}}}},
        {"properties": {"a": {"type": ["integer", "null"]}}, "propertyNames": {"maxLength": 0}},
        {"properties": {"a": {"type": "null"}}, "maxProperties": 0},
        {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"type": ["integer", "null"], "enum": [1]}}},
        {"properties": {"a": _MAY_BE_NULL}, "dependentRequired": {"a": ["b"]}},
        {"properties": {"a": _MAY_BE_NULL}, "not": {"required": ["a"]}},
        {"properties": {"a": _MAY_BE_NULL}, "if": {"required": ["a"]}, "then": {"required": ["b"]}},
        {"properties": {"a": _MAY_BE_NULL}, "allOf": [{"dependentSchemas": {"a": False}}]},
        {"anyOf": [{"properties": {"a": _MAY_BE_NULL}}], "not": {"required": ["a"]}},
        {"$ref": "#/$defs/d", "not": {"required": ["a"]}, "$defs": {"d": {"properties": {"a": _MAY_BE_NULL}}}},
    ],
)
def test_null_that_another_keyword_refuses_means_that_the_key_is_absent(refusing: dict[str, Any]) -> None:
    form = strictified({"type": "object", **refusing})
    answer = form.answer({})
    assert answer == {"a": None}
    assert jsonschema_rs.validator_for(form.schema).is_valid(answer)
    assert form.document(answer) == {}
    with pytest.raises(ValueError, match="null"):
        form.answer({"a": None})


def test_null_is_a_value_where_its_key_breaks_no_more_than_its_absence() -> None:
    kind = {"if": {"properties": {"kind": {"const": "x"}}}, "then": {"required": ["b"]}}
    form = strictified({"properties": {"kind": {}, "a": {"type": ["integer", "null"]}}, "required": ["kind"], **kind})
    assert form.document(form.answer({"kind": "y", "a": None})) == {"kind": "y", "a": None}


def test_a_listed_value_is_answered_as_the_schema_spells_it() -> None:
    form = strictified({"enum": [[1.0], 3.0]})
    documents: list[Json] = [3, 3.0, [1]]
    for document in documents:
        answer = form.answer(document)
        assert jsonschema_rs.validator_for(form.schema).is_valid(answer)
        assert form.document(answer) == document


def test_an_answer_in_another_form_keeps_its_text() -> None:
    form = strictified({"properties": {"sizes": {"additionalProperties": {"type": "number"}}}, "required": ["sizes"]})
    for text in (
        '{"sizes": {"a": 1}}',
        "no JSON",
        '{"sizes": [{"key": "a"}]}',
        '{"sizes": [], "sizes": []}',
        "[" * 500,
    ):
        assert form.text(text) == text
    twice = '{"sizes": [{"key": "a", "value": 1}, {"key": "a", "value": 2}]}'
    assert form.text(twice) == twice


def test_no_digit_of_a_number_is_lost() -> None:
    form = strictified({"additionalProperties": {"anyOf": [{"type": "number"}, {"type": "string"}]}})
    text = form.text('{"value": [{"key": "a", "value": 12345678901234567890.10}]}')
    assert text == '{"a": 12345678901234567890.10}'


def test_alternatives_are_told_apart_by_their_schema() -> None:
    class Cat(BaseModel):
        lives: int
        weights: dict[str, float]

    class Dog(BaseModel):
        name: str
        weights: dict[str, float]

    schema = Schema.of(list[Cat | Dog])
    form = strictified(schema.json_schema)
    document: Json = [{"name": "Rex", "weights": {"a": 1.5}}, {"lives": 9, "weights": {}}]
    assert form.document(form.answer(document)) == document


def test_an_exclusive_bound_of_draft_4_is_a_number() -> None:
    size = {"type": "integer", "minimum": 3, "exclusiveMinimum": True, "maximum": 9, "exclusiveMaximum": False}
    form = strictified({"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"size": size}})
    assert form.schema["properties"]["size"]["anyOf"][0] == {"type": "integer", "exclusiveMinimum": 3, "maximum": 9}


def test_a_key_that_the_form_has_no_place_for_is_refused() -> None:
    form = strictified({"patternProperties": {"^[a-z]{2}$": {}}, "required": ["b"]})
    assert form.answer({"b": 1, "cd": 2}) == {"b": "1", "other_keys": [{"key": "cd", "value": "2"}]}
    with pytest.raises(ValueError, match="no place for the key 'c'"):
        form.answer({"b": 1, "c": 2})
    with pytest.raises(ValueError, match="no place for the key ''"):
        form.answer({"b": 1, "": 2})
    ends = strictified({"patternProperties": {"a$": {"minimum": 5}, "b$": {"type": "string"}}, "required": ["n"]})
    assert ends.document(ends.answer({"n": 1, "xa": 6, "xb": "6"})) == {"n": 1, "xa": 6, "xb": "6"}
    with pytest.raises(ValueError, match="no place for the key 'c'"):
        ends.answer({"n": 1, "c": 1})


def test_a_deep_answer_that_fits_no_alternative_is_soon_refused() -> None:
    tree = {"anyOf": [{"properties": {key: {"$ref": "#"}}, "required": [key]} for key in ("a", "b")] * 3}
    form = strictified(tree)
    answer: Json = {"value": json.loads('{"a": ' * 60 + "1" + "}" * 60)}
    with pytest.raises(ValueError, match="no alternative"):
        form.document(answer)


def test_a_schema_that_refers_to_itself_alone_takes_any_value() -> None:
    form = strictified({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}})
    assert form.document({"value": "[1]"}) == [1]
    with pytest.raises(ValueError, match="nested too deep"):
        strictified({"anyOf": [{"$ref": "#"}, {"type": "null"}]}).document({"value": 1})


def test_a_schema_that_is_nested_too_deep_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaError, match="nested too deep"):
        strictified(schema)


@pytest.mark.parametrize(
    ("pattern", "is_kept"),
    [
        (r"^[A-Z|]{3}\d+$", True),
        (r"^(a|b(c|d))$", True),
        ("ab+c", False),
        (r"^\s*(\d*)", False),
        ("^a|b$", False),
        ("^(a)|(b)$", False),
        ("^(?=a)b$", False),
        (r"^a\$", False),
    ],
)
def test_a_pattern_is_kept_only_if_it_describes_the_whole_text(pattern: str, is_kept: bool) -> None:
    form = strictified({"type": "string", "pattern": pattern})
    assert ("pattern" in form.schema["properties"]["value"]) == is_kept
