"""Servers that refuse a schema are offered its strict form, and each row meets a refusal of its own alone."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from structout import load_model
from structout.completion import Prompt
from structout.document import Json
from structout.models.openai.dialects import PROBE
from structout.models.openai.verdict import speaks_of_schema
from structout.result import Task
from structout.schema import Schema
from structout.schema.strict_form import strictified
from structout.strategies import Constrained, Repair
from tests.models.openai.clients import ask, client
from tests.models.openai.servers import Proxy, completion, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA: Schema[Any] = Schema.of({
    "title": "Bolt", "type": "object", "required": ["size_mm"],
    "properties": {
        "size_mm": {"type": "integer"},
        "kind": {"type": "string", "default": "hex"},
        "sizes": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
})  # fmt: skip
MEANT: Json = {"size_mm": 3, "sizes": {"a": 1}}


def nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(inner)


def complaint(schema: Any) -> str:
    """What OpenAI's strict mode says of a schema."""
    if schema.get("type") != "object":
        return "schema must be a JSON Schema of 'type: \"object\"'"
    for node in nodes(schema):
        if node.get("type") == "object":
            if node.get("additionalProperties") is not False:
                return "'additionalProperties' is required to be supplied and to be false"
            if list(node.get("required", ())) != list(node["properties"]):
                return "'required' is required to be supplied and to be an array including every key in properties"
        if "default" in node:
            return "'default' is not permitted"
    return ""


