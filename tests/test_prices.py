import json
from pathlib import Path

import pytest

from structout.completion import Usage
from structout.errors import DataError, SpecError
from structout.prices import Price, Prices, known_price, named, read_price, with_known


def test_cached_and_stored_tokens_have_their_own_prices() -> None:
    usage = Usage(input_tokens=1_000_000, output_tokens=100_000, reused_tokens=600_000, stored_tokens=200_000)
    assert Price(3, 15).of(usage) == pytest.approx(3 + 1.5)
    assert Price(3, 15, cached=0.3, stored=3.75).of(usage) == pytest.approx(0.6 + 0.18 + 0.75 + 1.5)
    assert Price(3, 15, cached=0).of(usage) == pytest.approx(1.2 + 1.5)


@pytest.mark.parametrize(
    ("text", "model", "price"),
    [
        ("0.15,0.6", "", Price(0.15, 0.6)),
        ("a=b=1/2/3", "a=b", Price(1, 2, 3)),
        ("anthropic:c=3,15,cached=0.3", "anthropic:c", Price(3, 15, cached=0.3)),
        ("3,15,stored=3.75,cached=0.3", "", Price(3, 15, cached=0.3, stored=3.75)),
        ("m#thinking=low=1,2,1,cached=0", "m#thinking=low", Price(1, 2, 1, cached=0)),
    ],
)
def test_a_price_on_the_command_line(text: str, model: str, price: Price) -> None:
    assert read_price(text) == (model, price)


@pytest.mark.parametrize("text", ["1", "1,2,cached=", "1,2,cached=x", "1,2,cached=1,cached=2", "1,2,cashed=1"])
def test_an_invalid_price_is_named(text: str) -> None:
    with pytest.raises(SpecError, match="invalid price"):
        read_price(text)


def test_a_price_list_names_the_price_of_cached_tokens(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"a": [1, 2], "b": {"input": 1, "output": 2, "cached": 0.1}}))
    assert Prices.load(file).table == {"a": Price(1, 2), "b": Price(1, 2, cached=0.1)}
    for wrong in ({"input": 1}, {"input": 1, "output": 2, "cash": 3}, {"input": 1, "output": -2}, [1]):
        file.write_text(json.dumps({"a": wrong}))
        with pytest.raises(DataError, match="invalid price"):
            Prices.load(file)


def test_the_price_of_a_hosted_model_is_known_with_its_date() -> None:
    pytest.importorskip("genai_prices")
    price = known_price("anthropic:claude-sonnet-4-5#thinking=low")
    assert price is not None
    assert (price.input, price.output, price.cached, price.stored) == (3, 15, 0.3, 3.75)  # the lowest tier
    assert price.source.startswith("genai-prices ")
    assert "up to 20" in price.source
    batch = known_price("anthropic:claude-sonnet-4-5#batch")
    assert batch is not None
    assert batch.input == price.input / 2
    assert known_price("pydantic-ai:openai-chat:gpt-4o") == known_price("openai:gpt-4o") != price
    assert known_price("openai:gpt-4o@https://api.openai.com/v1") == known_price("openai:gpt-4o")


@pytest.mark.parametrize(
    "model",
    ["embedded", "scripted:f.json", "py:f.py:m", "hf:org/m", "openai:no-such-model", "nobody:m",
     "openai:gpt-4o@https://example.org/v1", "openai:gpt-4o@http://127.0.0.1:8000/v1", "anthropic:",
     "openai:gpt-4o#service_tier=priority", "openai:gpt-4o#openai_service_tier=flex,8"],
)  # fmt: skip
def test_the_price_of_another_model_is_unknown(model: str) -> None:
    assert known_price(model) is None


def test_a_server_of_the_users_own_has_no_known_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert known_price("openai:gpt-4o") is None


def test_a_users_price_goes_before_a_known_price() -> None:
    pytest.importorskip("genai_prices")
    found = with_known({"openai:gpt-4o": Price(1, 2)}, ["openai:gpt-4o", "openai:gpt-5", "embedded"])
    assert found["openai:gpt-4o"] == Price(1, 2)
    assert found.keys() == {"openai:gpt-4o", "openai:gpt-5"}


def test_a_price_is_for_a_model_with_any_options() -> None:
    prices = {"anthropic:c": Price(1, 2), "anthropic:c#batch": Price(3, 4)}
    names = ["anthropic:c#thinking=low", "anthropic:c#batch,thinking=low"]
    assert [with_known(prices, names)[name] for name in names] == [Price(1, 2), Price(3, 4)]


def test_a_price_without_a_name_is_for_one_model_whatever_its_options() -> None:
    both = ["vllm:m@http://127.0.0.1:1/v1", "vllm:m@http://127.0.0.1:1/v1#logprobs"]
    assert named({"": Price(0.2, 0.6)}, both) == dict.fromkeys(both, Price(0.2, 0.6))
    with pytest.raises(SpecError, match="for several models"):
        named({"": Price(0.2, 0.6)}, ["openai:m", "openai:m#batch"])
