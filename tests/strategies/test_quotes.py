"""Texts held to the record: what counts as quoted, and that nothing else can be sampled."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from structout import Constrained, Model, Sampling, Scripted, grammar
from structout.errors import StructoutWarning
from structout.result import Example, Task
from structout.schema import Schema
from structout.strategies.quotes import quotation, quoted_fields, quoting

WORDS = st.lists(
    st.sampled_from(["Main", "St.", "N", "#", "4-B", "(new)", "é", "a/b", "[x]", "9"]), min_size=1, max_size=9
)


class Person(BaseModel):
    name: str
    town: str | None
    role: str


class Staff(BaseModel):
    boss: Person
    others: list[Person]


EXAMPLES = (
    Example("Ada of Turin, engineer", {"name": "Ada", "town": "Turin", "role": "Engineer"}),
    Example("Bo Li, cook", {"name": "Bo Li", "town": None, "role": "Cook"}),
)


@given(WORDS, st.data())
def test_every_stretch_of_whole_words_is_a_quotation_and_no_part_of_a_word(
    words: list[str], data: st.DataObject
) -> None:
    text = "  ".join(words)
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    expression = re.compile(quotation(text))
    assert expression.match("  ".join(words[start:end]))
    assert not expression.match(f"{text} and more")
    assert not expression.match("Mai")
    assert not expression.match("")


@given(WORDS, st.data())
def test_labels_count_as_quoted_just_where_the_mask_would_admit_them(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    start = data.draw(st.integers(0, len(text)))
    value = text[start : data.draw(st.integers(start, len(text)))]
    admitted = re.fullmatch(quotation(text), value) is not None
    assert quoted_fields([Example(text, {"a": value})]) == ({"/a"} if admitted else set())


def test_a_quotation_ends_before_no_accent() -> None:
    """In NFD an accent is a character of its own."""
    expression = re.compile(quotation("Cre\u0300me bru\u0302le\u0301e"))
    assert expression.match("Cre\u0300me")
    assert not expression.match("Cre")
    assert not expression.match("\u0300me")


def test_a_long_record_has_an_expression_of_bounded_size() -> None:
    assert len(quotation("word " * 5 + " ".join(map(str, range(400))))) < 40_000


def test_a_field_counts_as_quoted_where_the_labels_say_so_to_the_letter() -> None:
    assert quoted_fields(EXAMPLES) == {"/name", "/town"}
    nested = [Example(one.text, {"boss": one.document, "others": [one.document]}) for one in EXAMPLES]
    assert quoted_fields(nested) == {"/boss/name", "/boss/town", "/others/*/name", "/others/*/town"}
    assert quoted_fields([]) == frozenset()


def test_a_schema_held_to_a_record_refuses_what_is_made_up_wherever_the_field_stands() -> None:
    held = Schema.of(quoting(Schema.of(Staff), {"/boss/name", "/others/*/town"}, "Ada of Turin"))
    ada: Any = {"name": "Ada", "town": "Paris", "role": "any"}
    bo: Any = {"name": "Bo", "town": "Turin", "role": "any"}
    assert held.check({"boss": ada, "others": [bo]}).ok
    assert not held.check({"boss": bo, "others": []}).ok
    assert not held.check({"boss": ada, "others": [ada]}).ok
    assert held.check({"boss": ada, "others": [{**bo, "town": None}]}).ok


@pytest.mark.parametrize("node", [{"enum": ["no"]}, {"format": "date"}, {"pattern": "^x+$"}, {"const": "no"}])
def test_what_the_schema_itself_says_of_a_text_stands(node: dict[str, Any]) -> None:
    schema = Schema.of({"type": "object", "properties": {"a": {"type": "string", **node}}})
    assert quoting(schema, {"/a"}, "some record") is None


def test_of_a_text_or_something_else_the_text_is_held_and_its_limits_stay() -> None:
    either = Schema.of({"type": "object", "properties": {"a": {"type": ["string", "null"], "maxLength": 6}}})
    held = quoting(either, {"/a"}, "a whole record")
    admitted = Schema.of(held)
    answers = ("whole", "record", "a", None, "other", "a whole", 1)
    assert [admitted.check({"a": answer}).ok for answer in answers] == [True, True, True, True, False, False, False]
    assert grammar.compile(either, held).level == "exact"


def test_there_is_nothing_to_hold_without_a_field_or_a_word() -> None:
    schema = Schema.of(Person)
    assert quoting(schema, set(), "Ada") is None
    assert quoting(schema, {"/name"}, " \n") is None


def test_constrained_gives_each_record_its_own_constraint() -> None:
    model = Scripted('{"name": "Ada", "town": null, "role": "x"}')
    tasks = [Task(text, Schema.of(Person), EXAMPLES) for text in ("Ada, clerk", "Eve")]
    ada, eve = Constrained(quote=True).run(tasks, model)
    assert ada.status == eve.status == "valid"  # a model that does not keep to the constraint is judged by the schema
    first, second = model.batches[0]
    assert Schema.of(first.mask).check(ada.document).ok
    assert not Schema.of(second.mask).check(eve.document).ok
    assert second.constraint is not None
    assert second.constraint.check(eve.document).ok
    assert first.key() != replace(first, mask=second.mask).key() != replace(first, mask=None).key()
    (plain,) = Constrained().run(tasks[:1], model)
    assert plain.attempts[0].prompt.constraint == Schema.of(Person)
    assert plain.attempts[0].prompt.mask is None


def test_that_nothing_says_what_is_quoted_is_noticed() -> None:
    model = Scripted('{"name": "Ada", "town": null, "role": "x"}')
    with pytest.warns(StructoutWarning, match="quote=True has no effect.*--examples"):
        Constrained(quote=True).run([Task("Ada", Schema.of(Person))], model)


def test_the_model_can_only_quote(embedded: Model) -> None:
    texts = ["Zyxon Quibble of Vlorp, baker.", "From Grimsby: Pelm Aurst (a painter)"]
    tasks = [Task(text, Schema.of(Person), EXAMPLES, Sampling(max_tokens=48)) for text in texts]
    for text, result in zip(texts, Constrained(quote=True).run(tasks, embedded), strict=True):
        document: Any = result.document
        assert document["name"] in text
        assert document["town"] is None or document["town"] in text


def test_a_held_schema_is_exact_for_the_mask() -> None:
    held = quoting(Schema.of(Person), {"/name", "/town"}, "O'Neil & Sons (U.K.), 12/3 [b] {c} \\ 100% | a+b*c? ^$")
    assert grammar.compile(Schema.of(Person), held).level == "exact"
