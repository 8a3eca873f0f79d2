"""The pieces of a long text that stay together, and the heads of its tables."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

Span = tuple[int, int]  # the first character, and the character after the last

_LINE: Final = re.compile(r"[^\r\n\f]*(?:\r\n|[\r\n\f])|[^\r\n\f]+\Z")
_SENTENCE: Final = re.compile(r".*?(?:[.!?…][\"'”’)\]]*\s+|[。！？]|\Z)", re.DOTALL)
_GAP: Final = re.compile(r"(?<![\s.!?:]) {2,}(?=\S)")  # between columns
_RULED: Final = frozenset(" \t|+:=_-")  # the characters of a rule below titles
_RULES: Final = ("---", "===", "___", "-|", "-:", "- |")
_WRAPPED: Final = 4  # lines: a longer run of indented lines is not one wrapped line, but lines of their own
_QUOTED: Final = 50  # lines: the most in a quoted cell
_APART: Final = 8  # lines without columns end a table
_SHORT: Final = 200  # characters: a shorter line may be a record, and is not cut
_TITLES: Final = 2_000  # characters: the most in a head that is repeated
_ROWS: Final = {"\t": 2, ";": 2, ",": 3}  # the fewest lines of a table, by its delimiter: prose has commas


class Piece(NamedTuple):
    """A record, line, sentence or paragraph that is not cut, and the head of the table that it continues, if any."""

    start: int
    end: int
    head: Span | None = None


class _Table(NamedTuple):
    """Lines by their numbers: the first and the end of the head, and the end of the table."""

    first: int
    below: int
    end: int


def pieces(text: str, most: int, count: Callable[[str], float]) -> list[Piece]:
    """The pieces of a text: they follow one another and have every character of it.

    A table row, a line with its wrapped lines, and the head of a table are a piece. Any other line is a piece too,
    unless it is long prose: with more than 200 characters, and more than `most` tokens by `count`. Then its sentences
    are pieces, and of a longer sentence its words. Blank lines belong to the piece before them.
    """
    lines = [found.span() for found in _LINE.finditer(text) if found[0]]
    shown = [text[start:end].rstrip() for start, end in lines]
    rows = _quoted_rows(shown)
    tables = _tables(shown, rows)
    firsts, found = [table.first for table in tables], list[Piece]()
    for first, end in _groups(shown, rows, tables):
        span = lines[first][0], lines[end - 1][1]
        at = bisect_right(firsts, first) - 1
        table = tables[at] if at >= 0 else None
        head = None
        if table is not None and table.below <= first < table.end:
            head = lines[table.first][0], lines[table.below - 1][1]
            head = head if head[1] - head[0] <= _TITLES else None
        is_row = end - first > 1 or has_columns(shown[first]) or first in rows
        parts = [span] if is_row else _sentences(text, span, most, count)
        found += [Piece(*part, head) for part in parts]
    return found


def has_columns(line: str) -> bool:
    """Whether a line looks like a row of a table: cells with bars, tabs or wide gaps between them."""
    return "|" in line or "\t" in line.strip() or len(_GAP.findall(line.strip())) > 1


def _groups(shown: Sequence[str], rows: dict[int, int], tables: Sequence[_Table]) -> Iterator[tuple[int, int]]:
    """Lines that stay together, by the number of the first line and of the line after the last."""
    heads = {table.first: table.below for table in tables}
    at = 0
    while at < len(shown) and not shown[at].strip():
        at += 1
    first = 0  # blank lines at the beginning belong to the first piece
    while at < len(shown):
        end = heads.get(at) or rows.get(at) or at + 1 + _wrapped(shown, at)
        while end < len(shown) and not shown[end].strip():
            end += 1
        yield first, end
        first = at = end
    if first < at:  # a text of blank lines
        yield first, at


def _wrapped(shown: Sequence[str], at: int) -> int:
    """The number of lines that continue a line: they follow it without a blank line and stand farther in."""
    own, run = _indent(shown[at]), 0
    for line in shown[at + 1 : at + 2 + _WRAPPED]:
        if not line.strip() or _indent(line) <= own:
            return run
        run += 1
    return run if run <= _WRAPPED else 0


def _indent(line: str) -> int:
    wide = line.expandtabs(8)
    return len(wide) - len(wide.lstrip())


def _sentences(text: str, span: Span, most: int, count: Callable[[str], float]) -> list[Span]:
    start, end = span
    if end - start <= _SHORT or count(text[start:end]) <= most:
        return [span]
    found: list[Span] = []
    for sentence in _SENTENCE.finditer(text, start, end):
        if sentence[0]:
            size = count(sentence[0])
            found += [sentence.span()] if size <= most else _words(text, sentence.span(), size, most)
    return found


def _words(text: str, span: Span, size: float, most: int) -> list[Span]:
    """A sentence that is too long, cut between words into pieces of half a window; a word is never cut."""
    longest = max(1, int((span[1] - span[0]) * most / (2 * size)))
    cuts, reach = [span[0]], span[0]
    for space in re.finditer(r"\s+", text[span[0] : span[1]]):
        place = span[0] + space.end()
        if place - cuts[-1] > longest and reach > cuts[-1]:
            cuts.append(reach)
        reach = place
    if span[1] - cuts[-1] > longest and cuts[-1] < reach < span[1]:
        cuts.append(reach)
    return list(pairwise([*cuts, span[1]]))


def _tables(shown: Sequence[str], rows: dict[int, int]) -> list[_Table]:
    """The tables of a text, in order."""
    titles = Counter(line.strip() for line in shown if _may_be_titles(line))
    heads: list[tuple[int, int, int | None]] = []
    at = 0
    while at < len(shown):
        line, under = shown[at], shown[at + 1] if at + 1 < len(shown) else ""
        if at in rows and _is_csv_head(shown, rows, at):
            last = _last_row(shown, rows, at)
            heads.append((at, rows[at], last))
            at = last
        elif _is_rule(under) and (_may_be_titles(line) or _is_markdown_head(shown, at)):
            heads.append((at, at + 2, None))
            at += 2
        elif titles[line.strip()] > 1 and not _follows_row(shown, at):
            heads.append((at, at + 1, None))
            at += 1
        else:
            at += 1
    found: list[_Table] = []
    for first, below, end in reversed(heads):  # a table ends where the next one begins
        stop = found[-1].first if found else len(shown)
        found.append(_Table(first, below, min(end, stop) if end else _end(shown, below, stop)))
    return found[::-1]


def _last_row(shown: Sequence[str], rows: dict[int, int], at: int) -> int:
    """The line after the last row of a table with delimiters, which ends before its head stands again."""
    last = place = rows[at]
    while place < len(shown) and place - last < _APART and shown[place] != shown[at]:
        if place in rows:
            last = place = rows[place]
        else:
            place += 1
    return last


def _may_be_titles(line: str) -> bool:
    """Whether a line may hold the titles of columns: they have no digits."""
    return has_columns(line) and not any(char.isdigit() for char in line) and not _is_rule(line)


def _is_rule(line: str) -> bool:
    return any(rule in line for rule in _RULES) and _RULED.issuperset(line)


def _is_markdown_head(shown: Sequence[str], at: int) -> bool:
    is_barred = "|" in shown[at] and "|" in shown[at + 1]
    return is_barred and not _is_rule(shown[at]) and not _follows_row(shown, at)


def _follows_row(shown: Sequence[str], at: int) -> bool:
    """Whether a line follows a row of a table, or rules below a row, so that it is a row rather than titles."""
    before = at - 1
    while before >= 0 and _is_rule(shown[before]):
        before -= 1
    return before >= 0 and has_columns(shown[before])


def _end(shown: Sequence[str], at: int, stop: int) -> int:
    """The line where a table ends whose rows begin at a line, `stop` at the latest."""
    last, place = at, at
    while place < stop and place - last < _APART:
        if has_columns(shown[place]):
            last = place
        place += 1
    return place


def _quoted_rows(shown: Sequence[str]) -> dict[int, int]:
    """The rows of tables with delimiters (CSV): the number of the first line, and of the line after the last.

    Rows have the same number of delimiters. A quoted cell may hold line breaks.
    """
    found: dict[int, int] = {}
    at = 0
    while at < len(shown):
        best: list[tuple[int, int]] = []
        for delimiter in _ROWS:
            run = list(_run(shown, at, delimiter))
            best = run if len(run) >= _ROWS[delimiter] and len(run) > len(best) else best
        found.update(best)
        at = best[-1][1] if best else at + 1
    return found


def _run(shown: Sequence[str], at: int, delimiter: str) -> Iterator[tuple[int, int]]:
    """Rows from a line on that have as many delimiters as the first."""
    cells = 0
    while at < len(shown) and delimiter in shown[at]:
        row, end = shown[at], at + 1
        while row.count('"') % 2 and end < min(len(shown), at + _QUOTED):
            row, end = f"{row}\n{shown[end]}", end + 1
        found = re.sub(r'"[^"]*"', "", row).count(delimiter)
        if row.count('"') % 2 or not found or (cells and found != cells) or (delimiter == "," and found < 2):
            return
        cells = found
        yield at, end
        at = end


def _is_csv_head(shown: Sequence[str], rows: dict[int, int], at: int) -> bool:
    """Whether a row of a table with delimiters names its columns: rows have digits, names have none."""
    head, below = " ".join(shown[at : rows[at]]), shown[rows[at]] if rows[at] in rows else ""
    return not any(char.isdigit() for char in head) and any(char.isdigit() for char in below)
