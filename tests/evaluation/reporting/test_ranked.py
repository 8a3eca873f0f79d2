"""Whose confidence tells right from wrong: said if it is shown."""

import json
from math import log

import pytest

from structout import Scripted, evaluate
from structout.completion import Completion, Prompt
from structout.evaluation.reporting.conclusion import conclusion
from structout.evaluation.reporting.ranked import ranked
from tests.evaluation.reporting.test_ungrounded import COUNTRY, orders


def model(sure_right: float, sure_wrong: float | None) -> Scripted:
    """A model that is wrong for four of eight cities, with these probabilities of its answers."""

    def answer(prompt: Prompt) -> Completion:
        city = prompt.messages[-1].content.partition(" to ")[2].partition("\n")[0]
        text = json.dumps({"city": city, "country": COUNTRY.get(city, "AT") if city[0] in "PLBG" else "XX"})
        probability = sure_right if "XX" not in text else sure_wrong
        if probability is None:
            return Completion(text)
        each = (log(probability) / len(text),) * len(text)
        return Completion(text, logprobs=each, values=(True,) * len(text), ends=tuple(range(1, len(text) + 1)))

    return Scripted(answer, name="m")


def test_it_names_the_strategy_whose_confidence_ranks_best() -> None:
    report = evaluate(["Prompted()", "Repair(Prompted())"], model(0.9, 0.2), orders())
    said = ranked((arm.label, outcomes) for arm, outcomes in report.plain.items())
    assert said.startswith("The confidence of Prompted() tells its right answers from its wrong ones")
    assert "surer in 100 % of the pairs" in said
    assert said in conclusion(report)


@pytest.mark.parametrize(("sure_right", "sure_wrong"), [(0.2, 0.9), (0.5, 0.5), (0.9, None)])
def test_it_names_none_that_is_not_shown_to_rank(sure_right: float, sure_wrong: float | None) -> None:
    report = evaluate("Prompted()", model(sure_right, sure_wrong), orders())
    assert ranked((arm.label, outcomes) for arm, outcomes in report.plain.items()) == ""
