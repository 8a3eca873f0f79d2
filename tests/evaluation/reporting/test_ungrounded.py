"""Wrong values that stand nowhere in their texts: how many records `Grounded` would refuse, and by which expression."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from structout import Dataset, Grounded, Scripted, Verify, evaluate, load_strategy
from structout.completion import Prompt
from structout.evaluation.dataset import Record
from structout.evaluation.reporting.conclusion import conclusion
from structout.evaluation.reporting.ungrounded import ungrounded
from structout.schema import Schema

if TYPE_CHECKING:
    from structout.document import Json

CITIES = ["Paris", "Lyon", "Berlin", "Bonn", "Milan", "Rome", "Vienna", "Graz"]
COUNTRY = {"Paris": "FR", "Lyon": "FR", "Berlin": "DE", "Bonn": "DE", "Milan": "IT", "Rome": "IT"}


def orders() -> Dataset:
    """Records with a city that stands in the text, and a country that follows from the city."""
    schema = Schema.of(
        {
            "type": "object",
            "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
            "required": ["city", "country"],
            "additionalProperties": False,
        }
    )
    labels: dict[str, Json] = {city: {"city": city, "country": COUNTRY.get(city, "AT")} for city in CITIES}
    records = tuple(
        Record(str(i), f"order {i} to {city}", label, label, "test") for i, (city, label) in enumerate(labels.items())
    )
    return Dataset("orders", schema, records)


def answering(wrong: dict[str, Any]) -> Scripted:
    """A model that is right, but for these cities."""

    def answer(prompt: Prompt) -> str:
        city = next(one for one in CITIES if one in prompt.messages[-1].content)
        return json.dumps({"city": city, "country": COUNTRY.get(city, "AT"), **wrong.get(city, {})})

    return Scripted(answer, name="m")


def test_it_counts_what_grounded_would_refuse_and_names_the_expression() -> None:
    invented = {"Paris": {"city": "Tokyo"}, "Lyon": {"city": "Oslo"}, "Rome": {"country": "XX"}}
    report = evaluate("Prompted()", answering(invented), orders())
    said = ungrounded("Prompted()", "Prompted()", report.outcomes)
    assert said == (
        "Of the 3 wrong records that Prompted() accepted, 2 hold a value that stands nowhere in the text: "
        "Verify(Prompted(), Grounded(fields='examples')) would refuse these records, and 0 of 5 right records."
    )
    assert said in conclusion(report)
    assert "Verify(STRATEGY, Grounded(fields='examples'))" in ungrounded("Fine-tuned", "Fine-tuned", report.outcomes)


def test_the_expression_does_what_the_sentence_says() -> None:
    invented = {"Paris": {"city": "Tokyo"}, "Rome": {"country": "XX"}}
    verified = load_strategy("Verify(Prompted(), Grounded(fields='examples'))")
    assert verified == Verify(load_strategy("Prompted()"), Grounded(fields="examples"))
    found = evaluate(verified, answering(invented), orders(), folds=4).outcomes
    assert {one.key for one in found if one.status == "rejected"} == {"0"}
    assert {one.fold for one in found} == {1, 2, 3, 4}, "it takes its fields from the other folds"


@pytest.mark.parametrize(
    ("strategy", "wrong"),
    [
        ("Prompted()", {}),
        ("Prompted()", {"Rome": {"country": "XX"}}),
        ("Verify(Prompted(), Grounded(fields=('/country',)))", {"Paris": {"city": "Tokyo"}}),
    ],
)
def test_it_says_nothing_where_grounded_would_help_nothing(strategy: str, wrong: dict[str, Any]) -> None:
    report = evaluate("Prompted()", answering(wrong), orders())
    assert ungrounded("it", strategy, report.outcomes) == ""
