"""Parts of a request that a server refuses are left out, and the server is told so once."""

from typing import Any

import pytest

from structout.completion import Message, Prompt, Sampling
from structout.errors import StructoutWarning
from tests.models.openai.clients import bolt, client
from tests.models.openai.servers import Proxy, serving

pytestmark = pytest.mark.usefixtures("key")


def asked(size: int, temperature: float = 0.0) -> Prompt:
    turns = (Message("system", "Read."), Message("user", f"<record>\n{size} mm\n</record>"))
    return Prompt(turns, Sampling(temperature=temperature, seed=7))


def refusing(part: str, message: str) -> Proxy:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        has = part in body or any(turn["role"] == part for turn in body["messages"])
        if has:
            return {"status": 400, "error": {"message": message}}
        told = body["messages"][-1]["content"]
        return bolt({**body, "messages": [{"content": told[told.index("<record>") :]}]})

    return Proxy(answer)


@pytest.mark.parametrize(
    ("part", "message", "temperature"),
    [
        ("temperature", "Unsupported value: 'temperature' does not support 0 with this model.", 0.0),
        ("seed", "Unknown parameter: 'seed'.", 1.0),
        ("system", "System role not supported", 0.0),
        ("system", "Conversation roles must alternate; the role system is unknown", 0.0),
        ("system", "Conversation roles must alternate user/assistant/user/assistant/...", 0.0),
        ("system", "Only user and assistant roles are supported!", 0.0),
        ("system", "invalid role: system", 0.0),
        ("temperature", "`temperature` is deprecated for this model.", 0.0),
        ("temperature", "invalid temperature: only 1 is allowed for this model", 0.0),
    ],
)
def test_a_refused_part_is_left_out_from_then_on(part: str, message: str, temperature: float) -> None:
    with serving(refusing(part, message)) as proxy:
        model = client(proxy, in_flight=1)
        with pytest.warns(StructoutWarning, match=f"refuses .*{part}") as told:
            answers = model.complete([asked(1, temperature), asked(2, temperature)])
    assert len(told) == 1
    assert [answer.finish_reason for answer in answers] == ["stop", "stop"]
    assert len(proxy.requests) == 3
    if part == "system":
        assert proxy.requests[-1]["messages"][0]["content"].startswith("Read.\n\n<record>")


def test_another_refusal_is_a_refusal() -> None:
    quoted = "the context is full: 'a sensor for the temperature of the system, as its message says'"
    with serving(refusing("messages", quoted)) as proxy:
        (answer,) = client(proxy).complete([asked(1)])
    assert (answer.finish_reason, len(proxy.requests)) == ("refused", 1)


def test_a_limit_that_is_too_large_is_not_asked_for_again_and_again() -> None:
    message = "max_tokens is too large: 512 (use max_completion_tokens)"
    with serving(Proxy(lambda body: {"status": 400, "error": {"message": message}})) as proxy:
        (answer,) = client(proxy).complete([asked(1)])
    assert (answer.finish_reason, len(proxy.requests)) == ("refused", 2)


@pytest.mark.parametrize(
    "message",
    [
        "Input not allowed by the content policy: 'set the temperature of the oven'",
        'This is not allowed: "set the temperature of the oven"',
        "temperature is not allowed",  # and neither is the request without it
    ],
)
def test_a_row_that_is_refused_changes_no_later_request(message: str) -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        is_refused = "\n2 mm" in body["messages"][-1]["content"]
        return {"status": 400, "error": {"message": message}} if is_refused else bolt(body)

    with serving(Proxy(answer)) as proxy:
        answers = client(proxy, in_flight=1).complete([asked(size) for size in (1, 2, 3)])
    assert [answer.finish_reason for answer in answers] == ["stop", "refused", "stop"]
    assert "temperature" in proxy.requests[-1]
