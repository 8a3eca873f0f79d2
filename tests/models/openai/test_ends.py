"""How an answer ended: whole, cut off, refused, or unknown; and where a server puts it."""

import json
import warnings
from typing import Any

import pytest

from structout.errors import AccountError, ModelError, NoModelError
from structout.models.openai.client import OpenAIModel
from structout.models.openai.reply import read_reply
from structout.models.retries import Patience, seconds_asked
from structout.result import Task
from structout.schema import Schema
from structout.strategies import Constrained, Repair
from tests.bolt import Bolt
from tests.models.openai.clients import ask, bolt, client
from tests.models.openai.servers import Proxy, completion, page, serving, speaking

pytestmark = pytest.mark.usefixtures("key")

SCHEMA = Schema.of(Bolt)
HALF, GOOD = '{"kind": "hex", "size_mm": 3', '{"kind": "hex", "size_mm": 35}'
QUICK = Patience(attempts=2, seconds=1.0)


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", None, "", "unknown", 5])
def test_an_answer_that_ended_for_an_unknown_reason_is_asked_again(reason: Any) -> None:
    answers = iter([completion(HALF, finish=reason), completion(GOOD)])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        (answer,) = client(proxy).complete([ask("35 mm")])
    assert (answer.text, answer.finish_reason) == (GOOD, "stop")
    assert (answer.usage.calls, answer.usage.input_tokens) == (2, 22)
    with serving(Proxy(lambda body: completion(HALF, finish=reason))) as proxy:
        (answer,) = client(proxy, patience=QUICK).complete([ask("35 mm")])
    assert (answer.finish_reason, answer.usage.calls, answer.usage.output_tokens) == ("refused", 2, 10)
    assert "ended for an unknown reason" in answer.refusal


def test_an_answer_that_is_not_utf8_is_asked_again_and_then_refused() -> None:
    broken = page(200, json.dumps(completion("#")).encode().replace(b"#", b"\xff"))
    with speaking(lambda request: iter([broken])) as raw:
        (answer,) = OpenAIModel("m", raw.url, patience=QUICK).complete([ask("35 mm")])
    assert (answer.text, answer.finish_reason, answer.usage.calls) == ("", "refused", 2)
    assert "not UTF-8" in answer.refusal


def test_what_unusable_answers_cost_is_charged_though_the_server_fails_then() -> None:
    answers = iter([completion(HALF, finish="abort"), {"status": 500}, completion(GOOD)])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        model = client(proxy, patience=QUICK)
        with pytest.raises(ModelError, match="HTTP 500"):
            model.complete([ask("35 mm")])
        (answer,) = model.complete([ask("35 mm")])
    assert (answer.text, answer.usage.calls, answer.usage.input_tokens) == (GOOD, 2, 22)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("model_length", "truncated"), ("MAX_TOKENS", "truncated"), ("max_tokens", "truncated"), ("SAFETY", "invalid")],
)
def test_a_cut_answer_is_never_accepted(reason: str, status: str) -> None:
    with serving(Proxy(lambda body: completion(HALF, finish=reason))) as proxy:
        (result,) = Repair(Constrained()).run([Task("35 mm", SCHEMA)], client(proxy, dialect="json_schema"))
    assert (result.ok, result.status) == (False, status)


def message(**parts: Any) -> dict[str, Any]:
    made = completion("")
    made["choices"][0]["message"] = {"role": "assistant", **parts}
    return made


