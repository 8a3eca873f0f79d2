import shutil
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structout import (
    Attempt,
    Completion,
    Edit,
    Issue,
    JournalError,
    Message,
    Prompt,
    Result,
    Sampling,
    Schema,
    Scripted,
    StructoutWarning,
    Usage,
)  # fmt: skip
from structout.errors import OtherRunError
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import VERSION, seal
from structout.pipeline.run import local, process, unknown
from structout.prices import Price, Prices
from structout.strategies import On, Prompted
from structout.tables.rows import Row, rows_of
from tests.bolt import Bolt
from tests.nesting import nested

SCHEMA = Schema.of(Bolt)
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=[]), max_size=20)


def numbers() -> st.SearchStrategy[Usage]:
    counts = st.integers(0, 10**6)
    return st.builds(Usage, calls=counts, input_tokens=counts, output_tokens=counts, seconds=st.floats(0, 1e6))


COMPLETIONS = st.builds(
    Completion,
    ANY_TEXT,
    numbers(),
    st.sampled_from(["stop", "length", "refused"]),
    st.none() | st.lists(st.floats(-50, 0), min_size=1, max_size=3).map(tuple),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2).map(tuple),
    ANY_TEXT,
    ends=st.none() | st.lists(st.integers(0, 99), min_size=1, max_size=3).map(tuple),
)
PROMPTS = st.builds(
    Prompt,
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), ANY_TEXT), max_size=3).map(tuple),
    st.builds(Sampling, temperature=st.floats(0, 2), stop=st.lists(st.text(min_size=1), max_size=2).map(tuple)),
    st.sampled_from([None, SCHEMA]),
    st.integers(0, 5),
)
RESULTS = st.builds(
    Result,
    st.sampled_from(["invalid", "truncated", "rejected"]),
    document=nested(st.none() | st.booleans() | st.integers() | ANY_TEXT, lambda inner: st.lists(inner), max_leaves=4),
    issues=st.lists(st.builds(Issue, ANY_TEXT, st.sampled_from(["type", "enum"]), ANY_TEXT), max_size=2).map(tuple),
    edits=st.lists(st.builds(Edit, st.just("quote"), st.just("lossless"), st.integers(0, 9), ANY_TEXT, ANY_TEXT)).map(
        tuple
    ),
    attempts=st.lists(st.builds(Attempt, st.just("m"), PROMPTS, COMPLETIONS), max_size=2).map(tuple),
    checks=st.lists(st.builds(Attempt, st.just("m"), PROMPTS, COMPLETIONS), max_size=1).map(tuple),
    confidence=st.dictionaries(ANY_TEXT, st.floats(0, 1), max_size=2),
    spans=st.dictionaries(ANY_TEXT, st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=2),
)


@settings(deadline=None, max_examples=60)
@given(result=RESULTS, text=ANY_TEXT)
def test_a_result_comes_back_as_it_was(
    result: Result[Bolt], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = Job(SCHEMA, Scripted(""), Prompted())
    row = Row(0, "k", text, {"text": text})
    with Journal(tmp_path_factory.mktemp("journal") / "j", job.identity()) as journal:
        journal.add_outcomes([(0, row.digest, job.outcome(row, result))])
        assert journal.outcome(0).result(SCHEMA) == result
        assert journal.known(0, 5) == {0: row.digest}


def test_a_value_comes_back_as_the_model_it_was(job: Job, tmp_path: Path) -> None:
    rows = list(rows_of(["2 mm", "7 mm", None]))
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows, job, journal, local())
        results = [journal.outcome(place).result(SCHEMA) for place in range(3)]
    assert results == job.results([row.text for row in rows])
    assert results[0].unwrap() == Bolt(kind="hex", size_mm=2)


