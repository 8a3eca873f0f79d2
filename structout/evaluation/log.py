"""The log of an experiment: every completion that was paid for, and every outcome."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TextIO

from structout.completion import Completion, Prompt, Usage
from structout.document import load_json
from structout.errors import DataError
from structout.evaluation.comparison import Comparison
from structout.evaluation.outcome import Outcome, prompted

_TOLD = ("mean_logprob", "mean_value_logprob", "logprobs", "values", "ends")
_HINT = "give a log that bench wrote"


class Log:
    """A JSONL file that is only ever added to. A line is the header of a run, a completion as it was paid for, or an
    outcome, which names the completions of its attempts. Without a path nothing is written.

    `completions` holds those of all runs by model and by the key of their prompt: whoever asks the same again need
    not pay again.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.completions: dict[str, dict[str, Completion]] = {}
        self._path = None if path is None else Path(path)
        self._stream: TextIO | None = None
        self._texts: dict[tuple[str, str], str] = {}
        if self._path is not None and self._path.is_file() and self._path.stat().st_size:
            for row in _rows(self._path):
                if "completion" in row:
                    with _whole():
                        name, place = row["identity"], (row["model"], row["completion"])
                        self.completions.setdefault(name, {})[row["completion"]] = _completion(row)
                        self._texts[place] = row["text"]

    @contextmanager
    def run(self, about: Mapping[str, Any]) -> Iterator[None]:
        """Add a run with this header. Raises `DataError` if the file cannot be written."""
        if self._path is None:
            yield
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            torn = _torn(self._path)
            self._stream = self._path.open("a", encoding="utf-8")
        except OSError as error:
            hint = "name another with --log"
            raise DataError(f"cannot write the log {self._path}: {error.strerror}", hint=hint) from error
        with self._stream:
            if torn:
                self._stream.write("\n")  # the last run was killed while it wrote
            self._write(about)
            yield
        self._stream = None

    def paid(self, identity: str, model: str, prompt: Prompt, completion: Completion) -> None:
        """Keep a completion."""
        row = {"completion": prompt.key(), "identity": identity, "model": model, **prompted(prompt)}
        self._texts[model, prompt.key()] = completion.text
        self._write(row | {name: _written(value) for name, value in _shallow(completion).items()})

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        row = outcome.to_json()
        self._write(row | {name: [self._named(one) for one in row[name]] for name in ("attempts", "checks")})

    def _named(self, attempt: dict[str, Any]) -> Any:
        """A completion by its model and key, if the log has it."""
        place = attempt["model"], attempt["key"]
        return list(place) if self._texts.get(place) == attempt["text"] else attempt

    def _write(self, row: Mapping[str, Any]) -> None:
        if self._stream is not None:
            # ASCII, so that an unpaired surrogate in a record cannot break the log
            self._stream.write(json.dumps(row) + "\n")
            self._stream.flush()


def read(path: str | Path) -> tuple[dict[str, Any], tuple[Outcome, ...]]:
    """The header and the outcomes of the last run in a log. Raises `DataError`."""
    attempts: dict[tuple[str, str], dict[str, Any]] = {}
    about: dict[str, Any] | None = None
    outcomes: list[dict[str, Any]] = []
    for row in _rows(Path(path)):
        if "structout" in row:
            about, outcomes = row, []
        elif "completion" in row:
            names = ("model", "messages", "sampling", "constrained", "sample", "text", "finish_reason", "refusal")
            with _whole():
                completion = _completion(row)
                known = {name: row[name] for name in (*names, "steered", "usage")}
                known |= {name: getattr(completion, name) for name in _TOLD}
                attempts[row["model"], row["completion"]] = {"key": row["completion"], **known}
        else:
            outcomes.append(row)
    if about is None:
        raise DataError(f"{path} is not the log of a bench", hint=_HINT)
    with _whole():
        comparison = Comparison.from_json(about["comparison"]) if "comparison" in about else Comparison()
        for row in outcomes:
            for name in ("attempts", "checks"):
                row[name] = [attempts[tuple(one)] if isinstance(one, list) else one for one in row.get(name, ())]
        return about, tuple(Outcome.from_json(row, comparison) for row in outcomes)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log; one that a killed run left unfinished is passed over."""
    try:
        with path.open(encoding="utf-8") as lines:
            broken: ValueError | None = None
            for number, line in enumerate(lines, 1):
                try:
                    row = load_json(line)
                except ValueError as error:
                    if number == 1 or broken is not None:
                        raise
                    broken = error
                    continue
                if not isinstance(row, dict) or (number == 1 and "structout" not in row):
                    raise DataError(f"{path} is not the log of a bench", hint=_HINT)
                if broken is not None and "structout" not in row:
                    raise broken
                broken = None
                yield row
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read the log {path}: {error}", hint=_HINT) from error


@contextmanager
def _whole() -> Iterator[None]:
    """Where a line of a log is read: one that lacks something is bad input."""
    try:
        yield
    except (TypeError, KeyError) as error:
        raise DataError(f"not a line of a bench log: {type(error).__name__}: {error}", hint=_HINT) from error


def _torn(path: Path) -> bool:
    """Whether a file ends within a line."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return stream.read() != b"\n"


def _shallow(completion: Completion) -> dict[str, Any]:
    return {one.name: getattr(completion, one.name) for one in fields(completion)}


def _written(value: Any) -> Any:
    if isinstance(value, Usage):
        return asdict(value)
    if isinstance(value, tuple) and value and all(isinstance(one, bool) for one in value):
        return "".join("01"[one] for one in value)
    return value


def _completion(row: Mapping[str, Any]) -> Completion:
    known: dict[str, Any] = {one.name: row[one.name] for one in fields(Completion) if one.name in row}
    known["usage"] = Usage(**row["usage"])
    if isinstance(known.get("values"), str):
        known["values"] = tuple(one == "1" for one in known["values"])
    ready: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
    return Completion(**ready)
