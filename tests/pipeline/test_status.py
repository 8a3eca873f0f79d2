"""`structout status`: what a run did, for whom and for how much, also while it runs."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from structout import Scripted, extract_many
from structout.completion import Completion, Prompt, Usage
from structout.errors import StructoutWarning
from structout.finetuning.labels import label
from structout.pipeline.journal.journal import Journal
from structout.pipeline.spending import kinds_of
from structout.pipeline.status import place_of, read_status
from structout.schema import Schema
from structout.strategies import load_strategy
from tests.bolt import Bolt
from tests.conftest import ROOT, Shell
from tests.pipeline.conftest import rows


@pytest.fixture
def command(words: list[str], tmp_path: Path, bolts: Callable[[int], Path]) -> list[str | Path]:
    """A run over 20 bolts, of which the model gets 7 and 14 wrong, with a tag and a price."""
    return ["run", bolts(20), *words, "-o", tmp_path / "out.jsonl", "--tag", "team=parts", "--price", "1,2"]


def test_status_shows_progress_and_spending(command: list[str | Path], tmp_path: Path, shell: Shell) -> None:
    journal = tmp_path / "out.jsonl.journal"
    done = shell(*command, "--strategy", "Reask(Prompted())", "--metrics", tmp_path / "metrics")
    assert done.returncode == 1, done.stderr
    found = json.loads(shell("status", journal, "--json").stdout)
    assert (found["rows"], found["total"], found["accepted"], found["running"]) == (20, 20, 18, False)
    assert found["spending"]["by_kind"]["first"]["calls"] == 20
    assert found["spending"]["by_kind"]["reask"]["calls"] == 2
    assert found["spending"]["by_tag"]["team=parts"]["calls"] == 22
    assert found["errors"] == {"not_json": 2}
    assert sums(found) == (found["calls"], found["tokens"])
    assert found["cost_usd"] == pytest.approx(sum(one["cost"] for one in found["spending"]["by_kind"].values()))
    screen = shell("status", journal).stdout
    for text in ("done, 20/20 rows, yield 90.0 %", "first answers", "re-asks", "team=parts", "not_json"):
        assert text in screen
    metrics = (tmp_path / "metrics").read_text()
    assert 'structout_rows_total{status="valid",team="parts"} 18' in metrics
    assert 'structout_spent_tokens{kind="reask",team="parts"}' in metrics
    place_of(journal).write_text(json.dumps(found | {"errors": ["x"]}))
    assert shell("status", journal).returncode == 3
    place_of(journal).unlink()
    counted = json.loads(shell("status", journal, "--json").stdout)  # without the prices of the run
    assert counted["spending"]["by_tag"] == {"team=parts": found["spending"]["by_tag"]["team=parts"] | {"cost": None}}
    assert counted["cost_usd"] == pytest.approx(found["cost_usd"])
    assert shell("status", tmp_path / "none").returncode == 2


def sums(state: dict[str, Any]) -> tuple[int, int]:
    """The calls and the tokens of all kinds."""
    kinds = state["spending"]["by_kind"].values()
    return sum(one["calls"] for one in kinds), sum(one["tokens"] for one in kinds)


def test_each_token_is_in_a_line(words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell) -> None:
    folder = tmp_path / ("deep" * 20)
    folder.mkdir()
    journal = folder / "out.jsonl.journal"
    command = ["run", bolts(20), *words, "-o", folder / "out.jsonl"]
    assert shell(*command).returncode == 1
    again = shell(*command)
    assert "20 rows are done already, and not asked again" in again.stderr
    assert "rows/s" not in again.stderr
    for options in (["--retry-quarantine", "--strategy", "Reask(Prompted())"], ["--fresh"]):
        assert shell(*command, *options).returncode == 1
        found = json.loads(shell("status", journal, "--json").stdout)
        assert found["spending"]["by_kind"]["other"]["calls"] >= 2  # the answers that were replaced
        assert sums(found) == (found["calls"], found["tokens"])
        place_of(journal).unlink()
        assert sums(json.loads(shell("status", journal, "--json").stdout)) == sums(found)
    screen = shell("status", journal).stdout
    assert "answers of no row: replaced, or not used yet" in screen
    assert f"{journal}: done, 20/20 rows" in screen or f"{journal}: stopped, 20 rows" in screen
    (tmp_path / "twice.jsonl").write_text('{"id": 1, "text": "1 mm"}\n{"id": 2, "text": "1 mm"}\n')
    assert shell("run", tmp_path / "twice.jsonl", *words, "-o", tmp_path / "two.jsonl").returncode == 0
    found = json.loads(shell("status", tmp_path / "two.jsonl.journal", "--json").stdout)
    assert (found["calls"], found["spending"]["by_kind"]["shared"]["calls"]) == (1, -1)


def test_a_run_under_way_can_be_looked_at(command: list[str | Path], tmp_path: Path) -> None:
    environment = os.environ | {"PAUSE": "0.4"}
    words = [sys.executable, "-m", "structout", *map(str, command), "--chunk", "2"]
    run = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        journal = tmp_path / "out.jsonl.journal"
        until = time.monotonic() + 60
        while not place_of(journal).exists() and time.monotonic() < until:
            time.sleep(0.1)
        found = read_status(journal)
        assert found["running"]
        assert 0 < found["rows"] < 20
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    found = read_status(journal)
    with Journal(journal, {}, only=()) as kept:
        counts = kept.counts()
    assert not found["running"]
    assert (found["rows"], found["statuses"], found["total"]) == (sum(counts.values()), counts, 20)
    assert found["cost_usd"] > 0  # the state keeps the prices
    assert found["spending"]["by_kind"]["first"]["cost"] == pytest.approx(found["cost_usd"])


def test_answers_of_a_killed_run_count_and_an_old_reason_is_not_told(
    command: list[str | Path], tmp_path: Path, shell: Shell
) -> None:
    journal = tmp_path / "out.jsonl.journal"
    command = [*command, "--strategy", "Reask(Prompted())", "--max-tokens", "50", "--chunk", "4"]
    assert shell(*command, "--budget-tokens", "600").returncode == 3
    before = json.loads(shell("status", journal, "--json").stdout)
    assert "of 600 tokens are spent" in shell("status", journal).stdout
    done, script = before["rows"], tmp_path / "model.py"
    assert 0 < done < 14
    dies = "if any(number(prompt) == 14 and len(prompt.messages) > 2 for prompt in prompts): os.kill(os.getpid(), 9)"
    script.write_text(script.read_text().replace("time.sleep", f"{dies}\n        time.sleep"))
    time.sleep(1.1)  # a mark keeps whole seconds
    words = [sys.executable, "-m", "structout", *map(str, command)]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, check=False).returncode == -signal.SIGKILL
    found = json.loads(shell("status", journal, "--json").stdout)
    with Journal(journal, {}, only=()) as kept:
        (paid,) = kept.spent().values()
        assert len(kept.answers()) > sum(kept.counts().values())  # the kill hit a row whose first answer was kept
    assert (found["calls"], found["tokens"]) == (paid.calls, paid.input_tokens + paid.output_tokens)
    assert sums(found) == (found["calls"], found["tokens"])
    screen = shell("status", journal).stdout
    assert "is partial: " in screen
    assert "of 600 tokens are spent" not in screen


def test_a_program_that_saw_all_texts_is_done(tmp_path: Path, shell: Shell) -> None:
    journal, model = tmp_path / "j", Scripted('{"kind": "hex", "size_mm": 1}')
    assert len(list(extract_many(["a", "b"], Bolt, model, journal=journal))) == 2
    assert "done, 2/2 rows" in shell("status", journal).stdout
    some = extract_many(iter("abcdefgh"), Bolt, model, journal=journal, chunk=1)
    for _ in range(3):
        next(some)
    some.close()  # type: ignore[attr-defined]
    assert "stopped, " in shell("status", journal).stdout


def test_a_tag_that_no_label_can_hold_is_refused(command: list[str | Path], shell: Shell) -> None:
    for wrong in ("team", "1=x", "model=y", "a-b=c"):
        done = shell(*command, "--tag", wrong)
        assert (done.returncode, "invalid --tag" in done.stderr) == (2, True)


def test_another_version_of_the_model_is_told_and_marked(tmp_path: Path) -> None:
    served = iter(["m-1 fp", "m-1 fp2", "m-2"])

    def answer(prompt: Prompt) -> Completion:
        return Completion('{"kind": "hex", "size_mm": 1}', Usage(1, 1, 1), version=next(served))

    with pytest.warns(StructoutWarning, match="now answers as m-2, before as m-1"):
        label(["a", "b", "c"], Schema.of(Bolt), Scripted(answer), "Prompted()", journal=tmp_path / "j")
    assert read_status(tmp_path / "j")["versions"] == {"scripted": {"m-1 fp": 1, "m-1 fp2": 1, "m-2": 1}}


def test_calls_are_sorted_by_what_they_were_for(tmp_path: Path) -> None:
    texts = iter(["no", '{"kind": "hex", "size_mm": 1}', "yes", "yes"])
    strategy = load_strategy("Verify(Reask(Prompted()), Judge())")
    results = list(extract_many(["a"], Bolt, Scripted(lambda prompt: next(texts)), strategy, journal=tmp_path / "j"))
    assert results[0].ok
    identity = read_status(tmp_path / "j")["identity"]
    with Journal(tmp_path / "j", identity) as journal:
        kinds = [kind for kind, _ in kinds_of(journal.outcome(0))]
    assert kinds[:3] == ["first", "reask", "verification"]


def test_rows_hold_the_version_that_answered(
    tmp_path: Path, command: list[str | Path], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pipeline.conftest.Completion", lambda text, usage: Completion(text, usage, version="v7"))
    assert shell(*command).returncode == 1
    assert {row["_version"] for row in rows(tmp_path / "out.jsonl")} == {"v7"}


def test_a_look_at_the_journal_of_a_killed_run_leaves_no_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {"schema": "x"}) as journal:
        journal.end(0)
        (tmp_path / "killed").mkdir()
        for name in ("j", "j-wal"):
            shutil.copy(tmp_path / name, tmp_path / "killed" / name)
    killed = tmp_path / "killed" / "j"
    assert read_status(killed)["identity"] == {"schema": "x"}
    assert sorted(os.listdir(killed.parent)) == ["j", "j-wal"]
