"""The repair engine: find the document in an answer, read it tolerantly, fit it to the schema, and list the edits."""

import warnings
from typing import Any, Final, Generic, TypeVar, get_args, overload

from structout.document import Json, read_json
from structout.errors import SpecError, StructoutWarning
from structout.issue import Issue
from structout.language import Choice
from structout.parsing.allowance import Allowance, Exhausted
from structout.parsing.edits import Decimal, Edit, Policy, allows, worst
from structout.parsing.fast_path import single
from structout.parsing.fit.coercer import Coercer
from structout.parsing.fit.pydantic_numbers import decimals, whole_numbers
from structout.parsing.fit.shape import plain_key, shape_of
from structout.parsing.languages import bare
from structout.parsing.locate.calls import without_call
from structout.parsing.locate.candidates import MEMBER, MEMBER_LINE, Candidates, Format, is_left_over, repaired_closers
from structout.parsing.locate.surroundings import with_surroundings
from structout.parsing.notices import notices
from structout.parsing.outcomes import Outcome, are_rivals, is_other_answer
from structout.parsing.repaired import Repaired
from structout.parsing.syntax.reader import Reading, regrade
from structout.schema import Checked, Schema

T = TypeVar("T")

# The allowance of work, in steps. Characters beyond `_LONG` add fewer steps.
_STEPS_AT_LEAST: Final = 100_000
_STEPS_PER_CHARACTER: Final = 20
_STEPS_PER_LATER_CHARACTER: Final = 5
_LONG: Final = 50_000
_UNREAD: Final = frozenset({"not_json", "duplicate_key", "non_finite"})


@overload
def repair(
    text: str,
    schema: type[T] | Schema[T],
    policy: Policy = ...,
    *,
    decimal: Decimal | None = ...,
    complete: bool = ...,
    format: Format | None = ...,
) -> Repaired[T]: ...
@overload
def repair(
    text: str,
    schema: Any,
    policy: Policy = ...,
    *,
    decimal: Decimal | None = ...,
    complete: bool = ...,
    format: Format | None = ...,
) -> Repaired[Any]: ...
def repair(
    text: str,
    schema: Any,
    policy: Policy = "lossless",
    *,
    decimal: Decimal | None = None,
    complete: bool = False,
    format: Format | None = None,  # noqa: A002  (the usual word)
) -> Repaired[Any]:
    """Read `text` as a document of `schema`, in any form that `Schema.of` takes.

    The default policy accepts lossless edits only; `lossy` and `any` accept more. `decimal` is the decimal sign of
    numbers written as text: without it, `"1,200"` is ambiguous. `complete` says that the text was not cut off (its
    finish reason is `stop`): adding closers at its very end is then lossless, otherwise lossy. `format` restricts
    reading to JSON or to YAML; by default, YAML is tried if the text holds no JSON. If the schema is a language (a
    choice, a statement), only wrapping is removed. The time is linear in the length of the text. No text makes `repair`
    raise: a bug in repair gives an issue and a warning. Raises `SpecError` for an invalid argument, and `SchemaError`.
    """
    _check(text, policy, decimal, format)
    schema = Schema.of(schema)
    try:
        found = attempt(text, schema, policy, decimal=decimal, complete=complete, format=format)
        return found._replace(notices=notices(text, found.document)) if found.ok else found
    except Exception as error:
        message = f"repair failed on this text, which is a fault of structout: {type(error).__name__}"
        warnings.warn(f"{message}: {error}"[:300], StructoutWarning, stacklevel=2)
        return Repaired(None, None, (Issue("", "not_json", message),))


def _check(text: Any, policy: Any, decimal: Any, format: Any) -> None:  # noqa: A002
    """Raise `SpecError` for an invalid argument of `repair`."""
    if not isinstance(text, str):
        raise SpecError(f"invalid text: got {text!r:.80}, expected a str", hint="decode bytes first: text.decode()")
    for name, given, choices in (
        ("policy", policy, get_args(Policy)),
        ("decimal", decimal, (None, *get_args(Decimal))),
        ("format", format, (None, *get_args(Format))),
    ):
        if given not in choices:
            raise SpecError(f"invalid {name}: got {given!r}", hint=f"give {' or '.join(map(repr, choices))}")


