"""Texts that are no JSON."""

from typing import Literal

import pytest

from structout.language import Sql
from structout.parsing import repair
from structout.schema import Schema

YES_OR_NO = Schema.of(Literal["yes", "no"])
SELECT = Schema.of(Sql("CREATE TABLE t (a INT, b TEXT)"))


@pytest.mark.parametrize(
    "text", [" yes\n", "```\nyes\n```", '"yes"', "'Yes'.", "YES.", "**yes**", "Sure:\n```text\nyes\n```\n"]
)
def test_a_choice_is_taken_out_of_its_wrapping(text: str) -> None:
    repaired = repair(text, YES_OR_NO)
    assert (repaired.value, repaired.ok) == ("yes", True)
    assert repaired.edits
    assert {edit.grade for edit in repaired.edits} == {"lossless"}


@pytest.mark.parametrize(
    "text", ["yes and no", "definitely not yes", "yesterday", "", '"yes" or "no"', "```\nyes\n```\n```\nno\n```"]
)
def test_no_choice_is_found_by_guessing(text: str) -> None:
    assert not repair(text, YES_OR_NO, "any").ok


def test_a_statement_in_a_fence() -> None:
    assert repair("```sql\nSELECT a FROM t\n```", SELECT).value == "SELECT a FROM t"
    assert repair("SELECT a FROM t", SELECT).edits == ()
    assert not repair("```sql\nSELECT c FROM t\n```", SELECT).ok
