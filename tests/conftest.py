"""What several tests need: a small schema, and the embedded model, loaded once."""

import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from structout import source
from structout.cli import main
from structout.models import Model, load_model
from tests.loopback import assert_none, on_loopback
from tests.postgres import programs, running

# For models this small, threads only wait for one another, and longest where others work beside them.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it when it is imported

# How fast a machine is, or how busy, says nothing about what is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def _loopback() -> Iterator[list[str]]:
    """No test may call out of this machine."""
    with on_loopback() as called:
        yield called


@pytest.fixture(autouse=True)
def _called_nobody(_loopback: list[str]) -> Iterator[None]:
    """Fails a test that called out, even where its code took the refusal for a network without a way."""
    yield
    assert_none(_loopback)


@pytest.fixture(scope="session")
def embedded() -> Model:
    return load_model("embedded")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL, with its password."""
    pytest.importorskip("adbc_driver_postgresql")
    place = programs()
    if place is None and os.environ.get("CI") == "true":
        pytest.fail("PostgreSQL is not installed: .ci/run installs Debian's package postgresql")
    if place is None:
        pytest.skip("PostgreSQL is not installed: install Debian's package postgresql")
    with running(place) as address:
        yield address


def needs(*packages: str) -> pytest.MarkDecorator:
    """Skips a test without these packages of an extra. `make test` has all extras, `.ci/lowest` has `pipeline` only."""
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


Shell = Callable[..., "Done"]


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str | Path, stdin: str | bytes = "") -> Done:
    """Runs a command in a process of its own, for what `shell` cannot show: signals, the imports, the end."""
    command = [sys.executable, "-m", "structout", *map(str, words)]
    done = subprocess.run(command, input=_bytes(stdin), capture_output=True, cwd=ROOT, check=False)
    return _done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Shell:
    """Runs a command in this process, which saves the start of another."""

    def run(*words: str | Path, stdin: str | bytes = "") -> Done:
        monkeypatch.setattr("sys.argv", ["structout", *map(str, words)])
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(_bytes(stdin))))
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
        code = left.value.code
        return _done(code if isinstance(code, int) else 0, *capfdbinary.readouterr())

    return run


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _done(code: int, out: bytes, err: bytes) -> Done:
    done = Done(code, out.decode(), err.decode())
    assert "Traceback" not in done.stderr, done.stderr
    return done
