"""References: wherever a schema may point, all that reads the schema finds the same place."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import Schema, SchemaError
from structout.evaluation.scoring.comparison import Comparison
from structout.parsing import repair
from structout.prompts.render import render
from structout.schema.references import local, resolve, subschemas
from structout.tables.output import writing
from structout.verifiers.places import admits
from tests.conftest import Shell

SIZE = {
    "type": "object",
    "properties": {"mm": {"type": "number"}, "seen": {"type": "boolean"}},
    "required": ["mm"],
    "additionalProperties": False,
}


def of(reference: str, definitions: dict[str, Any], **more: Any) -> dict[str, Any]:
    head = {"type": "object", "properties": {"size": {"$ref": reference}}, "required": ["size"]}
    return {**head, "additionalProperties": False, "$defs": definitions, **more}


WAYS = {
    "a plain pointer": of("#/$defs/Size", {"Size": SIZE}),
    "a percent escape": of("#/$defs/The%20Size", {"The Size": SIZE}),
    "escapes of both kinds": of("#/$defs/a~1b%25", {"a/b%": SIZE}),
    "an anchor": of("#size", {"Size": {"$anchor": "size", **SIZE}}),
    "the schema's own address": of("https://e.com/p.json#/$defs/S", {"S": SIZE}, **{"$id": "https://e.com/p.json"}),
    "a relative address": of("p.json#/$defs/S", {"S": SIZE}, **{"$id": "https://e.com/p.json"}),
    "an embedded resource": of("https://e.com/s.json", {"S": {"$id": "https://e.com/s.json", **SIZE}}),
    "within an embedded resource": of(
        "https://e.com/s.json#/$defs/T", {"S": {"$id": "https://e.com/s.json", "$defs": {"T": SIZE}}}
    ),
    "from within an embedded resource": of(
        "https://e.com/s.json", {"S": {"$id": "https://e.com/s.json", "$ref": "#/$defs/T", "$defs": {"T": SIZE}}}
    ),
    "a dynamic reference to one place": of(
        "#/$defs/D", {"D": {"$dynamicRef": "#s"}, "S": {"$dynamicAnchor": "s", **SIZE}}
    ),
    "the draft's own spelling": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"size": {"$ref": "#size"}},
        "required": ["size"],
        "additionalProperties": False,
        "definitions": {"Size": {"$id": "#size", **SIZE}},
    },
}


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def schema(request: pytest.FixtureRequest) -> Schema[Any]:
    return Schema.of(request.param)


def test_a_document_is_judged(schema: Schema[Any]) -> None:
    assert schema.check({"size": {"mm": 6}}).ok
    assert not schema.check({"size": {"mm": "6"}}).ok
    assert not schema.check({"size": 6}).ok


def test_a_model_is_shown_what_stands_there(schema: Schema[Any]) -> None:
    assert "mm: number" in render(schema, "typescript")
    assert json.loads(render(schema, "example")) == {"size": {"mm": 0.0, "seen": False}}


def test_repair_fits_a_value_to_what_stands_there(schema: Schema[Any]) -> None:
    assert repair('{"size": {"MM": "6"}}', schema).document == {"size": {"mm": 6}}


def test_a_column_has_the_type_of_what_stands_there(schema: Schema[Any], tmp_path: Path) -> None:
    with writing(str(tmp_path / "out.parquet"), schema, bare=True) as write:
        write({"size": {"mm": 6.5}}, {})
    assert str(pq.read_schema(tmp_path / "out.parquet").field("size").type) == "struct<mm: double, seen: bool>"


def test_places_and_comparisons_see_what_stands_there(schema: Schema[Any]) -> None:
    assert admits(schema, "/size/mm")
    assert not admits(schema, "/size/inch")
    assert Comparison.of(schema).closed == {"/size/seen"}


def test_what_is_plain_stays_as_it_is() -> None:
    for plain in (WAYS["a plain pointer"], {"type": "object", "properties": {"$ref": {"type": "string"}}}, True, {}):
        assert local(plain) is plain


def test_a_reference_to_nowhere_is_refused() -> None:
    for reference in ("#/$defs/nope", "#nope", "https://elsewhere.org/s.json"):
        with pytest.raises(SchemaError, match=r"invalid JSON Schema: a \$ref leads to .*, which is not in the schema"):
            Schema.of(of(reference, {"Size": SIZE}))


def test_what_only_validation_can_resolve_is_left_to_the_validator() -> None:
    tree = {
        "$id": "https://e.com/strict",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "unevaluatedProperties": False,
        "$defs": {
            "tree": {
                "$id": "tree",
                "$dynamicAnchor": "node",
                "type": "object",
                "properties": {"below": {"type": "array", "items": {"$dynamicRef": "#node"}}},
            }
        },
    }
    assert local(tree) is tree
    schema = Schema.of(tree)
    assert schema.check({"below": [{"below": []}]}).ok
    assert not schema.check({"below": [{"belwo": []}]}).ok, "the outer schema closes the inner objects as well"
    assert render(schema, "typescript")


def test_run_writes_a_table_of_what_an_anchor_names(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "s.json").write_text(json.dumps(WAYS["an anchor"]))
    (tmp_path / "m.json").write_text(json.dumps({"bolt": '{"size": {"mm": 6}}'}))
    (tmp_path / "in.txt").write_text("bolt\n")
    words = ["--model", f"scripted:{tmp_path / 'm.json'}", "--strategy", "Prompted()", "--bare"]
    done = shell("run", "-s", tmp_path / "s.json", "-i", tmp_path / "in.txt", "-o", tmp_path / "o.parquet", *words)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == [{"size": {"mm": 6.0, "seen": None}}]


_NAMES = st.text("ab/~%# é", min_size=1, max_size=3)


def escaped(place: str) -> str:
    """Each byte that is no letter of ASCII as its percent escape."""
    return "".join(chr(byte) if 33 <= byte <= 126 and byte not in b"%#" else f"%{byte:02X}" for byte in place.encode())


@given(st.dictionaries(_NAMES, st.integers(1, 9), min_size=1, max_size=3), st.data())
def test_every_pointer_leads_where_the_validator_goes(bounds: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(bounds)))
    definitions = {key: {"type": "integer", "maximum": most} for key, most in bounds.items()}
    place = next(at for at, node in subschemas({"$defs": definitions}) if node == definitions[name])
    schema = Schema.of({"$ref": f"#{escaped(place)}", "$defs": definitions})
    assert isinstance(schema.json_schema, dict)
    assert resolve(schema.json_schema, schema.json_schema["$ref"]) == definitions[name]
    assert schema.check(bounds[name]).ok
    assert not schema.check(bounds[name] + 1).ok
