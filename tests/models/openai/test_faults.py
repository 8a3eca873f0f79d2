"""Faults of single rows: each row meets its own fate, and the others are asked as before."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from structout import extract_many
from structout.completion import Message, Prompt, Sampling
from structout.errors import ModelError
from structout.models.openai.tokens import is_cut, read_usage
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import ACCEPTED, Journal
from structout.pipeline.run import local, process
from structout.result import Task
from structout.schema import Schema
from structout.strategies import Constrained, Reask, Repair
from structout.tables.rows import rows_of
from tests.bolt import Bolt
from tests.models.openai.clients import ask, bolt, client
from tests.models.openai.servers import Proxy, completion, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA = Schema.of(Bolt)


def test_a_limit_that_is_too_large_is_refused_at_once() -> None:
    def picky(body: dict[str, Any]) -> dict[str, Any]:
        if "max_tokens" in body:
            return {"status": 400, "error": {"message": "Unsupported parameter: use 'max_completion_tokens'"}}
        if body["max_completion_tokens"] > 400 and "vermilion" not in json.dumps(body):
            told = "max_tokens is too large: 512. This model supports at most 400 (max_completion_tokens)"
            return {"status": 400, "error": {"message": told}}
        return bolt(body)

    with serving(Proxy(picky)) as proxy:
        model = client(proxy, dialect="json_schema")
        (answer,) = model.complete([Prompt(ask("1 mm").messages, constraint=SCHEMA)])
    assert answer.finish_reason == "refused"
    assert "--max-tokens" in answer.refusal
    assert len(proxy.requests) == 2


def test_a_context_that_is_full_refuses_the_row_at_once() -> None:
    told = "This model's maximum context length is 4096 tokens"
    with serving(Proxy(lambda body: {"status": 400, "error": {"message": told}})) as proxy:
        (result,) = Constrained().run([Task("1 mm", SCHEMA)], client(proxy, dialect="json_schema"))
    assert told in result.issues[0].message
    assert len(proxy.requests) == 1


def test_a_refusal_of_every_row_is_not_taken_for_a_refusal_of_the_schema() -> None:
    with serving(Proxy(lambda body: {"status": 400, "error": {"message": "bad setting"}})) as proxy:
        model = client(proxy, in_flight=1, dialect="json_schema")
        results = Constrained().run([Task(f"{n} mm", SCHEMA) for n in range(20)], model)
    assert not any(result.ok for result in results)
    assert len(proxy.requests) == 4 + 19  # the first row is asked in each form of the schema, and without it


def moderated(body: dict[str, Any]) -> dict[str, Any]:
    if "3 mm" in body["messages"][-1]["content"]:
        return {"status": 403, "error": {"message": "no words like these, please"}}
    return bolt(body)


def test_a_403_for_one_row_refuses_that_row() -> None:
    with serving(Proxy(moderated)) as proxy:
        model = client(proxy, in_flight=1)
        answers = model.complete([ask(f"{n} mm") for n in range(1, 6)])
    assert [answer.finish_reason for answer in answers] == ["stop", "stop", "refused", "stop", "stop"]
    assert "no words like these" in answers[2].refusal
    assert len(proxy.requests) == 5


def test_a_403_before_any_answer_is_about_the_key_unless_it_speaks_of_content() -> None:
    with serving(Proxy(moderated)) as proxy, pytest.raises(ModelError, match=r"rejects the key.*no words like these"):
        client(proxy).complete([ask("3 mm")])
    told = {"status": 403, "error": {"message": "your input was flagged"}}
    with serving(Proxy(lambda body: told)) as proxy:
        assert client(proxy).complete([ask("3 mm")])[0].finish_reason == "refused"


def test_a_prompt_that_the_server_cut_is_refused() -> None:
    def small(body: dict[str, Any]) -> dict[str, Any]:
        return {**bolt({"messages": [{"content": "\n1 mm"}]}), "usage": {"prompt_tokens": 4096, "completion_tokens": 9}}

    long = " ".join(f"Part {n} is made of steel." for n in range(8_000))
    with serving(Proxy(small)) as proxy:
        model = client(proxy, in_flight=1)
        with pytest.warns(match="OLLAMA_CONTEXT_LENGTH") as told:
            answers = model.complete([ask("1 mm"), ask(long), ask(long + "!"), ask("1 mm" + " " * 200_000)])
    assert [answer.finish_reason for answer in answers] == ["stop", "refused", "refused", "stop"]
    assert "read 4,096 tokens of" in answers[1].refusal
    assert answers[1].usage.input_tokens == 4096
    assert len(told) == 1


@pytest.mark.parametrize(
    ("read", "cached", "cut"), [(0, 0, False), (500, 0, True), (900, 900, False), (1_700, 0, False)]
)
def test_tokens_from_a_cache_count_as_read(read: int, cached: int, cut: bool) -> None:
    text = "a text of words " * 1_250
    usage = read_usage(
        {"prompt_tokens": read, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": cached}}
    )
    assert usage is not None
    assert is_cut(Prompt((Message("user", text),), Sampling()), usage) == cut


def test_thoughts_count_as_output_wherever_the_server_counts_them() -> None:
    inside = {"prompt_tokens": 40, "completion_tokens": 800, "total_tokens": 840}
    details = {"completion_tokens_details": {"reasoning_tokens": 700}}
    counts = [
        (usage.output_tokens, usage.thinking_tokens)
        for usage in map(read_usage, ({**inside, **details}, {**inside, "total_tokens": 7_840}, inside))
        if usage is not None
    ]
    assert counts == [(800, 700), (7_800, 7_000), (800, 0)]


def test_cached_tokens_are_counted() -> None:
    usage = {"prompt_tokens": 1_000, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 900}}
    with serving(Proxy(lambda body: {**completion("x"), "usage": usage})) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
    assert (answer.usage.input_tokens, answer.usage.reused_tokens) == (1_000, 900)


def test_a_logprob_of_null_is_no_logprob() -> None:
    whole = completion("ab")
    parts = [{"token": "a", "logprob": None}, {"token": "b", "logprob": -0.1}]
    whole["choices"][0]["logprobs"] = {"content": parts}
    with serving(Proxy(lambda body: whole)) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
        with pytest.warns(match="invalid log-probabilities"):
            client(proxy, logprobs=True).complete([ask("1")])
    assert (answer.text, answer.logprobs) == ("ab", None)
    assert len(proxy.requests) == 2


def test_a_lone_surrogate_is_set_aside_unasked(tmp_path: Path) -> None:
    texts = ["1 mm", "\ud83d 2 mm", "3 mm"]
    with serving(Proxy(bolt)) as proxy:
        model = client(proxy, dialect="json_schema")
        plain = list(extract_many(texts, Bolt, model))
        kept = list(extract_many(texts, Bolt, model, journal=tmp_path / "a"))
        job = Job(SCHEMA, model, Reask(Repair(Constrained())))
        with Journal(tmp_path / "b", job.identity()) as journal:
            tally = process(rows_of(texts), job, journal, local(2))
    assert [result.ok for result in plain] == [result.ok for result in kept] == [True, False, True]
    assert "not valid Unicode" in plain[1].issues[0].message
    assert tally.counts == {"valid": 2, "invalid": 1}
    assert len(proxy.requests) == 6


BROKEN = '{"kind": "hex", "size_mm": 3'
# What a server answers once to each of three rows, fault by fault; afterwards it answers them as others.
FAULTS: list[dict[str, Any]] = [
    *({"status": status, "error": {"message": "for now"}} for status in (408, 424, 429, 498, 499)),
    *({"status": status, "error": {"message": "for now"}} for status in (500, 502, 503, 504, 523)),
    *(completion(BROKEN, finish=reason) for reason in ("abort", "error", "MAX_TOKENS", "length", "SAFETY")),
    {"status": 400, "error": {"message": "json_validate_failed", "failed_generation": BROKEN}},
    {"status": 400, "error": {"message": "the context is full"}},
    {"status": 400, "error": {"message": "content_filter: this schema is about weapons"}},
    {"status": 403, "error": {"message": "moderation"}},
    {"status": 413, "error": {"message": "too long"}},
    {**completion(""), "choices": []},
    {"error": {"code": 502, "message": "upstream"}},
    {"error": {"message": "try later"}},
    completion("I cannot help with it."),
    completion('{"a": "\ud800"}'),
    {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "stop"}]},
    {"unexpected": True},
]  # fmt: skip


def test_a_run_of_200_rows_in_which_three_rows_meet_each_fault(tmp_path: Path) -> None:
    met: Counter[int] = Counter()
    unheld: list[int] = []
    lock = threading.Lock()

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        asked = "".join(turn["content"] for turn in body["messages"])
        if "<record>" not in asked:
            return bolt(body)  # the probe
        row = int(asked.rpartition("<record>")[2].split()[0])
        with lock:
            met[row] += 1
            unheld.extend([row] if "response_format" not in body else [])
            if met[row] == 1 and row % 2 and row // 6 < len(FAULTS):
                return FAULTS[row // 6]
        return completion(json.dumps({"kind": "hex", "size_mm": row}))

    texts = [f"{n} mm" for n in range(200)]
    assert 6 * len(FAULTS) <= len(texts)
    with serving(Proxy(answer)) as proxy:
        job = Job(SCHEMA, client(proxy), Reask(Repair(Constrained())))
        with Journal(tmp_path / "j", job.identity()) as journal:
            with pytest.warns(match="without a token count"):
                tally = process(rows_of(texts), job, journal, local(20))
            values = [outcome.value for outcome in journal.outcomes(ACCEPTED)]
    written = [json.dumps(value) for value in values]
    assert sum(tally.counts.values()) == 200
    assert set(tally.counts) <= {"valid", "invalid", "truncated"}
    assert tally.counts["valid"] >= 200 - 3 * 12  # a row that is refused or cut off stays so
    assert len(set(written)) == len(written) == tally.counts["valid"]
    assert unheld == []


def test_tokens_of_a_cache_beside_the_prompt_are_no_thoughts_and_no_cut() -> None:
    usage = {
        "prompt_tokens": 40,
        "completion_tokens": 20,
        "total_tokens": 5_060,
        "prompt_tokens_details": {"cached_tokens": 5_000},
    }
    with serving(Proxy(lambda body: {**completion("fine"), "usage": usage})) as proxy:
        (answer,) = client(proxy).complete([ask("a text of words " * 1_500)])
    assert (answer.text, answer.usage.input_tokens, answer.usage.reused_tokens) == ("fine", 5_040, 5_000)
    assert (answer.usage.output_tokens, answer.usage.thinking_tokens) == (20, 0)


def test_a_key_that_a_server_gives_for_its_model_is_masked() -> None:
    names = iter(["m-sk-very-secret-0123456789", "m2-sk-very-secret-0123456789"])
    told = r"now answers as m2-\*\*\*, before as m-\*\*\*:"
    with serving(Proxy(lambda body: {**completion("x"), "model": next(names)})) as proxy, pytest.warns(match=told):
        answers = client(proxy, in_flight=1).complete([ask("1"), ask("2")])
    assert [answer.version for answer in answers] == ["m-***", "m2-***"]
