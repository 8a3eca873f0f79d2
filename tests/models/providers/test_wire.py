"""What reaches a provider over HTTP, and what becomes of its answers, on servers that keep the providers' rules."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from benchmarks.emulated import Log, Provider, Reply, Request, careful, careless, marked, serving
from benchmarks.emulated.anthropic import Anthropic
from benchmarks.emulated.compatible import groq
from benchmarks.emulated.google import Google
from benchmarks.emulated.openai import OpenAI
from benchmarks.emulated.speakers import row
from structout import Message, ModelError, NoModelError, Prompt, Sampling, Schema, SpecError, load_model
from structout.models import LazyModel, identity
from structout.models.providers.hosted import HostedModel
from structout.models.retries import Patience
from tests.conftest import Shell
from tests.models.providers.asking import SCHEMA, ask

KEY = "sk-ant-very-secret-0123456789"
PLACES = {  # the environment variables with a provider's address and key, and the rest of the address
    "anthropic": ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", ""),
    "openai-responses": ("OPENAI_BASE_URL", "OPENAI_API_KEY", "/v1"),
    "openai-chat": ("OPENAI_BASE_URL", "OPENAI_API_KEY", "/v1"),
    "google": ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_API_KEY", ""),
    "groq": ("GROQ_BASE_URL", "GROQ_API_KEY", ""),
}
DOCUMENT = {"name": "bolt", "size": 8, "stock": {"Ulm": 3, "Bonn": 0}}
MODELS = {
    "anthropic:claude-sonnet-4-6": Anthropic,
    "openai-responses:gpt-4o": OpenAI,
    "openai-chat:gpt-4o": OpenAI,
    "google:gemini-2.5-flash": Google,
}


@dataclass
class Faulty:
    """A provider that gives these replies first."""

    provider: Any
    replies: list[Reply]
    log: Log = field(default_factory=Log)

    def answer(self, request: Request) -> Reply:
        return self.replies.pop(0) if self.replies else self.provider.answer(request)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    @contextmanager
    def loaded(name: str, provider: Provider) -> Iterator[tuple[HostedModel, Log]]:
        address, key, path = PLACES[name.partition(":")[0]]
        with serving(provider) as server:
            monkeypatch.setenv(address, server.url + path)
            monkeypatch.setenv(key, KEY)
            model = load_model(name)
            assert isinstance(model, HostedModel)
            model.patience = Patience(timeout=5, attempts=3, seconds=0.5, longest_wait=0.05)
            yield model, server.log

    return loaded


@pytest.mark.parametrize("name", MODELS)
def test_a_document_with_a_map_comes_through_the_strict_mode(name: str, at: Any) -> None:
    with at(name, MODELS[name](marked())) as (model, log):
        (answer,) = model.complete([ask(row("1", "careful", DOCUMENT))])
        assert json.loads(answer.text) == DOCUMENT
        assert answer.version == f"{name.partition(':')[2]} native"
        assert answer.usage.input_tokens > 0 < answer.usage.output_tokens
    (asked,) = log.asked
    assert (asked.way, asked.held) == ("format", True)
    pairs = asked.schema["properties"]["stock"]
    assert "key" in json.dumps(pairs)
    assert "value" in json.dumps(pairs)


def test_a_schema_beyond_the_strict_mode_is_held_by_a_plain_tool(at: Any) -> None:
    keys = {f"key{number}": {"type": "integer"} for number in range(40)}  # too many optional keys for the strict mode
    schema = Schema.of({"title": "wide", "type": "object", "properties": keys, "additionalProperties": False})
    with at("anthropic:claude-sonnet-4-6", Anthropic(marked())) as (model, log):
        with pytest.warns(UserWarning, match="by a tool call"):
            (answer,) = model.complete([ask(row("1", "careful", {"key3": 3}), schema=schema)])
        (again,) = model.complete([ask(row("2", "careful", {"key4": 4}), schema=schema)])
    assert [json.loads(one.text) for one in (answer, again)] == [{"key3": 3}, {"key4": 4}]
    assert [asked.way for asked in log.asked if not asked.refusal] == ["tool", "tool"]
    assert answer.version.endswith(" tool")


def test_groq_is_asked_by_a_tool(at: Any) -> None:
    with at("groq:llama-3.3-70b-versatile", groq(marked())) as (model, log):
        (answer,) = model.complete([ask(row("1", "careful", DOCUMENT))])
        assert json.loads(answer.text) == DOCUMENT
        assert answer.version.endswith(" tool")
    assert log.asked[0].way == "tool"


def test_what_groq_finds_invalid_is_an_answer_that_is_charged(at: Any) -> None:
    with (
        at("groq:llama-3.3-70b-versatile", groq(careless)) as (model, log),
        pytest.warns(UserWarning, match="without a token count"),
    ):
        (answer,) = model.complete([ask()])
    assert answer.finish_reason in ("stop", "length")
    assert answer.usage.calls == 1
    assert answer.usage.output_tokens > 0
    assert log.requests == 1
    assert not SCHEMA.check_text(answer.text).ok


def test_azure_is_asked_at_its_own_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OpenAI(marked())) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", server.url)
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_VERSION", "2026-01-01")
        (answer,) = load_model("azure:gpt-4o").complete([ask(row("1", "careful", DOCUMENT))])
    assert json.loads(answer.text) == DOCUMENT
    assert answer.version == "gpt-4o native"
    assert server.log.seen[0].path.startswith("/openai/deployments/gpt-4o/")


def shown(text: str) -> Prompt:
    told = "Read parts. " * 500
    turns = (Message("system", told), Message("user", "a nut"), Message("assistant", '{"name": "nut"}'))
    return Prompt((*turns, Message("user", text)), Sampling(), SCHEMA)


def test_anthropic_caches_what_all_prompts_share(at: Any) -> None:
    with at("anthropic:claude-sonnet-4-6#1", Anthropic(careful)) as (model, log):
        first, *others = model.complete([shown(f"bolt {number}") for number in range(3)])
        (later,) = model.complete([shown("bolt 4")])
    assert first.usage.stored_tokens > 1000
    assert first.usage.reused_tokens == 0
    for answer in (*others, later):
        assert answer.usage.reused_tokens > 1000
        assert answer.usage.stored_tokens == 0
    body = log.seen[-1].json
    assert body["system"][0]["cache_control"]
    marked_turns = ["cache_control" in turn["content"][0] for turn in body["messages"]]
    assert marked_turns == [False, True, False]


def test_a_single_prompt_writes_no_cache(at: Any) -> None:
    with at("anthropic:claude-sonnet-4-6", Anthropic(careful)) as (model, log):
        model.complete([shown("bolt")])
    assert "cache_control" not in log.seen[0].body.decode()


def test_the_user_decides_on_caching(at: Any) -> None:
    with at("anthropic:claude-sonnet-4-6#cache=false", Anthropic(careful)) as (model, log):
        model.complete([shown("bolt"), shown("nut")])
    assert "cache_control" not in log.seen[0].body.decode()


def test_the_user_says_how_long_to_cache(at: Any) -> None:
    with at("anthropic:claude-sonnet-4-6#cache=1h", Anthropic(careful)) as (model, log):
        model.complete([shown("bolt"), shown("nut")])
    body = log.seen[0].json
    marks = [body["system"][0]["cache_control"], body["messages"][1]["content"][0]["cache_control"]]
    assert [mark["ttl"] for mark in marks] == ["1h", "1h"]
    assert "cache_control" not in body["messages"][2]["content"][0]


def test_openai_gets_one_cache_key_and_stores_no_answer(at: Any) -> None:
    with at("openai-responses:gpt-4o", OpenAI(careful)) as (model, log):
        model.complete([shown(f"bolt {number}") for number in range(3)])
    bodies = [request.json for request in log.seen]
    assert len({body["prompt_cache_key"] for body in bodies}) == 1
    assert {body["store"] for body in bodies} == {False}


@pytest.mark.parametrize("name", MODELS)
def test_only_our_retries_count(name: str, at: Any) -> None:
    faults = [Reply({"error": {"message": "oh no"}}, status) for status in (500, 529, 429, 408)]
    with at(name, Faulty(MODELS[name](careful), list(faults))) as (model, log):
        model.patience = Patience(timeout=5, attempts=9, seconds=5, longest_wait=0.01)
        (answer,) = model.complete([ask()])
    assert answer.finish_reason == "stop"
    assert log.requests == len(faults) + 1
    once = [Reply({"error": {"message": "oh no"}}, 500)]
    with at(name, Faulty(MODELS[name](careful), list(once))) as (model, log):
        model.patience = Patience(timeout=5, attempts=1, seconds=5)
        with pytest.raises(ModelError, match="oh no"):
            model.complete([ask()])
    assert log.requests == 1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"<html>gateway</html>", headers={"Content-Type": "text/html"}),
        Reply(b'{"id": "x", "cho'),
        Reply({}),
    ],
    ids=["html", "broken", "empty"],
)
def test_a_body_that_is_no_answer_is_tried_again(name: str, reply: Reply, at: Any) -> None:
    with at(name, Faulty(MODELS[name](careful), [reply])) as (model, log):
        (answer,) = model.complete([ask()])
    assert answer.finish_reason == "stop"
    assert log.requests == 2


@pytest.mark.parametrize("name", [*MODELS, "groq:llama-3.3-70b-versatile"])
@pytest.mark.parametrize("reply", ["long", "packed"])
def test_an_answer_is_bounded_in_bytes(name: str, reply: str, at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structout.models.providers.bounds.MOST_BYTES", 20_000)
    packed = Reply(gzip.compress(b" " * 30_000), headers={"Content-Encoding": "gzip"})
    long = packed if reply == "packed" else Reply({"x": "y" * 30_000})
    with at(name, Faulty(OpenAI(careful), [long] * 9)) as (model, _), pytest.raises(ModelError) as caught:
        model.complete([ask()])
    assert ("compressed" if reply == "packed" else "more than 20,000 bytes") in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
def test_a_bad_key_stops_with_the_servers_words_and_without_the_key(name: str, at: Any) -> None:
    refused = Reply({"error": {"message": f"invalid key {KEY}", "type": "authentication_error"}}, 401)
    with (
        at(name, Faulty(MODELS[name](careful), [refused])) as (model, log),
        pytest.raises(ModelError, match="invalid key") as caught,
    ):
        model.complete([ask()])
    assert KEY not in str(caught.value)
    assert log.requests == 1


def chat_answer(finish: Any, content: str = '{"name": "b", "size": null, "stock": null}') -> Reply:
    message = {"role": "assistant", "content": content}
    return Reply(
        {
            "id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
        }
    )  # fmt: skip


@pytest.mark.parametrize("finish", [None, "", "whatever"])
def test_no_answer_without_a_known_end_is_accepted(finish: Any, at: Any) -> None:
    with at("openai-chat:gpt-4o", Faulty(OpenAI(careful), [chat_answer(finish)])) as (model, log):
        (answer,) = model.complete([ask()])
    assert log.requests == 2
    assert answer.finish_reason == "stop"
    if finish != "":  # pydantic-ai does not read such an answer
        assert answer.usage.input_tokens > 9


def test_a_cut_answer_is_cut(at: Any) -> None:
    cut = '{"name": "b", "size": null, "stock": [{"key": "a", "val'
    with at("openai-chat:gpt-4o", Faulty(OpenAI(careful), [chat_answer("length", cut)])) as (model, _):
        (answer,) = model.complete([ask()])
    assert (answer.finish_reason, answer.text) == ("length", cut)


def test_an_answer_that_drips_is_given_up(at: Any) -> None:
    class Slow:
        log = Log()

        def answer(self, request: Request) -> Reply:
            import time

            time.sleep(0.5)
            return chat_answer("stop")

    with at("openai-chat:gpt-4o", Slow()) as (model, _):
        model.patience = Patience(timeout=0.1, attempts=2)
        with pytest.raises(ModelError, match=r"within 0\.1 seconds"):
            model.complete([ask()])


def test_a_key_with_a_line_break_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{KEY}\n")
    with pytest.raises(NoModelError, match="ANTHROPIC_API_KEY") as caught:
        load_model("anthropic:claude-sonnet-4-6")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("anthropic:m", r"missing key for anthropic:m: \$ANTHROPIC_API_KEY"),
        ("openai:m", r"\$OPENAI_API_KEY"),
        ("azure:m", r"missing setting for azure:m: \$AZURE_OPENAI_ENDPOINT"),
        ("nobody:m", "unknown model"),
        ("cohere:m", "needs packages"),
    ],
)
def test_a_model_that_cannot_be_made_says_what_is_missing(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(NoModelError, match=words) as caught:
        load_model(name)
    assert caught.value.hint


def test_settings_reach_the_wire_and_the_identity(at: Any, tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('effort = "low"\n[extra_headers]\nx-team = "catalogue"\n[extra_body]\nmetadata = {user_id = "u"}\n')
    name = f"anthropic:claude-sonnet-4-6#settings={file}"
    with at(name, Anthropic(careful)) as (model, log):
        model.complete([ask()])
    (request,) = log.seen
    assert request.headers["x-team"] == "catalogue"
    assert request.json["output_config"]["effort"] == "low"
    assert request.json["metadata"] == {"user_id": "u"}
    assert identity(model.name) == identity(name) == identity(LazyModel(name).name)
    assert identity(name).startswith("pydantic-ai:anthropic:")
    assert load_model(model.name).name == model.name
    with pytest.raises(SpecError, match="hash of settings"):
        load_model("anthropic:claude-sonnet-4-6#settings@0123456789ab")
    before = identity(name)
    assert "catalogue" not in before
    assert "effort=low" in before
    file.write_text('effort = "high"\n')
    assert identity(name) != before != identity("anthropic:claude-sonnet-4-6")


def test_a_reasoning_model_gets_its_effort_and_no_temperature(at: Any) -> None:
    name = "openai-responses:gpt-5#reasoning_effort=low"
    with (
        at(name, OpenAI(careful, reasoning=True)) as (model, log),
        pytest.warns(UserWarning, match="takes no temperature"),
    ):
        model.complete([ask()])
    body = log.seen[0].json
    assert body["reasoning"]["effort"] == "low"
    assert "temperature" not in body


def test_a_command_asks_a_hosted_model(at: Any, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.json").write_text(json.dumps(SCHEMA.json_schema))
    (tmp_path / "s.toml").write_text('effort = "low"\n')
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": row("1", "careful", DOCUMENT)}) + "\n")
    with at("anthropic:claude-sonnet-4-6", Anthropic(marked())) as (_, log):
        done = shell(
            "run", "rows.jsonl", "-s", "part.json", "-o", "out.jsonl", "--model", "anthropic:claude-sonnet-4-6",
            "--model-settings", "s.toml", "--strategy", "Constrained()", "--budget-usd", "1",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found["stock"] == DOCUMENT["stock"]
    assert found["_version"] == "claude-sonnet-4-6 native"
    assert found["_cost"] > 0
    assert log.seen[0].json["output_config"]["effort"] == "low"


def test_other_providers_are_named_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mistral:mistral-large-latest", "groq:llama-3.3-70b-versatile", "openrouter:openai/gpt-4o"):
        monkeypatch.setenv(f"{name.partition(':')[0].upper()}_API_KEY", KEY)
        assert load_model(name).name == name
        assert identity(name) == f"pydantic-ai:{name}"
    for variable in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "us-east-1")
    bedrock: Any = load_model("bedrock:anthropic.claude-sonnet-4-6")
    assert bedrock.model.client.meta.config.retries["total_max_attempts"] == 1
