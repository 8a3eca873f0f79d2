"""The log of an experiment: every paid completion and every outcome."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from structout.completion import Completion, Prompt
from structout.document import load_json
from structout.errors import DataError, OutputError
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.scoring.comparison import Comparison
from structout.records import completion_json, completion_of, prompt_json, prompt_of, understood
from structout.tables.lock import locked

VERSION = 3  # version 1 wrote every default of a call; version 2 lacked folds, records without labels, constants
_HINT = "give a log that bench wrote"
_PIECE = 2**16  # bytes
_Numbered = list[tuple[int, dict[str, Any]]]  # lines with their numbers
_Attempts = dict[tuple[str, str], dict[str, Any]]


class Log:
    """An append-only JSONL file; without a path, nothing is written.

    A line is the header of a run, a paid completion, or an outcome, which refers to the completions of its attempts.
    `completions` holds the completions of all runs, by the identity of the model and the key of the prompt, so that
    no prompt is paid for twice.

    Without `transcripts`, completions are not written, and of an outcome only its key, its arm, its status, its score
    and its usage: nothing that a record, a prompt or an answer says. Raises `DataError` if the file already holds
    completions then, and for a damaged file.
    """

    def __init__(self, path: str | Path | None = None, *, transcripts: bool = True) -> None:
        self.completions: dict[str, dict[str, Completion]] = {}
        self._path = None if path is None else Path(path)
        self._stream: TextIO | None = None
        self._texts: dict[tuple[str, str], str] = {}
        self._transcripts = transcripts
        if self._path is not None and self._path.is_file() and self._path.stat().st_size:
            for number, row in lines(self._path):
                if "completion" in row:
                    with _whole(self._path, number):
                        name, place = row["identity"], (row["model"], row["completion"])
                        self.completions.setdefault(name, {})[row["completion"]] = completion_of(row)
                        self._texts[place] = row["text"]
        if self.completions and not transcripts:
            hint = "name another file with --log, or remove this one"
            raise DataError(f"{path} holds the transcripts of an earlier run", hint=hint)

    @contextmanager
    def run(self, about: Mapping[str, Any]) -> Iterator[None]:
        """Append a run with this header. Raises `DataError` if the file cannot be opened, and `OutputError` if another
        process appends a run, or if the disk is full: the next run asks for nothing that the log holds.
        """
        if self._path is None:
            yield
            return
        with suppress(OSError):  # else the file cannot be opened
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(Path(os.path.realpath(self._path)), self._path, patience=0):
            try:
                _end_with_a_line(self._path)
                self._stream = self._path.open("a", encoding="utf-8", newline="\n")
            except OSError as error:
                hint = "name another file with --log"
                raise DataError(f"cannot write the log {self._path}: {error.strerror}", hint=hint) from error
            try:
                self._write(about)
                yield
            finally:
                self._put("", last=True)

    def paid(self, identity: str, model: str, prompt: Prompt, completion: Completion) -> None:
        """Append a completion, unless it is a rejection, which the next run asks again."""
        if not self._transcripts or completion.is_rejection:
            return
        key = prompt.key()
        self._texts[model, key] = completion.text
        head = {"completion": key, "identity": identity, "model": model}
        self._write({**head, **prompt_json(prompt), **completion_json(completion)})

    def add(self, outcome: Outcome) -> None:
        """Append an outcome."""
        if not self._transcripts:
            self._write(outcome.measured())
            return
        row = outcome.to_json()
        self._write(row | {name: [self._named(one) for one in row[name]] for name in ("attempts", "checks")})

    def _named(self, attempt: dict[str, Any]) -> Any:
        """A reference to the attempt's completion by model and key, or the attempt if the log lacks the completion."""
        place = attempt["model"], attempt["key"]
        return list(place) if self._texts.get(place) == attempt["text"] else attempt

    def _write(self, row: Mapping[str, Any]) -> None:
        self._put(json.dumps(row) + "\n")  # ASCII, so that an unpaired surrogate in a record cannot break the log

    def _put(self, text: str, *, last: bool = False) -> None:
        """Append a text. After the `last` text, and after an error, nothing more is appended."""
        if (stream := self._stream) is None:
            return
        try:
            stream.write(text)
            stream.flush()
            if last:
                self._stream = None
                stream.close()
        except OSError as error:
            self._stream = None
            with suppress(OSError):  # what could not be written
                stream.close()
            hint = "make room and run the same command again: what the log holds is not asked again"
            raise OutputError(f"cannot write the log {self._path}: {error.strerror}", hint=hint) from error


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A run in a log: its number from 1, its header, and how many outcomes it holds."""

    number: int
    about: dict[str, Any]
    outcomes: int

    @property
    def is_of_bench(self) -> bool:
        """Whether `bench` made the run: `recommend`, `certify` and programs may write to the same log."""
        return "experiment" in self.about


def listed(path: str | Path) -> list[LoggedRun]:
    """The runs in a log, the oldest first. Raises `DataError`."""
    return _numbered(_sorted(Path(path))[1])


def chosen(found: Sequence[LoggedRun], path: str | Path, number: int | None = None) -> LoggedRun:
    """The run of this number; without a number, the last run of `bench`, or the last of all if `bench` made none.

    Raises `DataError` for an unknown number.
    """
    if number is None:
        return next((one for one in reversed(found) if one.is_of_bench), found[-1])
    if not 1 <= number <= len(found):
        raise DataError(f"unknown run {number} of {path}", hint=f"give a number from 1 to {len(found)}")
    return found[number - 1]


def read(path: str | Path, run: int | None = None) -> tuple[dict[str, Any], tuple[Outcome, ...]]:
    """The header and the outcomes of the run that `chosen` names. Raises `DataError`."""
    path = Path(path)
    attempts, found = _sorted(path)
    about, outcomes = found[chosen(_numbered(found), path, run).number - 1]
    if about.get("transcripts") is False:
        hint = "run the bench again without --no-transcripts"
        raise DataError(f"{path} holds no transcripts: its outcomes cannot be scored again", hint=hint)
    return about, _outcomes(path, about, outcomes, attempts)


def runs(path: str | Path) -> Iterator[tuple[dict[str, Any], tuple[Outcome, ...]]]:
    """The header and the outcomes of each run of `bench` that holds transcripts; of all runs if `bench` made none.

    Runs of `recommend` and `certify` ask parts of the records, so they belong to no trend. Raises `DataError`.
    """
    path = Path(path)
    attempts, found = _sorted(path)
    of_bench = [found[run.number - 1] for run in _numbered(found) if run.is_of_bench]
    for about, outcomes in of_bench or found:
        if outcomes and about.get("transcripts") is not False:
            yield about, _outcomes(path, about, outcomes, attempts)


def _sorted(path: Path) -> tuple[_Attempts, list[tuple[dict[str, Any], _Numbered]]]:
    """The completions in a log, and its runs, each with its outcomes as lines."""
    attempts: _Attempts = {}
    found: list[tuple[dict[str, Any], _Numbered]] = []
    for number, row in lines(path):
        with _whole(path, number):
            if "structout" in row:
                found.append((row, []))
            elif "completion" in row:
                call = {**prompt_json(prompt_of(row)), **completion_json(completion_of(row))}
                call["constrained"] = row["constrained"]
                attempts[row["model"], row["completion"]] = {"model": row["model"], "key": row["completion"], **call}
            else:
                found[-1][1].append((number, row))
    if not found:
        raise DataError(f"{path} is not the log of a bench", hint=_HINT)
    return attempts, found


def _numbered(found: Sequence[tuple[dict[str, Any], _Numbered]]) -> list[LoggedRun]:
    return [LoggedRun(number, about, len(rows)) for number, (about, rows) in enumerate(found, 1)]


def _outcomes(
    path: Path, about: Mapping[str, Any], rows: _Numbered, attempts: Mapping[tuple[str, str], dict[str, Any]]
) -> tuple[Outcome, ...]:
    found = []
    with _whole(path, 1):
        comparison = Comparison.from_json(about["comparison"]) if "comparison" in about else Comparison()
    for number, row in rows:
        with _whole(path, number):
            for name in ("attempts", "checks"):
                row[name] = [_named(attempts, one) for one in row.get(name, ())]
            found.append(Outcome.from_json(row, comparison))
    return tuple(found)


def _named(attempts: Mapping[tuple[str, str], dict[str, Any]], one: Any) -> dict[str, Any]:
    """The attempt in full, for an attempt or a reference to one by model and key."""
    if isinstance(one, dict):
        prompt_of(one)
        completion_of(one)
        return one
    if tuple(one) not in attempts:
        raise ValueError(f"no earlier line holds the completion {one}")
    return attempts[tuple(one)]


def lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a log with their numbers; a line that a killed run left unfinished is skipped."""
    try:
        with path.open("rb") as stream:
            broken: DataError | None = None
            for number, line in enumerate(stream, 1):
                try:
                    row = load_json(line.decode())
                except ValueError as error:
                    found = _damaged(path, number, error)
                    if broken is not None or (number == 1 and not _is_begun(line)):
                        raise (broken or found) from error
                    broken = found
                    continue
                if number == 1 and not (isinstance(row, dict) and "structout" in row):
                    raise DataError(f"{path} is not the log of a bench", hint=_HINT)
                if not isinstance(row, dict):
                    raise _damaged(path, number, "it is not an object")
                if broken is not None and "structout" not in row:
                    raise broken
                broken = None
                if "structout" in row:
                    _check_version(path, number, row)
                yield number, row
    except OSError as error:
        raise DataError(f"cannot read the log {path}: {error.strerror}", hint=_HINT) from error