def attempt(
    text: str,
    schema: Schema[T],
    policy: Policy = "lossless",
    *,
    decimal: Decimal | None = None,
    complete: bool = False,
    format: Format | None = None,  # noqa: A002
) -> Repaired[T]:
    """`repair` without its safety net: a bug raises here, so that tests can find it."""
    if schema.language is not None:
        return _bare(text, schema)
    try:
        document = read_json(text)
    except ValueError as error:
        if format != "yaml":
            reading = single(text, str(error), _allowance(text, 2), complete=complete)
            found = schema.check_briefly(reading.document) if reading else None
            if reading and found:
                return Repaired(found.value, reading.document, (), reading.edits)
        checked = schema.check_text(text)
    else:
        checked = schema.check(document, text)
        if not checked.issues:
            return Repaired(checked.value, document)
    return _Repair(text, schema, policy, decimal, complete, format).run(checked)


def _bare(text: str, schema: Schema[T]) -> Repaired[T]:
    checked = schema.check_text(text)
    if checked.ok:
        return Repaired(checked.value, checked.document)
    choices = schema.language.values if isinstance(schema.language, Choice) else ()
    for reading, edits in bare(text, choices):
        found = schema.check_text(reading)
        if found.ok:
            return Repaired(found.value, found.document, (), edits)
    return Repaired(None, None, checked.issues)


