"""The client against servers on loopback that answer by a script and fail by a plan."""

import gc
import json
import threading
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from structout import Constrained, ModelError, Prompt, Reask, Repair, Schema, SpecError, Usage
from structout.models.base import PartialAnswerError
from structout.models.limiter import Limiter
from structout.models.openai.client import OpenAIModel
from structout.models.openai.dialects import PROBE, fields
from structout.models.retries import Patience
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import ACCEPTED, Journal
from structout.pipeline.run import local, process
from structout.result import Example, Task
from structout.tables.rows import rows_of
from tests.bolt import Bolt
from tests.models.openai.clients import SOON, ask, bolt, client
from tests.models.openai.servers import Fault, Proxy, completion, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA = Schema.of(Bolt)


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


@pytest.mark.parametrize(("status", "match"), [(401, "rejects the key"), (404, "name and the address")])
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
        says = pytest.warns(match="ignores constraints") if dialect == "none" else nullcontext()
        with says:
            (completed,) = model.complete([Prompt(ask("1").messages, constraint=SCHEMA)])
    assert model.dialect == dialect
    assert SCHEMA.check_text(completed.text).ok == (dialect != "none")


def test_what_the_probe_costs_is_in_the_bill() -> None:
    def ignores(body: dict[str, Any]) -> dict[str, Any]:
        return completion("Hello!", read=7, written=3)

    with serving(Proxy(ignores)) as proxy:
        model = client(proxy)
        with pytest.warns(match="ignores constraints"):
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
            return {"status": 400, "error": {"message": "Invalid schema: too many enum values"}}
        return bolt(body)

    prompts = [Prompt(ask(f"{n} mm").messages, constraint=SCHEMA) for n in range(1, 8)]
    with serving(Proxy(picky)) as proxy, pytest.warns(match="rejects the constraint of Bolt"):
        answers = client(proxy, in_flight=1).complete(prompts)
    assert [SCHEMA.check_text(answer.text).ok for answer in answers] == [True] * 7
    assert len(proxy.requests) == 1 + 5 * 4 + 2  # the probe, the schema in three forms and none, 5 times, and then none


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
        connections = model._connection.client
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
            values = [outcome.value for outcome in journal.outcomes(ACCEPTED)]
            spent = journal.spent()[job.model.name]
    assert [value["size_mm"] for value in values if isinstance(value, dict)] == list(range(100))
    assert tally.counts == {"valid": 100}
    assert spent.calls == 101  # the probe among them
    answered = Counter(
        body["messages"][-1]["content"] for place, body in enumerate(proxy.requests) if place not in faults
    )
    assert set(answered.values()) == {1}
    assert "secret" not in (tmp_path / "j").read_bytes().decode("latin-1")
