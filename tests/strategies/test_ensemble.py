"""Several models, and the answer that they find the most probable together."""

import json
from math import log

import pytest
from pydantic import BaseModel

from structout import Cascade, Constrained, Ensemble, On, Prompted, Scripted, SpecError, load_strategy, spec
from structout.completion import Completion, Usage
from structout.document import Json
from structout.evaluation import Dataset, certify
from structout.evaluation.dataset import Record
from structout.result import Result, Task, answer_probability
from structout.schema import Schema

BOLT = Schema.of(
    {
        "type": "object",
        "properties": {"kind": {"type": "string"}, "size": {"type": "integer", "default": 4}},
        "required": ["kind"],
    }
)


SIZED: Json = {"size": 4, "kind": "hex"}


def saying(name: str, document: Json, probability: float | None) -> Scripted:
    """A model that gives one answer, with this probability as a whole."""
    text = json.dumps(document)
    if probability is None:
        return Scripted(text, name=name)
    each = (log(probability) / len(text),) * len(text)
    ends = tuple(range(1, len(text) + 1))
    told = Completion(text, Usage(1, 10, 5), logprobs=each, values=(True,) * len(text), ends=ends)
    return Scripted(lambda prompt: told, name=name)


def asked(*models: Scripted, sample: int = 0) -> Result[Json]:
    ensemble = Ensemble(*(On(model, Prompted()) for model in models))
    return ensemble.run([Task("a bolt", BOLT, sample=sample)], Scripted("no", name="nobody"))[0]


def test_the_answer_with_the_most_probability_is_kept_whoever_is_surest() -> None:
    hex_bolt: Json = {"kind": "hex", "size": 6}
    flange: Json = {"kind": "flange", "size": 6}
    found = asked(saying("a", flange, 0.9), saying("b", hex_bolt, 0.6), saying("c", hex_bolt, 0.45))
    assert found.document == hex_bolt
    assert answer_probability(found.attempts) == pytest.approx((0.6 + 0.45) / 3)
    assert found.usage.calls == 3
    assert found.text == json.dumps(hex_bolt), "the last attempt has the text"
    assert found.confidence["/size"] > found.confidence["/kind"], "all three have this size"
    assert found.confidence["/size"] > 2 / 3 > found.confidence["/kind"]
    sure = asked(saying("a", flange, 0.9), saying("b", hex_bolt, 0.3), saying("c", hex_bolt, 0.4))
    assert sure.document == flange
    assert answer_probability(sure.attempts) == pytest.approx(0.3)


def test_a_member_without_a_value_takes_part_with_nothing() -> None:
    right: Json = {"kind": "hex"}
    found = asked(saying("a", {"size": "big"}, 0.99), saying("b", right, 0.5))
    assert (found.status, found.document) == ("valid", right)
    assert answer_probability(found.attempts) == pytest.approx(0.25)
    none = asked(saying("a", {"size": 1}, 0.9), saying("b", [], 0.9))
    assert (none.status, none.value, none.usage.calls) == ("invalid", None, 2)


def test_an_omitted_default_is_the_same_answer() -> None:
    class Sized(BaseModel):
        kind: str
        size: int = 4

    models = saying("a", {"kind": "flange"}, 0.6), saying("b", {"kind": "hex"}, 0.4), saying("c", SIZED, 0.4)
    ensemble = Ensemble(*(On(model, Prompted()) for model in models))
    (found,) = ensemble.run([Task("a bolt", Schema.of(Sized))], models[0])
    assert found.value == Sized(kind="hex")


def test_models_that_tell_no_probability_vote() -> None:
    found = asked(
        saying("a", {"kind": "flange"}, None), saying("b", {"kind": "hex"}, None), saying("c", {"kind": "hex"}, None)
    )
    assert found.document == {"kind": "hex"}
    assert found.confidence == {"/kind": pytest.approx(2 / 3)}
    assert answer_probability(found.attempts) is None


def test_the_layout_of_an_answer_does_not_matter() -> None:
    found = asked(saying("a", {"kind": "hex", "size": 4}, 0.5), saying("b", SIZED, 0.3))
    assert answer_probability(found.attempts) == pytest.approx(0.4)


def test_several_samples_of_one_model_and_stages_have_no_mean() -> None:
    model = saying("a", {"kind": "hex"}, 0.5)
    assert answer_probability(asked(model, model).attempts) is None
    no, yes = saying("a", {"size": 1}, 0.9), saying("b", {"kind": "hex"}, 0.5)
    cascade = Cascade(On(no, Prompted()), On(yes, Prompted()))
    (found,) = cascade.run([Task("a bolt", BOLT)], no)
    assert answer_probability(found.attempts) == pytest.approx(0.5), "the last stage has the answer"
    assert answer_probability(asked(no, yes, sample=2).attempts) == pytest.approx(0.25), "a repeat"


def test_it_is_written_and_read_as_other_strategies() -> None:
    text = "Ensemble(On('path:a', Constrained(quote=True)), On('path:b', Prompted()))"
    assert spec(load_strategy(text)) == text
    assert isinstance(load_strategy("Ensemble(Prompted(), Constrained())"), Ensemble)
    for members in ((), (Constrained(),)):
        with pytest.raises(SpecError, match=r"got \d members, expected 2 or more"):
            Ensemble(*members)
    with pytest.raises(SpecError, match="Ensemble: invalid members"):
        Ensemble(Prompted(), "Prompted()")  # type: ignore[arg-type]


def test_certify_ranks_by_the_mean_probability() -> None:
    """Where the models disagree, the answer is wrong in this data set, however sure the first model is."""
    records = []
    for i in range(400):
        label: Json = {"kind": "hex"} if i % 2 else {"kind": "flange"}
        records.append(Record(str(i), f"bolt {i}.", label, label, "dev" if i < 100 else "test"))

    def first(prompt: object) -> Completion:
        return told({"kind": "hex"})

    def second(prompt: object) -> Completion:
        number = int(str(prompt).rpartition("bolt ")[2].partition(".")[0])
        return told({"kind": "hex"} if number % 2 else {"kind": "flange"}, 0.8)

    def told(document: Json, probability: float = 0.9) -> Completion:
        text = json.dumps(document)
        each = (log(probability) / len(text),) * len(text)
        return Completion(text, logprobs=each, values=(True,) * len(text), ends=tuple(range(1, len(text) + 1)))

    both = Ensemble(On(Scripted(first, name="a"), Prompted()), On(Scripted(second, name="b"), Prompted()))
    found = certify(both, Dataset("bolts", BOLT, tuple(records)), 0.05, model=Scripted("", name="nobody"))
    assert (found.of, found.is_met, found.errors) == ("answer", True, 0)
    assert found.coverage.value == pytest.approx(0.5)
    assert found.threshold == pytest.approx((0.9 + 0.8) / 2, abs=0.01)