def test_a_model_that_was_trained_anew_is_another_one(job: Job, model: Scripted, tmp_path: Path) -> None:
    weights = tmp_path / "tuned" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"1")
    model.name = f"path:{weights.parent}"
    rows = list(rows_of(["2 mm"]))
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows, job, journal, local())
    weights.write_bytes(b"22")
    with pytest.raises(JournalError, match="another model"):
        Journal(tmp_path / "j", job.identity())
    calls = model.calls
    with Journal(tmp_path / "j", job.identity(), fresh=True) as journal:
        process(rows, job, journal, local())
    assert model.calls == calls + 1  # what the old one answered is not this one's answer
    checked = replace(job, model=Scripted(""), strategy=On(model, Prompted()))
    before = checked.identity()
    weights.write_bytes(b"333")
    assert checked.identity() != before


def test_another_run_is_refused_and_fresh_keeps_what_was_paid_for(job: Job, model: Scripted, tmp_path: Path) -> None:
    rows = list(rows_of(["2 mm", "3 mm"]))
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows, job, journal, local())
    others = {
        "schema": replace(job, schema=Schema.of({"title": "Bolt"})),
        "strategy": replace(job, strategy=Prompted(examples=1)),
        "model": replace(job, model=Scripted("", name="another")),
        "sampling": replace(job, sampling=Sampling(max_tokens=7)),
    }
    for part, other in others.items():
        with pytest.raises(JournalError, match=f"another {part}") as caught:
            Journal(tmp_path / "j", other.identity())
        assert "--fresh" in caught.value.hint
    with Journal(tmp_path / "j", replace(job, strategy=Prompted()).identity(), fresh=True) as journal:
        assert journal.counts() == {}
        calls = model.calls
        process(rows, replace(job, strategy=Prompted()), journal, local())
        assert model.calls == calls
        assert sum(usage.calls for usage in journal.spent().values()) == calls


def test_the_cost_of_a_run_is_that_of_its_rows_with_cached_tokens(job: Job, tmp_path: Path) -> None:
    used = Usage(1, 10_000, 10, reused_tokens=4000, stored_tokens=5000)
    model = Scripted(lambda _: Completion('{"kind": "hex", "size_mm": 6}', used))
    prices = Prices({model.name: Price(3, 15, cached=0.3, stored=3.75)})
    with Journal(tmp_path / "j", {}) as journal:
        tally = process(rows_of(["a", "b"]), replace(job, model=model, prices=prices), journal, local())
        costs = [outcome.cost for outcome in journal.outcomes()]
    assert costs == [pytest.approx((1000 * 3 + 4000 * 0.3 + 5000 * 3.75 + 10 * 15) / 1e6)] * 2
    assert tally.cost == pytest.approx(sum(filter(None, costs)))


def test_a_changed_input_is_refused(job: Job, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows_of(["2 mm", "3 mm"]), job, journal, local())
        assert unknown(list(rows_of(["2 mm", "3 mm", "4 mm"])), journal)[0].text == "4 mm"
        with pytest.raises(JournalError, match="row 2 of the input differs"):
            process(rows_of(["2 mm", "4 mm"]), job, journal, local())
        assert journal.counts() == {"valid": 2}


def test_two_runs_on_one_journal(job: Job, tmp_path: Path) -> None:
    with Journal(tmp_path / "j", job.identity()) as first:
        with pytest.raises(JournalError, match="in use by another run"):
            Journal(tmp_path / "j", job.identity())
        process(rows_of(["2 mm"]), job, first, local())
    with Journal(tmp_path / "j", job.identity()) as again:
        assert again.counts() == {"valid": 1}


