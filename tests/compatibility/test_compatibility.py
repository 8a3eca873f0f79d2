"""What earlier versions wrote is still read. Each folder here, named by a version, holds the files of that version."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from structout import Constrained, load_model, load_strategy
from structout.models.tuning import Tuning
from structout.pipeline.journal.tables import VERSION
from structout.result import Task
from structout.schema import Schema
from structout.strategies import spec
from tests.compatibility.make import save
from tests.conftest import Done, Shell

HERE = Path(__file__).parent
VERSIONS = sorted(folder.name for folder in HERE.iterdir() if re.fullmatch(r"\d+\.\d+\.\d+\w*", folder.name))
STRATEGIES = ["Prompted()", "Repair(Prompted())", "Reask(Repair(Prompted()))"]
MODEL = "scripted:answers.json"


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a version's files, which is the working folder: names of models and files are relative."""
    folder: Path = tmp_path / request.param
    shutil.copytree(HERE / request.param, folder)
    monkeypatch.chdir(folder)
    return folder


def answer(**answers: dict[str, Any]) -> None:
    """Let the scripted model know these answers alone: it fails on every other row that it is asked."""
    Path("answers.json").write_text(json.dumps({name: json.dumps(one) for name, one in answers.items()}))


def answer_the_reask() -> None:
    """Know the answer to the one question that is new since 0.1.0: what a re-ask says of an answer that is not JSON."""
    answer(**{"not one JSON document": {"kind": "hex", "size_mm": 3, "note": "coarse"}})


def _untold(row: dict[str, Any]) -> dict[str, Any]:
    """A row without its number of tokens: the re-ask has other words."""
    return {name: value for name, value in row.items() if name != "_tokens"}


def run(shell: Shell, *options: str) -> Done:
    """The command that wrote the journal, with further options."""
    words = ["run", "--schema", "schema.json", "--input", "rows.jsonl", "--key", "id", "--output", "out.jsonl"]
    return shell(*words, "--model", MODEL, "--strategy", STRATEGIES[-1], *options)


def rows(name: str) -> dict[str, dict[str, Any]]:
    """The lines of an output or a quarantine, by their keys."""
    lines = [json.loads(line) for line in Path(name).read_text().splitlines()]
    return {one.get("_key") or one["key"]: one for one in lines}


def test_a_run_goes_on_and_asks_for_no_row_that_has_an_answer(old: Path, shell: Shell) -> None:
    before, held = rows("out.jsonl"), rows("out.jsonl.quarantine.jsonl")
    assert (sorted(before), sorted(held)) == (["k1", "k2", "k3"], ["k4", "k5"])
    answer(M5={"kind": "hex", "size_mm": 5}, M6={"kind": "hex", "size_mm": 6})
    done = run(shell)
    assert (done.returncode, "damaged" in done.stderr) == (1, False), done.stderr
    after = rows("out.jsonl")
    assert sorted(after) == ["k1", "k2", "k3", "k5", "k6"]
    assert {key: after[key] for key in before} == before
    found = rows("out.jsonl.quarantine.jsonl")
    assert all(attempt.pop("issues") for attempt in found["k4"]["attempts"])  # which 0.1.0 did not write
    assert found == {"k4": held["k4"]}
    with closing(sqlite3.connect("out.jsonl.journal")) as journal:
        assert journal.execute("PRAGMA user_version").fetchone() == (VERSION,)
    answer()
    assert run(shell).returncode == 1  # as migrated: all is known


def test_a_run_that_begins_anew_pays_for_no_answer_again(old: Path, shell: Shell) -> None:
    before = rows("out.jsonl")
    answer_the_reask()
    assert run(shell, "--fresh", "--limit", "4").returncode == 1
    assert {key: _untold(row) for key, row in rows("out.jsonl").items()} == {
        k: _untold(row) for k, row in before.items()
    }
    assert list(rows("out.jsonl.quarantine.jsonl")) == ["k4"]


def test_a_quarantine_is_asked_again(old: Path, shell: Shell) -> None:
    before = rows("out.jsonl")
    answer(M4={"kind": "flange", "size_mm": 4}, M5={"kind": "hex", "size_mm": 5})
    done = run(shell, "--retry-quarantine", "--limit", "5")
    assert done.returncode == 0, done.stderr
    after = rows("out.jsonl")
    assert {key: after[key] for key in before} == before
    assert after["k4"]["kind"] == "flange"
    assert rows("out.jsonl.quarantine.jsonl") == {}


def test_another_schema_is_refused_in_one_sentence_and_the_journal_stays(old: Path, shell: Shell) -> None:
    schema = json.loads(Path("schema.json").read_text())
    schema["properties"]["size_mm"]["minimum"] = 2
    Path("schema.json").write_text(json.dumps(schema))
    before = rows("out.jsonl")
    done = run(shell)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "belongs to a run with another schema" in done.stderr
    assert rows("out.jsonl") == before


