"""The GitHub Action and the pre-commit hook, run as far as a machine without a runner can."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
INSTALL, VALIDATE = ACTION["runs"]["steps"]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@dataclass(frozen=True)
class Step:
    """What a step came to."""

    code: int
    log: str
    summary: str
    outputs: dict[str, str]


def run(step: dict[str, Any], folder: Path, contexts: dict[str, str], **given: str) -> Step:
    """Run a step's script in bash, as the runner does, with the inputs of the action and its other contexts."""
    inputs = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | given
    values = {f"inputs.{name}": value for name, value in inputs.items()} | contexts
    own = {
        name: re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: values[found[1]], text)
        for name, text in step["env"].items()
    }
    files = {name: folder / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    script = folder / "step.sh"
    script.write_text(step["run"])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **own, **{name: str(file) for name, file in files.items()}},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return Step(done.returncode, done.stdout + done.stderr, files["GITHUB_STEP_SUMMARY"].read_text(), outputs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "good.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / "a bad one.jsonl").write_text('{"a": 1}\n{"a": "x"}\n')
    return tmp_path


def validate(folder: Path, **given: str) -> Step:
    return run(VALIDATE, folder, {"steps.install.outputs.python": sys.executable}, schema="s.json", **given)


def test_documents_that_hold_pass(folder: Path) -> None:
    done = validate(folder, files="good.jsonl\n")
    assert done.code == 0, done.log
    assert done.outputs["exit-code"] == "0"
    assert done.outputs["verdict"].startswith("The gate passes. 2 of 2 documents are valid.")
    assert "The gate passes" in done.summary
    assert json.loads((folder / done.outputs["sarif"]).read_text())["runs"][0]["results"] == []


def test_documents_that_do_not_hold_are_annotated_and_fail(folder: Path) -> None:
    done = validate(folder, files="good.jsonl\n\na bad one.jsonl", html="gate.html")
    assert done.code == 1, done.log
    assert done.outputs["exit-code"] == "1"
    assert "::error file=a bad one.jsonl,line=2::" in done.log
    assert "| valid >= 100 % | 75 % (3 of 4) | **failed** |" in done.summary
    (found,) = json.loads((folder / "structout.sarif").read_text())["runs"][0]["results"]
    assert (found["level"], found["ruleId"]) == ("error", "type")
    assert "The gate fails: the share of valid documents is" in (folder / "gate.html").read_text()


def test_a_threshold_that_warns_passes_with_annotations(folder: Path) -> None:
    done = validate(folder, files="a bad one.jsonl", options="--min-valid=0.4\n--warn-valid=0.9\n")
    assert done.code == 0, done.log
    assert "::warning file=a bad one.jsonl,line=2::" in done.log
    assert done.outputs["verdict"].startswith("The gate passes with a warning")


def test_a_mistake_ends_the_step_with_its_code(folder: Path) -> None:
    assert validate(folder, files="none.jsonl").code == 2
    done = validate(folder, files="--help")  # it is the name of a file
    assert (done.code, done.outputs["exit-code"]) == (2, "2")
    assert validate(folder, files='$(touch ran)";touch ran;"').code == 2
    assert not (folder / "ran").exists()


def test_no_input_is_written_into_a_script() -> None:
    for step in (INSTALL, VALIDATE):
        assert "${{" not in step["run"]
    assert set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text())) == set(ACTION["inputs"])


def test_the_first_step_installs_what_is_asked_for(folder: Path) -> None:
    python = folder / "python"
    python.write_text(f'#!/usr/bin/env bash\nmkdir -p "$3/bin"\ncp {folder}/pip "$3/bin/pip"\n')
    (folder / "pip").write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" > {folder}/installed\n')
    for file in (python, folder / "pip"):
        file.chmod(0o755)
    contexts = {"github.action_path": str(ROOT), "runner.temp": str(folder / "temp")}
    for requirement, installed in (("action", str(ROOT)), ("structout==9.9", "structout==9.9")):
        done = run(INSTALL, folder, contexts, python=str(python), requirement=requirement)
        assert done.code == 0, done.log
        assert (folder / "installed").read_text().splitlines()[-1] == installed
        assert done.outputs["python"] == f"{folder}/temp/structout/bin/python"
    assert run(INSTALL, folder, contexts, python="mine", requirement="").outputs["python"] == "mine"


def workflows() -> dict[str, dict[str, Any]]:
    """The workflows that docs/gate.md shows, by name."""
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    blocks = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    return {one["name"]: one for one in blocks if "jobs" in one}


