"""Sets: Python keeps no order of their members, and a document does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretStr, StringConstraints

from structout import Dataset, Schema
from structout.schema.written import is_set

_ORDER = """
from pydantic import BaseModel
from structout import Schema

class Tagged(BaseModel):
    tags: set[str]

schema = Schema.of(Tagged)
read = schema.check({"tags": ["nut", "bolt", "rod", "pin"]})
print(schema.written(read), schema.dump(read.value))
"""


class Login(BaseModel):
    model_config = ConfigDict(frozen=True)

    user: Annotated[str, StringConstraints(to_lower=True)]
    word: SecretStr
    level: int = 1


class Site(BaseModel):
    logins: frozenset[Login] = frozenset()
    names: set[Annotated[str, StringConstraints(strip_whitespace=True)]] = set()


class Both(BaseModel):
    numbers: set[int]
    texts: set[str] | None


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_each_process_writes_a_set_in_the_same_order(seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run(
        [sys.executable, "-c", _ORDER], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert told.split("} ")[0] == "{'tags': ['nut', 'bolt', 'rod', 'pin']"
    assert told.split("} ")[1] == "{'tags': ['bolt', 'nut', 'pin', 'rod']}\n"


@given(st.sets(st.integers()), st.none() | st.sets(st.text()), st.randoms())
def test_the_members_are_written_in_the_order_of_the_document(numbers: set[int], texts: Any, chance: Any) -> None:
    schema = Schema.of(Both)
    shuffled = [chance.sample(sorted(one), len(one)) if one is not None else None for one in (numbers, texts)]
    document: Any = dict(zip(("numbers", "texts"), shuffled, strict=True))
    assert schema.written(schema.check(document)) == document


def test_each_member_keeps_what_pydantic_hides() -> None:
    schema = Schema.of(Site)
    logins: Any = [{"user": user, "word": f"word of {user}"} for user in ("eve", "bob", "al", "zoe")]
    written: Any = schema.written(schema.check({"logins": logins, "names": ["b ", "a "]}))
    assert written == {"logins": [{**one, "level": 1} for one in logins], "names": ["b", "a"]}


def test_members_that_cannot_be_told_apart_stay_as_they_were_read() -> None:
    logins: Any = [{"user": user, "word": f"word of {user}"} for user in ("EVE", "Bob", "Al", "Zoe")]
    schema = Schema.of(Site)
    assert schema.written(schema.check({"logins": logins})) == {"logins": logins, "names": []}


def test_many_members_that_are_read_as_something_else_stay_as_they_are() -> None:
    schema = Schema.of(Site)
    names: list[Any] = [f" {n}" for n in range(400)]
    assert schema.written(schema.check({"names": names})) == {"logins": [], "names": names}


def test_an_example_keeps_the_order_of_its_label(tmp_path: Path) -> None:
    expected: Any = {"numbers": [3, 1, 2], "texts": ["y", "x"]}
    (tmp_path / "records.jsonl").write_text(json.dumps({"text": "a", "expected": expected}))
    assert Dataset.load(tmp_path / "records.jsonl", Both).records[0].expected == expected


def test_a_tuple_is_no_set() -> None:
    assert not is_set({"type": "array", "prefixItems": [{}, {}], "uniqueItems": True})
    assert is_set({"type": "array", "uniqueItems": True})