def _allowance(text: str, share: int = 1) -> Allowance:
    late = max(0, len(text) - _LONG)
    steps = _STEPS_PER_CHARACTER * (len(text) - late) + _STEPS_PER_LATER_CHARACTER * late
    return Allowance((_STEPS_AT_LEAST + steps) // share)


class _Repair(Generic[T]):
    """The repair of one text."""

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
        self.allowance = _allowance(text)
        self.candidates = Candidates(text, schema, self.allowance, format)
        self.outcomes: list[Outcome[T]] = []

    def run(self, checked: Checked[T]) -> Repaired[T]:
        outcomes = self.outcomes
        try:
            if checked.issues[0].kind not in _UNREAD:
                whole = Reading(checked.document, 0, len(self.text))
                inner = without_call(whole, self.text, shape_of(self.schema))
                outcomes.append(self._judge(inner, first=checked if inner is whole else None))
            else:
                for reading in self.candidates.documents(self._served):
                    outcomes.append(self._judge(reading))
                joined = self._joined(outcomes)
                if any(self._acceptable(outcome) for outcome in joined):
                    outcomes[:] = joined
            if not any(self._acceptable(outcome) for outcome in outcomes):
                found = [outcome.reading for outcome in outcomes]
                outcomes += [self._judge(reading) for reading in self.candidates.others(found)]
        except Exhausted:
            pass
        result = self._decide(outcomes, checked)
        if not result.ok and not result.truncated and self._seems_cut():
            cut = Issue("", "truncated", "the text ends in the middle of a document")
            return result._replace(issues=(cut, *result.issues))
        return result

    def _seems_cut(self) -> bool:
        """Whether the text ends inside a document, even if parts of the text could be read."""
        if any(outcome.reading.unclosed for outcome in self.outcomes):
            return True
        begin = self.candidates.broken
        if begin < 0:  # the document may lack its first brace and follow other text
            lost = MEMBER_LINE.search(self.text)
            if lost is None:
                return False
            begin = lost.start()
        rest = self.text[begin:].rstrip()
        if begin == self.candidates.broken and MEMBER.match(rest) and not rest.endswith(("}", "]")):
            return True
        line = rest[rest.rfind("\n") + 1 :].replace('\\"', "")
        if line.count('"') % 2 or line.endswith((",", ":")):
            return True  # inside a string, or before the next member
        return rest.count("{") + rest.count("[") > rest.count("}") + rest.count("]")

    def _served(self, reading: Reading) -> bool:
        """Whether a reading led to a valid document."""
        return any(outcome.reading is reading and not outcome.issues for outcome in self.outcomes)

    # Judging.

    def _judge(self, reading: Reading, first: Checked[T] | None = None, *, drastic: bool = False) -> "Outcome[T]":
        cue, stands_out, foreign = 1, True, False
        if reading.start or reading.end < len(self.text.rstrip()):
            found = self.candidates.layout
            cue, stands_out = (
                found.cue(
                    reading.start,
                    max((o.reading.end for o in self.outcomes if o.reading.end <= reading.start), default=0),
                ),
                found.stands_out(reading.start),
            )
            known = shape_of(self.schema).known_keys
            if known and isinstance(reading.document, dict):
                foreign = not any(plain_key(key) in known for key in reading.document)
        checked = first or self.schema.check(reading.document)
        edits, issues = reading.edits, checked.issues
        document = reading.document
        if issues and any(issue.kind != "value" for issue in issues):
            fit = Coercer(self.allowance, self.text, self.decimal, drastic=drastic).read(
                document, shape_of(self.schema)
            )
            if fit.fits and fit.edits:
                document, edits = fit.value, edits + fit.edits
                checked = self.schema.check(document)
                issues = checked.issues
            elif fit.issues:
                issues = fit.issues + issues
        if issues and all(issue.kind == "value" for issue in checked.issues):
            whole, changes = whole_numbers(document, checked.issues)
            if changes:
                checked = self.schema.check(whole)
                document, edits, issues = whole, edits + changes, checked.issues
            plain, changes, doubts = decimals(document, issues, shape_of(self.schema), self.decimal)
            if changes:
                checked = self.schema.check(plain)
                edits, issues = edits + changes, checked.issues
            issues = doubts + issues
        if reading.unclosed and not issues and self._finished(reading):
            reading = regrade(reading, "lossless")
            edits = reading.edits + edits[len(reading.edits) :]
        if any(isinstance(edit.where, str) for edit in edits):
            foreign = False
        if reading.bare and isinstance(reading.document, list) and not stands_out:
            foreign = True  # brackets in prose
        if reading.document in ({}, []) and not stands_out:
            foreign = True
        left_over = repaired_closers(reading) and is_left_over(self.text, reading)
        return Outcome(
            reading=reading,
            checked=checked,
            edits=edits,
            issues=issues,
            cue=cue,
            stands_out=stands_out,
            foreign=foreign,
            left_over=left_over,
        )

    def _finished(self, reading: Reading) -> bool:
        """Whether only closers are missing: the text is complete or continues, or the schema allows nothing more."""
        if reading.cut or repaired_closers(reading) or (reading.loose and not self.complete):
            return False
        if self.complete or self.text[reading.end :].strip():
            return True
        tail = self.text[len(self.text.rstrip()) :]
        if reading.unclosed == 1 and "\n" in tail and "\n" in self.text.strip():
            return True  # if more followed, a comma would come before the line break
        node, shape = reading.document, shape_of(self.schema)
        for _ in range(reading.unclosed):
            if not isinstance(node, dict) or not node or not shape.closed or shape.properties.keys() - node.keys():
                return False
            last = next(reversed(node))
            if last not in shape.properties:
                return False
            node, shape = node[last], shape.properties[last]
        return True

    def _acceptable(self, outcome: "Outcome[T]") -> bool:
        return not outcome.issues and all(allows(self.policy, edit) for edit in outcome.edits)

    def _joined(self, outcomes: "list[Outcome[T]]") -> "list[Outcome[T]]":
        """The list of all documents in the text, if the schema wants a list."""
        outcomes = [outcome for outcome in outcomes if outcome.cue < 2]  # without examples and drafts
        readings = [outcome.reading for outcome in outcomes]
        if len({outcome.cue for outcome in outcomes}) > 1:
            return []  # one document may correct another
        if len(readings) < 2 or any(reading.unclosed or isinstance(reading.document, list) for reading in readings):
            return []
        if shape_of(self.schema).types != ("array",):
            return []
        documents: list[Json] = [outcome.reading.document for outcome in outcomes]
        edits = tuple(edit for outcome in outcomes for edit in outcome.reading.edits)
        edits += (Edit("joined", "lossless", "", "", f"{len(documents)} documents"),)
        start, end = outcomes[0].reading.start, outcomes[-1].reading.end
        return [self._judge(Reading(documents, start, end, edits))]

    # Deciding.

    def _decide(self, outcomes: "list[Outcome[T]]", checked: Checked[T]) -> Repaired[T]:
        fitting = sorted((outcome for outcome in outcomes if not outcome.issues), key=lambda outcome: outcome.order)
        if not fitting and outcomes and not self._ambiguous(outcomes):
            try:
                drastic = [self._judge(outcome.reading, drastic=True) for outcome in outcomes]
                fitting = sorted(
                    (outcome for outcome in drastic if not outcome.issues), key=lambda outcome: outcome.order
                )
            except Exhausted:
                pass
        if fitting:
            return self._choose(fitting)
        if not outcomes:
            message = "the text ends in the middle of the model's thinking"
            if self.candidates.layout.still_thinking:
                return Repaired(None, None, (Issue("", "truncated", message),))
            return Repaired(None, checked.document, checked.issues)
        nearest = min(outcomes, key=lambda outcome: (outcome.cue, len(outcome.issues), not outcome.stands_out))
        issues = nearest.issues
        open_one = next((outcome for outcome in outcomes if outcome.reading.unclosed), None)
        if open_one:
            issues = (self._cut_off(open_one), *issues)
        return Repaired(None, nearest.checked.document, issues, self._all_edits(nearest))

    def _ambiguous(self, outcomes: "list[Outcome[T]]") -> bool:
        """Whether the lossless policy meets an ambiguity: then repair does not drop values to avoid the ambiguity."""
        return self.policy == "lossless" and any(
            issue.kind == "ambiguous" for outcome in outcomes for issue in outcome.issues
        )

    def _choose(self, fitting: "list[Outcome[T]]") -> Repaired[T]:
        best = fitting[0]
        likelier = min(fitting, key=lambda outcome: (outcome.foreign, outcome.cue))
        if likelier.cue < best.cue and worst(likelier.edits):
            best = likelier  # introduced as the answer: even with a loss, it is the better choice
        edits = self._all_edits(best)
        document = best.checked.document
        for other in fitting:
            if other is not best and are_rivals(best, other, self.schema):
                message = "the text holds several documents that fit, and does not say which is meant"
                return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        if any(is_other_answer(best, other, self.schema) for other in self.outcomes):
            message = "the text holds another answer, which does not fit, and does not say which is meant"
            return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        last = max(self.outcomes, key=lambda outcome: outcome.reading.end)
        if last.reading.unclosed and last.reading.end > best.reading.end:
            return Repaired(None, document, (self._cut_off(last),), edits)
        rival = any(not outcome.foreign for outcome in self.outcomes)
        if best.foreign and (rival or not document or best.reading.bare):
            message = "the text holds a document that fits the schema, but it has none of the schema's keys"
            return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        if (
            self.candidates.broken >= 0
            and best.cue
            and not best.reading.start <= self.candidates.broken < best.reading.end
        ):
            message = "the text holds another document, which cannot be read, and does not say which is meant"
            return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        if best.cue == 2 and MEMBER.search(self.text, best.reading.end) and len(fitting) == 1:
            message = "the only document that fits is introduced as a draft, and what follows it cannot be read"
            return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        if best.cue == 2:
            message = "the only document that fits is introduced as an example or a draft"
            if self.candidates.layout.is_example(best.reading.start):
                return Repaired(None, document, (Issue("", "ambiguous", message),), edits)
        refused = [edit for edit in edits if not allows(self.policy, edit)]
        if refused:
            cut = (self._cut_off(best),) if best.reading.unclosed else ()
            kinds = [edit for edit in refused if edit.kind != "unclosed"] if cut else refused
            issues = cut + tuple(
                Issue(
                    edit.where if isinstance(edit.where, str) else "",
                    "refused_edit",
                    f"{edit.change} is refused under {self.policy!r}",
                )
                for edit in kinds
            )
            return Repaired(None, document, issues, edits)
        return Repaired(best.checked.value, document, (), edits)

    def _cut_off(self, outcome: "Outcome[T]") -> Issue:
        count = outcome.reading.unclosed
        return Issue("", "truncated", f"the text ends with {count} container{'s' if count > 1 else ''} open")

    def _all_edits(self, outcome: "Outcome[T]") -> tuple[Edit, ...]:
        """The edits of an outcome, and the edits that remove the surrounding text."""
        return with_surroundings(self.text, outcome.reading.start, outcome.reading.end, outcome.edits)
