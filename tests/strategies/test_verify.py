import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from structout import (
    Cascade,
    Constrained,
    Grounded,
    Judge,
    Model,
    On,
    Prompted,
    Reask,
    Repair,
    Result,
    Rule,
    Scripted,
    SpecError,
    Task,
    Verdict,
    Verify,
    Vote,
    load_strategy,
)
from structout.schema import Schema
from tests.bolt import Bolt

SCHEMA = Schema.of(Bolt)
GOOD, WRONG = '{"kind": "hex", "size_mm": 6}', '{"kind": "hex", "size_mm": 7}'


def run(strategy: Any, model: Scripted, *texts: str) -> list[Result[Any]]:
    return strategy.run([Task(text, SCHEMA) for text in texts], model)  # type: ignore[no-any-return]


def test_what_is_refused_is_marked_and_has_no_value() -> None:
    model = Scripted({"good": GOOD, "wrong": WRONG, "broken": "no"})
    good, wrong, broken = run(Verify(Prompted(), Grounded()), model, "good 6 mm", "wrong 6 mm", "broken")
    assert (good.status, good.spans) == ("valid", {"/size_mm": (5, 6)})
    assert (wrong.status, wrong.value, wrong.document) == ("rejected", None, {"kind": "hex", "size_mm": 7})
    assert [(issue.pointer, issue.kind) for issue in wrong.issues] == [("/size_mm", "rejected")]
    assert broken.status == "invalid"
    assert model.calls == 3


def test_at_the_level_of_leaves_a_doubtful_value_becomes_null_and_the_record_is_kept() -> None:
    noted = '{"kind": "hex", "size_mm": 6, "note": "blue"}'
    model = Scripted({"noted": noted, "wrong": WRONG, "none": GOOD})
    strategy = Verify(Prompted(), Grounded(fields=("/note", "/size_mm")), level="leaf")
    kept, required, whole = run(strategy, model, "noted 6 mm", "wrong 6 mm", "none 6 mm")
    assert (kept.status, kept.value) == ("repaired", Bolt(kind="hex", size_mm=6, note=None))
    assert [(one.kind, one.grade, one.where, one.before) for one in kept.edits] == [
        ("withheld", "lossy", "/note", '"blue"')
    ]
    assert kept.document == {"kind": "hex", "size_mm": 6, "note": None}
    assert (required.status, required.document) == ("rejected", {"kind": "hex", "size_mm": 7}), "it may not be null"
    assert (whole.status, whole.edits) == ("valid", ())


@pytest.mark.parametrize("fields", ["(('/note', 'a'),)", "(('/note',),)", "('/note', 0.5)", "(('/note', 2),)"])
def test_invalid_thresholds_of_fields_are_refused(fields: str) -> None:
    with pytest.raises(SpecError, match="invalid"):
        load_strategy(f"Verify(Prompted(), Confident(fields={fields}), level='leaf')")


def test_an_objection_to_no_value_rejects_the_record_at_any_level() -> None:
    (found,) = run(Verify(Prompted(), Rule(lambda value: False), level="leaf"), Scripted(GOOD), "6 mm")
    assert (found.status, found.edits) == ("rejected", ())


def test_what_is_refused_may_be_asked_again_with_the_verifiers_issues() -> None:
    model = Scripted({"6 mm": [WRONG, GOOD], "8 mm": [WRONG, WRONG]})
    mended, refused = run(Verify(Prompted(), Grounded(), on_reject="reask"), model, "6 mm", "8 mm")
    assert (mended.status, refused.status) == ("valid", "rejected")
    assert [len(batch) for batch in model.batches] == [2, 2]
    objection = model.batches[1][0].messages[-1].content
    assert "/size_mm" in objection
    assert "7" in objection
    assert [len(result.attempts) for result in (mended, refused)] == [2, 2]