def test_a_log_gives_the_same_figures(old: Path, shell: Shell) -> None:
    done = shell("bench", "--rescore", "bench.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    told, now = json.loads(Path("figures.json").read_text()), json.loads(done.stdout)
    assert _known_to(told, now) == told


def _known_to(told: Any, now: Any) -> Any:
    """The figures of today that an earlier release told too: a release may tell more. A rate of no record was 0 to 1
    in 0.1.0, and is null since.
    """
    if isinstance(told, dict) and isinstance(now, dict):
        if now.get("n") == 0 and now.get("value", 0) is None:
            return told if told.get("n") == 0 else now
        return {key: _known_to(told[key], now[key]) for key in told if key in now}
    if isinstance(told, list) and isinstance(now, list) and len(told) == len(now):
        return [_known_to(one, other) for one, other in zip(told, now, strict=True)]
    return now


def test_a_bench_takes_all_answers_from_a_log(old: Path, shell: Shell) -> None:
    answer_the_reask()
    words = [word for one in STRATEGIES for word in ("--strategy", one)]
    options = ["--schema", "schema.json", "--model", MODEL, "--split", "all", "--log", "bench.jsonl", "--json"]
    done = shell("bench", "records.jsonl", *options, *words)
    assert done.returncode == 0, done.stderr
    told, now = json.loads(Path("figures.json").read_text()), json.loads(done.stdout)
    assert [row["rates"] for row in now["rows"]] == [row["rates"] for row in told["rows"]]
    assert [row["cost"] for row in now["rows"][:2]] == [row["cost"] for row in told["rows"][:2]]


def test_a_log_is_a_baseline(old: Path, shell: Shell) -> None:
    done = shell("bench", "--rescore", "bench.jsonl", "--baseline", "bench.jsonl", "--fail-on-regression")
    assert done.returncode == 0, done.stderr


def test_a_report_is_one_page_that_holds_its_data(old: Path) -> None:
    page = Path("bench.html").read_text()
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", page.partition("</head>")[0])
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    assert json.loads(found[1])


def test_a_strategy_that_was_recommended_is_read(old: Path, shell: Shell) -> None:
    strategy = load_strategy("recommended.strategy")
    assert spec(strategy) == f"On({MODEL!r}, {STRATEGIES[-1]})"
    words = ["extract", "--schema", "schema.json", "--strategy", "recommended.strategy", "--model", MODEL]
    assert json.loads(shell(*words, "--text", "M1 hex bolt").stdout) == {"kind": "hex", "size_mm": 1}


def test_an_adapter_loads_and_answers(old: Path) -> None:
    save(Path("base"))
    model = load_model("path:adapter")
    tuning = Tuning.read(Path("adapter"))
    assert tuning is not None
    assert model.tuning == tuning  # type: ignore[attr-defined]
    schema = Schema.of("schema.json")
    assert tuning.fingerprint == schema.fingerprint()
    (result,) = Constrained(max_tokens=60).run([Task("M1 hex bolt", schema)], model)
    assert result.ok


def test_an_adapter_of_another_model_is_refused_in_one_sentence(old: Path, shell: Shell) -> None:
    save(Path("base"))
    tuning = json.loads(Path("adapter/tuning.json").read_text())
    Path("adapter/tuning.json").write_text(json.dumps(tuning | {"checksum": "0" * 16}))
    done = shell("extract", "--schema", "schema.json", "--model", "path:adapter", "--text", "M1 hex bolt")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_files_are_small_and_name_no_place_of_a_machine() -> None:
    assert VERSIONS[0] == "0.1.0"
    for version in VERSIONS:
        files = [file for file in (HERE / version).rglob("*") if file.is_file()]
        assert sum(file.stat().st_size for file in files) < 300_000
        assert (HERE / version / "README.md").is_file()
        for file in files:
            assert not re.search(rb"/(?:tmp|home|root|work|Users)/", file.read_bytes()), file


def test_a_row_is_forgotten_in_all_its_files(old: Path, shell: Shell) -> None:
    done = shell(
        "forget", "out.jsonl.journal", "--key", "k1", "--key", "1", "--log", "bench.jsonl", "--report", "bench.html"
    )
    assert done.returncode == 0, done
    assert done.stdout.count("found nothing in ") == 5
    assert "k1" not in {**rows("out.jsonl"), **rows("out.jsonl.quarantine.jsonl")}
    assert shell("bench", "--rescore", "bench.jsonl").returncode == 0
    assert " + 1 forgotten" in run(shell).stderr
