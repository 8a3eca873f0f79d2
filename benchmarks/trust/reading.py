"""Nothing is silently different: our readers of JSON and CSV against others."""

import csv
import io
import json
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import jiter

from benchmarks.trust.trial import Trial, Tried
from structout.document import DEEPEST, parse_json, read_json
from structout.tables.rows import read_rows
from tests.fuzz import noise

_MOST = 8  # cases that a report shows
_LONGEST_NUMBER = 4_000  # digits; Python refuses to read more


class _RefusedError(ValueError):
    """What Python's reader takes, and a careful reader refuses."""


def texts(count: int, seed: int) -> Iterator[str]:
    """JSON, spoiled JSON, and numbers as people write them."""
    for number in range(count):
        rng = Random(f"json {seed} {number}")
        kind = rng.random()
        if kind < 0.15:
            yield rng.choice(["{}", "[{}]", '{{"a": {}}}', "[1, {}, 2]", " {}\n"]).format(noise.number(rng))
        elif kind < 0.5:
            yield noise.written(rng, noise.document(rng))
        else:
            yield noise.spoiled(rng, noise.written(rng, noise.document(rng)), rng.choice([1, 1, 2]))


def json_readers(count: int, seed: int, read: Callable[[str], Any] = read_json) -> Tried:
    """Our reader against Python's and jiter's: the same document, or a refusal that one of the others shares, or that
    `_careful` explains.
    """
    times, broken = 0, list[str]()
    for text in texts(count, seed):
        if any(len(word) > _LONGEST_NUMBER for word in text.split()) and text.count("1" * 100):
            continue
        times += 1
        try:
            ours, refused = read(text), False
        except ValueError:
            ours, refused = None, True
        if (parse_json(text)[1] is not None) != refused:
            broken.append(f"parse_json and read_json differ on {text!r:.300}")
        try:
            careful = _careful(text)
        except (ValueError, RecursionError):
            if not refused:
                broken.append(f"ours alone takes {text!r:.300}")
            continue
        if refused:
            broken.append(f"ours alone refuses {text!r:.300}")
        elif not identical(ours, careful):
            broken.append(f"ours reads {text!r:.300} as {ours!r:.300}")
        elif not identical(ours, jiter.from_json(text.encode())):
            broken.append(f"jiter reads {text!r:.300} in another way")
    return Tried(times, tuple(broken[:_MOST]))


def _careful(text: str) -> Any:
    """A document by Python's reader, without what a careful reader refuses: NaN, Infinity, numbers that overflow, a key
    twice, half of a character, and more than 200 levels.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) < len(found):
            raise _RefusedError("a key twice")
        return dict(found)

    def number(word: str) -> float:
        if not math.isfinite(found := float(word)):
            raise _RefusedError("a number that overflows")
        return found

    def constant(word: str) -> None:
        raise _RefusedError(word)

    document = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_float=number)
    json.dumps(document, ensure_ascii=False).encode()  # raises for half of a character
    level = [document]
    for _ in range(DEEPEST + 1):
        level = [one for node in level if isinstance(node, dict | list) for one in _inside(node)]
    if level:
        raise _RefusedError("too deep")
    return document


def _inside(node: dict[str, Any] | list[Any]) -> list[Any]:
    return list(node.values()) if isinstance(node, dict) else node


def identical(one: Any, other: Any) -> bool:
    """Whether two documents are the same, types of numbers, signs of zero and orders of keys included."""
    return repr(one) == repr(other)


def csv_readers(count: int, seed: int) -> Tried:
    """Our reader against Python's and DuckDB's: the same cells of each row, and no row less."""
    import duckdb

    times, broken = 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="trust-") as place:
        file = Path(place, "rows.csv")
        for number in range(count):
            rng = Random(f"csv {seed} {number}")
            delimiter = rng.choice(",;\t|")
            pieces = ["a", "é", "12", " ", "'", "\U0001f600", ",", ";", '"', "\n", "\r\n", "0", "NULL", "-", "\\", "#"]
            table = [
                ["".join(rng.choice(pieces) for _ in range(rng.randrange(5))) for _ in range(2)]
                for _ in range(rng.randrange(8))
            ]
            written = io.StringIO(newline="")
            how: Any = rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
            csv.writer(written, delimiter=delimiter, quoting=how, lineterminator=rng.choice(["\n", "\r\n"])).writerows(
                [["id", "text"], *table]
            )
            file.write_bytes(written.getvalue().encode())
            ours = [
                [row.record["id"], row.record["text"]] if isinstance(row.record, dict) else [row.record]
                for row in read_rows(str(file), delimiter=delimiter)
            ]
            theirs = list(csv.reader(io.StringIO(written.getvalue(), newline=""), delimiter=delimiter, strict=True))[1:]
            times += 1
            if ours != theirs:
                broken.append(f"{written.getvalue()!r}: {ours}, and {theirs} for Python")
            query = (
                "SELECT coalesce(id, ''), coalesce(text, '') FROM read_csv(?, delim=?, quote='\"', escape='\"', "
                "header=true, auto_detect=false, columns={'id': 'VARCHAR', 'text': 'VARCHAR'}, strict_mode=true)"
            )
            duck = [list(row) for row in duckdb.execute(query, [str(file), delimiter]).fetchall()]
            if ours != duck:
                broken.append(f"{written.getvalue()!r}: {ours}, and {duck} for DuckDB")
    return Tried(times, tuple(broken[:_MOST]))


TRIALS = (
    Trial("our reader of JSON against Python's and jiter's: documents, spoiled documents and odd numbers",
          4_000, 1_000_000, json_readers),
    Trial("our reader of CSV against Python's and DuckDB's: tables with quotes, delimiters and line ends in cells",
          200, 20_000, csv_readers),
)  # fmt: skip
