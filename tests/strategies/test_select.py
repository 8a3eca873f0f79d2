import json
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, computed_field

from structout import (
    BestOf,
    Constrained,
    Grounded,
    Judge,
    Prompt,
    Prompted,
    Repair,
    Result,
    Rule,
    Sampling,
    Scripted,
    SpecError,
    Task,
    Usage,
    Verify,
    Vote,
)
from structout.completion import Completion
from structout.document import Json, scalars
from structout.errors import StructoutWarning
from structout.schema import Schema
from structout.strategies.merge import Ballot, canonical, majority, merge
from tests.bolt import Bolt
from tests.nesting import nested

SCHEMA = Schema.of(Bolt)


def bolt(size: float, note: str | None = None, kind: str = "hex") -> str:
    return json.dumps({"kind": kind, "size_mm": size, "note": note})


def samples(*answers: str | tuple[str, float]) -> Scripted:
    """Answers by the index of the sample; with a log-probability where one is given."""

    def answer(prompt: Prompt) -> Completion:
        one = answers[prompt.sample]
        text, logprob = one if isinstance(one, tuple) else (one, None)
        told = {} if logprob is None else {"logprobs": (-0.1, logprob), "values": (False, True)}
        return Completion(text, Usage(1, 3, 2), **told)  # type: ignore[arg-type]

    return Scripted(answer)


def run(strategy: Any, model: Scripted, schema: Any = SCHEMA) -> Result[Any]:
    (result,) = strategy.run([Task("a bolt", Schema.of(schema))], model)
    return result  # type: ignore[no-any-return]


def test_the_best_of_several_is_the_likeliest_that_has_a_value() -> None:
    model = samples((bolt(1), -3.0), ("no", -0.001), (bolt(2), -0.5), (bolt(3), -2.0))
    result = run(BestOf(Constrained(), n=4), model)
    assert result.unwrap().size_mm == 2
    assert (len(result.attempts), result.text, len(model.batches)) == (4, bolt(2), 1)
    assert {prompt.sampling.temperature for prompt in model.batches[0]} == {0.7}
    assert len({prompt.key() for prompt in model.batches[0]}) == 4


def test_keys_and_punctuation_do_not_count_by_value_logprob() -> None:
    def answer(prompt: Prompt) -> Completion:
        shape, value = [(-0.01, -2.0), (-3.0, -0.5)][prompt.sample]
        return Completion(bolt(prompt.sample), logprobs=(shape, shape, value), values=(False, False, True))

    assert run(BestOf(Constrained(), 2, "value_logprob"), Scripted(answer)).unwrap().size_mm == 1
    assert run(BestOf(Constrained(), 2, "mean_logprob"), Scripted(answer)).unwrap().size_mm == 0


def test_a_verifier_may_choose_the_best_and_refuses_nothing() -> None:
    small = Rule(lambda value: value.size_mm < 3)
    assert run(BestOf(Prompted(), 3, small), samples(bolt(5), bolt(2), bolt(4))).unwrap().size_mm == 2
    assert run(BestOf(Prompted(), 2, small), samples(bolt(5), bolt(6))).unwrap().size_mm == 5


def test_first_valid_samples_until_one_fits_and_no_longer() -> None:
    model = samples("no", bolt(2), bolt(3))
    result = run(BestOf(Prompted(), 3, "first_valid"), model)
    assert (result.unwrap().size_mm, model.calls, len(result.attempts)) == (2, 2, 2)
    assert (run(BestOf(Prompted(), 3, "first_valid"), samples("a", "b", "c")).status, model.calls) == ("invalid", 2)


def test_a_vote_takes_what_most_answers_agree_on_field_by_field() -> None:
    model = samples(bolt(6, "zinc"), bolt(6, "brass"), bolt(7, "zinc"), "no", bolt(6, "zinc", "flange"))
    result = run(Vote(Prompted(), n=5), model)
    assert (result.status, result.unwrap()) == ("valid", Bolt(kind="hex", size_mm=6, note="zinc"))
    assert result.confidence == {"/kind": 0.75, "/size_mm": 0.75, "/note": 0.75}
    assert (model.calls, result.usage.calls) == (5, 5)


