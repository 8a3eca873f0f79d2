"""A journal that was forged: nothing that cannot be is believed."""

import datetime
import json
import subprocess
import sys
import uuid
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, computed_field

from structout import DataError, Schema, Scripted
from structout.completion import Usage
from structout.errors import StructoutWarning
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import connect, loaded, written
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.run import Files, finish, local, process
from structout.records import completion_of
from structout.strategies import Prompted
from structout.tables.rows import rows_of
from tests.bolt import BOLT, Bolt
from tests.conftest import ROOT
from tests.nesting import nested
from tests.pipeline.conftest import COUNT, Run, rows


def files(folder: Path, job: Job, *, bare: bool = False) -> Files:
    """The files of a run."""
    return Files(str(folder / "o.jsonl"), str(folder / "q.jsonl"), Form.of(job.schema), bare=bare)


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "a value that breaks the schema": lambda row: row.update(value={"kind": "hex", "size_mm": -3}, document=None),
    "another value": lambda row: row["value"].update(size_mm="8"),
    "a document that breaks it": lambda row: row["document"].update(kind="nail"),
    "NaN": lambda row: row["document"].update(size_mm=float("nan")),
    "true for a number": lambda row: (row["value"].update(size_mm=True), row["document"].update(size_mm=True)),
    "a deep value": lambda row: row.update(document=json.loads("[" * 400 + "]" * 400)),
    "a deeper value": lambda row: row.update(document=json.loads("[" * 900 + "]" * 900)),
    "a number without end": lambda row: row["document"].update(size_mm=10**4000),
    "another status": lambda row: row.update(status="invalid"),
    "an unknown status": lambda row: row.update(status="fine"),
    "a missing field": lambda row: row.pop("issues"),
    "a field more": lambda row: row.update(more=1),
    "a negative usage": lambda row: row["attempts"][0]["usage"].update(input_tokens=-5),
    "a usage that is NaN": lambda row: row["attempts"][0]["usage"].update(seconds=float("nan")),
    "a usage of a text": lambda row: row["attempts"][0].update(usage="none"),
    "an unknown usage": lambda row: row["attempts"][0]["usage"].update(wishes=3),
    "attempts that are numbers": lambda row: row.update(attempts=[1]),
    "attempts that are none": lambda row: row.update(attempts=None),
    "a negative cost": lambda row: row.update(cost=-1),
    "a cost without end": lambda row: row.update(cost=float("inf")),
    "edits that are none": lambda row: row.update(edits=[[1, 2]]),
    "issues that are texts": lambda row: row.update(issues="abc"),
    "confidence in words": lambda row: row.update(confidence={"/a": "sure"}),
    "spans that are none": lambda row: row.update(spans={"/a": 3}),
}


