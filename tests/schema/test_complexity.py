"""Hostile schemas are refused with a typed error, or judge a document in bounded time and memory."""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from structout import Schema, SchemaError
from structout.grammar import compile  # noqa: A004
from structout.schema.complexity import Complexity, check_form
from structout.schema.validator import Validator
from tests.conftest import ROOT, needs

DEEP = 190


def web(levels: int, *keywords: str, last: Any = None, **more: Any) -> dict[str, Any]:
    """Definitions of which each refers to the next one twice and more."""
    parts: dict[str, Any] = {f"d{levels}": last or {"type": "string"}}
    for level in range(levels):
        to: Any = {"$ref": f"#/$defs/d{level + 1}"}
        node: dict[str, Any] = dict(more)
        for keyword in keywords:
            if keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
                node[keyword] = [to, to]
            elif keyword in ("properties", "patternProperties", "dependentSchemas", "dependencies"):
                node[keyword] = {"a": to, "b": to}
            else:
                node[keyword] = to
        parts[f"d{level}"] = node
    return {"$ref": "#/$defs/d0", "$defs": parts}


def nested(levels: int, keyword: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {keyword: [schema]}
    return schema


def shared(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"anyOf": [schema, schema]}
    return schema


def twice(keyword: str, **more: Any) -> dict[str, Any]:
    """A schema whose alternatives both lead back to it."""
    inner = {"properties": {"a": {"$ref": "#"}}}
    return {keyword: [inner, {**inner, "required": ["a"]}], **more}


def itself() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema, "b": schema}
    return schema


REFUSED: dict[str, Any] = {
    **{f"a deep web of {keyword}": web(60, keyword) for keyword in ("anyOf", "oneOf", "allOf", "dependentSchemas")},
    **{f"a web of {keyword}": web(20, keyword) for keyword in ("anyOf", "oneOf", "allOf", "dependentSchemas")},
    "a web of conditions": web(20, "if", "then", "else"),
    "a web of denials": web(20, "not", "allOf"),
    "a web of old dependencies": web(20, "dependencies", **{"$schema": "http://json-schema.org/draft-07/schema#"}),
    "a web that remembers properties": web(12, "anyOf", unevaluatedProperties=False),
    "a web of anchors": {
        "$ref": "#d0",
        "$defs": {
            f"d{i}": {"$anchor": f"d{i}", "anyOf": [{"$ref": f"#d{i + 1}"}] * 2 if i < 30 else [True]}
            for i in range(31)
        },
    },
    "a web of addresses": {
        "$id": "http://example.com/a/root.json",
        "$ref": "b/d0.json",
        "$defs": {
            f"d{i}": {
                "$id": f"b/d{i}.json",
                "anyOf": [{"$ref": f"d{i + 1}.json"}, {"$ref": f"/a/b/d{i + 1}.json"}] if i < 30 else [True],
            }
            for i in range(31)
        },
    },
    **{f"{keyword} nested 10,000 deep": nested(10_000, keyword) for keyword in ("allOf", "anyOf", "oneOf")},
    "2,000 references in a row": {
        "$ref": "#/$defs/d0",
        "$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} if i < 2_000 else {} for i in range(2_001)},
    },
    "a reference to itself": {"$ref": "#"},
    "alternatives that lead back": {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
    "one object at a million places": shared(30),
    "an object that holds itself": itself(),
    "an infinite bound": {"maxLength": float("inf")},
    "an infinite default": {"default": float("inf")},
    "a number that is none": {"examples": [float("nan")]},
    "a constant of 4,001 digits": {"const": 10**4000},
    "a step of 401 digits": {"multipleOf": 10**400},
    "a key that is no text": {"properties": {1: {}}},
    "a set": {"enum": {1, 2}},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_schema_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.of(REFUSED[name])
    assert caught.value.hint


JUDGED: dict[str, Any] = {
    "a small web": web(12, "anyOf"),
    "a small web of one-of": web(12, "oneOf"),
    "a web of properties": web(30, "properties", type="object", required=["a", "b"]),
    "a web of items": web(30, "prefixItems", "items", type="array"),
    "alternatives that lead deeper": {
        "$ref": "#/$defs/d0",
        "$defs": {
            f"d{i}": {"anyOf": [{"properties": {"a": {"$ref": f"#/$defs/d{(i + 1) % 80}"}}}, {"required": ["a"],
                      "properties": {"a": {"$ref": f"#/$defs/d{(i + 1) % 80}"}}}]} for i in range(80)
        },
    },
    "itself in two alternatives": twice("anyOf", type="object"),
    "itself in one of two": twice("oneOf"),
    "itself in both": twice("allOf", type="object"),
    "itself, and nothing else": twice("anyOf", unevaluatedProperties=False),
    "itself by another word": {
        "$id": "https://example.com/t", "$dynamicAnchor": "n",
        "allOf": [{"properties": {"a": {"$dynamicRef": "#n"}}}, {"properties": {"a": {"$dynamicRef": "#n"}}}],
    },
    "an object at 4,096 places": shared(12),
    "many required properties": {
        "type": "object", "required": [f"p{i}" for i in range(3_200)],
        "properties": {f"p{i}": {"type": "string"} for i in range(3_200)},
    },
    "a long way down": {
        "$ref": "#/$defs/d0",
        "$defs": {f"d{i}": {"properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}}, "type": "object"} if i < 2_000 else {}
                  for i in range(2_001)},
    },
}  # fmt: skip
DOCUMENTS = ["5", '{"a": 1, "b": 2', '{"a":' * DEEP + "1" + "}" * DEEP, "[" * DEEP + "1" + "]" * DEEP]

CHILD = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_CPU, (200, 200))
from structout.errors import StructoutError
from structout.prompts import render
from structout.parsing import repair
from structout.schema import Schema
from tests.schema.test_complexity import DOCUMENTS, JUDGED
seconds = {}
def timed(name, work):
    began = time.process_time()
    try:
        work()
    except StructoutError:
        pass
    seconds[name] = time.process_time() - began
for name, written in JUDGED.items():
    schema = Schema.of(written)
    for text in DOCUMENTS:
        timed(f"{name}: check {text[:20]}", lambda: schema.check_text(text))
    for text in DOCUMENTS[:2]:
        timed(f"{name}: repair {text}", lambda: repair(text, schema, "any"))
    for show in ("json_schema", "typescript", "example"):
        timed(f"{name}: {show}", lambda: render(schema, show))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))  # without the parent's
