"""Recovery, silence and speed, counted."""

import contextlib
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from benchmarks.parsing.cases import Case
from benchmarks.parsing.peers import NOTHING, Answer, Reader, without_nulls
from structout.parsing import repair
from structout.parsing.fit.coercer import same
from structout.schema import Schema

_REPEATS = 3
Counts = dict[str, Counter[str]]


def recover(cases: Iterable[Case], read: Reader, *, lenient: bool = False) -> Counts:
    """Count, by group, by kind and over all: cases, exact, valid, silently wrong, flagged.

    A value counts only if it complies. It is silently wrong if it is not what was expected (a trap expects
    nothing) and its reader did not name a loss itself. `lenient` takes null for absent.
    """
    counts: Counts = defaultdict(Counter)
    for case in cases:
        try:
            answer = read(case)
        except Exception:
            answer = Answer(NOTHING)
        value = answer.value
        exact = case.group != "traps" and value is not NOTHING and _same(value, case.expected, lenient)
        valid = exact or (value is not NOTHING and _complies(case.schema, value, lenient))
        silent = valid and not exact and not answer.owned_up
        for name in (case.group, f"{case.group}/{case.kinds[0] if not case.combined else 'combined'}", "all"):
            counts[name].update(cases=1, exact=exact, valid=valid, silent=silent, flagged=answer.flagged)
        if case.combined:
            counts["combined"].update(cases=1, exact=exact, valid=valid, silent=silent, flagged=answer.flagged)
    return counts


def _same(value: Any, expected: Any, lenient: bool) -> bool:
    try:
        return same(without_nulls(value), without_nulls(expected)) if lenient else same(value, expected)
    except RecursionError:
        return False


def _complies(schema: Schema[Any], value: Any, lenient: bool) -> bool:
    try:
        return schema.check(value).ok or (lenient and schema.check(without_nulls(value)).ok)
    except (ValueError, TypeError, RecursionError):
        return False


def per_call(cases: list[Case], readers: dict[str, Reader], rounds: int = 5) -> dict[str, list[float]]:
    """Microseconds of processor time for each case, by reader: the median of rounds in which the readers take turns.

    Each round calls a reader three times in a row, since to read this clock costs as much as a small document.
    """
    taken: dict[str, list[list[float]]] = {name: [[] for _ in cases] for name in readers}
    for round_ in range(rounds + 1):
        for name, read in readers.items():
            for index, case in enumerate(cases):
                begin = time.thread_time_ns()
                for _ in range(_REPEATS):
                    with contextlib.suppress(Exception):
                        read(case)
                if round_:  # the first round warms up
                    taken[name][index].append((time.thread_time_ns() - begin) / 1000 / _REPEATS)
    return {name: [statistics.median(times) for times in rows] for name, rows in taken.items()}


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def bombs(size: int = 1_000_000) -> dict[str, str]:
    """Texts of `size` characters that are made to take long."""
    return {
        "[ again and again": "[" * size,
        '{"a": again and again': '{"a":' * (size // 5),
        "quotes": '"' * size,
        "{ and quotes": "{" + '"' * size,
        "backslashes": '{"a": "' + "\\" * size,
        "<think>": "<think>" * (size // 7),
        "one error in a long list": "[" + "1, " * (size // 3) + "oops 2 3, 4]",
        "one error in a long list of objects": "[" + '{"a": "b", "c": [1]}, ' * (size // 22) + "{'a': b}]",
        "{ again and again": "{" * size,
        "fences": "```\n" * (size // 4),
        "open strings": '{"a": "b, ' * (size // 10),
        "commas": "[" + "," * size + "]",
        "comments": "[" + "/*" * (size // 2),
        "spaces": "[" + " " * size + "1",
        "yaml": "a: b\n" * (size // 5),
        "tables": "| a |\n|" + "-" * (size // 2) + "x\n" + "| b |\n" * (size // 12),
        "items without brackets": '"a", ' * (size // 5),
        "ticks": '{"a": ' + "```" * (size // 3),
        "JSON in strings": '{"a": "{"b": ' * (size // 13),
        "items without a list": '{"a": 1' + ", 2" * (size // 3),
        "open elements": "<name></note>" * (size // 13),
        "open parameters": "<function=f>" + "<parameter=name>" * (size // 16) + "</function>",
        "open calls": '<invoke name="f">' * (size // 17),
        "deep elements": "<a><b>" * (size // 9) + "</b></a>" * (size // 18),
        "channels": "<|channel|>analysis<|message|>" * (size // 31),
        "signs of a terminal": '{"a": ' + "\x1b[0m" * (size // 4),
        "wide brackets": "｛＂a＂：" * (size // 5),
        "sentences": '{"a": 1} ' + "if wait. " * (size // 9),
        "deep yaml": "\n".join(" " * i + "a:" for i in range(1400)),
        "digits": '{"a": "' + "1" * size + '"}',
        "string and quotes": '{"a": "' + 'x" ' * (size // 3),
    }


def run_bombs(schema: Schema[Any], texts: dict[str, str]) -> dict[str, float]:
    """Seconds that each hostile text takes us."""
    return {name: seconds(partial(repair, text, schema)) for name, text in texts.items()}


def seconds(call: Callable[[], object]) -> float:
    begin = time.thread_time()
    call()
    return time.thread_time() - begin
