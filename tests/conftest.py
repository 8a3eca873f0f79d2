"""What several tests need: a small schema, and the embedded model, loaded once."""

import io
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from pydantic import BaseModel, ConfigDict

from structout import source
from structout.cli import main
from structout.models import Model, load_model

# How fast a machine is, or how busy, says nothing about what is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent


class Bolt(BaseModel):
    """A bolt."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hex", "flange"]
    size_mm: float
    note: str | None = None


@pytest.fixture(scope="session")
def embedded() -> Model:
    return load_model("embedded")


Shell = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Shell:
    """Runs a command in this process, which saves the start of another."""

    def run(*words: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr("sys.argv", ["structout", *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        for owner, name in (
            (warnings, "showwarning"),
            (sys, "excepthook"),
            (source, "_refused"),
            (source, "_files_may"),
        ):
            monkeypatch.setattr(owner, name, getattr(owner, name))  # which a command sets for its process
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capfdbinary.readouterr()
        code = left.value.code
        return Done(code if isinstance(code, int) else 0, out.decode(), err.decode())

    return run