print(json.dumps([seconds, int(peak)]))
"""


def test_a_schema_that_is_taken_judges_any_document_in_bounded_time() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    seconds, peak = json.loads(done.stdout)
    assert {name: taken for name, taken in seconds.items() if taken > 5} == {}  # of CPU time
    assert peak < 1024**2  # KiB


EXPRESSION: dict[str, Any] = {
    "$ref": "#/$defs/e",
    "$defs": {
        "e": {
            "oneOf": [
                {"type": "integer"},
                *(
                    {
                        "type": "object",
                        "properties": {
                            "op": {"const": f"op{i}"},
                            "l": {"$ref": "#/$defs/e"},
                            "r": {"$ref": "#/$defs/e"},
                        },
                        "required": ["op", "l", "r"],
                        "additionalProperties": False,
                    }
                    for i in range(8)
                ),
            ]
        }
    },
}


def tower(levels: int, bottom: Any) -> Any:
    document = bottom
    for level in range(levels):
        document = {"op": f"op{level % 8}", "l": level, "r": document}
    return document


@pytest.mark.parametrize("levels", [1, 3, 12, 150])
def test_a_recursive_schema_judges_documents_of_any_depth(levels: int) -> None:
    schema = Schema.of(EXPRESSION)
    assert schema.check(tower(levels, 1)).ok
    checked = schema.check(tower(levels, "x"))
    assert [issue.pointer for issue in checked.issues] == ["/r" * levels]


def test_a_document_too_deep_to_tell_does_not_comply_and_says_so() -> None:
    schema = Schema.of(twice("anyOf", unevaluatedProperties=False))
    shallow, deep = json.loads('{"a":' * 2 + "1" + "}" * 2), json.loads('{"a":' * 60 + "1" + "}" * 60)
    assert schema.check(shallow).ok
    assert [issue.kind for issue in schema.check(deep).issues] == ["constraint"]


def test_verdicts_that_are_remembered_are_those_of_the_common_way() -> None:
    schemas = [EXPRESSION, twice("anyOf"), twice("oneOf"), twice("allOf", type="object"), web(4, "anyOf", "not")]
    documents = [1, "x", {}, {"a": 1}, {"a": {"a": {}}}, tower(2, 1), tower(2, "x"), {"op": "op1", "l": 1}]
    for written in schemas:
        validator = Validator(written, pydantic=False)
        remembering = validator._remembering
        assert remembering is not None
        for document in documents:
            assert remembering.is_valid(document, "") == validator._whole.is_valid(document)


def test_a_document_costs_what_its_depth_multiplies() -> None:
    doubling = Complexity(twice("anyOf"))
    assert doubling.is_steep()
    assert doubling.cost(11) > 2 * doubling.cost(10) - 10
    one: dict[str, Any] = {"$ref": "#/$defs/d0", "$defs": {"d0": {"properties": {"a": {"$ref": "#/$defs/d0"}}}}}
    assert not Complexity(one).is_steep()
    assert not Complexity(web(30, "properties")).is_steep()


def test_a_form_is_judged_wherever_a_shared_part_stands() -> None:
    part = nested(60, "allOf")
    check_form({"anyOf": [part, part]})
    with pytest.raises(SchemaError, match="too deep"):
        check_form({"anyOf": [part, _above(part, 90)]})


def _above(node: Any, levels: int) -> Any:
    for _ in range(levels):
        node = {"not": node}
    return node


def test_nothing_is_asked_of_the_address_of_a_dialect() -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/dialect"
    try:
        for written in ({"$schema": address}, {"$ref": address}, {"$defs": {"a": {"$id": "x:a", "$schema": address}}}):
            with suppress(SchemaError):
                Schema.of(written)
    finally:
        server.shutdown()
        server.server_close()
    assert asked == []


@needs("llguidance")
def test_a_default_that_json_cannot_hold_says_nothing_of_documents() -> None:
    from pydantic import create_model

    kept: Any = {"n": (int, 3)}
    for default in (float("inf"), float("-inf"), float("nan"), 10**400):
        schema = Schema.of(create_model("M", a=(Any, default), **kept))
        assert isinstance(schema.json_schema, dict)
        assert "default" not in schema.json_schema["properties"]["a"]
        assert schema.json_schema["properties"]["n"]["default"] == 3
        assert schema.check_text('{"a": 1.5}').ok
        assert compile(schema).documents
