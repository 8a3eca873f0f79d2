"""The search for the answer in a text: the schema judges each candidate, and a candidate without rivals is chosen."""

from itertools import pairwise
from typing import Final, Generic, TypeVar

from structout.issue import Issue
from structout.not_json import cut_off
from structout.parsing.allowance import Exhausted, allowance_for
from structout.parsing.edits import Decimal, Edit, Policy, allows, edit_text, worst
from structout.parsing.fit.coercer import Coercer, same
from structout.parsing.fit.nesting import moved_out
from structout.parsing.fit.own_readers import read_by_own
from structout.parsing.fit.pydantic_numbers import decimals, whole_numbers
from structout.parsing.fit.shape import plain_key, shape_of
from structout.parsing.locate.calls import without_call
from structout.parsing.locate.candidates import MEMBER, MEMBER_LINE, Candidates, Format, is_left_over, repaired_closers
from structout.parsing.locate.sections import is_taken_back
from structout.parsing.locate.surroundings import in_doubt, with_surroundings
from structout.parsing.outcomes import Outcome, are_rivals, is_other_answer
from structout.parsing.refused import doubles, refusals
from structout.parsing.repaired import Repaired
from structout.parsing.stood import as_written, open_at_end
from structout.parsing.syntax.patterns import ELIDED
from structout.parsing.syntax.reader import Reading, regrade
from structout.schema import Checked, Schema
from structout.schema.messages import told_apart

T = TypeVar("T")

_BOUNDARIES: Final = frozenset({"", " ", "\t", "\n", "\r", "`", ";", ",", ".", "<", "}", "]", ")", "|", "*", '"', "'"})
_UNREAD: Final = frozenset({"not_json", "duplicate_key", "non_finite"})
_NEAR: Final = 200


def _stands_for_more(item: object) -> bool:
    """Whether an item is only dots."""
    return isinstance(item, str) and item.strip() != "" and not item.strip(".… ")


