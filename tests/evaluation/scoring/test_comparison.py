import json
import unicodedata
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from structout import DataError, Dataset, Schema
from structout.evaluation.scoring.comparison import Compare, Comparison
from structout.evaluation.scoring.score import score
from structout.prompts import render
from tests.bolt import Bolt
from tests.conftest import ROOT


class Line(BaseModel):
    item: Annotated[str, Compare("case_insensitive")]
    price: Annotated[float, Compare("numeric", tolerance=0.01)]


class Order(BaseModel):
    kind: Literal["a", "b"] = "a"
    buyer: Annotated[str, Compare("fuzzy", threshold=0.8)]
    day: Annotated[str, Compare("date")]
    tags: Annotated[list[str], Compare("set")] = []
    lines: Annotated[list[Line], Compare("set")] = []
    note: Annotated[str | None, Compare("ignore")] = None


GOLD: Any = {
    "buyer": "Anna Schmidt",
    "day": "2024-03-05",
    "tags": ["x", "y"],
    "lines": [{"item": "Nut", "price": 2}, {"item": "Bolt", "price": 1.5}],
    "note": "n",
}


def test_marks_in_a_type_say_how_its_leaves_are_compared() -> None:
    rules = Comparison.of(Schema.of(Order))
    answer: Any = {
        "buyer": "anna schmid",
        "day": "5 March 2024",
        "tags": ["y", "x"],
        "lines": [{"item": "BOLT", "price": 1.509}, {"item": "nut", "price": 2}],
        "note": "whatever",
    }
    assert score(GOLD, answer, rules).all_right
    assert not score(GOLD, answer).all_right
    wrong = score(GOLD, {**answer, "buyer": "Bert", "day": "2024-03-06", "tags": ["x", "z"]}, rules)
    assert [(leaf.field, leaf.verdict) for leaf in wrong.found if leaf.verdict != "right"] == [
        ("/buyer", "wrong value"),
        ("/day", "wrong value"),
        ("/tags/*", "wrong value"),
    ]
    assert rules.closed == {"/kind"}
    assert Comparison.from_json(json.loads(json.dumps(rules.to_json()))) == rules


def test_marks_are_no_part_of_the_contract() -> None:
    class Plain(BaseModel):
        name: str

    class Marked(BaseModel):
        name: Annotated[str, Compare("fuzzy")]

    Marked.__name__ = Marked.__qualname__ = "Plain"
    plain, marked = Schema.of(Plain), Schema.of({**Marked.model_json_schema(), "title": "Plain"})
    assert marked.json_schema == plain.json_schema
    assert marked.fingerprint() == Schema.of(plain.json_schema).fingerprint()
    assert "x-compare" not in render(Schema.of(Order), "json_schema")
    named: Any = {"type": "object", "properties": {"x-compare": {"type": "string"}}}
    assert Schema.of(named).json_schema == named


@pytest.mark.parametrize(
    ("rule", "expected", "answer", "same"),
    [
        (Compare("numeric", tolerance=0.1), 10, 10.1, True),
        (Compare("numeric", tolerance=0.1), 10, 10.11, False),
        (Compare("numeric", tolerance=0.1, relative=True), 10, 11, True),
        (Compare("numeric"), 1, True, False),
        (Compare("numeric", tolerance=5), 1, "1", False),
        (Compare("numeric"), "57.10", "57.1", True),
        (Compare("numeric"), "57.10", "57.01", False),
        (Compare("numeric", tolerance=0.1), "57.1", "57.15", True),
        (Compare("numeric"), "1.10 kg", "1.1 kg", False),
        (Compare("date"), "2024-03-05T10:00:00", "2024-03-05", True),
        (Compare("date"), "soon", "soon", True),
        (Compare("fuzzy", threshold=0.5), "abcd", "abxy", True),
        (Compare("case_insensitive"), "Straße", "STRASSE", True),
        (Compare("exact"), [1, {"a": None}], [1.0, {}], True),
        (Compare("exact"), [1, 2], [2, 1], False),
        (Compare("execution", tables="CREATE TABLE t (a INT)"), "SELECT a FROM t", "SELECT t.a FROM t", True),
        (Compare("execution", tables="CREATE TABLE t (a INT)"), "SELECT a FROM t", "SELECT a, a FROM t", True),
        (Compare("execution", tables="CREATE TABLE t (a INT)"), "SELECT a FROM t", "DROP TABLE t", False),
    ],
)
def test_each_comparison(rule: Compare, expected: Any, answer: Any, same: bool) -> None:
    assert rule.same(expected, answer) is same


def test_a_list_that_is_compared_as_a_whole_is_one_leaf() -> None:
    rules = Comparison({"/tags": Compare("exact"), "/*/x": Compare("ignore")})
    found = score({"tags": ["a", "b"], "p": {"x": 1, "y": 2}}, {"tags": ["a"], "p": {"x": 9, "y": 2}}, rules)
    assert [(leaf.field, leaf.verdict) for leaf in found.found] == [("/tags", "wrong value"), ("/p/y", "right")]


