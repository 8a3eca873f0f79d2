"""The client against servers on loopback that answer by a script and fail by a plan."""

import gc
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from math import exp
from pathlib import Path
from typing import Any

import pytest

from structout import (
    BestOf,
    Confident,
    Constrained,
    Message,
    ModelError,
    Prompt,
    Prompted,
    Reask,
    Repair,
    Sampling,
    Schema,
    Scripted,
    SpecError,
    Usage,
    load_model,
)  # fmt: skip
from structout.errors import JournalError
from structout.models import Named, identity
from structout.models.address import Address
from structout.models.base import PartialAnswerError
from structout.models.dialects import PROBE, fields
from structout.models.limiter import Limiter
from structout.models.openai import OpenAIModel, Patience
from structout.pipeline.job import Job
from structout.pipeline.journal import Journal
from structout.pipeline.rows import rows_of
from structout.pipeline.run import local, process
from structout.result import Example, Task
from tests.conftest import Bolt
from tests.models.servers import Fault, Proxy, completion, serving

SOON = Patience(timeout=10, attempts=4, seconds=20)
SCHEMA = Schema.of(Bolt)


def bolt(body: dict[str, Any]) -> dict[str, Any]:
    """Answers with the number in the record, and with what a constraint on one word admits."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    if schema == PROBE.json_schema:
        return completion(json.dumps({"word": schema["properties"]["word"]["enum"][0]}))
    n = int(body["messages"][-1]["content"].split("\n")[1].split()[0])
    return completion(json.dumps({"kind": "hex", "size_mm": n}), read=100 + n)


def ask(text: str, **sampling: Any) -> Prompt:
    return Prompt((Message("user", f"<record>\n{text}\n</record>"),), Sampling(**sampling))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")


def client(proxy: Proxy, **options: Any) -> OpenAIModel:
    return OpenAIModel("m", proxy.url, **{"patience": SOON, "key": "OPENAI_API_KEY", **options})


def test_answers_come_in_order_with_what_they_cost() -> None:
    with serving(Proxy(bolt)) as proxy:
        model = client(proxy)
        answers = model.complete([ask(f"{n} mm") for n in range(30)])
        assert [json.loads(answer.text)["size_mm"] for answer in answers] == list(range(30))
        assert [answer.usage.input_tokens for answer in answers] == list(range(100, 130))
        assert all(answer.usage.calls == 1 and answer.usage.seconds > 0 for answer in answers)
        assert set(proxy.keys) == {"Bearer sk-very-secret-0123456789"}
        assert "secret" not in model.name


def test_a_request_says_how_to_sample() -> None:
    with serving(Proxy(bolt)) as proxy:
        client(proxy).complete([ask("1", temperature=0.5, top_p=0.9, top_k=3, seed=2, stop=("x",), max_tokens=9)])
        (body,) = proxy.requests
        assert {name: body[name] for name in ("temperature", "top_p", "top_k", "stop", "max_tokens")} == {
            "temperature": 0.5, "top_p": 0.9, "top_k": 3, "stop": ["x"], "max_tokens": 9,
        }  # fmt: skip
        client(proxy).complete([ask("1", temperature=0.5, top_p=0.9, top_k=3, seed=3, stop=("x",), max_tokens=9)])
        assert proxy.requests[0]["seed"] != proxy.requests[1]["seed"]
        with pytest.raises(SpecError):
            client(proxy).complete([ask("1", repetitions=2)])


@pytest.mark.parametrize("fault", ["429", "500", "hang", "drip", "reset", "truncated", "html", "page"])
def test_each_transport_fault_is_tried_again(fault: Fault) -> None:
    with serving(Proxy(bolt, {0: fault, 2: fault})) as proxy:
        patience = replace(SOON, timeout=1.5 if fault in ("hang", "drip") else SOON.timeout)
        answers = client(proxy, in_flight=1, patience=patience).complete([ask(f"{n} mm") for n in range(3)])
    assert [json.loads(answer.text)["size_mm"] for answer in answers] == [0, 1, 2]
    assert len(proxy.requests) >= 5


def test_an_answer_that_is_no_json_is_not_asked_again() -> None:
    with serving(Proxy(lambda body: completion("no"))) as proxy:
        assert client(proxy).complete([ask("1")])[0].text == "no"
    assert len(proxy.requests) == 1


def test_a_fault_that_stays_ends_in_an_error_that_keeps_what_was_answered() -> None:
    def sometimes(body: dict[str, Any]) -> dict[str, Any]:
        return {"status": 500} if "2 mm" in body["messages"][0]["content"] else bolt(body)

    with serving(Proxy(sometimes)) as proxy, pytest.raises(PartialAnswerError, match="HTTP 500") as caught:
        client(proxy).complete([ask(f"{n} mm") for n in range(4)])
    assert [answer is not None for answer in caught.value.completions] == [True, True, False, True]
    with pytest.raises(ModelError, match="does not answer"):
        OpenAIModel("m", "http://127.0.0.1:9/v1", patience=Patience(attempts=2)).complete([ask("1")])


def test_to_have_been_put_off_is_not_to_have_failed() -> None:
    faults: dict[int, Fault] = {**dict.fromkeys(range(6), "429"), 6: "500"}
    with serving(Proxy(bolt, faults)) as proxy:
        (answer,) = client(proxy).complete([ask("1 mm")])
    assert (json.loads(answer.text)["size_mm"], len(proxy.requests)) == (1, 8)


def test_patience_ends_where_a_server_puts_off_and_fails_by_turns() -> None:
    kinds: list[Fault] = ["429", "500"]
    with serving(Proxy(bolt, {place: kinds[place % 2] for place in range(100)})) as proxy:
        with pytest.raises(ModelError, match="HTTP 500"):
            client(proxy, patience=replace(SOON, attempts=3)).complete([ask("1 mm")])
        assert len(proxy.requests) == 6
        with pytest.raises(ModelError, match="HTTP 429"):
            client(proxy, patience=replace(SOON, seconds=0)).complete([ask("1 mm")])


@pytest.mark.parametrize(("status", "match"), [(401, "refuses the key"), (404, "name and the address")])
def test_what_trying_again_would_not_mend_is_not_tried_again(status: int, match: str) -> None:
    answer = {"status": status, "error": {"message": "Incorrect key provided: sk-very-secret-0123456789"}}
    with serving(Proxy(lambda body: answer)) as proxy, pytest.raises(ModelError, match=match) as caught:
        client(proxy).complete([ask("1")])
    assert len(proxy.requests) == 1
    assert "secret" not in f"{caught.value} {caught.value.__cause__!r}".replace("sk-very-secret-0123456789", "") + str(
        caught.value
    )


def test_a_prompt_that_the_server_cannot_take_is_a_refused_completion() -> None:
    answer = {"status": 400, "error": {"message": "the context is full; your key sk-very-secret-0123456789"}}
    with serving(Proxy(lambda body: answer)) as proxy:
        (refused,) = client(proxy).complete([ask("1")])
    assert refused.finish_reason == "refused"
    assert "the context is full" in refused.refusal
    assert "secret" not in refused.refusal


def test_newer_models_want_another_field_for_the_limit() -> None:
    def strict(body: dict[str, Any]) -> dict[str, Any]:
        if "max_tokens" in body:
            return {"status": 400, "error": {"message": "use 'max_completion_tokens' instead"}}
        return bolt(body)

    with serving(Proxy(strict)) as proxy:
        assert client(proxy, in_flight=1).complete([ask("1 mm"), ask("2 mm")])[1].finish_reason == "stop"
    assert len(proxy.requests) == 3


def told(pieces: Sequence[str], logprobs: Sequence[float], *, in_bytes: bool = True) -> dict[str, Any]:
    """A completion of these tokens as a server tells it that is asked for log-probabilities; the last one ends it."""
    answer = completion("".join(pieces[:-1]))
    answer["choices"][0]["logprobs"] = {
        "content": [
            {"token": piece, "logprob": logprob, "bytes": list(piece.encode()) if in_bytes else None}
            for piece, logprob in zip(pieces, logprobs, strict=True)
        ]
    }
    return answer


@pytest.mark.parametrize("in_bytes", [True, False])
def test_the_tokens_of_a_server_tell_how_sure_each_leaf_is(in_bytes: bool) -> None:
    pieces = ['{"', "kind", '": "', "he", "x", '", "', "note", '": "', "brûl", "é", '", "size_mm": ', "6", "}", "<end>"]
    logprobs = [-0.01, -0.01, -0.01, -0.5, -0.25, -0.01, -0.01, -0.01, -1.0, -0.5, -0.01, -2.0, -0.01, -0.01]
    with serving(Proxy(lambda body: told(pieces, logprobs, in_bytes=in_bytes))) as proxy:
        (result,) = Prompted().run([Task("a bolt", SCHEMA)], client(proxy, logprobs=True))
    completed = result.attempts[-1].completion
    assert completed.mean_value_logprob == pytest.approx(-(0.5 + 0.25 + 1.0 + 0.5 + 2.0) / 5)
    assert completed.ends is not None
    assert completed.ends[-1] == len(completed.text.encode())
    sure = {"/kind": exp(-0.01 - 0.75 - 0.01), "/note": exp(-0.01 - 1.5 - 0.01), "/size_mm": exp(-2.0)}
    assert result.confidence == pytest.approx(sure)
    decisions = [Confident(least).check([], [result], Scripted(""))[0].decision for least in (0.1, 0.2)]
    assert decisions == ["accept", "reject"]


def test_tokens_that_are_not_the_text_tell_nothing_of_its_leaves() -> None:
    answer = told(["{", "}", ""], [-0.1, -0.2, -0.3])
    answer["choices"][0]["message"]["content"] = '{"kind": "hex", "size_mm": 6}'
    with serving(Proxy(lambda body: answer)) as proxy:
        (result,) = Prompted().run([Task("a bolt", SCHEMA)], client(proxy, logprobs=True))
    assert (result.status, result.confidence) == ("valid", {})
    assert result.attempts[-1].completion.logprobs == (-0.1, -0.2, -0.3)


def test_the_best_of_several_answers_of_a_server_is_the_likeliest() -> None:
    def sampled(body: dict[str, Any]) -> dict[str, Any]:
        size = len(proxy.requests)
        return told(['{"kind": "hex", "size_mm": ', str(size), "}", ""], [-0.1, -2.0 if size != 2 else -0.5, -0.1, 0.0])

    with serving(Proxy(sampled)) as proxy:
        (result,) = BestOf(Prompted(), n=3).run([Task("a bolt", SCHEMA)], client(proxy, logprobs=True, in_flight=1))
    assert result.unwrap().size_mm == 2


def test_finish_reasons_refusals_logprobs_and_missing_counts() -> None:
    cut = completion("{", finish="length")
    cut["choices"][0]["logprobs"] = {"content": [{"token": "{", "logprob": -0.5}]}
    refused = completion("")
    refused["choices"][0]["message"]["refusal"] = "I will not"
    uncounted = completion("four" * 4)
    del uncounted["usage"]
    answers = iter([cut, refused, uncounted])
    with serving(Proxy(lambda body: next(answers))) as proxy, pytest.warns(match="does not count tokens"):
        one, two, three = client(proxy, in_flight=1, logprobs=True).complete([ask("1"), ask("2"), ask("3")])
    assert proxy.requests[0]["logprobs"] is True
    assert (one.finish_reason, one.logprobs) == ("length", (-0.5,))
    assert (two.finish_reason, two.refusal) == ("refused", "I will not")
    assert three.usage.output_tokens == 5


@pytest.mark.parametrize(
    ("dialect", "understands"),
    [
        ("json_schema", lambda body: body.get("response_format", {}).get("json_schema", {}).get("schema")),
        ("structured_outputs", lambda body: body.get("structured_outputs", {}).get("json")),
        ("json_object", lambda body: body.get("response_format", {}).get("schema")),
        ("ollama", lambda body: body.get("format")),
        ("none", lambda body: None),
    ],
)
def test_the_probe_finds_the_dialect_that_is_heeded(dialect: str, understands: Any) -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        schema = understands(body)
        if schema == PROBE.json_schema:
            return completion(json.dumps({"word": schema["properties"]["word"]["enum"][1]}))
        return completion('{"kind": "hex", "size_mm": 1}' if schema else "Hello! How can I help you?")

    with serving(Proxy(answer)) as proxy:
        model = client(proxy)
        says = pytest.warns(match="does not heed") if dialect == "none" else nullcontext()
        with says:
            (completed,) = model.complete([Prompt(ask("1").messages, constraint=SCHEMA)])
    assert model.dialect == dialect
    assert SCHEMA.check_text(completed.text).ok == (dialect != "none")


def test_what_the_probe_costs_is_in_the_bill() -> None:
    def ignores(body: dict[str, Any]) -> dict[str, Any]:
        return completion("Hello!", read=7, written=3)

    with serving(Proxy(ignores)) as proxy:
        model = client(proxy)
        with pytest.warns(match="does not heed"):
            answers = model.complete([Prompt(ask(f"{n}").messages, constraint=SCHEMA) for n in range(3)])
        answers += model.complete([Prompt(ask("3").messages, constraint=SCHEMA)])
    assert [answer.usage.calls for answer in answers] == [5, 1, 1, 1]
    total = sum((answer.usage for answer in answers), Usage())
    assert (total.calls, total.input_tokens) == (len(proxy.requests), 7 * len(proxy.requests))


def test_what_the_probe_costs_is_not_lost_with_what_fails() -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        return (
            {"status": 404} if body["messages"][-1]["content"].split() == ["<record>", "x", "</record>"] else bolt(body)
        )

    with serving(Proxy(answer)) as proxy:
        model = client(proxy)
        with pytest.raises(ModelError):
            model.complete([Prompt(ask("x").messages, constraint=SCHEMA)])
        (paid,) = model.complete([Prompt(ask("1 mm").messages, constraint=SCHEMA)])
    assert (paid.usage.calls, len(proxy.requests)) == (2, 3)


def test_a_schema_that_the_server_refuses_is_only_checked() -> None:
    def picky(body: dict[str, Any]) -> dict[str, Any]:
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        if schema and schema != PROBE.json_schema:
            return {"status": 400, "error": {"message": "Invalid schema: 'default' is not permitted"}}
        return bolt(body)

    prompts = [Prompt(ask(f"{n} mm").messages, constraint=SCHEMA) for n in (1, 2)]
    with serving(Proxy(picky)) as proxy, pytest.warns(match="cannot be held to Bolt"):
        answers = client(proxy, in_flight=1).complete(prompts)
    assert [SCHEMA.check_text(answer.text).ok for answer in answers] == [True, True]
    assert len(proxy.requests) == 1 + 2 + 1


def test_a_server_that_refuses_quotations_is_held_to_the_schema_all_the_same() -> None:
    def picky(body: dict[str, Any]) -> dict[str, Any]:
        if "pattern" in json.dumps(body.get("response_format", {})):
            return {"status": 400, "error": {"message": "unknown key pattern in schema; key-value mapping"}}
        return bolt(body)

    examples = (Example("6 mm, rusty", {"kind": "hex", "size_mm": 6, "note": "rusty"}),)
    tasks = [Task(f"{n} mm", SCHEMA, examples) for n in (1, 2, 3)]
    with serving(Proxy(picky)) as proxy, pytest.warns(match="unknown key pattern in schema; key-value") as said:
        results = Constrained(quote=True).run(tasks, client(proxy, in_flight=1, dialect="json_schema"))
    assert [result.status for result in results] == ["valid"] * 3
    assert ["response_format" in body for body in proxy.requests] == [True] * 4  # one refusal, then the schema alone
    assert len(said) == 1


def test_a_refused_prompt_is_not_sent_again_where_there_is_nothing_less_to_say() -> None:
    with serving(Proxy(lambda body: {"status": 400, "error": {"message": "too long"}})) as proxy:
        (answer,) = client(proxy, dialect="none").complete([Prompt(ask("1 mm").messages, constraint=SCHEMA)])
    assert (answer.finish_reason, len(proxy.requests)) == ("refused", 1)


def test_a_model_that_is_let_go_closes_its_connections() -> None:
    with serving(Proxy(bolt)) as proxy:
        model = client(proxy)
        model.complete([ask("1 mm")])
        connections = model._client
        del model
        gc.collect()
        assert connections.is_closed()


def test_other_languages_than_json() -> None:
    from typing import Literal

    from structout.language import Lark, Regex

    choice = Schema.of(Literal["yes", "no"])
    assert fields(choice, "structured_outputs") == {"structured_outputs": {"choice": ["yes", "no"]}}
    assert fields(Schema.of(Regex("a+")), "structured_outputs") == {"structured_outputs": {"regex": "a+"}}
    assert fields(Schema.of(Lark('start: "a"')), "structured_outputs") is None
    assert fields(choice, "json_schema") is None


def test_requests_in_flight_grow_and_give_way() -> None:
    limiter = Limiter(64)
    for _ in range(200):
        limiter.succeeded()
    grown = limiter.limit
    assert grown > 20
    limiter.throttled(0.0)
    limiter.throttled(0.0)
    assert limiter.limit == grown / 2
    paused = Limiter(4)
    paused.throttled(0.1)
    began = time.monotonic()
    with paused.slot():
        assert time.monotonic() - began >= 0.09


def test_no_more_are_in_flight_than_allowed() -> None:
    flying, most, lock = 0, 0, threading.Lock()

    def slow(body: dict[str, Any]) -> dict[str, Any]:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.02)
        with lock:
            flying -= 1
        return bolt(body)

    with serving(Proxy(slow)) as proxy:
        model = client(proxy, in_flight=3)
        model.complete([ask(f"{n} mm") for n in range(12)])
    assert most <= model.limiter.peak == 3


def test_a_server_that_takes_too_long_is_given_way_to() -> None:
    """It answers one at a time: eight requests at once are more than it can do in time."""
    turn = threading.Lock()

    def one_at_a_time(body: dict[str, Any]) -> dict[str, Any]:
        with turn:
            time.sleep(0.15)
        return bolt(body)

    with serving(Proxy(one_at_a_time)) as proxy:
        model = client(proxy, patience=Patience(timeout=0.7, attempts=20))
        began = model.limiter.limit
        answers = model.complete([ask(f"{n} mm") for n in range(16)])
    assert [json.loads(answer.text)["size_mm"] for answer in answers] == list(range(16))
    assert len(proxy.requests) > 16
    assert model.limiter.limit < began


def test_a_gateway_that_gave_up_waiting_is_given_way_to() -> None:
    answers = iter([{"status": 504}, bolt({"messages": [{"content": "<record>\n1 mm\n</record>"}]})])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        model = client(proxy, in_flight=4)
        model.complete([ask("1 mm")])
    assert model.limiter.limit < 3


def test_a_run_through_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    kinds: list[Fault] = ["429", "500", "reset", "truncated", "html", "page"]
    faults = {place: kinds[place % 6] for place in range(3, 120, 4)}
    texts = [f"{n} mm" for n in range(100)]
    with serving(Proxy(bolt, faults)) as proxy:
        job = Job(SCHEMA, client(proxy), Reask(Repair(Constrained())))
        with Journal(tmp_path / "j", job.identity()) as journal:
            tally = process(rows_of(texts), job, journal, local(20))
            values = [outcome.value for outcome in journal.outcomes(accepted=True)]
            spent = journal.spent()[job.model.name]
    assert [value["size_mm"] for value in values if isinstance(value, dict)] == list(range(100))
    assert tally.counts == {"valid": 100}
    assert spent.calls == 101  # the probe among them
    answered = Counter(
        body["messages"][-1]["content"] for place, body in enumerate(proxy.requests) if place not in faults
    )
    assert set(answered.values()) == {1}
    assert "secret" not in (tmp_path / "j").read_bytes().decode("latin-1")


def test_the_key_goes_to_its_own_server_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "vllm-secret")
    with serving(Proxy(bolt)) as proxy:
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        load_model(f"openai:m@{proxy.url}#key=VLLM_API_KEY").complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.url)
        for name in ("openai:m", f"openai:m@{proxy.url}", f"openai:m@{proxy.url}#key=VLLM_API_KEY"):
            load_model(name).complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", "http://other.example/v1")
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
    own, other, none = "Bearer sk-very-secret-0123456789", "Bearer vllm-secret", "Bearer none"
    assert proxy.keys == [none, other, own, own, other, none]
    assert Address.read("m@https://api.openai.com/v1").variable == "OPENAI_API_KEY"
    assert Address.read("m@http://api.openai.com/v1").variable == ""  # in the clear
    assert Address.read("m@https://api.openai.com.evil.example/v1").variable == ""


def test_what_the_environment_holds_for_one_server_goes_to_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: secret")
    ours = {"openai-organization", "openai-project", "x-gateway"}
    with serving(Proxy(bolt)) as proxy:
        load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.url)
        load_model("openai:m").complete([ask("1 mm")])
    assert [ours & headers.keys() for headers in proxy.headers] == [set(), ours]


def test_a_server_that_wants_a_key_says_how_to_give_it_one() -> None:
    with serving(Proxy(lambda body: {"status": 401})) as proxy:
        with pytest.raises(ModelError, match="is sent no key, and wants one") as caught:
            load_model(f"openai:m@{proxy.url}").complete([ask("1 mm")])
        assert "#key=OPENAI_API_KEY" in caught.value.hint
        with pytest.raises(ModelError, match="refuses the key") as caught:
            load_model(f"openai:m@{proxy.url}#key=OPENAI_API_KEY").complete([ask("1 mm")])
        assert caught.value.hint == "check OPENAI_API_KEY"
        with pytest.raises(ModelError, match="NO_SUCH_KEY"):
            load_model(f"openai:m@{proxy.url}#key=NO_SUCH_KEY")
        with pytest.raises(SpecError) as wrong:
            load_model(f"openai:m@{proxy.url}#key=sk-very-secret-0123456789")
    assert "secret" not in str(wrong.value)


def test_models_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("openai:org/m@http://127.0.0.1:9/v1#ollama,logprobs,5")
    assert isinstance(model, OpenAIModel)
    assert model.name == "openai:org/m@http://127.0.0.1:9/v1#ollama,logprobs"
    assert (model.dialect, model.limiter.most) == ("ollama", 5)
    patient = load_model("openai:m@http://127.0.0.1:9/v1#timeout=300")
    assert isinstance(patient, OpenAIModel)
    assert patient.patience == Patience(timeout=300)
    for wrong in ("u:p@host/v1", "host/v1?key=x", "host/v1#fast", "host/v1#timeout=soon", "host/v1#timeout=0"):
        with pytest.raises(SpecError):
            load_model(f"openai:m@http://{wrong}")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ModelError, match="no key"):
        load_model("openai:gpt")


@pytest.mark.parametrize(
    ("options", "same"),
    [("", True), ("8,timeout=9", True), ("key=OPENAI_API_KEY", True)]
    + [(one, False) for one in ("none", "json_schema", "logprobs", "n")],
)
def test_what_changes_answers_is_part_of_a_models_identity(options: str, same: bool) -> None:
    plain, other = "openai:m@http://127.0.0.1:9/v1", f"openai:m@http://127.0.0.1:9/v1#{options}"
    assert (identity(other) == plain) == same
    loaded = load_model(other).name
    assert identity(loaded) == loaded == identity(Named(other).name)
    assert identity(f"{plain}#logprobs,none") == identity(f"{plain}#none,3,logprobs")


def test_where_a_model_is_served_is_part_of_its_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    somewhere = identity("openai:m")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://user:secret@127.0.0.1:9/v1?key=secret")
    assert load_model("openai:m").name == identity("openai:m") == identity("openai:m@http://127.0.0.1:9/v1")
    assert identity("openai:m") != somewhere == "openai:m"


def test_a_journal_does_not_go_on_with_a_model_that_is_asked_otherwise(tmp_path: Path) -> None:
    jobs = [Job(SCHEMA, load_model(f"openai:m@http://127.0.0.1:9/v1{one}"), Constrained()) for one in ("", "#none")]
    Journal(tmp_path / "j", jobs[0].identity()).close()
    Journal(tmp_path / "j", jobs[0].identity()).close()
    with pytest.raises(JournalError, match="model"):
        Journal(tmp_path / "j", jobs[1].identity())


def test_samples_of_one_prompt_are_one_request_where_that_is_asked_for() -> None:
    def several(body: dict[str, Any]) -> dict[str, Any]:
        whole = completion("x", read=100, written=9)
        whole["choices"] = [{**whole["choices"][0], "message": {"content": "x" * n}} for n in range(1, body["n"])]
        return whole if body["n"] > 1 else completion("last", written=2)

    prompts = [Prompt(ask("1", temperature=1.0).messages, Sampling(temperature=1.0), sample=n) for n in range(3)]
    with serving(Proxy(lambda body: several({"n": 1, **body}))) as proxy:
        answers = client(proxy, many=True, in_flight=1).complete([*prompts, ask("2")])
        assert [body.get("n", 1) for body in proxy.requests] == [3, 1, 1]  # it gave two of three
    assert [answer.text for answer in answers] == ["x", "xx", "last", "last"]
    assert [answer.usage.output_tokens for answer in answers] == [3, 6, 2, 2]
    assert [answer.usage.calls for answer in answers] == [1, 0, 1, 1]