def _damaged(path: Path, number: int, reason: object) -> DataError:
    hint = f"give a log that bench wrote, or remove line {number}: the same bench asks for its answer again"
    return DataError(f"line {number} of the log {path} is damaged: {reason}", hint=hint)


@contextmanager
def _whole(path: Path, number: int) -> Iterator[None]:
    """A context for reading a line of a log: raises `DataError` for a line that lacks something."""
    try:
        with understood("a line of a bench log"):
            yield
    except DataError as error:
        raise error if error.hint else _damaged(path, number, error.message) from error


def _check_version(path: Path, number: int, header: Mapping[str, Any]) -> None:
    """Raise `DataError` for a run that a later structout wrote."""
    if (version := header.get("log", 1)) not in range(1, VERSION + 1):
        hint = f"read it with structout {header['structout']} or later, or remove the lines from {number} on"
        raise DataError(f"line {number} of the log {path} has version {version}, expected at most {VERSION}", hint=hint)


def measured(path: str | Path, texts: Collection[str]) -> set[Arm]:
    """The arms, but for perturbations, with an outcome on one of these texts, in any run of a log or of a log beside
    it: the same records may be in several files, and each file has a log of its own. Runs without transcripts hold no
    texts, and a damaged log counts as far as it can be read.
    """
    found = set()
    for place in sorted(Path(path).parent.glob("*.jsonl")):
        with suppress(DataError):
            for _, row in lines(place):
                if row.get("text") in texts and "strategy" in row and not row.get("perturbation"):
                    found.add(Arm(row["strategy"], row["model"], tuple(map(tuple, row.get("setting", ())))))
    return found


def _is_begun(line: bytes) -> bool:
    """Whether a line may be the header of a run that was killed, or found the disk full, while it wrote it."""
    head = b'{"structout"'
    return line.startswith(head) or head.startswith(line)


def _end_with_a_line(path: Path) -> None:
    """Cut off the unfinished line of a run that was killed, or found the disk full, while it wrote."""
    if not path.is_file():
        return
    with path.open("rb+") as stream:
        end = stream.seek(0, 2)
        while end:
            start = max(0, end - _PIECE)
            stream.seek(start)
            if found := stream.read(end - start).rfind(b"\n") + 1:
                end = start + found
                break
            end = start
        stream.truncate(end)
