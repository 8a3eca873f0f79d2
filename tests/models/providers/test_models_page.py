"""docs/models.md shows names and settings that work."""

import re
import tomllib
from pathlib import Path

import pytest

from structout import load_model
from structout.models.openai.kinds import KINDS
from structout.models.providers.hosted import HostedModel
from structout.models.providers.name import is_hosted
from structout.prices import read_price

PAGE = (Path(__file__).parents[3] / "docs/models.md").read_text(encoding="utf-8")


def test_the_settings_that_the_page_shows_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test-0123456789")
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / "s.toml"
    file.write_text(shown)
    model = load_model(f"anthropic:claude-sonnet-4-6#settings={file}")
    assert isinstance(model, HostedModel)
    assert model.settings == tomllib.loads(shown)


def test_the_names_and_prices_that_the_page_shows_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    names = re.findall(r"`([a-z]+:[\w./-]+(?:#[\w=,]+)?)`", PAGE)
    assert len(names) > 8
    others = ("hf", "path", "scripted", "py", "pydantic", *KINDS)
    assert all(is_hosted(name) for name in names if name.partition(":")[0] not in others)
    (price,) = re.findall(r"--price (\S+=\S+)", PAGE)
    assert read_price(price)[1].cached == 0.3
