"""A sentence about a strategy whose confidence tells its right answers from its wrong ones."""

from collections.abc import Iterable, Sequence

from structout.evaluation.outcome import Outcome
from structout.evaluation.stats.thresholds import Separation, Sure

_FEW = 3  # right or wrong answers, which show nothing


def ranked(arms: Iterable[tuple[str, Sequence[Outcome]]]) -> str:
    """The strategy whose confidence ranks its accepted records best, if the ranking is shown; "" otherwise.

    `arms` are names with the outcomes that were measured under them. The confidence is that of the whole answer, as
    `certify` takes it. Strategies that accept fewer than three right or three wrong records are left out.
    """
    found = {name: one for name, outcomes in arms if (one := _separation(outcomes)) is not None and one.is_shown}
    if not found:
        return ""
    name = max(found, key=lambda name: found[name].area)
    return (
        f"The confidence of {name} tells its right answers from its wrong ones: the right answer is surer in "
        f"{100 * found[name].area:.0f} % of the pairs. structout certify finds the threshold, on other rows; it is "
        "harder to find for a strategy whose verifier leaves few wrong answers."
    )


def _separation(outcomes: Sequence[Outcome]) -> Separation | None:
    accepted = [one for one in outcomes if one.ok and one.has_label]
    sure = [one.answer_sureness for one in accepted]
    known = [one for one in sure if one is not None]
    wrong = sum(not one.right for one in accepted)
    if len(known) < len(accepted) or not _FEW <= wrong <= len(accepted) - _FEW:
        return None
    return Separation.of(Sure(known, [not one.right for one in accepted]))