def in_bash(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a step of a workflow as the runner does; `structout` is the command of this checkout."""
    program = folder / "bin" / "structout"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m structout "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("bad", "code"), [("no idea", 1), ("{'a': 2}", 0)])
def test_the_documented_workflow_keeps_its_artifacts_also_if_the_gate_fails(folder: Path, bad: str, code: int) -> None:
    steps = workflows()["answers"]["jobs"]["gate"]["steps"]
    assert {one["uses"].partition("/")[0] for one in steps if "uses" in one} == {"actions"}
    (folder / "schemas").mkdir()
    (folder / "schemas/invoice.json").write_text(json.dumps(SCHEMA))
    (folder / "data").mkdir()
    (folder / "data/answers.csv").write_text(f'id,answer\n1,"{{""a"": 1}}"\n2,{json.dumps(bad)}\n')
    installs, judges, summarizes = (one["run"] for one in steps if "run" in one)
    assert installs == "pip install structout"
    done = in_bash(judges, folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("::error file=data/answers.csv,line=3::" in done.stdout) == (code == 1)
    assert in_bash(summarizes, folder).returncode == 0
    assert "documents are valid" in (folder / "summary.md").read_text()
    (upload,) = (one for one in steps if "upload-artifact" in one.get("uses", ""))
    assert upload["if"] == "always()"
    assert all((folder / name).is_file() for name in upload["with"]["path"].split())


def test_the_documented_commands_of_the_gate_run(folder: Path) -> None:
    shutil.copy(ROOT / "tests/bolt.py", folder)
    good = {"kind": "hex", "size_mm": 6}
    (folder / "rows.jsonl").write_text(json.dumps(good))
    answers = [{"id": n, "mail": "m", "raw": raw} for n, raw in enumerate([json.dumps(good), str(good), "no"])]
    (folder / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in answers))
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (structout validate .*)$", page, re.MULTILINE)
    assert len(commands) == 2
    assert [in_bash(command, folder).returncode for command in commands] == [0, 1]
    assert json.loads((folder / "rejects.jsonl").read_text())["mail"] == "m"
    assert (folder / "gate.xml").is_file()


def test_the_documented_step_of_the_action_runs(folder: Path) -> None:
    (given,) = (one["with"] for one in workflows()["gate"]["jobs"]["gate"]["steps"] if one.get("id") == "gate")
    for name in ("schemas", "data"):
        (folder / name).mkdir()
    (folder / given["schema"]).write_text(json.dumps(SCHEMA))
    (folder / "data/a.jsonl").write_text('{"a": 1}\n')
    (folder / "data/late.json").write_text('{"a": 1}')
    done = run(VALIDATE, folder, {"steps.install.outputs.python": sys.executable}, **given)
    assert (done.code, done.outputs["exit-code"]) == (0, "0"), done.log


def test_the_documented_configurations_of_pre_commit_are_valid(tmp_path: Path) -> None:
    pre_commit = pytest.importorskip("pre_commit.main", reason="pre-commit is not installed").__name__
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    blocks = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if one.startswith("repos:")]
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        (tmp_path / f"{number}.yaml").write_text(block)
    files = [str(tmp_path / f"{number}.yaml") for number in range(len(blocks))]
    words = [sys.executable, "-m", pre_commit, "validate-config", *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_hook_checks_the_staged_documents_of_a_repository(folder: Path) -> None:
    pre_commit = pytest.importorskip("pre_commit.main", reason="pre-commit is not installed").__name__
    (hook,) = HOOKS
    # The same hook with the structout of this environment: pre-commit would otherwise ask a registry for its parts.
    local = {**hook, "language": "system", "args": ["--schema", "s.json"], "exclude": "^s.json$"}
    local["entry"] = f"{sys.executable} -m {hook['entry']}"
    config = folder / ".pre-commit-config.yaml"
    config.write_text(json.dumps({"repos": [{"repo": "local", "hooks": [local]}]}))
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PRE_COMMIT_HOME": str(folder / "home")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)

    manifest = [sys.executable, "-m", pre_commit, "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    assert call(*manifest).returncode == 0
    assert call("git", "init", "--quiet").returncode == 0
    call("git", "add", "s.json", "good.jsonl", ".pre-commit-config.yaml")
    done = call(sys.executable, "-m", pre_commit, "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout
    call("git", "add", "a bad one.jsonl")
    done = call(sys.executable, "-m", pre_commit, "run")
    assert done.returncode == 1
    assert "a bad one.jsonl:2: /a:" in done.stdout
