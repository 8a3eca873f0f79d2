import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.emulated import Provider, careless, serving
from benchmarks.emulated.compatible import silent, vllm
from benchmarks.emulated.openai import OpenAI
from structout.models.check import check_model
from tests.conftest import Shell, needs
from tests.models.openai.servers import Proxy, completion
from tests.models.openai.servers import serving as serving_openai

pytestmark = needs("openai")


@pytest.mark.parametrize(
    ("provider", "kind", "constraint", "by"),
    [
        (OpenAI, "openai", "heeded", "json_schema"),
        (vllm, "vllm", "heeded", "structured_outputs"),
        (silent, "openai", "ignored", "none"),
    ],
)
def test_what_a_server_heeds_is_found_out(
    provider: Callable[..., Provider], kind: str, constraint: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "k")
    with serving(provider(careless)) as server:
        found = check_model(f"{kind}:m@{server.url}/v1#key=A_KEY")
    assert found.ok
    assert (found.constraint, found.by) == (constraint, by)
    assert found.system is True
    assert found.usage.calls > 3
    assert found.price is None
    assert bool(found.notes) == (constraint == "ignored")


def test_a_model_that_does_not_answer_is_a_problem(shell: Shell) -> None:
    done = shell("model", "check", "openai:m@http://127.0.0.1:9/v1#timeout=1", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert not found["ok"]
    assert "does not answer" in found["problem"]


def test_a_check_that_ends_early_counts_what_it_used(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "k")
    broke = {"status": 401, "error": {"message": "the key has expired"}}
    with serving_openai(Proxy(lambda _: completion("Hello.") if len(proxy.requests) == 1 else broke)) as proxy:
        done = shell("model", "check", f"openai:m@{proxy.url}#key=A_KEY")
    assert done.returncode == 3
    assert "problem" in done.stdout
    assert any("this check" in line and "1 call, 16 tokens" in line for line in done.stdout.splitlines()), done.stdout


def test_the_check_of_a_model_fits_a_screen(shell: Shell, tmp_path: Path) -> None:
    script = tmp_path / "hello.json"
    script.write_text('"Hello \\u001b[31m there."')
    done = shell("model", "check", f"scripted:{script}")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert len(lines) < 24
    assert any(line.split() == ["constraint", "ignored"] for line in lines)
    assert "\x1b[31m" not in done.stdout
    assert shell("model", "check", "scripted:none.json").returncode == 2
