"""Texts that are no JSON: what counts as one, and what their grammars admit."""

from typing import Any, Literal

import pytest

from structout.errors import SchemaError
from structout.grammar import Vocabulary, compile  # noqa: A004
from structout.language import Choice, Lark, Regex, Sql
from structout.models import Scripted
from structout.result import Example, Task
from structout.schema import Schema
from structout.strategies import Constrained, Prompted, Strategy
from tests.grammar.conftest import Walk

DDL = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, "order" INT);
CREATE TABLE pet (id INT, owner INT REFERENCES person, kind TEXT);
CREATE TABLE "odd name" (x);
"""
SUM = 'start: expr\nexpr: NUM | "(" expr "+" expr ")"\nNUM: /[0-9]{1,3}/'


@pytest.mark.parametrize(
    ("source", "good", "bad"),
    [
        (Literal["yes", "no"], ["yes", "no"], ["maybe", '"yes"', "yes ", ""]),
        (Regex(r"\d{3}-[A-Z]+"), ["123-AB"], ["x123-AB", "123-AB\n", "12-A", "١٢٣-AB"]),
        (Lark(SUM), ["1", "(1+(2+3))"], ["", "(1+2", "1+2"]),
        (
            Sql(DDL),
            ["SELECT name FROM person", "select count(*) from pet where kind = 'cat'", 'SELECT "order" FROM person'],
            ["SELECT nme FROM person", "DELETE FROM person", "SELECT 1; SELECT 2", "DROP TABLE pet", "",
             "SELECT * FROM sqlite_master", "PRAGMA table_info(pet)", "ATTACH 'x' AS y",
             "SELECT load_extension('x')"],
        ),
    ],
    ids=["choice", "regex", "lark", "sql"],
)  # fmt: skip
def test_texts_are_judged_to_the_letter(source: Any, good: list[str], bad: list[str]) -> None:
    schema = Schema.of(source)
    for text in good:
        checked = schema.check_text(text)
        assert checked.ok, checked.issues
        assert checked.value == text
    for text in bad:
        assert not schema.check_text(text).ok, text


@pytest.mark.parametrize("source", [Literal["yes", "no"], Regex(r"\d{3}-[A-Z]{2}"), Lark(SUM), Sql(DDL)], ids=str)
def test_their_grammars_admit_only_their_texts(source: Any, walk: Walk, vocabulary: Vocabulary) -> None:
    schema = Schema.of(source)
    grammar = compile(schema)
    shortest = grammar.shortest(vocabulary)
    assert shortest is not None
    for seed in range(8):
        matcher, text, tokens = walk(grammar, 2 * len(shortest) + 3 * seed, seed)
        assert matcher.may_stop
        assert tokens <= 2 * len(shortest) + 3 * seed
        assert schema.check_text(text).ok, text


def test_a_query_names_only_what_is_there(vocabulary: Vocabulary) -> None:
    matcher = compile(Schema.of(Sql(DDL))).matcher(vocabulary)
    for text in ("SELECT name FROM pet", "SELECT price FROM person", "DELETE", "SELECT name FROM persons"):
        fresh = matcher.copy()
        tokens = vocabulary.encode(text)
        assert fresh.try_advance(tokens) < len(tokens) or not fresh.may_stop
    for text in (
        "SELECT owner, COUNT(*) FROM pet WHERE kind = 'cat' GROUP BY owner ORDER BY COUNT(*) DESC",
        "SELECT COUNT(*) FROM pet WHERE kind = 'cat'",
        "SELECT COUNT(DISTINCT owner) FROM pet",
        "SELECT COUNT(*) FROM pet JOIN person ON pet.owner = person.id WHERE person.name LIKE 'A%'",
        "SELECT name FROM person WHERE id NOT IN (SELECT owner FROM pet WHERE kind NOT LIKE '%cat%')",
    ):
        fresh = matcher.copy()
        tokens = vocabulary.encode(text)
        assert fresh.try_advance(tokens) == len(tokens), text
        assert fresh.may_stop


def test_a_literal_of_other_values_stays_json() -> None:
    assert Schema.of(Literal["a", 1]).language is None
    assert Schema.of(Literal["a", 1]).check_text('"a"').ok


def test_languages_differ_in_their_fingerprint() -> None:
    sources: list[Any] = [Regex("a"), Regex("b"), Sql("CREATE TABLE a (x)"), Sql("CREATE TABLE a (y)")]
    assert len({Schema.of(source).fingerprint() for source in sources}) == len(sources)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Regex("(?=a)b("),
        lambda: Lark("start: nothing"),
        lambda: Sql("SELECT 1"),
        lambda: Sql("CREATE TABLE"),
        lambda: Sql("ATTACH 'x.db' AS x; CREATE TABLE t (a)"),
        lambda: Choice(()),
    ],
)
def test_what_is_no_language_is_refused(make: Any) -> None:
    with pytest.raises(SchemaError):
        make()


@pytest.mark.parametrize("strategy", [Prompted(), Constrained()], ids=["prompted", "constrained"])
@pytest.mark.parametrize(
    ("source", "answer", "wrong"),
    [(Literal["yes", "no"], "yes", "Yes!"), (Sql(DDL), "SELECT name FROM person", "SELECT nme FROM person")],
    ids=["choice", "sql"],
)
def test_both_ways_of_asking_are_verified(strategy: Strategy, source: Any, answer: str, wrong: str) -> None:
    examples = (Example("Who?", answer),)
    tasks = [Task(text, Schema.of(source), examples) for text in ("Who has a cat?", "Who else?")]
    model = Scripted(lambda prompt: wrong if "else" in prompt.messages[-1].content else answer)
    right, refused = strategy.run(tasks, model)
    assert (right.status, right.value) == ("valid", answer)
    assert (refused.status, refused.value) == ("invalid", None)
    system = right.attempts[0].prompt.messages[0].content
    assert tasks[0].schema.language is not None
    assert tasks[0].schema.language.hint in system
    assert "JSON" not in system
