"""What the gate found: judgements on documents, their counts, and thresholds on the counts."""

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Literal, NamedTuple, TypeVar, get_args

from structout.document import Json
from structout.errors import SpecError, StructoutWarning
from structout.issue import Issue
from structout.not_json import group
from structout.parsing import Edit

Level = Literal["error", "warning"]  # of a threshold that is missed
T = TypeVar("T", str, tuple[str, str])

SHOWN = 1000  # documents that reports list individually
MOST_EDITS = 100  # edits that a judgement holds
_LONGEST_EDIT = 1000  # characters of the text before an edit, and after it
_LONGEST_CELL = 40  # characters of a kept cell in messages
_LONGEST_NAME = 120  # characters of all kept cells of a row in messages


class Judgement(NamedTuple):
    """The judgement on one document: `valid` as it is, `repaired` to `repaired_to`, or `invalid`.

    `notices` name values that look wrong in a document that passes, and `bad_fields` the fields with a threshold that
    are bad in an invalid document. `edits` counts the edits of repair, and `changes` holds the first 100 of them, with
    at most 1,000 characters each of the text before and after. `source` is the input of a document in a sample, and
    `kept` holds the kept columns of its row. `beginning` is how the text of an invalid document in a sample begins, for
    people. (A tuple, because creating judgements is a large part of the cost of small
    documents.)
    """

    line: int
    status: Literal["valid", "repaired", "invalid"]
    issues: tuple[Issue, ...] = ()
    edits: int = 0
    repaired_to: Json = None
    notices: tuple[Issue, ...] = ()
    bad_fields: tuple[str, ...] = ()
    source: str = ""
    changes: tuple[Edit, ...] = ()
    kept: Mapping[str, Json] | None = None
    beginning: str = ""

    def __str__(self) -> str:
        """The place of the document, its kept columns, and its issues or its status, in one line."""
        named = f" ({self.named})" if self.named else ""
        return f"{self.place}{named}: {'; '.join(map(str, self.issues)) or self.status}"

    @property
    def place(self) -> str:
        """The input and the line, such as `answers.jsonl:58`, or `line 58`."""
        return f"{self.source}:{self.line}" if self.source else f"line {self.line}"

    @property
    def named(self) -> str:
        """The kept columns in a few words, such as `id=7, mail=Hello`; "" if none are kept."""
        cells = ((name, one if isinstance(one, str) else json.dumps(one)) for name, one in (self.kept or {}).items())
        return _cut(", ".join(f"{name}={_cut(cell, _LONGEST_CELL)}" for name, cell in cells), _LONGEST_NAME)


