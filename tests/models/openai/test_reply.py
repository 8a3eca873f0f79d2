"""What is read of the answers of servers."""

import json
from collections.abc import Sequence
from math import exp, inf, nan
from typing import Any

import pytest

from structout import BestOf, Confident, Prompt, Prompted, Sampling, Schema, Scripted, Verify
from structout.errors import StructoutWarning
from structout.models.openai.reply import read_reply
from structout.models.tokens import most_read
from structout.result import Task
from tests.bolt import Bolt
from tests.models.openai.clients import ask, client
from tests.models.openai.servers import Proxy, completion, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA = Schema.of(Bolt)


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
    with serving(Proxy(lambda body: next(answers))) as proxy, pytest.warns(StructoutWarning) as warned:
        one, two, three = client(proxy, in_flight=1, logprobs=True).complete([ask("1"), ask("2"), ask("3")])
    for told in ("without a token count", "without log-probabilities: it has no confidence"):
        assert sum(told in str(one.message) for one in warned) == 1
    assert proxy.requests[0]["logprobs"] is True
    assert (one.finish_reason, one.logprobs) == ("length", (-0.5,))
    assert (two.finish_reason, two.refusal) == ("refused", "I will not")
    assert three.usage.output_tokens == 17  # a token for each byte, and the token that ends the answer
    assert three.usage.estimated_tokens == three.usage.input_tokens + 17


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


@pytest.mark.parametrize("odd", [nan, inf, 0.5, 1e300, True, "-0.5", None, [], {}])
def test_a_log_probability_that_cannot_be_one_is_believed_by_nobody_and_costs_no_answer(odd: Any) -> None:
    answer = told(['{"kind": "hex", "size_mm": ', "6", "}", ""], [-0.001, odd, -0.001, -0.001])
    with serving(Proxy(lambda body: answer)) as proxy:
        model = client(proxy, logprobs=True)
        with pytest.warns(match="invalid log-probabilities"):
            (result,) = Verify(Prompted(), Confident(0.99)).run([Task("a bolt", SCHEMA)], model)
    assert len(proxy.requests) == 1
    completed = result.attempts[-1].completion
    assert (completed.logprobs, completed.values, completed.ends) == (None, None, None)
    assert (result.status, result.document) == ("rejected", {"kind": "hex", "size_mm": 6})


@pytest.mark.parametrize("parts", [5, "x", {"logprob": -1}, [-0.5], [None], [{}], [{"logprob": -1, "bytes": 10**12}]])
def test_log_probabilities_of_another_form_cost_no_answer(parts: Any) -> None:
    answer = completion("fine")
    answer["choices"][0]["logprobs"] = {"content": parts}
    reply = read_reply(json.dumps(answer), ask("1"), 0.1)
    assert reply.answers[0].text == "fine"
    assert reply.answers[0].ends is None


def test_a_rounding_error_is_a_certainty_and_minus_infinity_a_number() -> None:
    reply = read_reply(json.dumps(told(["a", "b", ""], [1e-7, -inf, -0.5])), ask("1"), 0.1)
    assert (reply.answers[0].logprobs, reply.valid) == ((0.0, -9999.0, -0.5), True)


@pytest.mark.parametrize("odd", [-5, nan, inf, -inf, 1e300, 0.5, True, "5", [], {}, 10**30])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_cannot_be_one_is_estimated(name: str, odd: Any) -> None:
    answer = completion("four" * 4)
    answer["usage"][name] = odd
    reply = read_reply(json.dumps(answer), ask("1"), 0.1)
    usage = reply.answers[0].usage
    assert (reply.counted, usage.input_tokens, usage.output_tokens) == (False, most_read(ask("1")), 17)


@pytest.mark.parametrize(
    ("read", "wrote", "text", "estimated"),
    [(0, 0, "four", "both"), (11, 0, "four", "answer"), (0, 2, "four", "prompt"), (11, 2, "four", ""), (11, 0, "", "")],
)
def test_a_count_of_zero_where_there_is_text_is_estimated(read: int, wrote: int, text: str, estimated: str) -> None:
    reply = read_reply(json.dumps(completion(text, read=read, written=wrote)), ask("1"), 0.1)
    most = {"prompt": most_read(ask("1")) if estimated in ("both", "prompt") else 0}
    most["answer"] = len(text) + 1 if estimated in ("both", "answer") else 0
    assert reply.usage.input_tokens == read + most["prompt"]
    assert reply.usage.output_tokens == wrote + most["answer"]
    assert reply.usage.estimated_tokens == sum(most.values())
    assert reply.counted == (not estimated)


def test_estimates_of_several_answers_add_up_and_keep_to_the_token_limit() -> None:
    whole = {**completion("x"), "usage": None}
    whole["choices"] = [{**whole["choices"][0], "message": {"content": "x" * n}} for n in (3, 500)]
    reply = read_reply(json.dumps(whole), ask("1"), 0.1)
    limit = ask("1").sampling.max_tokens
    assert reply.usage.output_tokens == min(4, limit) + min(501, limit)
    assert reply.usage.estimated_tokens == reply.usage.input_tokens + reply.usage.output_tokens


@pytest.mark.parametrize("odd", [-5, nan, True, "5", 10**30, 11])
def test_no_more_is_reused_than_was_read(odd: Any) -> None:
    answer = completion("x")
    answer["usage"]["prompt_tokens_details"] = {"cached_tokens": odd}
    usage = read_reply(json.dumps(answer), ask("1"), 0.1).answers[0].usage
    assert usage.reused_tokens == (11 if odd == 11 else 0)
    assert usage.input_tokens == 11


WHOLE = json.dumps(completion("x"))
JUNK = [
    "", "null", "[]", "{}", "5", '"x"', "[" * 100_000, '{"a":' * 100_000, '{"choices": 5}',
    '{"choices": {"a": 1}}', 'data: {"choices": [{"index": Infinity, "delta": {}}]}',
    '{"choices": "abc"}', '{"choices": [null]}', '{"choices": [{"message": null}]}',
    '{"choices": [{"message": {"content": 5}}]}',
    '{"choices": [{"message": {"content": "a", "refusal": 5}}]}', WHOLE[:-1], WHOLE + WHOLE, "9" * 5000,
    '{"choices": [{"message": {"content": "a"}}], "created": ' + "9" * 5000 + "}", "\x00",
]  # fmt: skip


@pytest.mark.parametrize("text", JUNK, ids=lambda text: repr(text[:30]))
def test_what_is_no_chat_completion_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="invalid chat completion"):
        read_reply(text, ask("1"), 0.1)


@pytest.mark.parametrize("usage", [None, 5, "x", [], [1], {"prompt_tokens_details": 5}, {"prompt_tokens": {}}])
def test_usage_of_another_form_is_estimated(usage: Any) -> None:
    reply = read_reply(json.dumps({**completion("x"), "usage": usage}), ask("1"), 0.1)
    assert (reply.answers[0].text, reply.counted) == ("x", False)


def test_answers_that_nobody_asked_for_are_paid_for_all_the_same() -> None:
    several = completion("x", read=100, written=9)
    several["choices"] *= 3
    with serving(Proxy(lambda body: several)) as proxy:
        (answer,) = client(proxy).complete([ask("1")])
    assert (answer.usage.calls, answer.usage.input_tokens, answer.usage.output_tokens) == (1, 100, 9)