def test_whole_records_may_be_voted_on() -> None:
    model = samples(bolt(6, "a"), bolt(7, "b"), bolt(6, "c"), bolt(7, "b"), bolt(6, "d"))
    assert run(Vote(Prompted(), n=5, level="record"), model).unwrap().size_mm == 7
    assert run(Vote(Prompted(), n=5, level="field"), model).unwrap().size_mm == 6


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        ([bolt(6)] * 3, 3),
        ([bolt(6), bolt(6), bolt(7), bolt(6)], 4),
        ([bolt(6), bolt(7), bolt(6), bolt(7), bolt(6)], 5),
        (["no", bolt(6), bolt(6), bolt(6)], 4),
        (["no"] * 5, 5),
    ],
)
@pytest.mark.parametrize("level", ["record", "field"])
def test_a_vote_ends_as_soon_as_it_is_decided(answers: list[str], calls: int, level: Any) -> None:
    model = samples(*answers)
    run(Vote(Prompted(), n=5, level=level), model)
    assert model.calls == calls


def test_a_tie_goes_to_the_likelier_answer() -> None:
    for low, high, size in ((-2.0, -1.0, 7), (-1.0, -2.0, 6)):
        model = samples((bolt(6), low), (bolt(7), high))
        assert run(Vote(Constrained(), n=2), model).unwrap().size_mm == size
        assert run(Vote(Constrained(), n=2, level="record"), model).unwrap().size_mm == size


def test_a_choice_without_log_probabilities_is_said_to_be_none() -> None:
    with pytest.warns(StructoutWarning, match="scripted reports no log-probabilities.*keeps the first"):
        assert run(BestOf(Constrained(), 2), samples(bolt(6), bolt(7))).unwrap().size_mm == 6
    with pytest.warns(StructoutWarning, match="scripted reports no log-probabilities.*resolves a tie"):
        assert run(Vote(Constrained(), 2), samples(bolt(6), bolt(7))).unwrap().size_mm == 6
    run(BestOf(Constrained(), 2), samples(bolt(6), bolt(6)))  # no choice, and no word
    run(Vote(Constrained(), 3), samples(bolt(6), bolt(7), bolt(6)))


def test_only_the_undecided_are_sampled_on() -> None:
    model = Scripted({"clear": bolt(6), "torn": [bolt(6), bolt(7), bolt(8), bolt(6), bolt(6)]})
    clear, torn = Vote(Prompted(), n=5).run([Task("clear", SCHEMA), Task("torn", SCHEMA)], model)
    assert [len(batch) for batch in model.batches] == [6, 1, 1]
    assert (clear.usage.calls, torn.usage.calls) == (3, 5)


def test_no_two_samples_are_the_same_and_repeats_have_their_own() -> None:
    model = Scripted(bolt(1))
    for sample in (0, 1):
        task: Task[Any] = Task("x", SCHEMA, sampling=Sampling(temperature=0.3), sample=sample)
        BestOf(Vote(Prompted(), n=3), n=2).run([task], model)
    prompts = [prompt for batch in model.batches for prompt in batch]
    assert len({prompt.key() for prompt in prompts}) == len(prompts) == 8
    assert {prompt.sampling.temperature for prompt in prompts} == {0.3}


