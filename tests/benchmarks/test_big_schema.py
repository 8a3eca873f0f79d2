import json

import pytest

from benchmarks.big_schema import damaged, document, json_schema, pydantic_model, table
from structout import preview, repair
from structout.grammar import compile  # noqa: A004
from structout.schema import Schema

FIELDS = 400


@pytest.mark.parametrize("source", [json_schema, pydantic_model])
def test_a_schema_of_400_fields_is_asked_for_repaired_and_masked(source: object) -> None:
    schema = Schema.of(source(FIELDS))  # type: ignore[operator]
    assert schema.check(document(FIELDS)).ok
    prompt = preview("text", schema, "Prompted()").messages[0].content
    assert all(name in prompt for name in document(FIELDS))
    found = repair(damaged(FIELDS), schema)
    assert found.document == document(FIELDS)
    assert not repair(json.dumps(document(FIELDS))[:4000], schema).ok
    assert compile(schema).level == "exact" or source is pydantic_model


def test_the_page_names_the_steps_that_are_slow() -> None:
    page = table({"one": {"read": 0.5, "mask": 3.0}, "other": {"read": 0.1, "mask": 1.0}}, 7)
    assert "| mask | 3.000 | 1.000 |" in page
    assert "Slower than 2 seconds: mask (one)." in page
    assert "no step" in table({"one": {"read": 0.5}}, 7)
