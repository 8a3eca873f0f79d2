"""Repair: find the document in a model's answer, read it tolerantly, fit it to the schema, and say what was changed."""

import re
from collections.abc import Iterator
from itertools import islice
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, Literal, TypeVar

from structout.document import Json
from structout.issue import Issue
from structout.repair.budget import Budget, Exhausted, Unreadable
from structout.repair.coerce import Coercer, same
from structout.repair.edits import Edit, Policy, allows, worst
from structout.repair.locate import Fence, Layout, layout
from structout.repair.read import Reading, read_at, read_escaped, regrade
from structout.repair.scalars import Decimal
from structout.repair.shape import plain, shape_of
from structout.repair.unquoted import read_lines, read_members, read_word
from structout.schema import Checked, Schema

T = TypeVar("T")
Format = Literal["json", "yaml"]

_LEFT_OVER: Final = re.compile(r"\s*+[}\]]")
_TWO_CLOSERS: Final = re.compile(r"""[}\]]\s*+([}\]])(?=\s*+,\s*+["'{\[])""")
_MOST_REOPENED: Final = 4
# The allowance of work, in steps: generous for a short text, and less for each character beyond a long one.
_STEPS_AT_LEAST: Final = 100_000
_STEPS_PER_CHARACTER: Final = 20
_STEPS_PER_LATER_CHARACTER: Final = 5
_LONG: Final = 50_000
_LONGEST_MARGIN: Final = 200
_MOST_BRACKETS: Final = 5000
_MOST_STARTS: Final = 200
_UNREAD: Final = frozenset({"not_json", "duplicate_key", "non_finite"})


