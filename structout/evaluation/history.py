"""The runs in a folder of logs, with their headline figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from structout.errors import DataError
from structout.evaluation import log as logs
from structout.evaluation.report import Report

HEADLINE = ("compliance", "record accuracy", "wrong-but-valid")


@dataclass(frozen=True, slots=True)
class PastArm:
    """One arm of one run: when and where it was measured, on how many records, and its headline rates.

    A rate is the value with the bounds of its 95 % interval.
    """

    date: str
    log: str
    structout: str
    dataset: str
    arm: str
    model: str
    n: int
    rates: dict[str, tuple[float, float, float]]


def history(folder: str | Path) -> list[PastArm]:
    """The arms of all runs in the logs of a folder, or of one log, the oldest first.

    A run without a date, of structout 0.1, counts as old as its file. Raises `DataError` without a log.
    """
    place = Path(folder)
    files = sorted(place.glob("**/*.jsonl")) if place.is_dir() else [place]
    found = [arm for file in files for arm in _arms(file, is_alone=not place.is_dir())]
    if not found:
        raise DataError(f"{folder} holds no log of a bench", hint="give a folder of logs, such as .structout")
    return sorted(found, key=lambda one: one.date)


def _arms(file: Path, *, is_alone: bool) -> Iterator[PastArm]:
    try:
        runs = list(logs.runs(file))
    except DataError:
        if is_alone:
            raise
        return  # another file of JSON lines, or a damaged log, among others
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
    for about, outcomes in runs:
        report = Report(about, outcomes)
        for row in report.rows() if report.has_labels else ():
            yield PastArm(
                date=str(about.get("date") or written),
                log=str(file),
                structout=_text(about, "structout"),
                dataset=_text(about, "dataset"),
                arm=row.label,
                model=row.model,
                n=row.n,
                rates={name: (rate.value, rate.low, rate.high) for name in HEADLINE for rate in [row.rates[name]]},
            )


def _text(about: dict[str, Any], name: str) -> str:
    return str(about.get(name, ""))
