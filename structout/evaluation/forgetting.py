"""The rows of bench logs and reports, and their removal."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structout.document import load_json
from structout.errors import DataError, SpecError
from structout.evaluation.harness import read_log
from structout.evaluation.log import lines, listed
from structout.evaluation.reporting import page
from structout.records import outcome_texts, understood
from structout.tables.whole_file import replacing

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class LogRows:
    """The outcomes in a bench log, of all its runs, with the calls that they refer to. Raises `DataError`."""

    name: str

    def __post_init__(self) -> None:
        next(lines(Path(self.name)), None)

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The key and the texts of each outcome."""
        calls: dict[tuple[str, str], dict[str, Any]] = {}
        for number, row in lines(Path(self.name)):
            with understood(f"a bench log, in line {number} of {self.name}"):
                if "completion" in row:
                    calls[row["model"], row["completion"]] = row
                if "completion" in row or "structout" in row:
                    continue
                parts = {name: [_whole(calls, one) for one in row.get(name, ())] for name in ("attempts", "checks")}
                key, texts = str(row["key"]), _texts({**row, **parts})
            yield key, texts

    def remove(self, keys: Collection[str]) -> None:
        """Write the other lines again, byte for byte, without completions that no other outcome refers to."""
        kept, needed = dict[int, Any](), set[Any]()
        with replacing(self.name) as stream, Path(self.name).open("rb") as read:  # from here on, nobody appends a run
            for number, row in lines(Path(self.name)):
                if "structout" in row:
                    kept[number] = None
                elif "completion" in row:
                    kept[number] = row["model"], row["completion"]
                elif str(row["key"]) not in keys:
                    kept[number] = None
                    calls = [*row.get("attempts", ()), *row.get("checks", ())]
                    needed.update(tuple(one) for one in calls if not isinstance(one, dict))
            for number, line in enumerate(read, 1):
                if number in kept and (kept[number] is None or kept[number] in needed):
                    stream.write(line)

    def close(self) -> None:
        """A log is not open."""

    def files(self) -> Sequence[Path]:
        """The log itself."""
        return [Path(self.name)]


@dataclass(frozen=True)
class ReportRows:
    """The outcomes in the HTML report of a bench log, which is written again from the log. Raises `DataError`, and
    `SpecError` if the report shows no run of the log.
    """

    name: str
    log: str

    def __post_init__(self) -> None:
        self._run()

    def rows(self) -> Iterator[tuple[str, Any]]:
        """The key and the texts of each outcome."""
        found = self._data()
        for row in found["outcomes"]:
            with understood(f"a report of structout bench: {self.name}"):
                messages = [[found["texts"][place] for _, place in call["messages"]] for call in row["attempts"]]
                answers = [call["text"] for call in row["attempts"]]
                texts = [found["texts"][row["text"]], *messages, *answers]
                told = {"expected": row["expected"], "document": row["document"], "texts": texts}
                key = str(row["key"])
            yield key, told

    def remove(self, keys: Collection[str]) -> None:
        """Write the report of the log, from which the rows are removed already."""
        page.write(read_log(self.log, run=self._run()), self.name)

    def close(self) -> None:
        """A report is not open."""

    def files(self) -> Sequence[Path]:
        """The report itself."""
        return [Path(self.name)]

    def _run(self) -> int:
        """The number of the run that the report shows."""
        shown = self._data()["about"]
        for run in reversed(listed(self.log)):
            about = {name: value for name, value in run.about.items() if name != "comparison"}
            if json.loads(json.dumps(about)) == shown:
                return run.number
        hint = "give the log of this report, or write it again with: structout bench --rescore LOG --html REPORT"
        raise SpecError(f"{self.name} shows no run of {self.log}", hint=hint)

    def _data(self) -> dict[str, Any]:
        try:
            written = _DATA.search(Path(self.name).read_text(encoding="utf-8"))
            found = load_json(written[1]) if written else None
        except (OSError, ValueError) as error:
            raise DataError(f"cannot read the report {self.name}: {error}", hint="check the path") from error
        if not isinstance(found, dict) or not found.keys() >= {"about", "outcomes", "texts"}:
            raise SpecError(f"{self.name} is not a report of structout bench", hint="give the report that bench wrote")
        return found


def paired(reports: Sequence[str], logs: Sequence[str]) -> list[tuple[str, str]]:
    """Each report with its log: the log of the same name, or the only log. Raises `SpecError` without such a log."""
    found = []
    for report in reports:
        same = [one for one in logs if Path(one).with_suffix("") == Path(report).with_suffix("")]
        if not same and len(logs) != 1:
            raise SpecError(f"unknown log of {report}", hint="name its log with --log: the report is written from it")
        found.append((report, (same or list(logs))[0]))
    return found


def _whole(calls: dict[tuple[str, str], dict[str, Any]], one: Any) -> dict[str, Any]:
    return one if isinstance(one, dict) else calls.get(tuple(one), {"text": ""})


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    names = ("text", "expected", "refused", "written")
    keys = [call.get("key") or call.get("completion") for name in ("attempts", "checks") for call in row[name]]
    hashes = [key.encode() for key in keys if key]
    return {**{name: row.get(name) for name in names}, **outcome_texts(row), "hashes": hashes}
