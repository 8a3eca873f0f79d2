"""Settings in a model's name, or in a file that the name names: they go into requests, and into the identity."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout import SpecError, load_model
from structout.models import LazyModel, identity
from structout.models.openai.address import Address
from structout.models.settings import Settings, split_options
from tests.models.openai.clients import ask, bolt
from tests.models.openai.servers import Proxy, serving

pytestmark = pytest.mark.usefixtures("key")
PLACE = "openai:m@http://127.0.0.1:9/v1"


def test_settings_go_into_every_request() -> None:
    options = (
        'reasoning_effort=low,chat_template_kwargs={"enable_thinking":false,"a":[1,2]},top_a=0.5,x="1,2",3,logprobs'
    )
    with serving(Proxy(bolt)) as proxy:
        model = load_model(f"openai:m@{proxy.url}#{options},logprobs")
        with pytest.warns(match="without log-probabilities"):
            model.complete([ask("1 mm")])
    (body,) = proxy.requests
    assert {name: body[name] for name in ("reasoning_effort", "chat_template_kwargs", "top_a", "x", "logprobs")} == {
        "reasoning_effort": "low", "chat_template_kwargs": {"enable_thinking": False, "a": [1, 2]}, "top_a": 0.5,
        "x": "1,2", "logprobs": True,
    }  # fmt: skip
    assert model.name == f"openai:m@{proxy.url}#logprobs," + (
        'chat_template_kwargs={"a":[1,2],"enable_thinking":false},reasoning_effort=low,top_a=0.5,x="1,2"'
    )
    assert identity(model.name) == model.name == identity(LazyModel(model.name).name)


@pytest.mark.parametrize("kind", ["toml", "json"])
def test_settings_come_from_a_file(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"s.{kind}"
    toml = 'reasoning_effort = "high"\nservice_tier = "flex"\n[extra_headers]\nX-Title = "my secret title"\n'
    fields = {"reasoning_effort": "high", "service_tier": "flex", "extra_headers": {"X-Title": "my secret title"}}
    file.write_text(toml if kind == "toml" else json.dumps(fields))
    with serving(Proxy(bolt)) as proxy:
        model = load_model(f"openai:m@{proxy.url}#settings={file},reasoning_effort=low")
        model.complete([ask("1 mm")])
    (body,) = proxy.requests
    assert (body["reasoning_effort"], body["service_tier"]) == ("low", "flex")
    assert "extra_headers" not in body
    assert proxy.headers[0]["x-title"] == "my secret title"
    assert model.name == f'openai:m@{proxy.url}#extra_headers=["X-Title"],reasoning_effort=low,service_tier=flex'
    assert identity(model.name) == model.name


def test_the_value_of_a_header_is_shown_nowhere() -> None:
    answer = {"status": 404, "error": {"message": "no such title: my secret title"}}
    with serving(Proxy(lambda body: answer)) as proxy:
        model = load_model(f'openai:m@{proxy.url}#extra_headers={{"X-Title":"my secret title"}}')
        with pytest.raises(Exception, match="no such title") as caught:
            model.complete([ask("1 mm")])
    assert "secret" not in f"{caught.value} {model.name} {Settings({}, {'X-Title': 'my secret title'})!r}"


@pytest.mark.parametrize(
    "option",
    ["messages=[]", "max_tokens=5", "temperature=1", "a b=1", "x=", "x={1", 'x={"a":1}y', "=1", "settings=/no/file",
     "api_key=sk-1", "extra_headers=5", 'extra_headers={"a b":"c"}', 'extra_headers={"Host":"c"}',
     'extra_headers={"X":"a\\nb"}'],
)  # fmt: skip
def test_an_invalid_setting_is_refused_in_words(option: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_model(f"{PLACE}#{option}")
    assert caught.value.hint


@pytest.mark.parametrize("content", ["a =", "[[1]]\n", "x = nan", "d = 2020-01-01", "messages = 1"])
def test_an_invalid_file_of_settings_is_refused_in_words(content: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(content)
    with pytest.raises(SpecError):
        load_model(f"{PLACE}#settings={tmp_path / 's.toml'}")


def test_options_are_separated_by_commas_outside_of_json() -> None:
    assert list(split_options('a,,b=1,c={"x":[1,2]},d="e,f",')) == ["a", "b=1", 'c={"x":[1,2]}', 'd="e,f"']


def test_settings_are_part_of_the_identity() -> None:
    assert identity(f"{PLACE}#b=1,a=x") == identity(f"{PLACE}#a=x,b=1") != identity(PLACE)
    assert identity(f'{PLACE}#extra_headers={{"X-A":"1"}}') == identity(f'{PLACE}#extra_headers={{"X-A":"2"}}')


@pytest.mark.parametrize(
    ("name", "url"),
    [("vllm", "http://localhost:8000/v1"), ("ollama", "http://localhost:11434/v1"),
     ("lmstudio", "http://localhost:1234/v1"), ("llamacpp", "http://localhost:8080/v1"),
     ("sglang", "http://localhost:30000/v1")],
)  # fmt: skip
def test_a_kind_of_server_has_its_usual_address(name: str, url: str) -> None:
    assert load_model(f"{name}:m").name == identity(f"{name}:m") == f"{name}:m@{url}"
    assert load_model(f"{name}:q:8b@http://127.0.0.1:9/v1#3").name == f"{name}:q:8b@http://127.0.0.1:9/v1"
    assert Address.read("m", name).variable == ""  # a key for OpenAI is not meant for this server


def test_a_model_name_may_hold_a_number_sign() -> None:
    with serving(Proxy(bolt)) as proxy:
        model = load_model(f"openai:a/b%23c@{proxy.url}")
        model.complete([ask("1 mm")])
        assert proxy.requests[0]["model"] == "a/b#c"
    assert model.name == identity(model.name) == f"openai:a/b%23c@{proxy.url}"
    with pytest.raises(SpecError, match="unknown dialect") as caught:
        load_model("openai:a/b#c@http://127.0.0.1:9/v1")
    assert "%23" in caught.value.hint


def test_azure_gets_its_version_and_its_key(azure: Proxy) -> None:
    azure.answer = bolt
    name = f"openai:d@{azure.url}"
    model = load_model(f"{name}#key=OPENAI_API_KEY")
    model.complete([ask("1 mm")])
    assert azure.paths == ["/openai/deployments/d/chat/completions?api-version=2024-10-21"]
    assert azure.headers[0]["api-key"] == "sk-very-secret-0123456789"
    assert azure.keys == ["Bearer sk-very-secret-0123456789"]
    assert model.name == name == identity(name)


def test_the_header_of_azure_goes_to_no_other_server() -> None:
    with serving(Proxy(bolt)) as proxy:
        load_model(f"openai:m@{proxy.url}?api-version=1#key=OPENAI_API_KEY").complete([ask("1 mm")])
    assert "api-key" not in proxy.headers[0]
    assert proxy.paths == ["/v1/chat/completions?api-version=1"]


@pytest.mark.parametrize("name", ["key", "api_key", "api-key", "token", "access_token", "sig", "password", "code",
                                  "subscription-key", "X-Amz-Signature"])  # fmt: skip
def test_a_query_that_holds_a_key_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="contains a key") as caught:
        load_model(f"openai:m@http://127.0.0.1:9/v1?api-version=1&{name}=hidden")
    assert "hidden" not in str(caught.value)


def any_answer(body: dict[str, Any]) -> dict[str, Any]:
    return {"error": "Unexpected endpoint or method. (POST /chat/completions)"}


def test_an_address_without_v1_is_not_asked_again() -> None:
    with serving(Proxy(any_answer)) as proxy:
        with pytest.raises(Exception, match="Unexpected endpoint") as caught:
            load_model(f"lmstudio:m@{proxy.url.removesuffix('/v1')}").complete([ask("1 mm")])
        assert "the address wants /v1" in str(caught.value)
        assert len(proxy.requests) == 1