def test_a_row_that_inflates_without_end_is_not_inflated(run: Run) -> None:
    db = connect(str(run.journal))
    (dictionary,) = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
    packer = zlib.compressobj(9, zdict=dictionary)
    first, other = (packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + other * 191  # 3 GiB
    assert len(bomb) > 3 * 10**6
    query = "UPDATE outcomes SET data = ?1, seal = seal(position, digest, status, ?1) WHERE position = 8"
    db.execute(query, [bomb])
    db.close()
    words = ["--model", f"py:{run.folder / 'model.py'}:Model", "--strategy", "Prompted()", "--key", "id"]
    files = ["-i", f"{run.folder / 'bolts.jsonl'}", "-o", f"{run.folder / 'out.jsonl'}"]
    program = "import resource; resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30,) * 2);"
    program += "from structout.cli import main; main()"
    command = [sys.executable, "-c", program, "run", "--schema", BOLT, *files, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "row 9 of" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
    assert run.files == run.before


def test_a_forged_outcome_is_not_believed(run: Run) -> None:
    accepted = [position for position in range(20, COUNT, 2) if (position + 1) % 7][: len(HOSTILE)]
    for position, change in zip(accepted, HOSTILE.values(), strict=True):
        run.forge(position, change)
    run.change("UPDATE outcomes SET status = 'valid' WHERE position = 6", sealed=True)
    db = connect(str(run.journal))
    identity = json.loads(db.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()[0])
    db.close()
    with Journal(run.journal, identity) as journal:
        wrong = journal.wrong(Schema.of(BOLT))
    assert sorted(wrong) == [6, *accepted]
    done = run.again()
    assert (done.returncode, "rows 7, 23, 25, 27, " in done.stderr) == (2, True), done.stderr
    assert (run.files, run.asked()) == (run.before, [])


def test_other_forgeries_end_in_a_word(run: Run) -> None:
    whole = run.journal.read_bytes()
    kinds = {
        "position": ("UPDATE outcomes SET position = 4000 WHERE position = 89", 2, "the input has lost rows"),
        "digest": ("UPDATE outcomes SET digest = x'00' WHERE position = 5", 2, "row 6 of the input differs"),
        "spent": ("UPDATE spent SET input_tokens = -999999", 2, "the earlier spending"),
        "spent in words": ("UPDATE spent SET calls = 'many'", 2, "the earlier spending"),
        "of which run": (
            "UPDATE about SET value = '[[[' WHERE name LIKE 'identity%'",
            2,
            "its identity cannot be read",
        ),
        "dictionary": ("UPDATE about SET value = x'00' WHERE name LIKE 'dictionary%'", 2, "rows 1 to 90"),
        "a run that is a list": ("UPDATE about SET value = '[\"a\"]' WHERE name LIKE 'identity%'", 2, "cannot be read"),
        "a run that is a number": ("UPDATE about SET value = 7 WHERE name LIKE 'identity%'", 2, "says which run"),
        "a dictionary of text": ("UPDATE about SET value = 'a' WHERE name LIKE 'dictionary%'", 2, "all rows"),
        "runs before in words": ("UPDATE about SET value = '[\"a\"]' WHERE name LIKE 'before%'", 2, "cannot be read"),
        "of before": ("UPDATE about SET value = '7' WHERE name LIKE 'before%'", 2, "cannot be read"),
    }
    for kind, (statement, code, told) in kinds.items():
        run.journal.write_bytes(whole)
        run.change(statement, sealed=True)
        done = run.again()
        assert (done.returncode, told in done.stderr) == (code, True), (kind, done.stderr)
        assert run.files == run.before
    run.journal.write_bytes(whole)
    run.change("UPDATE completions SET data = '{\"text\": 1}'", "DELETE FROM outcomes WHERE position = 3", sealed=True)
    done = run.again()
    assert ("an answer in the journal is damaged and is asked again" in done.stderr, run.asked()) == (True, [4])


def test_what_sqlite_would_run_is_refused(run: Run) -> None:
    without_end = (
        "SELECT count(*) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c)"
    )
    whole = run.journal.read_bytes()
    for statements in (
        [f"CREATE TRIGGER t AFTER INSERT ON outcomes BEGIN {without_end}; END"],
        ["DROP TABLE spent", f"CREATE VIEW spent AS {without_end}"],
        ["DROP TABLE spent"],
        ["ALTER TABLE outcomes RENAME TO others"],
    ):
        run.journal.write_bytes(whole)
        run.change(*statements)
        before = run.journal.read_bytes()
        done = run.again("--fresh")
        assert (done.returncode, "is not a journal: it" in done.stderr) == (2, True), done.stderr
        assert (run.journal.read_bytes(), run.files) == (before, run.before)


def test_what_is_written_is_judged_again(job: Job, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(["1 mm", "2 mm", "3 mm"]), job, journal, local())
        stricter = Job(
            Schema.of({"type": "object", "properties": {"size_mm": {"maximum": 2}}}), job.model, job.strategy
        )
        assert finish(journal, stricter, 3, files(tmp_path, stricter)) == (2, 1)
        (row,) = rows(tmp_path / "q.jsonl")
        assert (row["key"], row["status"]) == (3, "rejected")
        assert "breaks the schema: /size_mm" in row["issues"][0]["message"]
        with pytest.warns(StructoutWarning, match="asked again, .*: row 3 of .*the document breaks the schema"):
            process(rows_of(["1 mm", "2 mm", "3 mm"]), stricter, journal, local())


def test_defaults_that_are_never_the_same_are_no_forgery(tmp_path: Path) -> None:
    class Stamped(Bolt, extra="forbid"):
        id: uuid.UUID = Field(default_factory=uuid.uuid4)
        at: datetime.datetime = Field(default_factory=datetime.datetime.now)
        tags: set[str] = Field(default_factory=lambda: {"b", "a", "c"})
        price: Decimal = Decimal("1.50")

        @computed_field  # type: ignore[prop-decorator]
        @property
        def double(self) -> float:
            return 2 * self.size_mm

    job = Job(Schema.of(Stamped), Scripted('{"kind": "hex", "size_mm": 2}'), Prompted())
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(["2 mm"]), job, journal, local())
        kept = journal.outcome(0).value
        assert journal.wrong(job.schema) == {}
        assert finish(journal, job, 1, files(tmp_path, job, bare=True)) == (1, 0)
    assert rows(tmp_path / "o.jsonl") == [kept]


def test_the_quarantine_of_a_forged_journal_is_asked_again(run: Run) -> None:
    run.forge(6, lambda row: row.pop("issues"))
    run.forge(13, lambda row: row["attempts"][0].update(key=7))
    done = run.again("--retry-quarantine")
    assert (done.returncode, "rows 7 and 14 of" in done.stderr) == (2, True), done.stderr
    assert run.files == run.before
    assert sorted(run.asked()) == [n for n in range(7, COUNT + 1, 7) if n not in (7, 14)]


JSON = nested(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OUTCOME = written(
    RowOutcome(
        key="k",
        status="valid",
        value={},
        document={},
        issues=(),
        edits=(),
        strategy="s",
        attempts=(),
        cost=None,
        fingerprint="f",
    )
)[0].to_json()
ANSWER = {"text": "a", "finish_reason": "stop", "usage": {"calls": 1}, "refusal": "", "logprobs": [-1.0], "ends": [1]}


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from([*OUTCOME, "more"]), value=JSON)
def test_any_json_is_an_outcome_or_bad_data(name: str, value: Any) -> None:
    try:
        found = RowOutcome.from_json(OUTCOME | {name: value})
        found.result(Schema.of(True))
        found.provenance()
        json.dumps(found.quarantined(Schema.of(True)))
        assert found.problem(Schema.of(True)) is not None
    except DataError:
        pass


@settings(deadline=None, max_examples=150)
@given(name=st.sampled_from([*ANSWER, "values", "steered", "more"]), value=JSON)
def test_any_json_is_an_answer_or_bad_data(name: str, value: Any) -> None:
    try:
        found = completion_of(ANSWER | {name: value})
    except DataError:
        return
    assert found.usage + Usage() == found.usage
    assert found.mean_value_logprob is None or found.mean_value_logprob < 1


def test_a_row_too_large_to_be_read_is_not_written_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structout.pipeline.journal.tables.LARGEST", 2**20)
    deep = json.loads("[" * 600 + "]" * 600)
    large = "x" * 2**20
    for outcome in (
        RowOutcome(
            key="k",
            status="valid",
            value={"a": large},
            document={"a": large},
            issues=(),
            edits=(),
            strategy="s",
            attempts=(),
            cost=0.5,
            fingerprint="f",
        ),
        RowOutcome(
            key="k",
            status="invalid",
            value=None,
            document=deep,
            issues=(),
            edits=(),
            strategy="s",
            attempts=(),
            cost=0.5,
            fingerprint="f",
            record="the input",
        ),
        RowOutcome(
            key="k",
            status="invalid",
            value=None,
            document=None,
            issues=(),
            edits=(),
            strategy="s",
            attempts=(),
            cost=0.5,
            fingerprint="f",
            record=deep,
        ),
        RowOutcome(
            key=deep,
            status="invalid",
            value=None,
            document=None,
            issues=(),
            edits=(),
            strategy="s",
            attempts=(),
            cost=0.5,
            fingerprint="f",
            record="the input",
        ),
    ):
        kept, data = written(outcome)
        assert (kept.status, kept.cost) == ("rejected", 0.5)
        assert "the row is too large" in kept.issues[-1].message
        assert RowOutcome.from_json(loaded(data)) == kept
        with Journal(tmp_path / "j", {}) as journal:
            journal.add_outcomes([(0, b"", outcome)])
            assert journal.outcome(0) == kept
