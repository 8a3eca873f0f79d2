"""The index of a folder: its reports, and the trends of its logs."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

from structout import pages
from structout.errors import DataError, OutputError
from structout.evaluation.history import PastArm, history
from structout.evaluation.reporting import trend
from structout.tables.output import replacing

_HEAD = 65_536  # characters of a file in which its title and its verdict stand
_KIND = "structout"


@dataclass(frozen=True, slots=True)
class Listed:
    """A report: its file, when it was written, its title and its verdict."""

    path: Path
    date: str
    title: str
    verdict: str


def write(folder: Path, path: Path) -> tuple[list[Listed], list[PastArm]]:
    """Write the index of a folder as an HTML file, and return what it lists.

    Raises `DataError` if the folder holds no report and no log, `OutputError` if `path` holds a page of another
    program.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder", hint="give the folder of the reports, such as .structout")
    if path.exists() and _read(path) is None:
        raise OutputError(f"{path} was not written by structout", hint="name another file with --output")
    found = [one for one in reports(folder) if one.path.resolve() != path.resolve()]
    try:
        runs = history(folder)
    except DataError:  # no logs
        runs = []
    if not found and not runs:
        raise DataError(f"{folder} holds no report and no log", hint="run bench or validate with a report there first")
    with replacing(path) as stream:
        stream.write(_page(folder, path.parent, found, runs).encode("utf-8", "backslashreplace"))
    return found, runs


def reports(folder: Path) -> list[Listed]:
    """The reports of bench and of the gate in a folder and in its folders, the newest first."""
    return sorted(_reports(folder), key=lambda one: one.date, reverse=True)


def _reports(folder: Path) -> Iterator[Listed]:
    for file in sorted(folder.rglob("*.html")):
        head = _read(file) if file.is_file() else None
        if head is not None:
            date = datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M")
            yield Listed(file, date, " ".join(head.title.split()), head.meta.get("description", ""))


def _page(folder: Path, place: Path, found: Sequence[Listed], runs: Sequence[PastArm]) -> str:
    body = ""
    if found:
        lines = [
            [one.date, pages.link(os.path.relpath(one.path, place), one.title or one.path.name), one.verdict]
            for one in found
        ]
        body += "<h2>Reports</h2>\n" + pages.table(["written (UTC)", "report", "verdict"], lines, "reports")
    if runs:
        body += trend.trends(runs, place)
    return pages.page(f"Reports in {folder}", pages.Html(body))


def _read(file: Path) -> "_Head | None":
    """The head of a page of structout; None for any other file."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(_HEAD)
    except OSError:
        return None
    head = _Head()
    head.feed(text)
    return head if head.meta.get("generator") == _KIND else None


class _Head(HTMLParser):
    """The title and the metadata of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.title = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "title"
        given = dict(attrs)
        if tag == "meta" and given.get("name"):
            self.meta.setdefault(str(given["name"]), given.get("content") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside and len(self.title) < 500:
            self.title += data
