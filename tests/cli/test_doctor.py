"""`structout doctor`: what it says of packages, keys, servers and models, and its exit codes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from structout.cli import installation
from structout.models.openai.kinds import Kind
from structout.models.openai.servers import Server, local_servers
from tests.cli.conftest import GOOD
from tests.conftest import Shell

BODIES = {
    "/good/models": (200, json.dumps({"data": [{"id": "qwen#3"}, {"id": "\x1b[31mred"}]}).encode()),
    "/refused/models": (401, b"no"),
    "/page/models": (200, b"<html>"),
    "/other/models": (200, b'{"data": [3]}'),
    "/deep/models": (200, b"[" * 100_000),
    "/long/models": (200, b" " * 2_000_000),
}


class Answers(BaseHTTPRequestHandler):
    """Answers as BODIES says."""

    def do_GET(self) -> None:
        status, body = BODIES[self.path]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_servers_are_asked_for_their_models_whatever_they_answer(address: str) -> None:
    kinds = {name.split("/")[1]: Kind(f"{address}/{name.split('/')[1]}") for name in BODIES}
    found = {one.kind: one for one in local_servers({**kinds, "nobody": Kind("http://127.0.0.1:9/v1")})}
    assert found["good"].models == ("good:qwen%233", "good:\x1b[31mred")
    assert found["good"].problem == ""
    assert found["nobody"] == Server("nobody", "http://127.0.0.1:9/v1", problem="nothing answers")
    assert all(one.problem and not one.models for name, one in found.items() if name != "good")


def test_what_servers_say_is_escaped_and_they_are_only_asked_on_request(
    address: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def found() -> list[Server]:
        asked.append(1)
        return local_servers({"vllm": Kind(f"{address}/good")})

    monkeypatch.setattr("structout.models.openai.servers.local_servers", found)
    assert "local servers" not in shell("doctor").stdout
    assert asked == []
    shown = shell("doctor", "--servers").stdout
    assert r"\x1b[31mred" in shown
    assert "\x1b[31m" not in shown


def test_keys_are_shown_by_name_and_never_by_value(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in installation.known_keys():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    shown, written = shell("doctor").stdout, shell("doctor", "--json").stdout
    assert "secret" not in shown + written
    assert "ANTHROPIC_API_KEY  set" in shown
    known = json.loads(written)["keys"]
    assert known.pop("ANTHROPIC_API_KEY") is True
    assert set(known.values()) == {False}


def test_a_missing_extra_has_the_line_that_installs_it(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_is_installed", lambda package: package != "llguidance")
    shown = shell("doctor").stdout
    assert 'to install: pip install "structout[masks]"\n' in shown
    assert "missing llguidance" in shown
    extras = {one["extra"]: one for one in json.loads(shell("doctor", "--json").stdout)["extras"]}
    assert [name for name, one in extras.items() if not one["installed"]] == ["masks", "local", "finetuning"]
    assert extras["local"]["missing"] == ["llguidance"]


def test_the_exit_code_says_which_models_answer(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.json").write_text(json.dumps(GOOD))
    (tmp_path / "fails.py").write_text(
        "from structout import ModelError\n\n\nclass Fails:\n    name = 'fails'\n\n"
        "    def complete(self, prompts):\n        raise ModelError('out of order')\n"
    )
    monkeypatch.chdir(tmp_path)
    good, fails, unknown = "scripted:good.json", "py:fails.py:Fails", "embeded"
    assert shell("doctor", "-m", good).returncode == 0
    done = shell("doctor", "-m", good, "-m", fails, "--json")
    assert done.returncode == 3
    assert [(one["name"], one["ok"]) for one in json.loads(done.stdout)["models"]] == [(good, True), (fails, False)]
    done = shell("doctor", "-m", fails, "-m", unknown, "-m", good)
    assert done.returncode == 2
    assert "out of order" in done.stdout
    assert "unknown model 'embeded'" in done.stdout
