"""Rows through a job and a journal: what fails, what is asked again, what is kept."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from structout import (
    Cascade,
    Completion,
    Constrained,
    Example,
    Grounded,
    JournalError,
    Judge,
    Learned,
    ModelError,
    Prompt,
    Prompted,
    Reask,
    Rule,
    Schema,
    Scripted,
    SpecError,
    Strategy,
    Verify,
    Vote,
    extract_many,
)  # fmt: skip
from structout.pipeline.form import Form
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import Files, finish, local, process, retry_quarantine
from structout.prices import Price, Prices
from structout.tables.output import placing
from structout.tables.rows import rows_of
from structout.verifiers import AllOf
from tests.bolt import Bolt
from tests.pipeline.conftest import bolt, number, rows


def files(folder: Path, job: Job) -> Files:
    """The files of a run."""
    return Files(str(folder / "o.jsonl"), str(folder / "q.jsonl"), Form.of(job.schema))


class Failing:
    """Fails on one number, or on all from one on."""

    name = "failing"

    def __init__(self, poison: int, *, onward: bool = False) -> None:
        self.poison, self.onward, self.calls = poison, onward, 0

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.calls += 1
        if any(number(p) == self.poison or (self.onward and number(p) > self.poison) for p in prompts):
            raise ModelError("the server says no")
        return [bolt(prompt) for prompt in prompts]


def made(job: Job, model: Any) -> Job:
    return Job(job.schema, model, job.strategy)


def test_a_row_that_the_model_cannot_take_costs_no_other(job: Job, tmp_path: Path) -> None:
    job = made(job, Failing(5))
    with Journal(tmp_path / "j", job.identity()) as journal:
        tally = process(rows_of([f"{n} mm" for n in range(1, 41)]), job, journal, local(8))
        assert tally.counts == {"valid": 34, "invalid": 5, "error": 1}
        assert finish(journal, job, 40, files(tmp_path, job)) == (34, 6)
    (failed,) = (row for row in rows(tmp_path / "q.jsonl") if row["status"] == "error")
    assert (failed["key"], failed["cost"]) == (5, None)
    assert "the server says no" in failed["issues"][0]["message"]


class Lapsing:
    """Answers what it is asked first, and fails where it is asked again."""

    name = "lapsing"

    def __init__(self) -> None:
        self.asked = 0

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        if any(message.role == "assistant" for prompt in prompts for message in prompt.messages):
            raise ModelError("the server says no")
        self.asked += len(prompts)
        return [bolt(prompt) for prompt in prompts]


def test_what_a_row_cost_before_the_model_failed_on_it_is_kept(job: Job, tmp_path: Path) -> None:
    model = Lapsing()
    job = Job(job.schema, model, Reask(Prompted()), prices=Prices({"lapsing": Price(1e6, 0)}))
    texts = ["6 mm", "7 mm", "8 mm"]
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(texts), job, journal, local())
        assert finish(journal, job, 3, files(tmp_path, job)) == (2, 1)
        (row,) = rows(tmp_path / "q.jsonl")
        assert (row["status"], row["tokens"], row["cost"]) == ("error", 16, 11)
        assert [attempt["text"] for attempt in row["attempts"]] == ["no"]
        retry_quarantine(journal, job)
        process(rows_of(texts), job, journal, local())
    assert model.asked == 3


def test_a_record_that_the_output_cannot_hold_is_set_aside(job: Job, tmp_path: Path) -> None:
    numbers = Scripted(lambda prompt: json.dumps({"n": 10 ** (20 if number(prompt) == 2 else 2)}))
    job = Job(Schema.of({"type": "object", "properties": {"n": {"type": "integer"}}}), numbers, Prompted())
    target, beside = str(tmp_path / "o.parquet"), str(tmp_path / "q.jsonl")
    texts = ["1 mm", "2 mm", "3 mm"]
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(texts), job, journal, local(), place=placing(target, job.schema))
        assert finish(journal, job, 3, Files(target, beside, Form.of(job.schema))) == (2, 1)
        assert [row["n"] for row in pq.read_table(target).to_pylist()] == [100, 100]
        (row,) = rows(tmp_path / "q.jsonl")
        assert (row["key"], row["status"], row["input"], row["document"]) == (2, "rejected", "2 mm", {"n": 10**20})
        assert "column 'n' cannot hold 100000000000000000000" in row["issues"][0]["message"]
        assert len(row["attempts"]) == 1
        assert finish(journal, job, 3, Files(str(tmp_path / "o.jsonl"), beside, Form.of(job.schema))) == (3, 0)
    assert answered(numbers) == 3


def test_what_the_output_cannot_hold_is_in_the_quarantine_and_asked_again(tmp_path: Path) -> None:
    numbers = Scripted(lambda prompt: "no" if number(prompt) == 3 else json.dumps({"n": 10 ** (10 * number(prompt))}))
    job = Job(Schema.of({"type": "object", "properties": {"n": {"type": "integer"}}}), numbers, Prompted())
    into, anywhere = (placing(str(tmp_path / name), job.schema) for name in ("o.parquet", "o.jsonl"))
    texts = rows_of(["1 mm", "2 mm", "3 mm"])
    with Journal(tmp_path / "j", job.identity()) as journal:
        tally = process(texts, job, journal, local(), place=into)
        assert (tally.accepted, tally.quarantined, "yield 33.3 %" in tally.line()) == (1, 2, True)
        journal.overlook()
        assert sum(journal.counts().values()) == 1
        assert retry_quarantine(journal, job, into) == (2, 0)
        texts = rows_of(["1 mm", "2 mm", "3 mm"])
        assert process(texts, job, journal, local(), place=into).counts == {"valid": 1, "unplaced": 1, "invalid": 1}
        assert answered(numbers) == 5
        assert retry_quarantine(journal, job, anywhere) == (1, 0)
        assert finish(journal, job, 2, files(tmp_path, job)) == (2, 0)


def test_how_sure_a_record_is_stands_beside_it(tmp_path: Path) -> None:
    answers = iter(f'{{"kind": "hex", "size_mm": {size}}}' for size in (6, 7, 6))
    job = Job(Schema.of(Bolt), Scripted(lambda prompt: next(answers)), Vote(Prompted(temperature=1.0), n=3))
    for way, sure in ((job, pytest.approx(2 / 3)), (replace(job, model=Scripted(bolt), strategy=Prompted()), None)):
        (outcome,) = way.outcomes(list(rows_of(["6 mm"])))
        assert outcome.ok
        assert outcome.provenance()["_confidence"] == outcome.quarantined(Schema.of(Bolt))["confidence"] == sure
        placing(str(tmp_path / "o.parquet"), job.schema)(outcome.value, outcome.provenance())


def test_a_model_that_is_gone_ends_the_run_soon_and_it_goes_on_when_it_is_back(job: Job, tmp_path: Path) -> None:
    texts = [f"{n} mm" for n in range(1, 501)]
    model = Failing(100, onward=True)
    job = made(job, model)
    with Journal(tmp_path / "j", job.identity()) as journal:
        with pytest.raises(ModelError, match="10 rows in a row"):
            process(rows_of(texts), job, journal, local(16))
        assert model.calls < 80
        model.poison = 1000
        assert process(rows_of(texts), job, journal, local(16)).counts["error"] == 0
        assert journal.counts() == {"valid": 429, "invalid": 71}


def test_rows_that_got_lost_are_noticed(job: Job, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(["2 mm", "3 mm"]), job, journal, local())
        with pytest.raises(JournalError, match="1 rows came in"):
            finish(journal, job, 1, files(tmp_path, job))
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_extract_many_goes_on_from_its_journal(model: Scripted, tmp_path: Path) -> None:
    texts = [f"{n} mm" for n in range(1, 101)]
    whole = list(extract_many(texts, Bolt, Scripted(bolt), "Reask(Prompted())"))
    first = extract_many(texts, Bolt, model, "Reask(Prompted())", chunk=8, journal=tmp_path / "j")
    for _ in range(20):
        next(first)
    first.close()  # type: ignore[attr-defined]
    before = model.calls
    results = list(extract_many(texts, Bolt, model, "Reask(Prompted())", chunk=8, journal=tmp_path / "j"))
    assert results == whole
    assert sum(len(result.attempts) for result in whole) == model.calls > before


def answered(model: Scripted) -> int:
    return sum(map(len, model.batches))


@pytest.mark.parametrize("case", ["a model in a folder", "a constraint of its own", "a judge"])
def test_whatever_was_not_accepted_is_asked_again(case: str, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "model.safetensors").write_bytes(b"1")
    judge = Scripted("no", name="judge")
    model = Scripted('{"kind": "hex", "size_mm": 1}' if case == "a judge" else "no", name=f"path:{tmp_path / 'tuned'}")
    ways: dict[str, Strategy] = {
        "a constraint of its own": Constrained(quote=True),
        "a judge": Verify(Constrained(), Judge(judge)),
    }
    examples = (Example("a soft 6 mm bolt", {"kind": "hex", "size_mm": 6, "note": "soft"}),)
    job = Job(Schema.of(Bolt), model, ways.get(case, Prompted()), examples)
    texts = ["2 mm bolt", "3 mm bolt"]
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(texts), job, journal, local())
        before = answered(model), answered(judge)
        assert retry_quarantine(journal, job) == (2, 0)
        process(rows_of(texts), job, journal, local())
    assert before[0] == 2
    assert (answered(model), answered(judge)) == (2 * before[0], 2 * before[1])


def test_another_prompt_is_refused(job: Job, tmp_path: Path) -> None:
    shown = (Example("a 6 mm bolt", {"kind": "hex", "size_mm": 6}),)
    with Journal(tmp_path / "j", replace(job, examples=shown).identity()):
        pass
    other = (Example("a 6 mm bolt", {"kind": "hex", "size_mm": 7}),)
    for examples in ((), other, shown * 2):
        with pytest.raises(JournalError, match="another prompt"):
            Journal(tmp_path / "j", replace(job, examples=examples).identity())
    with Journal(tmp_path / "j", replace(job, examples=shown).identity()):
        pass


def agreeable(value: Any) -> bool:
    return bool(value)


def test_other_contents_of_a_file_that_the_strategy_reads_are_refused(job: Job, tmp_path: Path) -> None:
    rules, head = tmp_path / "rules.py", tmp_path / "head.json"
    for part, file in ((Rule(f"{rules}:small"), rules), (Learned(str(head)), head)):
        file.write_text("1")
        strategy = Cascade(Prompted(), Verify(Prompted(), AllOf(Grounded(), part)))
        other = replace(job, strategy=strategy)
        journal = tmp_path / f"{file.name}.journal"
        for _ in range(2):
            with Journal(journal, other.identity()):
                pass
        file.write_text("2")
        with pytest.raises(JournalError, match=f"another strategy file .*{file.name}@"):
            Journal(journal, other.identity())
        file.unlink()
        with pytest.raises(SpecError, match=file.name):
            other.identity()
    by_name, itself = (
        replace(job, strategy=Verify(Prompted(), Rule(function))).identity()["strategy file"]
        for function in (f"{__name__}:agreeable", agreeable)
    )
    assert by_name == itself
    assert "strategy file" not in job.identity()