@pytest.mark.parametrize(
    "body",
    [
        message(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": GOOD}]),
        message(content=None, reasoning_content=f" {GOOD}\n"),
        message(content=None, tool_calls=[{"function": {"name": "f", "arguments": GOOD}}]),
        message(content="", tool_calls=[{"function": {"name": "f", "arguments": json.loads(GOOD)}}]),
    ],
)
def test_an_answer_is_found_where_servers_put_it(body: dict[str, Any]) -> None:
    with serving(Proxy(lambda _: body)) as proxy:
        (answer,) = client(proxy).complete([ask("35 mm")])
    assert json.loads(answer.text) == json.loads(GOOD)


def test_thoughts_that_are_not_json_are_no_answer() -> None:
    with serving(Proxy(lambda _: message(content=None, reasoning_content="{let me think"))) as proxy:
        assert client(proxy).complete([ask("1")])[0].text == ""


def test_an_empty_list_of_answers_is_a_refusal_that_costs() -> None:
    with serving(Proxy(lambda body: {**completion("", read=90, written=7), "choices": []})) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
    assert (answer.finish_reason, answer.usage.input_tokens) == ("refused", 90)


def test_an_unpaired_surrogate_is_refused() -> None:
    with serving(Proxy(lambda body: completion('{"a": "\ud800"}'))) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
    assert (answer.text, answer.finish_reason) == ("", "refused")


@pytest.mark.parametrize(("code", "asked", "match"), [(402, 1, "check the balance"), (429, 3, ""), (502, 2, "")])
def test_an_error_inside_a_200_is_that_error(code: int, asked: int, match: str) -> None:
    wrong = {"error": {"code": code, "message": "no more credits, sorry"}}
    answers = iter([*[wrong] * (asked - 1 or 1), completion(GOOD)])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        if match:
            with pytest.raises(ModelError, match="no more credits, sorry") as caught:
                client(proxy).complete([ask("1")])
            assert match in caught.value.hint
        else:
            assert client(proxy).complete([ask("1")])[0].text == GOOD
        assert len(proxy.requests) == asked


def test_a_quota_that_is_used_up_is_not_waited_for() -> None:
    spent = {"status": 429, "error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    with serving(Proxy(lambda body: spent)) as proxy, pytest.raises(ModelError, match="exceeded your current quota"):
        client(proxy).complete([ask("1")])
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("status", [424, 498, 499, 521, 523, 530, 507])
def test_statuses_that_pass_are_tried_again(status: int) -> None:
    answers = iter([{"status": status, "error": {"message": "for now"}}, completion(GOOD)])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        assert client(proxy).complete([ask("1")])[0].text == GOOD


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_words_of_a_failing_server_are_told(status: int) -> None:
    down = {"status": status, "error": {"message": "model is loading its weights"}}
    with serving(Proxy(lambda body: down)) as proxy, pytest.raises(ModelError, match="loading its weights") as caught:
        client(proxy, patience=QUICK).complete([ask("1")])
    assert not caught.value.stops


def test_no_request_follows_one_that_concerns_them_all() -> None:
    with serving(Proxy(lambda body: {"status": 401, "error": {"message": "wrong key"}})) as proxy:
        with pytest.raises(NoModelError, match="rejects the key: HTTP 401: wrong key"):
            client(proxy, in_flight=2).complete([ask(f"{n}") for n in range(50)])
        assert len(proxy.requests) <= 2


def test_a_server_that_has_answered_rejects_a_prompt_and_not_the_key() -> None:
    answers = iter([completion(GOOD), {"status": 403, "error": {"message": "blocked"}}, {"status": 404}])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        model = client(proxy)
        model.complete([ask("1")])
        assert "blocked" in model.complete([ask("2")])[0].refusal
        with pytest.raises(ModelError) as caught:
            model.complete([ask("3")])
        assert not caught.value.stops


@pytest.mark.parametrize("header", ["0", "-1", "nan", "inf", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_a_wait_of_nothing_is_no_wait(header: str) -> None:
    assert seconds_asked(header) is None


def test_one_rejected_row_changes_nothing_for_the_others() -> None:
    held: list[bool] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        held.append("response_format" in body)
        if "3 mm" in body["messages"][-1]["content"] and held[-1]:
            return {"status": 400, "error": {"message": "json_validate_failed: see failed_generation"}}
        return bolt(body)

    tasks = [Task(f"{n} mm", SCHEMA) for n in range(1, 7)]
    with serving(Proxy(answer)) as proxy, warnings.catch_warnings():
        warnings.simplefilter("error")
        model = client(proxy, in_flight=1, dialect="json_schema")
        results = Constrained().run(tasks, model)
    assert [result.ok for result in results] == [True, True, False, True, True, True]
    assert "json_validate_failed" in results[2].issues[0].message
    assert held == [True] * 6  # the server took the schema before: the row is at fault


@pytest.mark.parametrize(
    "wrapped",
    [
        "\ufeff{}",
        ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n{}",
        "data: {}\n\ndata: [DONE]\n\n",
    ],
)
def test_bodies_with_marks_comments_and_events_are_read(wrapped: str) -> None:
    reply = read_reply(wrapped.replace("{}", json.dumps(completion(GOOD))), ask("1"), 0.1)
    assert reply.answers[0].text == GOOD


def test_a_stream_is_joined_and_must_say_how_it_ended() -> None:
    parts = (GOOD[:9], GOOD[9:])
    deltas: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": {"content": part}}]} for part in parts]
    usage = {"prompt_tokens": 4, "completion_tokens": 2}
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage}
    whole = "".join(f"data: {json.dumps(event)}\n\n" for event in [*deltas, last])
    (answer,) = read_reply(whole, ask("1"), 0.1).answers
    assert (answer.text, answer.usage.input_tokens) == (GOOD, 4)
    broken = read_reply("".join(f"data: {json.dumps(event)}\n\n" for event in deltas), ask("1"), 0.1)
    assert "unknown reason" in broken.problem


CUT_ERROR = {"code": 502, "message": "Upstream cut"}


def failing(*, inside: bool) -> dict[str, Any]:
    """An answer with an error beside its text."""
    made = completion(GOOD)
    (made["choices"][0] if inside else made)["error"] = CUT_ERROR
    return made


@pytest.mark.parametrize("inside", [True, False])
def test_an_answer_with_an_error_beside_it_is_asked_again(inside: bool) -> None:
    answers = iter([failing(inside=inside), completion(GOOD)])
    with serving(Proxy(lambda body: next(answers))) as proxy:
        assert client(proxy).complete([ask("1")])[0].usage.calls == 2
    with serving(Proxy(lambda body: failing(inside=inside))) as proxy:
        (answer,) = client(proxy, patience=QUICK).complete([ask("1")])
    assert (answer.finish_reason, answer.usage.calls) == ("refused", 2)
    assert "the answer ended with an error: Upstream cut" in answer.refusal


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [], "error": {"code": 402, "message": "no money"}},
        {"choices": [{"message": {"content": ""}, "error": {"code": 402, "message": "no money"}}]},
    ],
)
def test_an_error_without_a_text_beside_it_is_that_error(body: dict[str, Any]) -> None:
    with serving(Proxy(lambda _: body)) as proxy:
        with pytest.raises(AccountError, match="no money"):
            client(proxy).complete([ask("1")])
        assert len(proxy.requests) == 1


