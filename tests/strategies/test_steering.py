"""What the token limit had written is told in the result, and can be set aside."""

from collections.abc import Sequence
from typing import Any

import pytest

from structout.completion import Completion, Prompt, Sampling
from structout.errors import SpecError
from structout.models import Model
from structout.parsing import Policy
from structout.result import Task
from structout.schema import Schema
from structout.strategies import Cascade, Constrained, Reask, Repair, Strategy, load_strategy, spec

TAGS = Schema.of({"type": "array", "items": {"type": "string"}})
KIND = Schema.of({"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"]})


class Steered:
    """A model whose answer was steered."""

    name = "steered"

    def __init__(self, text: str, *spans: tuple[int, int]) -> None:
        self.text, self.spans, self.asked = text, spans, 0

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.asked += len(prompts)
        return [Completion(self.text, steered=self.spans) for _ in prompts]


@pytest.mark.parametrize(
    ("schema", "text", "written", "grade"),
    [
        (TAGS, '["a word"]', '"]', "lossy"),
        (TAGS, '["a", "b\\"c"]', '"]', "lossy"),
        (TAGS, '["a", "b"]', '", "', "lossy"),
        (TAGS, '["a", ""]', '""', "invented"),
        (TAGS, '["word"]', "word", "invented"),
        (KIND, '{"kind": "b"}', "b", "invented"),
        (KIND, '{"kind": "b"}', "", "lossy"),
        (Schema.of({"type": "integer"}), "12", "2", "invented"),
    ],
)
def test_what_was_steered_is_an_edit_with_a_grade(schema: Schema[Any], text: str, written: str, grade: str) -> None:
    start = text.index(written) if written else len(text)
    model = Steered(text, (start, start + len(written)))
    (result,) = Constrained().run([Task("x", schema)], model)
    assert result.status == "valid"
    assert [(edit.kind, edit.grade, edit.where, edit.after) for edit in result.edits] == [
        ("steered", grade, start, written)
    ]


@pytest.mark.parametrize(
    ("steering", "lossy", "invented"),
    [("any", "valid", "valid"), ("lossy", "valid", "truncated"), ("lossless", "truncated", "truncated")],
)
def test_the_policy_sets_steered_records_aside(steering: Policy, lossy: str, invented: str) -> None:
    way = Constrained(steering=steering)
    for wanted, model in ((lossy, Steered('["a"]', (3, 5))), (invented, Steered('["a"]', (2, 5)))):
        (result,) = way.run([Task("x", TAGS)], model)
        assert result.status == wanted
        assert (result.value is None) is (wanted == "truncated")
        assert result.document == ["a"]
        assert result.edits


@pytest.mark.parametrize(
    "wrap", [Repair, lambda inner: Repair(inner, policy="any"), Reask], ids=["repair", "any", "re"]
)
def test_what_was_set_aside_stays_aside(wrap: Any) -> None:
    model = Steered('["a"]', (3, 5))
    (result,) = wrap(Constrained(steering="lossless")).run([Task("x", TAGS)], model)
    assert result.status == "truncated"
    assert model.asked == 1


def test_a_cascade_goes_on_to_its_next_stage() -> None:
    model = Steered('["a"]', (3, 5))
    stages: list[Strategy] = [Constrained(steering="lossless"), Constrained(max_tokens=9)]
    (result,) = Cascade(*stages).run([Task("x", TAGS)], model)
    assert result.status == "valid"
    assert len(result.attempts) == 2


def test_it_can_be_written_and_must_be_a_policy() -> None:
    way = Constrained(steering="lossy")
    assert load_strategy(spec(way)) == way
    with pytest.raises(SpecError, match=r"invalid steering: got .*, expected 'lossless' or 'lossy' or 'any'"):
        load_strategy('Constrained(steering="some")')


def test_the_embedded_model_says_where_it_was_steered(embedded: Model) -> None:
    schema = Schema.of(
        {
            "type": "object",
            "properties": {"title": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["title", "n"],
            "additionalProperties": False,
        }
    )
    task: Task[Any] = Task("Write a long story about a farm.", schema, sampling=Sampling(max_tokens=14))
    (result,) = Constrained().run([task], embedded)
    assert result.status == "valid"
    assert result.edits
    for edit in result.edits:
        assert isinstance(edit.where, int)
        assert result.text[edit.where :].startswith(edit.after)
    (aside,) = Constrained(steering="lossless").run([task], embedded)
    assert (aside.status, aside.text) == ("truncated", result.text)