def strict(body: dict[str, Any]) -> dict[str, Any]:
    """Answers as OpenAI's strict mode does: it is held to the schema that it is given, or chats without one."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema is None:
        return completion("Sure! Here is your bolt.")
    if wrong := complaint(schema):
        return {"status": 400, "error": {"message": f"Invalid schema for response_format 'Bolt': {wrong}"}}
    if schema == PROBE.json_schema:
        return completion(json.dumps({"word": schema["properties"]["word"]["enum"][0]}))
    return completion(json.dumps(strictified(SCHEMA.json_schema).answer(MEANT)))


def test_a_strict_server_is_held_to_the_strict_form() -> None:
    with serving(Proxy(strict)) as proxy, pytest.warns(match="so it answers by the strict form of the schema") as told:
        results = Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(6)], client(proxy, in_flight=1))
    assert [(result.status, result.document) for result in results] == [("valid", MEANT)] * 6
    assert len(told) == 1
    assert all("response_format" in body for body in proxy.requests)
    assert len(proxy.requests) < 1 + 6 + 3


def test_the_tokens_of_a_strict_answer_do_not_fit_its_document() -> None:
    answer = json.dumps(strictified(SCHEMA.json_schema).answer(MEANT))
    whole = completion(answer)
    whole["choices"][0]["logprobs"] = {"content": [{"token": answer, "logprob": -0.1, "bytes": None}]}
    schema = strictified(SCHEMA.json_schema).schema

    def logged(body: dict[str, Any]) -> dict[str, Any]:
        return whole if body["response_format"]["json_schema"]["schema"] == schema else strict(body)

    with serving(Proxy(logged)) as proxy:
        model = client(proxy, logprobs=True, dialect="json_schema")
        with pytest.warns(match="strict form"):
            (read,) = model.complete([Prompt(ask("3 mm").messages, constraint=SCHEMA)])
    assert json.loads(read.text) == MEANT
    assert (read.logprobs, read.values, read.ends) == ((-0.1,), None, None)


def test_azure_is_asked_in_strict_form_at_once(azure: Proxy) -> None:
    azure.answer = strict
    model = load_model(f"openai:d@{azure.url}#key=OPENAI_API_KEY,json_schema")
    results = Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(3)], model)
    assert [result.document for result in results] == [MEANT] * 3
    assert len(azure.requests) == 3


def test_a_server_without_closed_objects_is_asked_for_open_ones() -> None:
    def open_only(body: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(body.get("response_format", {}))
        for word in ("additionalProperties", "default"):
            if f'"{word}"' in text and "vermilion" not in text:
                return {"status": 400, "error": {"message": f"Invalid JSON payload: Unknown name '{word}' in schema"}}
        return completion(json.dumps(strictified(SCHEMA.json_schema).answer(MEANT)) if text != "{}" else "Sure!")

    with serving(Proxy(open_only)) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        with pytest.warns(match="with objects left open"):
            results = Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(3)], model)
    assert [result.document for result in results] == [MEANT] * 3
    assert all("response_format" in body for body in proxy.requests)


def groq(body: dict[str, Any]) -> dict[str, Any]:
    text = body["messages"][-1]["content"]
    error = {"message": "Failed to generate JSON. See 'failed_generation'", "code": "json_validate_failed"}
    for size, generated in ((2, '{"size_mm": 2,}'), (3, '{"size_mm": 3'), (4, "I cannot."), (5, '{"size_mm": 5}')):
        if f"{size} mm" in text:
            return {"status": 400, "error": {**error, "failed_generation": generated}}
    return completion(json.dumps({"size_mm": 1}))


def test_a_failed_generation_is_the_answer_of_its_row() -> None:
    tasks = [Task(f"{n} mm", SCHEMA) for n in (1, 2, 3, 4, 5, 1)]
    with serving(Proxy(groq)) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        with pytest.warns(match="without a token count"):
            results = Repair(Constrained()).run(tasks, model)
    assert [result.status for result in results] == ["valid", "repaired", "truncated", "invalid", "valid", "valid"]
    assert all(result.usage.calls == 1 and result.usage.output_tokens > 0 for result in results)
    assert len(proxy.requests) == 6
    assert all("response_format" in body for body in proxy.requests)


def test_a_failed_generation_that_the_server_counts_is_charged_as_counted() -> None:
    def counted(body: dict[str, Any]) -> dict[str, Any]:
        return {**groq(body), "usage": {"prompt_tokens": 70, "completion_tokens": 9}}

    with serving(Proxy(counted)) as proxy:
        (answer,) = client(proxy).complete([ask("4 mm")])
    assert (answer.text, answer.usage.input_tokens, answer.usage.output_tokens) == ("I cannot.", 70, 9)


@pytest.mark.parametrize("message", ["content_filter: this schema is about weapons", "no", "response_format refused"])
def test_a_refusal_of_one_row_changes_nothing_for_later_rows(message: str) -> None:
    def moody(body: dict[str, Any]) -> dict[str, Any]:
        if "3 mm" in body["messages"][-1]["content"]:
            return {"status": 400, "error": {"message": message}}
        return completion(json.dumps({"size_mm": 1}))

    with serving(Proxy(moody)) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        results = Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(1, 7)], model)
    assert [result.ok for result in results] == [True, True, False, True, True, True]
    assert all("response_format" in body for body in proxy.requests if "3 mm" not in body["messages"][-1]["content"])
    stated = [body["response_format"] for body in proxy.requests if "6 mm" in body["messages"][-1]["content"]]
    assert stated == [proxy.requests[0]["response_format"]]


def refusing(message: str, status: int, rows: int) -> Proxy:
    """A server that refuses the first rows wherever a constraint is stated, and takes the probe."""

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        row = int(body["messages"][-1]["content"].split()[1]) if "mm" in body["messages"][-1]["content"] else rows + 1
        if row <= rows and "response_format" in body:
            return {"status": status, "error": {"message": message}}
        return (
            strict(body) if row > rows and "mm" not in body["messages"][-1]["content"] else completion('{"size_mm": 1}')
        )

    return Proxy(answer)


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "message",
    [
        "Generated JSON does not match the expected schema. Please adjust your prompt.",
        "Failed to parse structured response",
        "the model did not conform to the requested schema",
    ],
)
def test_answers_that_fail_under_the_schema_are_no_refusals_of_it(message: str, status: int) -> None:
    with serving(refusing(message, status, 3)) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        with pytest.warns(match="answers some prompts only without the constraint of Bolt") as told:
            Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(1, 9)], model)
    later = [body for body in proxy.requests if body["messages"][-1]["content"].split()[1] in "45678"]
    assert len(later) == 5
    assert all("response_format" in body for body in later)
    assert len(told) == 1


def test_a_constraint_that_is_refused_without_a_reason_is_given_up_after_five_prompts() -> None:
    with serving(refusing("Bad Request", 400, 99)) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        with pytest.warns(match="answers some prompts only without the constraint of Bolt: HTTP 400: Bad Request"):
            Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(1, 9)], model)
    held = ["response_format" in body for body in proxy.requests]
    assert held[-3:] == [False] * 3
    assert held.count(False) == 8


@pytest.mark.parametrize(
    ("said", "is_of_schema"),
    [
        ("Invalid schema for response_format 'Bolt'", True),
        ("This model does not support structured outputs", True),
        ("output_config.format.schema: type is required", True),
        ("Failed to parse grammar", True),
        ("The schema does not conform to the JSON schema specification", True),
        ("The provided schema did not match the supported subset", True),
        ("Unsupported keyword in response schema", True),
        ("Failed to parse response_format", True),
        ("The model output does not match the schema", False),
        ("Failed to parse the response as structured output", False),
        ("json_validate_failed: see the schema", False),
    ],
)
def test_what_a_refusal_is_about(said: str, is_of_schema: bool) -> None:
    assert speaks_of_schema(said) == is_of_schema
