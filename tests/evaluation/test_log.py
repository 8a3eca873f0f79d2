"""A log that was damaged or forged: the file, the line and what to do are named."""

import json
import random
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from structout import DataError, OutputError, Schema, Scripted, evaluate
from structout.evaluation import judged, read_log
from structout.evaluation.log import Log
from tests.bolt import Bolt
from tests.evaluation.test_metrics import bolts
from tests.evaluation.test_resuming import told

Change = Callable[[dict[str, Any]], object]
NAMES = ["bolt 0", "bolt 1", "bolt 2"]
COMPLETION, OUTCOME = 3, 6  # lines of a log: a header, a completion for each record, an outcome for each

IN_A_COMPLETION: dict[str, Change] = {
    "a field that is gone": lambda row: row.pop("usage"),
    "a text that is a number": lambda row: row.update(text=7),
    "a negative usage": lambda row: row["usage"].update(input_tokens=-7),
    "a usage that is NaN": lambda row: row["usage"].update(seconds=float("nan")),
    "a usage without end": lambda row: row["usage"].update(calls=10**400),
    "an unknown usage": lambda row: row["usage"].update(wishes=1),
    "an unknown finish": lambda row: row.update(finish_reason="fine"),
    "a certainty beyond 1": lambda row: row.update(logprobs=[3.0]),
    "a certainty that is NaN": lambda row: row.update(logprobs=[float("nan")]),
    "certainties that are texts": lambda row: row.update(logprobs="high"),
    "ends that are texts": lambda row: row.update(ends=["a"]),
    "messages that are numbers": lambda row: row.update(messages=[1]),
    "messages without text": lambda row: row.update(messages=[["user", None]]),
    "sampling that cannot be": lambda row: row["sampling"].update(temperature=-1),
    "no sampling": lambda row: row.update(sampling=None),
    "a key that is a list": lambda row: row.update(completion=[]),
}
IN_AN_OUTCOME: dict[str, Change] = {
    "a field that is gone": lambda row: row.pop("text"),
    "a field more": lambda row: row.update(more=1),
    "an unknown status": lambda row: row.update(status="fine"),
    "attempts that are numbers": lambda row: row.update(attempts=[1]),
    "attempts that are none": lambda row: row.update(attempts=None),
    "an unknown completion": lambda row: row.update(attempts=[["m", "k"]]),
    "an attempt that is empty": lambda row: row.update(attempts=[{}]),
    "a name that is a list": lambda row: row.update(strategy=[]),
    "a setting that is a list": lambda row: row.update(setting=[["a", []]]),
    "a repeat that is a text": lambda row: row.update(repeat="first"),
    "issues that are texts": lambda row: row.update(issues=["bad"]),
    "edits that are texts": lambda row: row.update(edits=["bad"]),
    "confidence in words": lambda row: row.update(confidence={"": "sure"}),
    "confidence that is NaN": lambda row: row.update(confidence={"": float("nan")}),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    place = tmp_path / "log.jsonl"
    evaluate(["Prompted()"], Scripted(told), bolts(*NAMES), log=place)
    kinds = ["completion" in json.loads(line) for line in place.read_text().splitlines()]
    assert kinds == [False, True, True, True, False, False, False]
    return place


def change(log: Path, number: int, how: Change) -> None:
    lines = log.read_text().splitlines()
    row = json.loads(lines[number - 1])
    how(row)
    lines[number - 1] = json.dumps(row)
    log.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("kind", [*IN_A_COMPLETION, *(f"outcome: {kind}" for kind in IN_AN_OUTCOME)])
def test_a_line_that_cannot_be_is_named(log: Path, kind: str) -> None:
    inside = kind.removeprefix("outcome: ")
    number, how = (COMPLETION, IN_A_COMPLETION[kind]) if inside == kind else (OUTCOME, IN_AN_OUTCOME[inside])
    change(log, number, how)
    with pytest.raises(DataError, match=f"line {number} of the log .*{log.name} is damaged") as caught:
        read_log(log)
    assert f"remove line {number}: the same bench asks for its answer again" in caught.value.hint


@pytest.mark.parametrize(
    "line", [b"{broken", b"\xff\xfe{}", b"[" * 100_000, b'{"n": ' + b"1" * 5000 + b"}", b"7", b'"text"', b"null"]
)
def test_a_line_that_is_no_json_object_is_named(log: Path, line: bytes) -> None:
    lines = log.read_bytes().splitlines()
    lines[COMPLETION - 1] = line
    log.write_bytes(b"\n".join(lines) + b"\n")
    for read in (read_log, Log):
        with pytest.raises(DataError, match=f"line {COMPLETION} of the log .*{log.name} is damaged") as caught:
            read(log)
        assert f"remove line {COMPLETION}" in caught.value.hint


def test_what_the_hint_says_helps(log: Path) -> None:
    before = read_log(log).outcomes
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[: COMPLETION - 1] + lines[COMPLETION:]))
    with pytest.raises(DataError, match="no earlier line holds the completion"):
        read_log(log)
    model = Scripted(told)
    evaluate(["Prompted()"], model, bolts(*NAMES), log=log)
    assert (model.calls, read_log(log).outcomes) == (1, before)


def test_bytes_that_flip_never_end_in_anything_but_a_word(log: Path) -> None:
    whole = log.read_bytes()
    dice = random.Random(5)
    named = unhurt = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 1, 3])):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        log.write_bytes(data[: dice.randrange(len(data))] if dice.random() < 0.2 else data)
        try:
            report = read_log(log)
            report.rows()
            judged(report.outcomes, Schema.of(Bolt))
        except DataError as error:
            named += log.name in error.message
        else:
            unhurt += 1
    assert (named + unhurt, named > 50) == (400, True)


def test_two_processes_never_append_to_one_log_at_once(tmp_path: Path) -> None:
    place = tmp_path / "sub" / "log.jsonl"
    with Log(place).run({"structout": "1"}):
        second = Log(place).run({"structout": "2"})
        with pytest.raises(OutputError, match=r"cannot write .*log\.jsonl: another process writes it"), second:
            pass
        assert [json.loads(line)["structout"] for line in place.read_text().splitlines()] == ["1"]
    with Log(place).run({"structout": "3"}):
        pass
    assert [json.loads(line)["structout"] for line in place.read_text().splitlines()] == ["1", "3"]
    assert [one.name for one in place.parent.iterdir()] == ["log.jsonl"]


@pytest.mark.parametrize("size", [100, 1_000, 2_500])
def test_a_full_disk_is_an_error_with_a_hint_and_the_next_run_asks_for_the_rest(tmp_path: Path, size: int) -> None:
    place = tmp_path / "log.jsonl"

    def measure() -> int:
        model = Scripted(told)
        evaluate("Prompted()", model, bolts(*NAMES), log=place)
        return model.calls

    before, signals = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write the log .*File too large"):
            measure()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signals)
    kept = sum('"completion"' in line and line.endswith("\n") for line in place.read_text().splitlines(keepends=True))
    assert measure() == 3 - kept
    assert measure() == 0