def test_a_majority_that_fits_no_schema_gives_way_to_the_answer_most_like_it() -> None:
    schema = {
        "oneOf": [
            {"properties": {"a": {"const": 1}, "b": {"const": 1}, "c": {"const": 1}}, "required": ["a"]},
            {"properties": {"a": {"const": 2}, "b": {"const": 2}, "c": {"const": 1}}, "required": ["a"]},
            {"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 2}}, "required": ["a"]},
        ]
    }
    documents: list[Json] = [{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 1}, {"a": 1, "b": 2, "c": 2}]
    result = run(Vote(Prompted(), n=3), samples(*map(json.dumps, documents)), schema)
    assert result.document in documents
    assert set(result.confidence.values()) <= {1 / 3, 2 / 3}


ANY: dict[str, Json] = {"type": "object"}


def voted(*documents: Json, n: int = 0, level: Any = "field", schema: Any = ANY) -> Result[Any]:
    return run(Vote(Prompted(), n=n or len(documents), level=level), samples(*map(json.dumps, documents)), schema)


@pytest.mark.parametrize("level", ["record", "field"])
def test_numbers_are_equal_as_in_json_schema_and_true_is_no_number(level: Any) -> None:
    assert voted({"a": 6}, {"a": 7}, {"a": 6.0}, {"a": 7}, {"a": 6.00}, level=level).confidence == {"/a": 3 / 5}
    result = voted({"a": True}, {"a": 1}, {"a": 1}, level=level)
    assert (result.document, result.confidence) == ({"a": 1}, {"/a": 2 / 3})
    assert result.document["a"] is not True  # type: ignore[index,call-overload]


def test_agreement_on_an_element_does_not_go_by_its_place() -> None:
    result = voted({"x": ["a", "b"]}, {"x": ["z", "a", "b"]}, {"x": ["a", "b"]})
    assert (result.document, result.confidence) == ({"x": ["a", "b"]}, {"/x/0": 1, "/x/1": 1})


def test_sampling_goes_on_while_the_majority_does_not_fit() -> None:
    one_or_all = {"oneOf": [{"properties": {key: {"const": k} for key in "abc"}} for k in (1, 2)]}
    torn: list[Json] = [{"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 2, "c": 2}]
    assert voted(*torn, *torn, torn[1], schema=one_or_all).document == torn[1]
    pairs = {"enum": [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, {"a": 2, "b": 3}]}
    documents: list[Json] = [{"a": 1, "b": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 2}]
    assert voted(*documents, schema=pairs).document == {"a": 1, "b": 1}


class Sized(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int
    unit: str = "mm"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def half(self) -> float:
        return self.size / 2


def test_a_default_that_nobody_wrote_is_not_in_the_document() -> None:
    schema = Schema.of(Bolt)
    found = run(Vote(Prompted(), n=3), samples(*['{"kind": "hex", "size_mm": 6}'] * 2), schema)
    assert (found.document, set(found.confidence)) == ({"kind": "hex", "size_mm": 6}, {"/kind", "/size_mm"})
    mixed = run(Vote(Prompted(), n=3), samples('{"kind": "hex", "size_mm": 6}', bolt(7, "x"), bolt(7)), schema)
    assert (mixed.document, mixed.unwrap().note) == ({"kind": "hex", "size_mm": 7, "note": None}, None)


def test_a_type_that_does_not_take_what_it_writes_can_be_voted_on() -> None:
    result = run(Vote(Prompted(), n=3), samples('{"size": 3}', '{"size": 4}', '{"size": 4}'), Schema.of(Sized))
    assert (result.unwrap().size, result.confidence) == (4, {"/size": 2 / 3})


def test_a_merged_result_has_the_places_only_of_what_it_holds() -> None:
    texts = {"a": "red", "b": "3", "c": "bolt"}, {"a": "red", "b": "4", "c": "nut"}, {"a": "big", "b": "4", "c": "bolt"}
    inner = Verify(Repair(Prompted()), Grounded(("/a", "/b", "/c")), unsure="accept")
    model = samples("```json\n" + json.dumps(texts[0]) + "\n```", *map(json.dumps, texts[1:]))
    (result,) = Vote(inner, n=3).run([Task("red big bolt or nut, 3 or 4", Schema.of(ANY))], model)
    assert result.document == {"a": "red", "b": "4", "c": "bolt"}
    assert (result.status, set(result.spans)) == ("repaired", {"/a", "/c"})


def test_what_a_verifier_that_chooses_finds_out_is_kept() -> None:
    (result,) = BestOf(Prompted(), 2, Grounded(("/a",))).run(
        [Task("a red bolt", Schema.of(ANY))], samples('{"a": "blue"}', '{"a": "red"}')
    )
    assert (result.document, result.spans) == ({"a": "red"}, {"/a": (2, 5)})
    judge = Scripted(lambda prompt: Completion("yes", logprobs=(log(0.9),)), name="judge")
    asked = run(BestOf(Prompted(), 2, Judge(judge, per_field=True)), samples(bolt(6), bolt(6)))
    assert set(asked.confidence) == {"/kind", "/size_mm"}


def test_an_answer_that_was_cut_off_is_sampled_again() -> None:
    model = Scripted(
        lambda prompt: Completion('{"kind": "he', finish_reason="length") if not prompt.sample else bolt(2)
    )
    assert run(BestOf(Prompted(), 3, "first_valid"), model).unwrap().size_mm == 2
    assert model.calls == 2


def ballots(*documents: Json) -> list[Ballot]:
    return [Ballot(document, 0.0) for document in documents]


def test_lists_are_voted_on_by_element() -> None:
    merged = merge(ballots({"x": ["a", "b", "b"]}, {"x": ["a", "b", "c", "b"]}, {"x": ["b", "d"]}))
    assert merged.document == {"x": ["a", "b", "b"]}
    assert merged.agreement == {"/x/0": 2 / 3, "/x/1": 1.0, "/x/2": 2 / 3}
    assert merged.lead == 1
    rows = merge(ballots([{"m": "VW", "y": 1}], [{"m": "VW", "y": 2}, {"m": "Audi"}], [{"m": "VW", "y": 2}]))
    assert rows.document == [{"m": "VW", "y": 2}]


@pytest.mark.parametrize(
    ("lists", "merged", "agreement"),
    [
        ([[1, 2], [1, 3], [1, 4]], [1, 2], [1, 1 / 3]),  # most have two, though not the same
        ([[{"a": 1, "q": 1}], [{"a": 1, "q": 2}], [{"a": 1, "q": 3}]], [{"a": 1, "q": 1}], [1, 1 / 3]),
        ([[{"a": 1, "q": 1}], [{"a": 1, "q": 2}], [{"a": 2, "q": 2}]], [{"a": 1, "q": 2}], [2 / 3, 2 / 3]),
        ([[7, 1, 2], [1, 8, 2], [1, 2, 9]], [1, 7, 2], [1, 1 / 3, 1]),
        ([[1, 2], [2, 1], [2, 1]], [2, 1], [1, 1]),
        ([[1], [2, 3], []], [1], [1 / 3]),
        ([[], [], [1]], [], []),
        ([["a"], []], ["a"], [1 / 2]),  # a tie goes to the first
        ([[], ["a"]], [], []),
        ([["a", "b"], ["a", "c"]], ["a", "b"], [1, 1 / 2]),
        ([[6], [7], [6.0]], [6], [2 / 3]),
    ],
)
def test_a_list_has_as_many_elements_as_most_have(lists: list[Json], merged: Json, agreement: list[float]) -> None:
    found = merge(ballots(*lists))
    assert (found.document, list(found.agreement.values())) == (merged, agreement)


def test_a_key_may_be_voted_out_and_true_is_not_one() -> None:
    assert merge(ballots({"a": 1, "b": 2}, {"a": 1}, {"a": 1})).document == {"a": 1}
    assert merge(ballots({"a": True}, {"a": 1}, {"a": 1})).document == {"a": 1}
    assert merge(ballots({"a": {"b": 1}}, {"a": {"b": 1}}, {"a": None})).document == {"a": {"b": 1}}


DOCUMENTS = nested(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from("xy"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(DOCUMENTS, st.integers(1, 4), st.lists(DOCUMENTS, max_size=3))
def test_what_all_say_comes_out_and_so_does_what_most_say(document: Any, count: int, others: list[Any]) -> None:
    assert merge(ballots(*[document] * count)) == (document, dict.fromkeys(scalars(document), 1.0), count)
    others = others[: count - 1]
    assert merge(ballots(*others, *[document] * count)).document == document


@given(st.lists(DOCUMENTS, min_size=1, max_size=5), st.lists(DOCUMENTS, max_size=3))
def test_fewer_ballots_than_the_lead_turn_nothing(documents: list[Any], more: list[Any]) -> None:
    for count in (majority, merge):
        before = count(ballots(*documents))
        after = count(ballots(*documents, *more[: max(before.lead - 1, 0)]))
        assert canonical(before.document) == canonical(after.document)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Vote(Prompted(), n=0),
        lambda: Vote(Prompted(), level="letter"),  # type: ignore[arg-type]
        lambda: Vote(Prompted(), temperature=0),
        lambda: BestOf(Prompted(), by="luck"),  # type: ignore[arg-type]
        lambda: BestOf(Prompted(), n=-1),
    ],
)
def test_what_cannot_select_is_refused_with_a_hint(build: Any) -> None:
    with pytest.raises(SpecError) as caught:
        build()
    assert caught.value.hint


def test_the_confidence_of_one_answer_is_the_probability_of_each_value() -> None:
    text = '{"kind": "hex", "size_mm": 6}'
    pieces = ['{"', "kind", '": "', "he", "x", '", "', "size_mm", '": ', "6", "}"]
    probabilities = (1, 1, 0.9, 0.5, 0.8, 1, 1, 1, 0.25, 1)
    ends = tuple(len("".join(pieces[: i + 1])) for i in range(len(pieces)))
    completion = Completion(text, logprobs=tuple(map(log, probabilities)), values=(True,) * 10, ends=ends)
    result = run(Constrained(), Scripted(lambda prompt: completion))
    assert result.confidence == pytest.approx({"/kind": 0.9 * 0.5 * 0.8, "/size_mm": 0.25})