class Search(Generic[T]):
    """The search for the document in one text."""

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
        self.allowance = allowance_for(text)
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
                    if outcomes[-1].issues and reading.unclosed:
                        outcomes += self._moved_out(reading)
                self._mark_taken_back(outcomes)
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
            cut = Issue("", "truncated", cut_off(self.text, "a document"))
            return result._replace(issues=(cut, *result.issues))
        return result

    def _mark_taken_back(self, outcomes: "list[Outcome[T]]") -> None:
        """Make drafts of the documents that the text takes back before the next document."""
        for index, (one, two) in enumerate(pairwise(outcomes)):
            if is_taken_back(self.text, one.reading.end, two.reading.start):
                outcomes[index] = one._replace(cue=2)

    def _moved_out(self, reading: Reading) -> "list[Outcome[T]]":
        """The outcome of a document that lacks closers in its middle, if the schema says where they belong."""
        document = moved_out(reading.document, shape_of(self.schema), reading.unclosed)
        if document is reading.document:
            return []
        edit = Edit("moved", "lossless", "", edit_text(reading.document), edit_text(document))
        return [self._judge(reading._replace(document=document, edits=(*reading.edits, edit)))]

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
        if issues and (own := read_by_own(document, self.schema)):
            checked, changes = own
            document, edits, issues = checked.document, edits + changes, ()
        if issues and any(issue.kind != "value" for issue in issues):
            fit = Coercer(self.allowance, self.text, self.decimal, edits, drastic=drastic).read(
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
        if self.candidates.broken >= 0 or any(
            ELIDED.search(self.text, one.end, two.start) for one, two in pairwise(readings)
        ):
            return []  # records are left out, or cannot be read
        documents = [outcome.reading.document for outcome in outcomes]
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
        issues = (*doubles(nearest.edits, self.policy), *as_written(nearest.issues, nearest.reading, self.text))
        open_one = next((outcome for outcome in outcomes if outcome.reading.unclosed), None)
        if open_one:
            issues = (self._cut_off(open_one), *issues)
        return Repaired(None, nearest.checked.document, issues, in_doubt(self._all_edits(nearest)))

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
        try:
            doubt = self._doubt(best, fitting)
        except Exhausted:
            doubt = "the text around the answer is too long to search for other answers: give the answer alone"
        twice = tuple(doubles(edits, self.policy))
        if doubt:
            return Repaired(None, document, (Issue("", "ambiguous", doubt), *twice), in_doubt(edits))
        last = max(self.outcomes, key=lambda outcome: outcome.reading.end)
        if last.reading.unclosed and last.reading.end > best.reading.end:
            return Repaired(None, document, (self._cut_off(last), *twice), edits)
        refused = [edit for edit in edits if not allows(self.policy, edit)]
        if refused:
            cut = (self._cut_off(best),) if best.reading.unclosed else ()
            kinds = [edit for edit in refused if edit.kind != "unclosed"] if cut else refused
            issues = refusals(kinds, self.policy, best.reading, self.text)
            return Repaired(None, document, cut + issues + self._why_not(best, kinds), edits)
        return Repaired(best.checked.value, document, (), edits)

    def _why_not(self, best: "Outcome[T]", refused: list[Edit]) -> tuple[Issue, ...]:
        """What the schema says of the values that a refused repair drops."""
        places = {edit.where for edit in refused if edit.kind == "dropped"}
        found = self.schema.check(best.reading.document).issues if places else ()
        return tuple(issue for issue in found if issue.pointer in places)

    def _doubt(self, best: "Outcome[T]", fitting: "list[Outcome[T]]") -> str:
        """Why the best outcome may not be the answer; "" if it surely is."""
        found, end = self.candidates, best.reading.end
        for other in fitting:
            if other is not best and are_rivals(best, other, self.schema):
                one, two = told_apart(best.checked.document, other.checked.document)
                return f"the text holds two answers, {one} and {two}, and does not say which counts: give one"
        for other in self.outcomes:
            if is_other_answer(best, other, self.schema):
                one, two = told_apart(best.checked.document, other.reading.document)
                return f"beside the answer {one} the text holds {two}, which does not fit: give one answer"
        rival = any(not outcome.foreign for outcome in self.outcomes)
        if best.foreign and (rival or not best.checked.document or best.reading.bare):
            return "the text holds a document that fits the schema, but it has none of the schema's keys"
        if found.broken >= 0 and best.cue and not best.reading.start <= found.broken < end:
            return "beside the answer the text holds a document that cannot be read: give one answer"
        if repaired_closers(best.reading) and self.text[end : end + 1] not in _BOUNDARIES:
            return "the text goes on right where the answer ends, so that its brackets may be wrong: give one answer"
        for other_form in self.candidates.after(end):
            outcome = self._judge(other_form)
            if not outcome.issues and not same(outcome.checked.document, best.checked.document):
                one, two = told_apart(best.checked.document, outcome.checked.document)
                return f"beside the answer {one} the text holds {two} in another form: give one answer"
        if isinstance(best.checked.document, list) and (
            ELIDED.search(self.text, end, end + _NEAR) or any(map(_stands_for_more, best.checked.document))
        ):
            return "the text says that it leaves items out: give all of them"
        if is_taken_back(self.text, end):
            return "the text after the answer takes something in it back: give the final answer alone"
        if best.cue == 2 and MEMBER.search(self.text, end) and len(fitting) == 1:
            return "the only answer that fits is called a draft, and what follows it cannot be read: give one answer"
        if best.cue == 2 and found.layout.is_example(best.reading.start):
            return "the only answer that fits is called an example or a draft: give the final answer alone"
        return ""

    def _cut_off(self, outcome: "Outcome[T]") -> Issue:
        return Issue("", "truncated", cut_off(self.text, open_at_end(outcome.reading, self.text)))

    def _all_edits(self, outcome: "Outcome[T]") -> tuple[Edit, ...]:
        """The edits of an outcome, and the edits that remove the surrounding text."""
        start, end = outcome.reading.start, outcome.reading.end
        others = [
            other.reading
            for other in self.outcomes
            if other.reading.document and not other.foreign and (not other.reading.bare or other.stands_out)
        ]
        before = any(reading.end <= start for reading in others)
        after = any(reading.start >= end for reading in others)
        return with_surroundings(self.text, start, end, outcome.edits, others=(before, after))