def test_what_is_asked_again_shows_the_document_that_was_refused() -> None:
    votes = (("hex", 7, "a"), ("flange", 6, "a"), ("flange", 7, "b"))
    answers = [json.dumps({"kind": kind, "size_mm": size, "note": note}) for kind, size, note in votes]
    model = Scripted(lambda prompt: answers[prompt.sample] if len(prompt.messages) == 2 else GOOD)
    (result,) = run(Verify(Vote(Prompted(), n=3), Grounded(("/size_mm",)), on_reject="reask"), model, "hex, 6 mm")
    assert result.status == "valid"
    shown = model.batches[-1][0].messages[-2].content
    assert json.loads(shown) == {"kind": "flange", "size_mm": 7, "note": "a"}  # which is none of the three
    fenced = Scripted({"6 mm": [f"Here:\n{WRONG}", GOOD]})
    run(Verify(Repair(Prompted()), Grounded(), on_reject="reask"), fenced, "6 mm")
    assert fenced.batches[-1][0].messages[-2].content == WRONG


def test_what_is_invalid_is_not_asked_again_by_a_verifier() -> None:
    model = Scripted("no")
    (result,) = run(Verify(Prompted(), Grounded(), on_reject="reask"), model, "6 mm")
    assert (result.status, model.calls) == ("invalid", 1)


def test_what_is_refused_goes_up_a_cascade_and_is_not_repaired() -> None:
    small, big = Scripted(WRONG), Scripted(GOOD, name="big")
    (result,) = run(Cascade(Repair(Verify(Prompted(), Grounded())), On(big, Prompted())), small, "6 mm")
    assert (result.status, [attempt.model for attempt in result.attempts]) == ("valid", ["scripted", "big"])
    (result,) = run(Repair(Verify(Prompted(), Grounded())), small, "6 mm")
    assert result.status == "rejected"


def test_reask_takes_what_a_verifier_refused_for_a_failure() -> None:
    model = Scripted({"6 mm": [WRONG, WRONG, GOOD]})
    (result,) = run(Reask(Verify(Prompted(), Grounded()), limit=3), model, "6 mm")
    assert (result.status, model.calls) == ("valid", 3)


def test_what_checking_costs_is_kept_apart_from_what_generating_costs() -> None:
    answers = iter([WRONG, "no", GOOD, "yes"])
    (result,) = run(Verify(Constrained(), Judge(), on_reject="reask"), Scripted(lambda prompt: next(answers)), "hex")
    assert result.status == "valid"
    assert (result.generation.calls, result.verification.calls, result.usage.calls) == (2, 2, 4)
    assert result.text == GOOD


def test_what_to_do_when_unsure_is_the_users_choice() -> None:
    def unsure(value: object) -> bool:
        raise LookupError

    statuses = [
        run(Verify(Prompted(), Rule(unsure), unsure=choice), Scripted(GOOD), "x")[0].status
        for choice in ("accept", "reject")
    ]
    assert statuses == ["valid", "rejected"]


@dataclass(frozen=True)
class Silent:
    """Gives no reason."""

    decision: Literal["reject", "unsure"]

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [Verdict(self.decision, 0.25)] * len(results)


@pytest.mark.parametrize(("decision", "says"), [("unsure", "Silent cannot tell"), ("reject", "Silent does not accept")])
def test_whatever_is_refused_says_by_whom_and_why(decision: Any, says: str) -> None:
    model = Scripted({"6 mm": [WRONG, GOOD]})
    (refused,) = run(Verify(Prompted(), Silent(decision)), model, "6 mm")
    assert [(issue.pointer, issue.kind) for issue in refused.issues] == [("", "rejected")]
    assert says in refused.issues[0].message
    assert "0.25" in refused.issues[0].message
    run(Verify(Prompted(), Silent(decision), on_reject="reask"), model, "6 mm")
    assert says in model.batches[-1][0].messages[-1].content


@pytest.mark.parametrize(
    "build",
    [
        lambda: Verify(Prompted(), Prompted()),  # type: ignore[arg-type]
        lambda: Verify(Prompted(), Grounded(), on_reject="cry"),  # type: ignore[arg-type]
        lambda: Verify(Prompted(), Grounded(), unsure="guess"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_verify_is_refused_with_a_hint(build: Any) -> None:
    with pytest.raises(SpecError) as caught:
        build()
    assert caught.value.hint