def test_sets_pair_what_fits_best_and_count_each_place_once() -> None:
    rules = Comparison({"": Compare("set")})
    one: Any = [{"a": 1, "b": 1}, {"a": 2, "b": 2}]
    assert score(one, [{"a": 2, "b": 9}, {"a": 1, "b": 1}], rules).right == 3
    assert score(one, [], rules).leaves == 4
    assert score(["a", "b"], ["b"], rules).right == 1
    assert score(["a"], ["b", "c", "a"], rules).right == 1
    assert score(["a"], ["b", "c", "a"], rules).leaves == 3


@given(st.lists(st.integers(0, 5), max_size=6).flatmap(lambda one: st.tuples(st.just(one), st.permutations(one))))
def test_the_order_of_a_set_does_not_matter(pair: tuple[Any, Any]) -> None:
    assert score(pair[0], list(pair[1]), Comparison({"": Compare("set")})).all_right


class Tagged(BaseModel):
    tags: set[str] | None
    steps: list[str]


def test_a_set_of_pydantic_is_compared_in_any_order() -> None:
    rules = Comparison.of(Schema.of(Tagged))
    expected: Any = {"tags": ["x", "y"], "steps": ["cut", "drill"]}
    assert score(expected, {**expected, "tags": ["y", "x"]}, rules).all_right
    assert not score(expected, {**expected, "steps": ["drill", "cut"]}, rules).all_right


def test_a_data_set_says_how_it_is_compared(tmp_path: Path) -> None:
    (tmp_path / "bolts.jsonl").write_text('{"text": "M6", "expected": {"kind": "hex", "size_mm": 6}}')
    (tmp_path / "comparison.json").write_text('{"/size_mm": {"by": "numeric", "tolerance": 0.5}}')
    rules = Dataset.load(tmp_path / "bolts.jsonl", Bolt).comparison
    assert rules is not None
    assert rules.places == {"/size_mm": Compare("numeric", tolerance=0.5)}
    assert rules.closed == {"/kind"}
    for written in ("[]", "{", '{"/a": "nearly"}', '{"/a": {"tolerance": 1}}', '{"/a": {"by": "fuzzy", "x": 1}}'):
        (tmp_path / "comparison.json").write_text(written)
        with pytest.raises(DataError) as caught:
            Dataset.load(tmp_path / "bolts.jsonl", Bolt)
        assert caught.value.hint


def test_queries_are_scored_by_what_they_return() -> None:
    queries = Dataset.load(ROOT / "schemas/queries")
    assert queries.comparison is not None
    first = queries.records[0]
    assert score(first.expected, "SELECT COUNT(id) FROM members", queries.comparison).all_right
    assert not score(first.expected, "SELECT COUNT(*) FROM tools", queries.comparison).all_right


@pytest.mark.parametrize("by", ["exact", "case_insensitive", "fuzzy", "date"])
def test_the_encoding_of_accents_makes_no_difference(by: Any) -> None:
    name = "Crêperie de l'Étang, Łódź"
    assert Compare(by).same(name, unicodedata.normalize("NFD", name))
    assert Compare(by).same([name], [unicodedata.normalize("NFD", name)])
    assert not Compare("exact").same("Étang", "Etang")
    assert not Compare("exact").same("ガス", "カス")


@pytest.mark.parametrize(
    ("one", "other"),
    [("YILDIZ TİCARET", "Yıldız Ticaret"), ("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("I", "ı"), ("İ", "i")],
)
def test_case_is_ignored_in_every_alphabet(one: str, other: str) -> None:
    assert Compare("case_insensitive").same(one, other)
    assert not Compare("exact").same(one, other)


def test_width_makes_no_difference_where_texts_need_only_be_alike() -> None:
    assert Compare("fuzzy", threshold=1).same("株式会社ABC 12", "株式会社ＡＢＣ　１２")
    assert not Compare("case_insensitive").same("ABC", "ＡＢＣ")


@pytest.mark.parametrize(
    "said", ["12. März 2024", "1er décembre 2024", "令和6年3月12日", "١٢ مارس ٢٠٢٤", "12 मार्च 2024"]
)
def test_a_day_may_be_written_as_in_its_language(said: str) -> None:
    day = "2024-12-01" if "déc" in said else "2024-03-12"
    assert Compare("date").same(day, said)
    assert not Compare("date").same("2024-03-13", said)


class Priced(BaseModel):
    price: Decimal
    fee: Annotated[Decimal | None, Field(max_digits=8, decimal_places=2)] = None
    number: str


def test_decimals_are_compared_as_numbers_and_texts_as_texts() -> None:
    expected: Any = {"price": "57.10", "fee": "1.50", "number": "1.10"}
    comparison = Comparison.of(Schema.of(Priced))
    assert score(expected, {"price": "57.1", "fee": "1.5", "number": "1.10"}, comparison).all_right
    assert score(expected, {"price": "57.01", "fee": "1.5", "number": "1.1"}, comparison).right == 1