@dataclass(frozen=True, slots=True)
class Repaired(Generic[T]):
    """The value, if there are no issues, with the edits that led to it.

    With issues, `document` is the nearest that was read and `edits` are those that would lead to it, also the ones
    that the policy refused.
    """

    value: T | None
    document: Json
    issues: tuple[Issue, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.issues

    @property
    def truncated(self) -> bool:
        """Whether the text ended before the document did, whatever became of it."""
        return any(edit.kind == "unclosed" for edit in self.edits) or any(
            issue.kind == "truncated" for issue in self.issues
        )


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """What one reading came to: the document after coercion, and how the schema judged it."""

    reading: Reading
    checked: Checked[T]
    edits: tuple[Edit, ...]
    issues: tuple[Issue, ...]
    cue: int
    stands_out: bool
    foreign: bool  # stands among other text, and has no key that the schema knows
    left_over: bool  # mended closers, and more of them behind it

    @property
    def order(self) -> tuple[bool, bool, int, int, bool, bool]:
        """Lower is better: foreign ones last, graver edits, what the text says of it, its place, and coercion."""
        coerced = any(isinstance(edit.where, str) for edit in self.edits)
        return self.foreign, self.left_over, worst(self.edits), self.cue, not self.stands_out, coerced


def repair(
    text: str,
    schema: Schema[T],
    policy: Policy = "lossless",
    *,
    decimal: Decimal | None = None,
    complete: bool = False,
    format: Format | None = None,  # noqa: A002  (the word that everyone knows)
) -> Repaired[T]:
    """Read `text` as a document of `schema`; under the default policy only lossless edits are accepted.

    `decimal` names the sign that marks decimals in numbers written as text: without it `"1,200"` is ambiguous.
    `complete` says that the text is known not to be cut off (its finish reason is `stop`), so that closers missing
    at its very end were forgotten and nothing is lost; without it they count as lossy. `format` reads YAML only, or
    JSON only; by default YAML is tried where there is no JSON. Takes time linear in the text; never raises.
    """
    checked = schema.check_text(text)
    if checked.ok:
        return Repaired(checked.value, checked.document)
    quick = _quick(text, schema, checked) if format != "yaml" else None
    return quick or _Repair(text, schema, policy, decimal, complete, format).run(checked)


def _quick(text: str, schema: Schema[T], checked: Checked[T]) -> Repaired[T] | None:
    """The usual case at a tenth of the cost: the text is one document, whose syntax takes lossless edits only.

    None if it is anything else, to be looked at properly.
    """
    if not text.startswith(("{", "[")) or checked.issues[0].kind != "not_json":
        return None
    if checked.issues[0].message.startswith("trailing characters"):
        return None
    try:
        reading = read_at(text, 0, len(text), _allowance(text, 2), strict_first=False)
    except (Unreadable, Exhausted):
        return None
    if reading.unclosed or not (reading.end == len(text) or text[reading.end :].isspace()):
        return None
    if any(edit.grade != "lossless" or edit.kind == "closer" for edit in reading.edits):
        return None
    found = schema.check(reading.document)
    return Repaired(found.value, reading.document, (), reading.edits) if found.ok else None


def _allowance(text: str, share: int = 1) -> Budget:
    late = max(0, len(text) - _LONG)
    steps = _STEPS_PER_CHARACTER * (len(text) - late) + _STEPS_PER_LATER_CHARACTER * late
    return Budget((_STEPS_AT_LEAST + steps) // share)


class _Repair(Generic[T]):
    """The work on one text."""

    def __init__(
        self,
        text: str,
        schema: Schema[T],
        policy: Policy,
        decimal: Decimal | None,
        complete: bool,
        format: Format | None,  # noqa: A002
    ) -> None:
        self.text = text
        self.schema = schema
        self.policy = policy
        self.decimal = decimal
        self.complete = complete
        self.format = format
        self.budget = _allowance(text)
        self.layout: Layout | None = None
        self.outcomes: list[_Outcome[T]] = []

    def run(self, checked: Checked[T]) -> Repaired[T]:
        outcomes = self.outcomes
        try:
            if checked.issues[0].kind not in _UNREAD:
                whole = Reading(checked.document, 0, len(self.text))
                outcomes.append(self._judge(whole, first=checked))
            else:
                for reading in self._readings():
                    outcomes.append(self._judge(reading))
                outcomes += self._joined(outcomes)
            if not any(self._acceptable(outcome) for outcome in outcomes):
                outcomes += [self._judge(reading) for reading in self._last_readings(outcomes)]
        except Exhausted:
            pass
        return self._decide(outcomes, checked)

    # Reading.

    def _readings(self) -> Iterator[Reading]:
        """Documents in the text, from left to right, the outermost only."""
        if self.format == "yaml":
            return
        text = self.text
        start = len(text) - len(text.lstrip(" \t\r\n\ufeff"))
        if text[start : start + 1] in ("{", "["):
            reading = self._read(start, len(text))
            if reading is not None:
                yield reading
                if not self._served(reading) or _mended(reading):
                    yield from self._reopened(reading)
                if reading.end == len(text) or text[reading.end :].isspace():
                    return
        else:
            reading = None
        found = self._layout()
        place = reading.end if reading else 0
        covered: list[Reading] = []
        if reading is None and self.format is None:
            for lines in self._yaml():
                covered.append(lines)
                yield lines
        broken: tuple[int, Fence | None] | None = None
        if reading is None and self._broke_at - start > 12 and ":" in text[start : self._broke_at]:
            broken = (start, None)
        tried = 0
        for start in islice(found.starts(), _MOST_BRACKETS):
            if start < place or any(lines.start <= start < lines.end for lines in covered if self._served(lines)):
                continue
            fence = found.fence_at(start)
            if broken is not None and not self._outside(start, fence, *broken):
                continue
            tried += 1
            if tried > _MOST_STARTS:
                return
            reading = self._read(start, fence.end if fence else len(text))
            if reading is not None and reading.cut and fence and fence.closed:  # the fence was content, maybe
                reading = self._read(start, len(text)) or reading
            if reading is not None:
                yield reading
                if not self._served(reading) or _mended(reading):
                    yield from self._reopened(reading)
                place = reading.end
            else:
                place = max(place, self._skip_to)
                if self._broke_at - start > 12 and ":" in self.text[start : self._broke_at]:
                    broken = (start, fence)

    def _reopened(self, reading: Reading) -> Iterator[Reading]:
        """Other readings of a document behind which a closer is left over: one inside it may be the one too many."""
        if reading.unclosed or not (_mended(reading) or _LEFT_OVER.match(self.text, reading.end)):
            return
        places = list(_TWO_CLOSERS.finditer(self.text, reading.start, reading.end))
        if "\n" in self.text[reading.start : reading.end]:  # in a document over many lines, two on one line stand out
            places = [found for found in places if found.end() - found.start() == 2] or places
        for found in places[:_MOST_REOPENED]:
            place = found.start(1)
            text = self.text[:place] + " " + self.text[place + 1 :]
            try:
                other = read_at(text, reading.start, len(text), self.budget)
            except Unreadable:
                continue
            if other.end >= reading.end and not other.unclosed:
                edit = Edit("closer", "lossless", place, self.text[place], " ")
                edits = sorted((edit, *(e for e in other.edits if isinstance(e.where, int))), key=lambda e: int(e.where))
                yield replace(other, edits=(*edits, *(e for e in other.edits if isinstance(e.where, str))))

    _skip_to = 0
    _broke_at = 0

    def _outside(self, start: int, fence: Fence | None, broken: int, broken_fence: Fence | None) -> bool:
        """Whether a bracket cannot be part of a document that could not be read: elsewhere, and no deeper."""
        if fence is not broken_fence:
            return True
        line = self.text.rfind("\n", max(0, start - _LONGEST_MARGIN), start) + 1
        if not line or self.text[line:start].strip():
            return False
        return start - line <= broken - (self.text.rfind("\n", max(0, broken - _LONGEST_MARGIN), broken) + 1)

    def _read(self, start: int, limit: int) -> Reading | None:
        try:
            return read_escaped(self.text, start, limit, self.budget) or read_at(self.text, start, limit, self.budget)
        except Unreadable as error:
            self._broke_at = error.place
            # Nothing between two brackets of a deep nest can be read either.
            self._skip_to = error.place if error.place - start > 100 and not self.text[start : error.place].strip("{[ \n\":a") else start + 1
            return None

    def _last_readings(self, outcomes: list[_Outcome[T]]) -> Iterator[Reading]:
        """What else the text can be, if no JSON in it will do: members without braces, YAML, a bare value."""
        found = self._layout()
        shape = shape_of(self.schema)
        if any(outcome.reading.unclosed for outcome in outcomes):
            return
        start = found.thinking[-1][1] if found.thinking else 0
        for begin, end in self._spans():
            if self.format != "yaml":
                yield from read_members(self.text, begin, end, shape, self.budget)
        if self.format != "json" and not any(_is_yaml(outcome.reading) for outcome in outcomes):
            yield from self._yaml()
        if not outcomes:
            yield from read_word(self.text, start, found.fences, shape)

    def _yaml(self) -> Iterator[Reading]:
        """Documents in YAML, and how far they go."""
        told = self.format == "yaml" or any(fence.language in ("yaml", "yml") for fence in self._layout().fences)
        for begin, end in self._spans():
            yield from read_lines(self.text, begin, end, shape_of(self.schema), self.budget, told=told)

    def _spans(self) -> list[tuple[int, int]]:
        """The fenced blocks, or else all of the text, without the thinking."""
        found = self._layout()
        spans = [(fence.start, fence.end) for fence in found.fences]
        start = found.thinking[-1][1] if found.thinking else 0
        if not spans:
            return [(start, len(self.text))]
        return [span for span in spans if not any(span[0] < end and begin < span[1] for begin, end in found.thinking)]

    def _served(self, reading: Reading) -> bool:
        """Whether a reading has come to something."""
        return any(outcome.reading is reading and not outcome.issues for outcome in self.outcomes)

    def _layout(self) -> Layout:
        if self.layout is None:
            self.layout = layout(self.text)
        return self.layout

    # Judging.

    def _judge(self, reading: Reading, first: Checked[T] | None = None, *, drastic: bool = False) -> "_Outcome[T]":
        cue, stands_out, foreign = 1, True, False
        if reading.start or reading.end < len(self.text.rstrip()):
            found = self._layout()
            cue, stands_out = found.cue(reading.start, 0), found.stands_out(reading.start)
            known = shape_of(self.schema).known_keys
            if known and isinstance(reading.document, dict):
                foreign = not any(plain(key) in known for key in reading.document)
        checked = first or self.schema.check(reading.document)
        edits, issues = reading.edits, checked.issues
        document = reading.document
        if issues and any(issue.kind != "value" for issue in issues):
            fit = Coercer(self.budget, self.text, self.decimal, drastic=drastic).fit(document, shape_of(self.schema))
            if fit.fits and fit.edits:
                document, edits = fit.value, edits + fit.edits
                checked = self.schema.check(document)
                issues = checked.issues
            elif fit.issues:
                issues = fit.issues + issues
        if issues and all(issue.kind == "value" for issue in checked.issues):
            whole, changes = _whole_numbers(document, checked.issues)
            if changes:
                checked = self.schema.check(whole)
                edits, issues = edits + changes, checked.issues
        if reading.unclosed and not issues and self._finished(reading):
            reading = regrade(reading, "lossless")
            edits = reading.edits + edits[len(reading.edits) :]
        if any(isinstance(edit.where, str) for edit in edits):
            foreign = False
        if reading.bare and isinstance(reading.document, list) and not stands_out:
            foreign = True  # brackets in prose
        left_over = _mended(reading) and _LEFT_OVER.match(self.text, reading.end) is not None
        return _Outcome(reading, checked, edits, issues, cue, stands_out, foreign, left_over)

    def _finished(self, reading: Reading) -> bool:
        """Whether only closers are missing: the text is known to be whole, goes on behind, or nothing more could come."""
        if reading.cut or (reading.loose and not self.complete):
            return False
        if self.complete or self.text[reading.end :].strip():
            return True
        tail = self.text[len(self.text.rstrip()) :]
        if reading.unclosed == 1 and "\n" in tail and "\n" in self.text.strip():
            return True  # a comma would stand before the line break
        node, shape = reading.document, shape_of(self.schema)
        for _ in range(reading.unclosed):
            if not isinstance(node, dict) or not node or not shape.closed or shape.properties.keys() - node.keys():
                return False
            last = next(reversed(node))
            if last not in shape.properties:
                return False
            node, shape = node[last], shape.properties[last]
        return True

    def _acceptable(self, outcome: "_Outcome[T]") -> bool:
        return not outcome.issues and all(allows(self.policy, edit) for edit in outcome.edits)

    def _joined(self, outcomes: "list[_Outcome[T]]") -> "list[_Outcome[T]]":
        """Documents that follow one another, for a schema that wants a list of them."""
        if len(outcomes) < 2 or any(not outcome.issues for outcome in outcomes) or shape_of(self.schema).types != ("array",):
            return []
        if any(outcome.reading.unclosed for outcome in outcomes):
            return []
        documents: list[Json] = [outcome.reading.document for outcome in outcomes]
        edits = tuple(edit for outcome in outcomes for edit in outcome.reading.edits)
        edits += (Edit("joined", "lossless", "", "", f"{len(documents)} documents"),)
        start, end = outcomes[0].reading.start, outcomes[-1].reading.end
        return [self._judge(Reading(documents, start, end, edits))]

    # Deciding.

    def _decide(self, outcomes: "list[_Outcome[T]]", checked: Checked[T]) -> Repaired[T]:
        fitting = sorted((outcome for outcome in outcomes if not outcome.issues), key=lambda outcome: outcome.order)
        if not fitting and outcomes and not self._ambiguous(outcomes):
            try:
                drastic = [self._judge(outcome.reading, drastic=True) for outcome in outcomes]
                fitting = sorted((outcome for outcome in drastic if not outcome.issues), key=lambda outcome: outcome.order)
            except Exhausted:
                pass
        if fitting:
            return self._choose(fitting)
        if not outcomes:
            message = "the text ends in the middle of the model's thinking"
            if self._layout().still_thinking:
                return Repaired(None, None, (Issue("", "truncated", message),))
            return Repaired(None, checked.document, checked.issues)
        nearest = min(outcomes, key=lambda outcome: (outcome.cue, len(outcome.issues), not outcome.stands_out))
        issues = nearest.issues
        open_one = next((outcome for outcome in outcomes if outcome.reading.unclosed), None)
        if open_one:
            issues = (self._cut_off(open_one), *issues)
        return Repaired(None, nearest.checked.document, issues, self._all_edits(nearest))

    def _ambiguous(self, outcomes: "list[_Outcome[T]]") -> bool:
        """Whether only a guess is missing: then nothing is dropped to get around it, unless that is allowed."""
        return self.policy == "lossless" and any(issue.kind == "ambiguous" for outcome in outcomes for issue in outcome.issues)

    def _choose(self, fitting: "list[_Outcome[T]]") -> Repaired[T]:
        best = fitting[0]
        edits = self._all_edits(best)
        document = best.checked.document
        for other in fitting[1:]:
            if other.order == best.order and not same(other.checked.document, document):
                message = "the text holds several documents that fit, and does not say which is meant"
                return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        last = max(self.outcomes, key=lambda outcome: outcome.reading.end)
        if last.reading.unclosed and last.reading.end > best.reading.end:
            return Repaired(None, document, (self._cut_off(last),), edits)
        rival = any(not outcome.foreign for outcome in self.outcomes)
        if best.foreign and (rival or not document or best.reading.bare):
            message = "a document that the schema admits stands in the text, but it has none of the schema's keys"
            return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        if best.cue == 2:
            message = "the only document that fits is introduced as an example or a draft"
            if self._layout().is_example(best.reading.start):
                return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        refused = [edit for edit in edits if not allows(self.policy, edit)]
        if refused:
            cut = (self._cut_off(best),) if best.reading.unclosed else ()
            kinds = [edit for edit in refused if edit.kind != "unclosed"] if cut else refused
            issues = cut + tuple(
                Issue(edit.where if isinstance(edit.where, str) else "", "refused_edit", f"{edit.change} is refused under {self.policy!r}")
                for edit in kinds
            )
            return Repaired(None, document, issues, edits)
        return Repaired(best.checked.value, document, (), edits)

    def _cut_off(self, outcome: "_Outcome[T]") -> Issue:
        count = outcome.reading.unclosed
        return Issue("", "truncated", f"the text ends with {count} container{'s' if count > 1 else ''} open")

    def _all_edits(self, outcome: "_Outcome[T]") -> tuple[Edit, ...]:
        """The edits of an outcome, with those that take away the text around it."""
        start, end = outcome.reading.start, outcome.reading.end
        before, after = self.text[:start], self.text[end:]
        edits = outcome.edits
        if before.strip():
            edits = (Edit(_surroundings(before), "lossless", 0, before, ""), *edits)
        if after.strip():
            syntax = [edit for edit in edits if isinstance(edit.where, int)]
            data = [edit for edit in edits if isinstance(edit.where, str)]
            edits = (*syntax, Edit(_surroundings(after), "lossless", end, after, ""), *data)
        return edits


def _mended(reading: Reading) -> bool:
    """Whether closers had to be mended: then another one may be to blame."""
    return any(edit.kind == "closer" for edit in reading.edits)


def _is_yaml(reading: Reading) -> bool:
    return any(edit.kind == "yaml" for edit in reading.edits)


def _surroundings(text: str) -> str:
    bare = text.strip().strip("`~").strip()
    return "fence" if bare in ("", "json", "JSON", "yaml", "yml") else "prose"


def _whole_numbers(document: Any, issues: tuple[Issue, ...]) -> tuple[Json, tuple[Edit, ...]]:
    """Write 5.0 as 5 where a Pydantic type wants an integer: JSON Schema takes them for the same."""
    edits = []
    for issue in issues:
        steps = [step.replace("~1", "/").replace("~0", "~") for step in issue.pointer.split("/")[1:]]
        document = _copy_along(document, steps)
        node = document
        for step in steps[:-1]:
            node = node[int(step)] if isinstance(node, list) and step.isdigit() else node.get(step) if isinstance(node, dict) else None
        if not steps:
            if isinstance(document, float) and document.is_integer():
                edits.append(Edit("whole", "lossless", "", str(document), str(int(document))))
                document = int(document)
            continue
        key: Any = int(steps[-1]) if isinstance(node, list) and steps[-1].isdigit() else steps[-1]
        try:
            value = node[key]
        except (KeyError, IndexError, TypeError):
            continue
        if isinstance(value, float) and value.is_integer():
            node[key] = int(value)
            edits.append(Edit("whole", "lossless", issue.pointer, str(value), str(int(value))))
    return document, tuple(edits)


def _copy_along(document: Any, steps: list[str]) -> Any:
    """A copy of the containers along a path, so that what was read stays as it was."""
    if not steps:
        return document
    if isinstance(document, dict):
        copy = dict(document)
        if steps[0] in copy:
            copy[steps[0]] = _copy_along(copy[steps[0]], steps[1:])
        return copy
    if isinstance(document, list):
        items = list(document)
        if steps[0].isdigit() and int(steps[0]) < len(items):
            items[int(steps[0])] = _copy_along(items[int(steps[0])], steps[1:])
        return items
    return document
