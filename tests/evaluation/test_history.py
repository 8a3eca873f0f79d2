"""What changed since a baseline, and the runs of a folder over time."""

import json
from pathlib import Path
from typing import Any

import pytest

from structout import Dataset, Scripted, evaluate
from structout.completion import Completion, Prompt, Usage
from structout.errors import DataError
from structout.evaluation import Report
from structout.evaluation.history import history
from structout.evaluation.provenance import moved
from structout.evaluation.regression import changes
from structout.models import Model
from structout.strategies import Prompted
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell, needs

ROWS: list[dict[str, Any]] = [
    {"text": f"bolt {n}", "expected": {"kind": "hex", "size_mm": n}, "key": f"k{n}"} for n in range(1, 13)
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def model(version: str, wrong: int = 0, name: str = "m") -> Model:
    def answer(prompt: Prompt) -> Completion:
        size = int(prompt.messages[-1].content.split()[2])
        text = json.dumps({"kind": "hex", "size_mm": -1 if size <= wrong else size})
        return Completion(text, Usage(1, 1, 1), version=version)

    made = Scripted(answer)
    made.name = name
    return made


def measured(path: Path, asked: Model, strategy: Prompted, log: Path | None = None) -> Report:
    return evaluate(strategy, asked, Dataset.load(path, Bolt), log=log)


def test_a_comparison_says_what_changed_besides_the_results(tmp_path: Path) -> None:
    old = measured(write(tmp_path / "bolts.jsonl", ROWS), model("v1"), Prompted())
    rows = [*ROWS[1:], {"text": "bolt 13", "expected": {"kind": "hex", "size_mm": 13}, "key": "k13"}]
    rows[0] = {**rows[0], "text": "bolt 2 !"}
    rows[1] = {**rows[1], "expected": {"kind": "flange", "size_mm": 3}}
    new = measured(write(tmp_path / "bolts.jsonl", rows), model("v2"), Prompted())
    found = moved(old, new)
    assert "the version of m changed: v1, now v2" in found
    assert any("1 added, 1 removed, 1 changed, 1 relabelled" in sentence for sentence in found)
    assert any(sentence.startswith("the test records changed: fingerprint") for sentence in found)
    assert moved(old, old) == []


def test_prompts_and_models_are_compared_too(tmp_path: Path) -> None:
    path = write(tmp_path / "bolts.jsonl", ROWS)
    old = evaluate({"way": Prompted()}, model("v1"), Dataset.load(path, Bolt))
    new = evaluate({"way": Prompted(instructions="Read.")}, model("v1", 9, name="n"), Dataset.load(path, Bolt))
    assert "the prompt of way changed" in moved(old, new)
    assert "the model changed: m, now n" in moved(old, new)
    accuracy = next(one for one in changes(old, new) if one.metric == "record accuracy")
    assert (accuracy.difference.n, accuracy.difference.lost) == (12, 9)  # one model each: its name does not matter


@needs("matplotlib")
def test_the_runs_of_a_folder_are_listed_by_date(tmp_path: Path, shell: Shell) -> None:
    path = write(tmp_path / "bolts.jsonl", ROWS)
    for wrong in (0, 11):
        measured(path, model("v1", wrong, name=f"m{wrong}"), Prompted(), tmp_path / "logs" / "one.jsonl")
    measured(path, model("v1"), Prompted(), tmp_path / "logs" / "two.jsonl")
    (tmp_path / "logs" / "other.jsonl").write_text('{"a": 1}\n')
    found = history(tmp_path / "logs")
    assert [(one.model, one.n, one.rates["record accuracy"][0]) for one in found] == [
        ("m0", 12, 1.0), ("m11", 12, pytest.approx(1 / 12)), ("m", 12, 1.0),
    ]  # fmt: skip
    assert all(one.date > "2024" for one in found)
    page = tmp_path / "history.html"
    done = shell("bench", "--history", tmp_path / "logs", "--figures", tmp_path / "figures", "--html", page)
    assert done.returncode == 0, done.stderr
    assert "Prompted()" in done.stdout
    assert page.read_text().count("<svg") == 9  # three rates of three arms
    assert "<td>Prompted()</td>" in page.read_text()
    assert (tmp_path / "figures" / "history.png").stat().st_size > 10_000
    assert len(json.loads(shell("bench", "--history", tmp_path / "logs", "--json").stdout)) == 3
    with pytest.raises(DataError, match="holds no log"):
        history(tmp_path / "figures")


def test_the_command_tells_what_changed_since_the_baseline(tmp_path: Path, shell: Shell) -> None:
    path = write(tmp_path / "bolts.jsonl", ROWS)
    (tmp_path / "script.json").write_text(json.dumps({"bolt": '{"kind": "hex", "size_mm": 1}'}))
    (tmp_path / "own.md").write_text("Read well.")
    words = ["bench", path, "--schema", BOLT, "--model", f"scripted:{tmp_path / 'script.json'}", "--split", "all"]
    way = ["--strategy", "Prompted()", "--html", tmp_path / "r.html"]
    assert shell(*words, *way, "--log", tmp_path / "old.jsonl").returncode == 0
    write(path, [*ROWS, {"text": "bolt 99", "expected": {"kind": "hex", "size_mm": 99}}])
    done = shell(*words, *way, "--log", tmp_path / "new.jsonl", "--baseline", tmp_path / "old.jsonl", "--json")
    assert "since the baseline, the measured records differ: 1 added" in done.stderr
    assert any("1 added" in sentence for sentence in json.loads(done.stdout)["moved"])