def bounded(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The first edits, with long texts cut."""
    return tuple(one._replace(before=_cut(one.before), after=_cut(one.after)) for one in edits[:MOST_EDITS])


def _cut(text: str, longest: int = _LONGEST_EDIT) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


@dataclass(frozen=True)
class Thresholds:
    """The requirements on all documents together: the lowest share that must pass, the highest number that may fail,
    and by field the lowest share of documents in which the field is valid.

    The thresholds `warn_valid`, `warn_invalid` and `warn_field` ask the same, but a miss only warns. Without any
    threshold, all documents must be valid; a threshold of any kind takes the place of this default.
    """

    min_valid: float | None = None
    max_invalid: int | None = None
    min_field: Mapping[str, float] = field(default_factory=dict)
    warn_valid: float | None = None
    warn_invalid: int | None = None
    warn_field: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `SpecError` for a share that is not from 0 to 1, and warn if the gate fails before it warns."""
        shares = [("valid", "", self.min_valid, self.warn_valid)]
        shares += [("field", f" {one}", self.min_field.get(one), self.warn_field.get(one)) for one in self.fields]
        for name, of, least, wanted in shares:
            for prefix, share in (("min", least), ("warn", wanted)):
                if share is not None and not (isinstance(share, Real) and 0 <= share <= 1):
                    what = f"{prefix}_{name}{of}"
                    raise SpecError(
                        f"invalid {what}: got {share!r}, expected a share",
                        hint="give a number from 0 to 1, such as 0.98 for 98 %",
                    )
            if least is not None and wanted is not None and wanted < least:
                asked = f"warn_{name}{of} asks for {percent(wanted)}, and min_{name}{of} for {percent(least)}"
                _warn_of_order(f"{asked} already")
        if self.max_invalid is not None and self.warn_invalid is not None and self.warn_invalid > self.max_invalid:
            _warn_of_order(f"warn_invalid allows {self.warn_invalid:,}, and max_invalid only {self.max_invalid:,}")

    @property
    def least(self) -> float | None:
        """The lowest share that must pass: `min_valid`, or 1 if no threshold is given."""
        return 1.0 if self == Thresholds() else self.min_valid

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields with a threshold."""
        return tuple(dict.fromkeys([*self.min_field, *self.warn_field]))


def _warn_of_order(told: str) -> None:
    message = f"{told}: the gate fails before it warns. Are the two mixed up?"
    warnings.warn(message, StructoutWarning, stacklevel=4)


@dataclass(frozen=True, slots=True)
class ThresholdCheck:
    """One threshold, what was found, and whether the threshold holds. `level` says what a miss is, and `told` what was
    found and what was expected, in words. `value` is the share or the number that was found; None if none was counted.
    """

    name: str
    found: str
    passed: bool
    level: Level = "error"
    told: str = ""
    value: float | None = None


@dataclass(repr=False)
class Findings:
    """The counts of the gate so far, and the verdict on them.

    `passed` says whether all thresholds hold, `checks()` has each threshold with what was found, and
    `missed("error")` or `missed("warning")` the ones that do not hold. `missed_alone()` names the inputs that miss a
    threshold alone. `frequent()` counts documents by the kind and the place of their issues. The counts are `total`,
    `valid`, `repaired` and `invalid`.

    `sample` holds the first 1,000 invalid documents, `mended` the first 1,000 repaired documents, and `doubtful`
    the first 1,000 documents that pass although a value looks wrong. `noticed` counts all documents of the last
    kind, and `blank` counts the blank lines, which hold no document. `kinds` counts documents by the kind and the
    place of their issues (of an absent key, the place that it would have), `reasons` by why they are not JSON, and
    `edits` by the kind and the grade of the edits that repaired them. `unread` says why the input broke off, if it
    did: then the gate does not pass.
    `sources` counts the documents of each input by status, and `bad_fields_of` those in which a field with a threshold
    is bad, if there are several inputs.
    """

    source: str
    schema: str
    thresholds: Thresholds
    total: int = 0
    valid: int = 0
    repaired: int = 0
    noticed: int = 0
    blank: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_fields: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    edits: Counter[tuple[str, str]] = field(default_factory=Counter)
    sample: list[Judgement] = field(default_factory=list)
    mended: list[Judgement] = field(default_factory=list)
    doubtful: list[Judgement] = field(default_factory=list)
    unread: str = ""
    sources: dict[str, Counter[str]] = field(default_factory=dict)
    bad_fields_of: dict[str, Counter[str]] = field(default_factory=dict)

    def __repr__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        counts = f"valid={self.valid}, repaired={self.repaired}, invalid={self.invalid}"
        return f"Findings({verdict}: {counts} of {self.total} documents)"

    @property
    def invalid(self) -> int:
        """The number of invalid documents."""
        return self.total - self.valid - self.repaired

    @property
    def passed(self) -> bool:
        """Whether all thresholds hold, except those that only warn."""
        return not self.missed("error")

    def missed(self, level: Level) -> list[ThresholdCheck]:
        """The thresholds of a level that do not hold. Raises `SpecError` for another level."""
        if level not in get_args(Level):
            raise SpecError(f"invalid level: got {level!r}", hint=f"give {' or '.join(map(repr, get_args(Level)))}")
        return [check for check in self.checks() if check.level == level and not check.passed]

    def frequent(self, most: int | None = None) -> list[tuple[tuple[str, str], int]]:
        """The kinds of issue with the number of their documents, the most frequent first, at most `most`."""
        return ranked(self.kinds)[:most]

    def checks(self) -> list[ThresholdCheck]:
        """The thresholds, checked against all inputs together, and whether there was an input to its end."""
        checks = (
            [
                ThresholdCheck(
                    "the input is read to its end", self.unread, False, told=f"the input broke off: {self.unread}"
                )
            ]
            if self.unread
            else []
        )
        checks += (
            [ThresholdCheck("documents >= 1", "0", False, told="the input holds no documents")]
            if not self.total
            else []
        )
        return [*checks, *self._checks(self.total, self.valid + self.repaired, self.bad_fields)]

    def missed_alone(self) -> dict[str, list[ThresholdCheck]]:
        """The inputs whose documents alone miss a threshold, with these thresholds; none if there is only one input."""
        found = {}
        for source, counts in self.sources.items():
            passed, bad = counts["valid"] + counts["repaired"], self.bad_fields_of.get(source, Counter())
            missed = [check for check in self._checks(counts.total(), passed, bad) if not check.passed]
            if counts.total() and missed:
                found[source] = missed
        return found

    def _checks(self, total: int, passed: int, bad: Counter[str]) -> Iterator[ThresholdCheck]:
        limits = self.thresholds
        asked: list[tuple[Level, float | None, int | None, Mapping[str, float]]] = [
            ("error", limits.least, limits.max_invalid, limits.min_field),
            ("warning", limits.warn_valid, limits.warn_invalid, limits.warn_field),
        ]
        for level, least, most, fields in asked:
            if least is not None:
                yield _share("valid", "valid documents", passed, total, least, level)
            if most is not None:
                invalid = total - passed
                told = f"the number of invalid documents is {invalid:,}, expected at most {most:,}"
                yield ThresholdCheck(f"invalid <= {most}", f"{invalid:,}", invalid <= most, level, told, invalid)
            for name, wanted in fields.items():
                what = f"documents with a valid {name}"
                yield _share(f"{name} valid", what, total - bad[name], total, wanted, level)

    def add(self, judgement: Judgement) -> None:
        """Count a judgement on a document."""
        self.total += 1
        if judgement.source:
            self.sources.setdefault(judgement.source, Counter())[judgement.status] += 1
        if judgement.notices:
            self.noticed += 1
            self._list(self.doubtful, judgement)
        if judgement.status == "valid":
            self.valid += 1
        elif judgement.status == "repaired":
            self.repaired += 1
            self.edits.update({(edit.kind, edit.grade) for edit in judgement.changes})
            self._list(self.mended, judgement)
        else:
            self.bad_fields.update(judgement.bad_fields)
            if judgement.source and judgement.bad_fields:
                self.bad_fields_of.setdefault(judgement.source, Counter()).update(judgement.bad_fields)
            self.kinds.update({(issue.kind, pattern(issue.place)) for issue in judgement.issues})
            self.reasons.update({group(issue.message) for issue in judgement.issues if issue.kind == "not_json"})
            self._list(self.sample, judgement)

    def _list(self, listed: list[Judgement], judgement: Judgement) -> None:
        if len(listed) < SHOWN:
            listed.append(judgement._replace(source=judgement.source or self.source, repaired_to=None))

    def skip(self) -> None:
        """Count a blank line."""
        self.blank += 1


def _share(name: str, what: str, count: int, total: int, wanted: float, level: Level) -> ThresholdCheck:
    share = count / total if total else 0.0
    found = f"{percent(share, wanted)} ({count:,} of {total:,})"
    told = f"the share of {what} is {found}, expected at least {percent(wanted)}"
    return ThresholdCheck(f"{name} >= {percent(wanted)}", found, share >= wanted, level, told, share)


def percent(share: float, *limits: float) -> str:
    """A share for people, such as `92.7 %`: with so many digits that none is rounded to a limit, to 0 or to 100."""
    for digits in range(1, 10):
        text = f"{100 * share:.{digits}f}"
        if all(_side(float(text), 100 * one) == _side(100 * share, 100 * one) for one in (0.0, 1.0, *limits)):
            break
    return f"{text.rstrip('0').rstrip('.')} %"


def _side(number: float, limit: float) -> int:
    """On which side of a limit a number is; rounding errors of floats do not count."""
    distance = round(number - limit, 9)
    return (distance > 0) - (distance < 0)


def ranked(counts: Counter[T]) -> list[tuple[T, int]]:
    """Names with their counts, the largest count first. Names with one count stand in their own order."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def pattern(pointer: str) -> str:
    """The pointer with * for list indexes, so that equal issues of list items are counted together."""
    return "/".join("*" if part.isdigit() else part for part in pointer.split("/"))
