"""The trials of promises: a small number of each holds, and each finds a fault that is seeded."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.trust import crashes, faults, injection, intervals, judging, reading, repeating, servers, soak, together
from benchmarks.trust.__main__ import Kept
from benchmarks.trust.promises import PROMISES
from benchmarks.trust.report import Line, report
from benchmarks.trust.trial import Trial, Tried
from structout import Message, extract_many
from structout.decoding.engine import Engine
from structout.decoding.request import Request
from structout.evaluation.stats.rates import clustered
from structout.grammar import compile as compiled
from structout.schema import Schema
from tests.conftest import needs

strace = pytest.mark.skipif(bool(faults.missing()) and os.environ.get("CI") != "true", reason="strace is not installed")
SMALL: dict[str, tuple[Callable[..., Tried], int]] = {
    "histories": (lambda count, seed: crashes.tried(count, seed, ("jsonl", "extract", "parquet", "duckdb")), 3),
    "JSON": (reading.json_readers, 1500),
    "CSV": (reading.csv_readers, 60),
    "judges": (judging.verdicts, 600),
    "strict forms": (judging.strict_forms, 800),
    "models": (judging.models, 120),
    "resumed": (repeating.resumed, 8),
    "wrong types": (servers.wrong_types, 6),
    "hostile servers": (servers.hostile, 9),
    "fences": (injection.fences, 800),
    "rates": (intervals.rates, 20),
    "tests of shares": (intervals.tests, 20),
    "differences": (intervals.differences, 4),
    "needed records": (intervals.needs, 40),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_promise_holds_in_a_few_cases(name: str) -> None:
    attempt, count = SMALL[name]
    found = attempt(count, 0)
    assert found.times > 0
    assert found.broken == ()


@needs("llguidance", "transformers")
@pytest.mark.parametrize(("attempt", "count"), [(judging.walks, 12), (judging.masks, 80)])
def test_masks_and_the_judge_agree_in_a_few_cases(attempt: Callable[..., Tried], count: int) -> None:
    found = attempt(count, 0)
    assert found.times > 0
    assert found.broken == ()


@strace
def test_a_run_survives_a_few_faults_of_the_system() -> None:
    assert not faults.missing()
    found = faults.tried(6, 0, "jsonl", ("EIO", "ENOSPC", "SIGKILL"))
    assert found.times > 3  # a run may make a few calls less than the run that was counted
    assert found.broken == ()


def test_a_record_that_is_written_twice_is_found() -> None:
    (problem,) = crashes.tried(5, 0, ("jsonl",), fault="twice").broken
    assert "['k1', 'k1'" in problem


def test_each_promise_says_what_is_not_tried() -> None:
    assert [name for name, promise in PROMISES.items() if not promise.beyond] == []


def test_a_changed_row_that_passes_is_found() -> None:
    with crashes.histories(("jsonl",), fault="digests") as made:
        one = made()
        one.begin(0, 4)
        one.run()
        with pytest.raises(crashes.BrokenError, match="a changed row 3 passed"):
            one.edit_what_is_done(2)
        one.teardown()


def test_a_step_that_does_not_fit_what_is_there_does_nothing() -> None:
    with crashes.histories(("jsonl",)) as made:
        one = made()
        one.begin(0, 4)
        for step in (one.edit_what_is_done, one.flip, one.retry, one.start_again):
            step(0)
        one.age()
        assert not one.steps
        one.teardown()


@strace
@pytest.mark.parametrize(
    ("fault", "error", "calls", "count", "problem"),
    [
        ("in place", "SIGKILL", "write", 4, "a part of an output"),
        ("quietly", "EIO", "rename,renameat2", 8, "no output"),
    ],
)
def test_a_file_that_is_written_carelessly_is_found(
    fault: str, error: str, calls: str, count: int, problem: str
) -> None:
    broken = faults.tried(count, 0, "jsonl", (error,), fault, only=calls).broken
    assert any(problem in one for one in broken), broken


def test_two_writers_of_one_file_are_found() -> None:
    assert together.tried(12, 0, fault="unlocked").broken != ()


@needs("llguidance", "transformers")
def test_a_mask_with_a_hole_is_found() -> None:
    def without_maximum(schema: Schema[Any]) -> Any:
        return compiled(schema, _without(schema.json_schema, "maximum"))

    assert "an exact mask takes" in " ".join(judging.masks(400, 0, without_maximum).broken)


def _without(node: Any, keyword: str) -> Any:
    if isinstance(node, dict):
        return {key: _without(value, keyword) for key, value in node.items() if key != keyword}
    return [_without(one, keyword) for one in node] if isinstance(node, list) else node


def test_a_judge_that_takes_everything_is_found() -> None:
    assert judging.verdicts(40, 0, lambda schema, document: True).broken


@pytest.mark.parametrize("read", [json.loads, lambda text: json.loads(text.replace("1e-400", "0"), parse_float=str)])
def test_a_careless_reader_is_found(read: Callable[[str], Any]) -> None:
    assert reading.json_readers(1500, 0, read).broken


def test_a_call_that_forgets_a_repair_when_it_resumes_is_found() -> None:
    class Careless:
        def __init__(self, *words: Any, **named: Any) -> None:
            self._found = extract_many(*words, **named)

        def __iter__(self) -> Iterator[Any]:
            return (replace(one, edits=()) for one in self._found)

        def close(self) -> None:
            self._found.close()  # type: ignore[attr-defined]

    assert repeating.resumed(8, 0, Careless).broken


def test_a_client_that_trusts_its_server_is_found() -> None:
    moved = servers.STATUSES.index(307) * 2  # of two bodies
    broken = " ".join(servers.hostile(2, moved, ("elsewhere", "echo"), "trust").broken)
    assert "another server heard" in broken
    assert "the key is in a message" in broken


@pytest.mark.parametrize("is_spelled", [False, True])
def test_a_fence_that_a_record_ends_is_found(is_spelled: bool) -> None:
    def careless(task: Any) -> list[Message]:
        tag = "record-2" if is_spelled and "</record>" in task.text else "record"  # other spellings are not seen
        return [Message("user", f"<{tag}>\n{task.text}\n</{tag}>")]

    assert injection.fences(200, 0, careless).broken


@needs("llguidance", "transformers")
def test_an_engine_that_forgets_the_masks_is_found() -> None:
    class Careless(Engine):
        def stream(self, requests: Iterable[Request]) -> Any:
            return super().stream(replace(one, matcher=None) for one in requests)

    assert repeating.engines(3, 0).broken == ()
    assert "differ" in " ".join(repeating.engines(3, 0, Careless).broken)


def test_an_interval_that_is_too_narrow_is_found() -> None:
    def narrow(hits: Any, sizes: Any) -> Any:
        rate = clustered(hits, sizes)
        return replace(rate, low=rate.value - 0.01, high=rate.value + 0.01)

    assert intervals.rates(20, 0, narrow).broken


def test_memory_that_is_not_freed_is_found() -> None:
    kept: list[bytes] = []
    assert "memory grew" in " ".join(soak.mixed(0, 0, lambda: kept.append(os.urandom(32 << 20))).broken)


def test_a_trial_that_is_kept_is_not_made_again_and_the_page_names_what_broke(tmp_path: Path) -> None:
    trial, kept = Trial("try it", 1, 2, lambda count, seed: Tried(count)), Kept(tmp_path / "kept", "abc")
    line = Line(trial.what, Tried(3, ("it broke",), ("| a |",)), 1.5, "abc")
    assert kept.found(trial, 3, 0) is None
    kept.keep(trial, 3, 0, line)
    assert kept.found(trial, 3, 0) == kept.found(trial, 2, 0) == line
    assert kept.found(trial, 4, 0) is None
    assert kept.found(trial, 3, 1) is None
    assert replace(kept, state="def").found(trial, 3, 0) is None
    assert replace(kept, state="def", also=("abc",)).found(trial, 3, 0) == line
    page = report({"lost": [line]}, "quick")
    assert "| try it | 3 | 1 | 2 | abc |" in page
    assert "- it broke" in page
    assert all(one in page for one in PROMISES["lost"].fixed)
