"""The emulated providers refuse what the documented APIs refuse, and hold what they hold."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from benchmarks.emulated import Provider, Server, careful, careless, marked, scripted, serving
from benchmarks.emulated.anthropic import Anthropic
from benchmarks.emulated.compatible import Compatible, groq, llama_cpp, mistral, ollama, silent, vllm
from benchmarks.emulated.google import Google
from benchmarks.emulated.holding import fitted
from benchmarks.emulated.openai import OpenAI
from benchmarks.emulated.speakers import PROSE, row
from tests.conftest import needs

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": ["hex", "flange"]}, "size": {"type": "integer"}},
    "required": ["kind", "size"],
    "additionalProperties": False,
}
HELD = {"kind": "hex", "size": 0}


def with_(**size: Any) -> dict[str, Any]:
    """The schema with further keywords at the key `size`."""
    return {**SCHEMA, "properties": {**SCHEMA["properties"], "size": {"type": "integer", **size}}}


def chat(server: Server, schema: Any = None, *, strict: bool = True, text: str = "hi", **others: Any) -> Any:
    """The answer to one chat completion, or the error."""
    httpx = pytest.importorskip("httpx")
    form = {"type": "json_schema", "json_schema": {"name": "bolt", "schema": schema, "strict": strict}}
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **others}
    body |= {"response_format": form} if schema is not None else {}
    reply = httpx.post(f"{server.url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer k"}).json()
    return reply.get("error") or reply["choices"][0]["message"]["content"]


@pytest.fixture
def strict() -> Iterator[Server]:
    with serving(OpenAI(careless)) as server:
        yield server


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({**SCHEMA, "required": ["kind"]}, "including every key in properties. Missing 'size'."),
        (
            {**SCHEMA, "additionalProperties": True},
            "'additionalProperties' is required to be supplied and to be false.",
        ),
        (with_(default=1), "In context=('properties', 'size'), 'default' is not permitted."),
        (with_(oneOf=[{"type": "integer"}]), "'oneOf' is not permitted."),
        (
            {"type": "array", "items": SCHEMA},
            "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"array\"'.",
        ),
        ({**SCHEMA, "properties": {"kind": {}, "size": {}}}, "schema must have a 'type' key."),
    ],
)
def test_openai_refuses_a_schema_that_is_not_strict(strict: Server, schema: Any, words: str) -> None:
    error = chat(strict, schema)
    assert words in error["message"]
    assert error["param"] == "response_format"
    assert (strict.log.refused, strict.log.answered, strict.log.input_tokens) == (1, 0, 0)


def test_openai_holds_a_strict_schema_and_no_other(strict: Server) -> None:
    assert json.loads(chat(strict, SCHEMA)) == HELD
    assert json.loads(chat(strict, with_(minimum=3, exclusiveMaximum=5))) == {**HELD, "size": 3}
    assert chat(strict, with_(default=1), strict=False) == PROSE
    assert chat(strict) == PROSE
    assert [asked.held for asked in strict.log.asked] == [True, True, False, False]
    assert strict.log.output_tokens > 0


@needs("openai")
def test_openai_answers_responses_batches_and_azures_paths() -> None:
    import openai

    fates = {"a": "succeeded", "b": "expired", "c": "errored"}
    with serving(OpenAI(careless, polls=1, fate=lambda row: fates[row])) as server, ExitStack() as stack:  # type: ignore[arg-type, return-value]
        client = stack.enter_context(openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0))
        form: Any = {"format": {"type": "json_schema", "name": "bolt", "schema": SCHEMA, "strict": True}}
        assert json.loads(client.responses.create(model="m", input="hi", text=form).output_text) == HELD
        form["format"]["schema"] = with_(default=1)
        with pytest.raises(openai.BadRequestError, match="'default' is not permitted") as refused:
            client.responses.create(model="m", input="hi", text=form)
        assert refused.value.code == "invalid_json_schema"
        line = {"method": "POST", "url": "/v1/responses", "body": {"model": "m", "input": "hi"}}
        rows = "\n".join(json.dumps({"custom_id": name, **line}) for name in fates).encode()
        file = client.files.create(file=("rows.jsonl", rows), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/responses", completion_window="24h")
        assert client.batches.retrieve(batch.id).status == "in_progress"
        batch = client.batches.retrieve(batch.id)
        assert (batch.status, server.log.submissions) == ("expired", 1)
        assert batch.output_file_id is not None
        assert batch.error_file_id is not None
        (done,) = client.files.content(batch.output_file_id).text.splitlines()
        assert json.loads(done)["custom_id"] == "a"
        late, wrong = map(json.loads, client.files.content(batch.error_file_id).text.splitlines())
        assert late["error"]["code"] == "batch_expired"
        assert wrong["response"]["status_code"] == 500
        azure = stack.enter_context(
            openai.AzureOpenAI(azure_endpoint=server.url, api_key="k", api_version="2024-10-21", max_retries=0)
        )
        asked = azure.chat.completions.create(model="D", messages=[{"role": "user", "content": "hi"}])
        assert asked.choices[0].message.content == PROSE
        assert server.log.seen[-1].path == "/openai/deployments/D/chat/completions"
        assert server.log.seen[-1].query == {"api-version": "2024-10-21"}


@needs("anthropic")
def test_anthropic_refuses_holds_and_counts_cached_tokens() -> None:
    import anthropic

    with serving(Anthropic(careless)) as server, anthropic.Anthropic(base_url=server.url, api_key="k") as client:
        system: Any = [{"type": "text", "text": "rules " * 50, "cache_control": {"type": "ephemeral"}}]

        def ask(schema: Any = None, **others: Any) -> Any:
            form: Any = {"output_config": {"format": {"type": "json_schema", "schema": schema}}} if schema else {}
            hi: Any = [{"role": "user", "content": "hi"}]
            return client.messages.create(model="m", max_tokens=9, messages=hi, system=system, **form, **others)

        first, second = ask(SCHEMA), ask(SCHEMA)
        assert json.loads(first.content[0].text) == HELD
        assert first.usage.cache_creation_input_tokens == second.usage.cache_read_input_tokens > 0
        assert first.usage.cache_read_input_tokens == second.usage.cache_creation_input_tokens == 0
        with pytest.raises(anthropic.BadRequestError, match="For 'integer' type, property 'minimum' is not supported"):
            ask(with_(minimum=3))
        with pytest.raises(anthropic.BadRequestError, match="'additionalProperties' must be explicitly set to false"):
            ask({**SCHEMA, "additionalProperties": True})
        tool = {"name": "bolt", "input_schema": SCHEMA}
        loose = ask(tools=[tool], tool_choice={"type": "tool", "name": "bolt"})
        held = ask(tools=[{**tool, "strict": True}], tool_choice={"type": "tool", "name": "bolt"})
        assert (loose.content[0].input, held.content[0].input) == ({"answer": PROSE}, HELD)
        assert ask().content[0].text == PROSE


@needs("anthropic")
def test_a_batch_of_anthropic_gives_every_row_its_fate() -> None:
    import anthropic

    fates = {"a": "succeeded", "b": "expired", "c": "errored"}
    with serving(Anthropic(careless, polls=1, fate=lambda row: fates[row])) as server, ExitStack() as stack:  # type: ignore[arg-type, return-value]
        client = stack.enter_context(anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0))
        params: Any = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        batch = client.messages.batches.create(requests=[{"custom_id": name, "params": params} for name in fates])
        assert client.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        found = {row.custom_id: row.result.type for row in client.messages.batches.results(batch.id)}
        assert found == fates
        assert (server.log.submissions, server.log.answered) == (1, 1)


def test_google_holds_what_it_knows_refuses_old_words_and_runs_batches() -> None:
    genai = pytest.importorskip("google.genai")

    fates = {"a": "succeeded", "b": "errored"}
    with serving(Google(careless, fate=lambda row: fates[row])) as server, ExitStack() as stack:  # type: ignore[arg-type, return-value]
        client = stack.enter_context(genai.Client(api_key="k", http_options={"base_url": server.url}))

        def ask(**config: Any) -> Any:
            return client.models.generate_content(
                model="g",
                contents="hi",
                config={"response_mime_type": "application/json", **config},
            ).text

        assert json.loads(ask(response_json_schema=with_(minimum=3))) == {**HELD, "size": 3}
        assert json.loads(ask(response_json_schema=with_(multipleOf=5, exclusiveMinimum=3))) == HELD  # ignored
        lines = [{"key": key, "request": {"contents": [{"parts": [{"text": "hi"}]}]}} for key in fates]
        content = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
        file = client.files.upload(file=content, config={"mime_type": "application/jsonl"})
        assert file.name is not None
        name = client.batches.create(model="g", src=file.name).name
        assert name is not None
        dest = client.batches.get(name=name).dest
        assert dest is not None
        assert dest.file_name is not None
        done = [json.loads(line) for line in client.files.download(file=dest.file_name).splitlines()]
        assert [(row["key"], "response" in row) for row in done] == [("a", True), ("b", False)]
    with serving(Google(careless)) as server:
        httpx = pytest.importorskip("httpx")
        body = {"contents": [], "generationConfig": {"responseSchema": SCHEMA}}
        reply = httpx.post(f"{server.url}/v1beta/models/g:generateContent?key=k", json=body)
        assert reply.status_code == 400
        assert 'Unknown name "additionalProperties"' in reply.json()["error"]["message"]


def test_groq_gives_back_what_failed() -> None:
    with serving(groq(careless)) as server:
        assert json.loads(chat(server, SCHEMA)) == HELD
        error = chat(server, SCHEMA, strict=False)
        assert (error["code"], error["failed_generation"]) == ("json_validate_failed", PROSE)
        assert server.log.answered == 2  # a generation that failed is billed
        assert "must be set on every object" in chat(server, {**SCHEMA, "additionalProperties": True})["message"]
        assert "minItems is not supported" in chat(server, with_(minItems=1))["message"]


@pytest.mark.parametrize(
    ("kind", "heeds"),
    [
        (mistral, {"json_schema"}),
        (vllm, {"json_schema", "structured_outputs"}),
        (llama_cpp, {"json_schema", "json_object"}),
        (ollama, {"json_schema", "format"}),
        (silent, set()),
    ],
)
def test_a_server_heeds_its_own_fields(kind: Callable[..., Compatible], heeds: set[str]) -> None:
    ways: dict[str, dict[str, Any]] = {
        "json_schema": {"schema": SCHEMA},
        "structured_outputs": {"structured_outputs": {"json": SCHEMA}},
        "json_object": {"response_format": {"type": "json_object", "schema": SCHEMA}},
        "format": {"format": SCHEMA},
    }
    with serving(kind(careless)) as server:
        said = {name: chat(server, **fields) for name, fields in ways.items()}
    assert {name for name, text in said.items() if text != PROSE} == heeds
    assert all(json.loads(said[name]) == HELD for name in heeds)


def test_llama_cpp_takes_anchored_patterns_only() -> None:
    word = {"type": "string", "pattern": "[A-Z]+"}
    with serving(llama_cpp(careless)) as server:
        words = chat(server, {**SCHEMA, "properties": {"kind": word, "size": word}})["message"]
    assert "Pattern must start with '^' and end with '$'" in words


def test_a_careful_speaker_writes_what_it_means_in_the_form_of_the_schema() -> None:
    pairs = {"type": "array", "items": {"type": "object", "properties": {"key": {}, "value": {"type": "integer"}}}}
    assert fitted({"a": 1}, pairs) == [{"key": "a", "value": 1}]
    assert fitted(7, {"type": "object", "properties": {"value": {"type": "integer"}}}) == {"value": 7}
    named = {
        "type": "object",
        "properties": {"kind": {"const": "int"}, "data": {"type": "integer"}},
        "required": ["kind", "data"],
    }
    text = {
        "type": "object",
        "properties": {"kind": {"const": "str"}, "data": {"type": "string"}},
        "required": ["kind", "data"],
    }
    assert fitted("a", {"anyOf": [named, text]}) == {"kind": "str", "data": "a"}
    assert fitted({"kind": "hex"}, {**SCHEMA, "properties": {"kind": {}, "size": {"type": ["integer", "null"]}}}) == {
        "kind": "hex",
        "size": None,
    }
    assert json.loads(careful(SCHEMA, "")) == {"kind": "hex", "size": 0}
    assert scripted({"b": "2"})(None, "abc") == "2"


def test_a_marked_record_tells_the_model_its_temper() -> None:
    speak = marked()
    document = {"kind": "flange", "size": 7}
    assert json.loads(speak(SCHEMA, row("1", "careful", document))) == document
    assert [speak(None, row("2", "hasty", document)) == PROSE for _ in range(3)] == [True, False, False]
    assert {speak(SCHEMA, row("3", "careless", document)) for _ in range(3)} == {PROSE}


@pytest.mark.parametrize("provider", [OpenAI(careful), Anthropic(careful), Google(careful)])
def test_a_request_without_a_key_is_refused(provider: Provider) -> None:
    httpx = pytest.importorskip("httpx")
    with serving(provider) as server:
        for path in ("/v1/chat/completions", "/v1/messages", "/v1beta/models/m:generateContent"):
            assert httpx.post(server.url + path, json={}).status_code in (401, 403)
    assert provider.log.asked == []