def test_what_is_no_journal_or_of_another_version_stays_untouched(job: Job, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to have a header that is looked at" * 20)
    before = (tmp_path / "text").read_bytes()
    with pytest.raises(JournalError, match="is not a journal"):
        Journal(tmp_path / "text", job.identity())
    assert (tmp_path / "text").read_bytes() == before
    Journal(tmp_path / "j", job.identity()).close()
    with sqlite3.connect(tmp_path / "j") as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    with pytest.raises(JournalError, match=f"version {VERSION + 1}"):
        Journal(tmp_path / "j", job.identity(), fresh=True)
    other = sqlite3.connect(tmp_path / "foreign")
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = (tmp_path / "foreign").read_bytes()
    with pytest.raises(JournalError, match="version 0"):
        Journal(tmp_path / "foreign", job.identity())
    assert (tmp_path / "foreign").read_bytes() == before


def test_a_folder_that_is_not_there(job: Job, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "no" / "j", job.identity())


def test_an_interruption_while_a_row_is_sealed_ends_the_run_and_costs_nothing(
    job: Job, model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [list(rows_of([f"{n} mm" for n in range(1, count)])) for count in (5, 9)]
    with Journal(tmp_path / "j", job.identity()) as journal:
        process(rows[0], job, journal, local(2))
    whole = (tmp_path / "j").read_bytes()
    left = 0

    def interrupted(*cells: object) -> int:
        nonlocal left
        if threading.current_thread() is threading.main_thread():  # where signals come
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
        return seal(*cells)

    monkeypatch.setattr("structout.pipeline.journal.tables.seal", interrupted)
    hit = 0
    while True:
        (tmp_path / "j").write_bytes(whole)
        left, calls = hit, model.calls
        try:
            with Journal(tmp_path / "j", job.identity()) as journal:
                process(rows[1], job, journal, local(2))
            break
        except KeyboardInterrupt:
            hit += 1
        left = 10**6
        with Journal(tmp_path / "j", job.identity()) as journal:
            process(rows[1], job, journal, local(2))
            assert (journal.damaged, journal.counts()) == (False, {"valid": 7, "invalid": 1})
        assert model.calls == calls + 5  # four rows, one of which is asked twice
    assert hit > 10


KEYS = [bytes([number]) * 32 for number in range(3)]


def test_a_journal_that_was_replaced_while_it_is_in_use_is_left_alone(tmp_path: Path) -> None:
    place, other = tmp_path / "j", tmp_path / "other"
    Journal(other, {"a": "other"}).close()
    with Journal(place, {"a": "b"}) as journal:
        before = other.read_bytes()
        other.replace(place)
        with pytest.raises(OtherRunError, match="was replaced by another file while it was in use"):
            journal.add_completions("m", {KEYS[0]: Completion("x", Usage(calls=1))}, Usage(calls=1))
        assert place.read_bytes() == before


def test_a_journal_that_is_put_back_keeps_its_mode_and_what_it_knew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Journal("j", {"a": "b"}, private=True) as journal:
        journal.add_completions("m", {KEYS[0]: Completion("x", Usage(calls=1))}, Usage(calls=1))
        (tmp_path / "j").unlink()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")  # a model of the user may do so
        with pytest.warns(StructoutWarning, match="j was removed while it is in use: it is put back"):
            journal.add_completions("m", {KEYS[1]: Completion("y", Usage(calls=1))}, Usage(calls=1))
        journal.add_completions("m", {KEYS[2]: Completion("z", Usage(calls=1))}, Usage(calls=1))
    monkeypatch.chdir(tmp_path)
    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["elsewhere", "j"]
    with Journal("j", {"a": "b"}) as journal:
        found = journal.completions(KEYS)
        assert [found[key].text for key in KEYS] == ["x", "y", "z"]
        assert journal.spent() == {"m": Usage(calls=3)}


def test_a_journal_that_cannot_be_put_back_says_what_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with Journal(folder / "j", {"a": "b"}) as journal:
        shutil.rmtree(folder)
        folder.write_text("in the way")
        with pytest.raises(JournalError, match="was removed while it was in use, and cannot be put back") as caught:
            journal.add_completions("m", {KEYS[0]: Completion("x", Usage(calls=1))}, Usage(calls=1))
        assert "asks for every row again" in (caught.value.hint or "")
