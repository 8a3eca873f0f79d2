"""What a resumed run knows of the outcomes in its journal: the same with and without the journal's note."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from structout.errors import JournalError, StructoutWarning
from structout.models import Scripted
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import add, connect, packed_outcome, unpacked
from structout.pipeline.known import Known
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.run import Files, finish, local, process
from structout.schema import Schema
from structout.strategies import Prompted
from structout.tables.rows import rows_of
from tests.conftest import ROOT

TEXTS = [f"{n} mm" for n in range(40)]


class Size(BaseModel):
    mm: int


def _job(schema: Any = Size) -> Job:
    def answer(prompt: Any) -> str:
        return json.dumps({"mm": int(prompt.messages[-1].content.split()[1])})

    wrong = '{"mm": "none"}'
    script = Scripted(lambda prompt: wrong if ">\n7 mm" in prompt.messages[-1].content else answer(prompt))
    return Job(Schema.of(schema), script, Prompted(), tags={"team": "x"})


def _known(path: Path, job: Job, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], int]:
    """What is known of the outcomes, and how many of them were judged."""
    judged: list[RowOutcome] = []
    problem = RowOutcome.problem

    def counted(one: RowOutcome, schema: Schema[Any]) -> str:
        judged.append(one)
        return problem(one, schema)

    with monkeypatch.context() as patch, Journal(path, job.identity()) as journal:
        patch.setattr(RowOutcome, "problem", counted)
        tally = Known(journal, job, None).tally
        return {name: value for name, value in vars(tally).items() if name not in ("began", "counts")}, len(judged)


def test_a_note_stands_for_the_outcomes_that_a_resumed_run_would_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, path = _job(), tmp_path / "j"
    with Journal(path, job.identity()) as journal:
        process(rows_of(TEXTS), job, journal, local())
    known, judged = _known(path, job, monkeypatch)
    db = connect(str(path))
    db.execute("DELETE FROM about WHERE name LIKE 'note%'")
    db.close()
    assert _known(path, job, monkeypatch) == (known, 40)
    assert (judged, known["errors"], known["spending"].by_tag["team=x"].calls) == (0, {"type": 1}, 40)


def test_outcomes_after_the_note_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job, path = _job(), tmp_path / "j"
    with Journal(path, job.identity()) as journal:
        process(rows_of(TEXTS[:30]), job, journal, local())
        with monkeypatch.context() as patch:  # as if the run were killed before its next note
            patch.setattr(Journal, "note", lambda *given: None)
            process(rows_of(TEXTS), job, journal, local())
    known, judged = _known(path, job, monkeypatch)
    assert (judged, known["spending"].by_tag["team=x"].calls) == (10, 40)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note["state"].clear(),
        lambda note: note["state"].update(errors={"type": "many"}),
        lambda note: note["state"]["spending"].update(by_kind={"first": {"calls": -1}}),
        lambda note: note.update(state=7),
        lambda note: note.update(sums=[40, 1]),
        lambda note: note.update(last="x"),
        lambda note: note.update(by="another schema"),
    ],
)
def test_a_note_that_is_wrong_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], None]
) -> None:
    job, path = _job(), tmp_path / "j"
    with Journal(path, job.identity()) as journal:
        process(rows_of(TEXTS), job, journal, local())
    known, _ = _known(path, job, monkeypatch)
    db = connect(str(path))
    note = json.loads(db.execute("SELECT value FROM about WHERE name = 'note'").fetchone()[0])
    change(note)
    db.execute(add("about"), ["note", json.dumps(note)])
    db.close()
    assert _known(path, job, monkeypatch) == (known, 40)


@pytest.mark.parametrize("kind", ["unreadable", "invalid"])
def test_what_a_note_was_wrong_about_is_found_when_the_files_are_written(tmp_path: Path, kind: str) -> None:
    job, path = _job(), tmp_path / "j"
    with Journal(path, job.identity()) as journal:
        process(rows_of(TEXTS), job, journal, local())
    db = connect(str(path))
    (dictionary,) = db.execute("SELECT value FROM about WHERE name = 'dictionary'").fetchone()
    (data,) = db.execute("SELECT data FROM outcomes WHERE position = 3").fetchone()
    text = unpacked(data, dictionary).replace(b'"value":{"mm":3}', b'"value":{"mm":"3"}')
    forged = packed_outcome(text, dictionary) if kind == "invalid" else b"no outcome"
    db.execute("UPDATE outcomes SET data = ?1, seal = seal(position, digest, status, ?1) WHERE position = 3", [forged])
    (told,) = db.execute("SELECT value FROM about WHERE name = 'note'").fetchone()
    (total,) = db.execute("SELECT sum(seal) FROM outcomes").fetchone()
    note = json.loads(told)
    note["sums"][1] = total
    db.execute(add("about"), ["note", json.dumps(note)])
    db.close()
    files = Files(str(tmp_path / "o.jsonl"), str(tmp_path / "q.jsonl"), Form.of(job.schema))
    with Journal(path, job.identity()) as journal:
        process(rows_of(TEXTS), job, journal, local())  # trusts the note
        if kind == "unreadable":
            with pytest.raises(JournalError, match=r"row 4 of .* is damaged"):
                finish(journal, job, 40, files)
        else:
            assert finish(journal, job, 40, files) == (38, 2)
        with pytest.warns(StructoutWarning, match="asked again, .*: row 4 of"):
            process(rows_of(TEXTS), job, journal, local())
        assert finish(journal, job, 40, files) == (39, 1)


def test_every_process_judges_by_the_same(tmp_path: Path) -> None:
    program = "from structout import Schema; print(Schema.of('schemas/parts').judge)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == Schema.of(str(ROOT / "schemas/parts")).judge + "\n"


def test_outcomes_are_judged_again_where_code_of_the_user_judges(tmp_path: Path) -> None:
    class Judged(BaseModel):
        mm: int

        @field_validator("mm")
        @classmethod
        def small(cls, value: int) -> int:
            assert value < most[0]
            return value

    most = [100]
    job = _job(Judged)
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(TEXTS), job, journal, local())
        most[0] = 39
        with pytest.warns(StructoutWarning, match="asked again, .*: row 40 of"):
            process(rows_of(TEXTS), job, journal, local())
    assert (Schema.of(Judged).judge, Schema.of(Size).judge != "") == ("", True)
