"""The probe: what it asks, what it makes of an answer, and what it says when it does not know."""

import json
import warnings
from collections import Counter
from typing import Any

import pytest

from structout import Prompt, Sampling, Schema, load_model
from structout.errors import ModelError
from structout.models.openai.client import OpenAIModel
from structout.models.openai.dialects import PROBE
from structout.models.openai.probe import ROOMS, order
from structout.models.settings import Settings
from tests.bolt import Bolt
from tests.models.openai.clients import ask, bolt, client
from tests.models.openai.servers import Proxy, completion, serving

pytestmark = pytest.mark.usefixtures("key")
SCHEMA = Schema.of(Bolt)
GOOD = json.dumps({"word": "zinc-31-quill"})


def stated(body: dict[str, Any]) -> str:
    """The dialect in which a request states a constraint."""
    given = body.get("response_format", {}).get("type")
    return given or next((one for one in ("structured_outputs", "format") if one in body), "none")


def is_probe(body: dict[str, Any]) -> bool:
    return "vermilion" in json.dumps(body)


def held(text: str, **sampling: Any) -> Prompt:
    return Prompt(ask(text).messages, Sampling(**sampling), constraint=SCHEMA)


def test_the_probe_asks_with_the_settings_of_the_call() -> None:
    settings = Settings({"reasoning_effort": "low"}, {"X-Title": "mine"})
    with serving(Proxy(bolt)) as proxy:
        model = client(proxy, settings=settings)
        model.complete([held("1 mm", temperature=0.7, seed=3, top_p=0.9, stop=("}",), max_tokens=7)])
    probe, row = proxy.requests
    for name in ("temperature", "top_p", "reasoning_effort", "seed"):
        assert probe[name] == row[name]
    assert "stop" not in probe
    assert (probe["max_tokens"], row["max_tokens"]) == (ROOMS[0], 7)
    assert [headers["x-title"] for headers in proxy.headers] == ["mine", "mine"]


def test_a_model_that_thinks_for_long_gets_more_room_once() -> None:
    def thinking(body: dict[str, Any]) -> dict[str, Any]:
        if is_probe(body):
            return completion("", finish="length") if body["max_tokens"] < ROOMS[1] else completion(GOOD)
        return bolt(body)

    with serving(Proxy(thinking)) as proxy, warnings.catch_warnings():
        warnings.simplefilter("error")
        model = client(proxy)
        model.complete([held("1 mm")])
    assert model.dialect == "json_schema"
    assert [body["max_tokens"] for body in proxy.requests[:2]] == list(ROOMS)
    assert len(proxy.requests) == 3


def test_thoughts_before_the_answer_to_the_probe_are_left_out() -> None:
    with serving(Proxy(lambda body: completion(f"<think>Say {{hello}}?</think>\n{GOOD}"))) as proxy:
        assert (client(proxy).dialect, len(proxy.requests)) == ("json_schema", 1)


@pytest.mark.parametrize("finish", ["length", "stop", "content_filter"])
def test_a_probe_without_an_answer_leaves_it_unknown_and_the_schema_stated(finish: str) -> None:
    def mute(body: dict[str, Any]) -> dict[str, Any]:
        return completion("", finish=finish) if is_probe(body) else bolt(body)

    with serving(Proxy(mute)) as proxy:
        model = client(proxy)
        with pytest.warns(match=r"not known whether .* heeds constraints"):
            (answer,) = model.complete([held("1 mm")])
    assert (model.dialect, stated(proxy.requests[-1])) == ("json_schema", "json_schema")
    assert answer.usage.calls == len(proxy.requests) == (3 if finish == "length" else 9)


def test_an_internal_error_in_one_dialect_is_followed_by_the_next() -> None:
    def partial(body: dict[str, Any]) -> dict[str, Any]:
        if stated(body) == "json_schema":
            return {"status": 500, "error": {"message": "oops"}}
        if stated(body) != "json_object":
            return completion("Hello!")
        return completion(GOOD if is_probe(body) else '{"kind": "hex", "size_mm": 1}')

    with serving(Proxy(partial)) as proxy:
        model = client(proxy)
        model.complete([held("1 mm")])
    assert model.dialect == "json_object"
    assert Counter(map(stated, proxy.requests)) == {"json_schema": 2, "structured_outputs": 1, "json_object": 2}


def test_an_internal_error_does_not_show_that_constraints_are_ignored() -> None:
    def failing(body: dict[str, Any]) -> dict[str, Any]:
        return {"status": 500} if stated(body) == "json_schema" and is_probe(body) else bolt(body)

    with serving(Proxy(lambda body: completion("Hi!") if is_probe(body) and stated(body) != "json_schema"
                       else failing(body))) as proxy:  # fmt: skip
        model = client(proxy)
        with pytest.warns(match=r"not known whether .* HTTP 500"):
            model.complete([held("1 mm")])
    assert model.dialect == "json_schema"


def test_a_server_that_is_down_is_not_asked_in_every_dialect() -> None:
    with serving(Proxy(lambda body: {"status": 502})) as proxy, pytest.raises(ModelError, match="HTTP 502"):
        client(proxy).complete([held("1 mm")])
    assert set(map(stated, proxy.requests)) == {"json_schema"}


def test_a_server_that_refuses_every_dialect_is_asked_without_a_constraint() -> None:
    def plain(body: dict[str, Any]) -> dict[str, Any]:
        if (found := stated(body)) != "none":
            name = "response_format" if found.startswith("json") else found
            return {"status": 400, "error": {"message": f"Unrecognized request argument supplied: {name}"}}
        return bolt(body)

    with serving(Proxy(plain)) as proxy:
        model = client(proxy)
        with pytest.warns(match="refuses constraints"):
            (answer,) = model.complete([held("1 mm")])
    assert (model.dialect, answer.finish_reason) == ("none", "stop")


def test_a_refusal_that_says_nothing_of_constraints_leaves_it_unknown() -> None:
    refusal = {"status": 400, "error": {"message": "invalid model settings"}}
    with serving(Proxy(lambda body: refusal if is_probe(body) else bolt(body))) as proxy:
        model = client(proxy)
        with pytest.warns(match=r"not known whether .* invalid model settings"):
            model.complete([held("1 mm")])
    assert (model.dialect, stated(proxy.requests[-1])) == ("json_schema", "json_schema")


def test_each_kind_of_server_is_probed_in_its_own_order() -> None:
    assert order("vllm")[:2] == ("structured_outputs", "json_schema")
    assert order("ollama")[:2] == ("json_schema", "ollama")
    assert all(sorted(order(kind)) == sorted(order("openai")) for kind in ("vllm", "ollama", "llamacpp", "sglang"))

    def vllm(body: dict[str, Any]) -> dict[str, Any]:
        return completion(GOOD) if body.get("structured_outputs") == {"json": PROBE.json_schema} else completion("Hi!")

    with serving(Proxy(vllm)) as proxy:
        model = load_model(f"vllm:m@{proxy.url}")
        assert isinstance(model, OpenAIModel)
        assert (model.dialect, len(proxy.requests)) == ("structured_outputs", 1)
