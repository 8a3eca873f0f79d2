from pathlib import Path
from typing import get_args

import pytest

from structout import SpecError
from structout.models import identity
from structout.models.openai.dialects import Dialect
from structout.models.providers.name import HostedName, is_hosted


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anthropic:claude-sonnet-4-6", True),
        ("openai:gpt-4o", True),
        ("openai:gpt-5#reasoning_effort=low,16", True),
        ("gateway/openai:gpt-4o", True),
        ("pydantic-ai:openai:gpt-4o", True),
        ("deepseek:deepseek-chat", True),
        ("openai:gpt-4o@https://api.openai.com/v1", False),
        ("openai:gpt-4o#logprobs", False),
        ("openai:gpt-4o#key=MY_KEY", False),
        ("vllm:m", False),
        ("ollama:m@http://127.0.0.1:11434/v1", False),
        ("hf:org/m", False),
        ("nobody:m", False),
        ("anthropic:", False),
        ("embedded", False),
    ],
)
def test_which_client_asks_a_model(name: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    assert is_hosted(name) == expected
    assert identity(name).startswith("pydantic-ai:") == expected


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_a_dialect_is_for_our_own_client(dialect: str) -> None:
    assert not is_hosted(f"openai:gpt-4o#{dialect}")


def test_a_server_of_the_users_own_is_asked_by_our_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert not is_hosted("openai:gpt-4o")
    assert is_hosted("openai-chat:gpt-4o")


def test_what_answers_do_not_depend_on_is_no_part_of_an_identity() -> None:
    plain = "pydantic-ai:anthropic:m"
    assert identity("anthropic:m#16,timeout=300") == identity("anthropic:m") == identity(plain) == plain
    assert identity("anthropic:m#thinking=low,effort=high") == identity("anthropic:m#effort=high,thinking=low")
    assert identity("anthropic:m#thinking=low") != plain


def test_an_address_in_the_environment_is_a_part_of_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://me:secret@127.0.0.1:9/v1?key=secret")
    found = identity("anthropic:m#thinking=low")
    assert found == "pydantic-ai:anthropic:m@http://127.0.0.1:9/v1#thinking=low"
    assert identity(found) == found
    assert identity("groq:m") == "pydantic-ai:groq:m"
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://api.anthropic.com")
    assert identity("anthropic:m") == "pydantic-ai:anthropic:m"


def test_settings_in_a_name_and_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text('thinking = "low"\neffort = "low"\n[extra_headers]\nx-key = "secret"\n')
    at = HostedName.read(f'anthropic:m#settings={file},effort=high,extra_body={{"a": [1, 2]}},8,timeout=5')
    assert at.given == {
        "thinking": "low",
        "effort": "high",
        "extra_body": {"a": [1, 2]},
        "extra_headers": {"x-key": "secret"},
    }
    assert (at.in_flight, at.timeout) == (8, 5)
    assert "secret" not in at.identity
    assert HostedName.read(at.identity).identity == at.identity


@pytest.mark.parametrize("option", ["fast", "timeout=0", "settings=/no/such/file", "temperature=1", "thinking="])
def test_an_invalid_option_is_an_error(option: str) -> None:
    with pytest.raises(SpecError) as caught:
        HostedName.read(f"anthropic:m#{option}")
    assert caught.value.hint