def test_a_stream_that_ends_with_an_error_is_no_answer() -> None:
    events = [
        {"choices": [{"index": 0, "delta": {"content": GOOD}, "finish_reason": "stop"}]},
        {"choices": [{"index": 0, "delta": {}}], "error": CUT_ERROR},
    ]
    reply = read_reply("".join(f"data: {json.dumps(event)}\n\n" for event in events), ask("1"), 0.1)
    assert "ended with an error: Upstream cut" in reply.problem


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": {"size_mm": 3}}, "finish_reason": "stop"},
        {"message": {"content": "", "refusal": ["no"]}, "finish_reason": "stop"},
        {"text": GOOD, "finish_reason": "stop"},
    ],
)
def test_an_answer_of_another_form_is_charged(choice: dict[str, Any]) -> None:
    body = {**completion("", read=90, written=7), "choices": [choice]}
    with serving(Proxy(lambda _: body)) as proxy:
        (answer,) = client(proxy, patience=QUICK).complete([ask("1")])
    assert (answer.finish_reason, answer.usage.calls, answer.usage.input_tokens) == ("refused", 2, 180)


@pytest.mark.parametrize("choices", [None, [{"message": None, "finish_reason": "content_filter"}]])
def test_an_answer_without_a_message_is_refused_at_once(choices: Any) -> None:
    with serving(Proxy(lambda _: {**completion("", read=90), "choices": choices})) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
        assert (answer.finish_reason, answer.usage.input_tokens, len(proxy.requests)) == ("refused", 90, 1)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("tool_use", "stop"),
        ("model_context_window_exceeded", "length"),
        ("context_length_exceeded", "length"),
        ("incomplete", "length"),
        ("content_filtered", "refused"),
        ("guardrail_intervened", "refused"),
        ("sensitive", "refused"),
        ("IMAGE_SAFETY", "refused"),
    ],
)
def test_the_reasons_of_all_servers_are_known(reason: str, finish: str) -> None:
    reply = read_reply(json.dumps(completion(GOOD, finish=reason)), ask("1"), 0.1)
    assert (reply.answers[0].finish_reason, reply.problem) == (finish, "")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, {"message": "Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys"}),
        (400, {"message": "Your credit balance is too low to access the API"}),
        (429, {"message": "You exceeded your quota", "type": "insufficient_quota", "code": None}),
        (429, {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}),
        (200, {"code": "insufficient_quota"}),
        (403, {"message": "none left", "code": "insufficient_user_quota"}),
    ],
)
def test_an_account_without_money_stops_the_run_in_any_words(status: int, error: dict[str, Any]) -> None:
    answers = iter([completion(GOOD)])
    with serving(Proxy(lambda body: next(answers, {"status": status, "error": error}))) as proxy:
        model = client(proxy)
        model.complete([ask("1")])
        with pytest.raises(AccountError):
            model.complete([ask("2")])
        assert len(proxy.requests) == 2


def test_a_record_that_a_server_quotes_says_nothing_of_the_account() -> None:
    quoted = {"status": 400, "error": {"message": "invalid input: 'your credit balance is too low'"}}
    with serving(Proxy(lambda body: quoted)) as proxy:
        assert client(proxy).complete([ask("1")])[0].finish_reason == "refused"
