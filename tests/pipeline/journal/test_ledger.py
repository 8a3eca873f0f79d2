"""The journal as the ledger of a model that works in batches."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from structout.completion import Completion, Message, Prompt, Usage
from structout.errors import BatchError, SpecError, StructoutWarning
from structout.models.ledger import Wave, at_once, batched, is_batched
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.ledger import JournalLedger, decide, settle
from structout.pipeline.journal.waves import LOST
from structout.pipeline.recorded import completion_key
from structout.pipeline.status import read_status
from structout.result import Attempt, Result
from structout.tables.rows import Row

KEYS = tuple(f"{number:064x}" for number in range(3))
WAVE = Wave("w", "anthropic", KEYS, 3, "2026-01-02T03:04:05+00:00")
ABOUT = {"schema": "s"}


def key(prompt: str) -> bytes:
    return completion_key("m", prompt)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j", ABOUT) as found:
        yield found


def ledger(journal: Journal, model: str = "m#batch") -> JournalLedger:
    return JournalLedger(journal, model, key)


def test_the_next_process_knows_what_was_submitted_and_by_which_model(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT) as journal:
        ledger(journal).intend(WAVE)
    with Journal(tmp_path / "j", ABOUT) as journal:
        assert ledger(journal).waves() == [WAVE]
        assert ledger(journal, "other").waves() == []
        ledger(journal).submitted(WAVE, "job-1")
    with Journal(tmp_path / "j", ABOUT) as journal:
        (wave,) = ledger(journal).waves()
        assert (wave.job, wave.keys) == ("job-1", KEYS)


def test_answers_and_usage_are_kept_as_they_are_collected(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(WAVE)
    kept.submitted(WAVE, "job-1")
    kept.collected(WAVE, {KEYS[0]: Completion("a", Usage(1, 5, 2))}, {KEYS[1]: Usage(1, 3, 4)})
    assert [wave.keys for wave in kept.waves()] == [KEYS[2:]]
    assert journal.completions([key(one) for one in KEYS]) == {key(KEYS[0]): Completion("a", Usage(1, 5, 2))}
    assert journal.spent() == {"m#batch": Usage(2, 8, 6)}
    kept.collected(WAVE, {}, {KEYS[2]: Usage()})
    assert kept.waves() == []


def test_a_wave_keeps_its_way_and_an_old_wave_has_none(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(replace(WAVE, way="tool", salt="s"))
    assert [(wave.way, wave.salt) for wave in kept.waves()] == [("tool", "s")]
    with pytest.raises(BatchError, match="the custom id " + replace(WAVE, salt="s").custom_id(KEYS[0])):
        kept.intend(WAVE)
    about = {"provider": "anthropic", "keys": KEYS, "size": 3, "time": WAVE.time, "job": "j"}
    with journal.transaction() as db:
        db.execute("UPDATE batches SET data = ?", [json.dumps(about)])
    assert kept.waves() == [replace(WAVE, job="j")]


def test_answers_that_two_calls_collect_count_once(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(WAVE)
    assert not kept.has_answered()
    for _ in range(2):
        kept.collected(WAVE, {KEYS[0]: Completion("a", Usage(1, 5, 2))}, {KEYS[1]: Usage(1, 3, 4)})
    assert journal.spent() == {"m#batch": Usage(2, 8, 6)}
    assert kept.has_answered()


def test_a_rejection_is_not_kept(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(WAVE)
    kept.submitted(WAVE, "job-1")
    rejected = Completion("", finish_reason="refused", refusal="too long")
    kept.collected(WAVE, {KEYS[0]: rejected, KEYS[1]: Completion("a", Usage(1, 5, 2))}, {})
    assert list(journal.completions([key(one) for one in KEYS])) == [key(KEYS[1])]
    assert [wave.keys for wave in kept.waves()] == [KEYS[2:]]


def test_nothing_is_submitted_while_a_wave_is_in_doubt(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(WAVE)
    with pytest.raises(BatchError, match=r"anthropic .* 3 requests .* 2026-01-02T03:04:05.*" + KEYS[0]) as stopped:
        ledger(journal, "other").intend(Wave("v", "openai", KEYS, 3, WAVE.time))
    assert stopped.value.retryable
    assert "--batch-adopt JOB" in stopped.value.hint
    assert "billed twice" in stopped.value.hint
    decide(journal, "job-7", resubmit=False)
    assert [wave.job for wave in kept.waves()] == ["job-7"]
    with pytest.raises(SpecError, match="no batch in doubt"):
        decide(journal, None, resubmit=True)


def test_a_wave_in_doubt_is_forgotten_if_the_user_says_so(journal: Journal) -> None:
    kept = ledger(journal)
    kept.intend(WAVE)
    decide(journal, None, resubmit=False)
    assert kept.waves() == [WAVE]
    decide(journal, None, resubmit=True)
    assert kept.waves() == []


def test_a_program_settles_a_doubt_without_a_run(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT) as journal:
        ledger(journal).intend(WAVE)
    settle(tmp_path / "j", adopt="job-9")
    with Journal(tmp_path / "j", ABOUT) as journal:
        assert [wave.job for wave in ledger(journal).waves()] == ["job-9"]
    with pytest.raises(SpecError, match="no batch in doubt"):
        settle(tmp_path / "j", resubmit=True)


def test_status_says_what_waits_where(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", ABOUT) as journal:
        ledger(journal).intend(WAVE)
        ledger(journal).submitted(WAVE, "job-1")
    waiting = {"model": "m#batch", "provider": "anthropic", "job": "job-1", "rows": 3, "since": WAVE.time}
    assert read_status(tmp_path / "j")["waiting"] == [waiting]


def test_a_damaged_wave_stops_the_run_before_it_submits_again(tmp_path: Path) -> None:
    place = tmp_path / "j"
    with Journal(place, ABOUT) as journal:
        ledger(journal).intend(WAVE)
    with sqlite3.connect(place) as db:
        db.execute("UPDATE batches SET data = ?", [json.dumps({"provider": "x"})])
    db.close()
    with pytest.warns(StructoutWarning, match="lost what waits at a provider of batches"):
        journal = Journal(place, ABOUT)
    with journal:
        with pytest.raises(BatchError, match="look there for jobs of this run"):
            ledger(journal).intend(WAVE)
        with pytest.raises(SpecError):
            decide(journal, "job-1", resubmit=False)
        assert [wave for _, wave in journal.waves()] == [LOST]
        decide(journal, None, resubmit=True)
        ledger(journal).intend(WAVE)


def test_a_forgotten_row_leaves_the_waves_and_other_rows_stay(journal: Journal, job: Job) -> None:
    prompts = [Prompt((Message("user", text),)) for text in ("gone", "shared", "waits")]
    keys = tuple(prompt.key() for prompt in prompts)
    ledger(journal).intend(Wave("w", "anthropic", keys, 3, WAVE.time))
    for position, mine in enumerate((prompts[:2], prompts[1:2])):
        attempts = tuple(Attempt("m", prompt, Completion("x")) for prompt in mine)
        outcome = job.outcome(Row(position, f"k{position}", "t", {}), Result("invalid", attempts=attempts))
        journal.add_outcomes([(position, b"d", outcome)])
    journal.forget({"k0"}, lambda call: key(call["key"]))
    assert [wave.keys for wave in ledger(journal).waves()] == [keys[1:]]


@pytest.mark.parametrize(
    ("name", "other"),
    [("anthropic:claude#batch", "anthropic:claude"), ("openai:gpt#thinking=low,batch", "openai:gpt#thinking=low")],
)
def test_batch_is_an_option_of_the_name(name: str, other: str) -> None:
    assert is_batched(name)
    assert not is_batched(other)
    assert at_once(name) == other
    assert batched(other) == name
