"""The measure of providers, on a few types: what is accepted is valid, and what a careful model means comes back."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from benchmarks.emulated.holding import fitted
from benchmarks.emulated.strict import AZURE, OPENAI
from benchmarks.providers.kinds import KINDS, Kind
from benchmarks.providers.measure import TypeReport, measured
from benchmarks.providers.report import matrix, put, written
from benchmarks.pydantic_models import CASES, Case
from structout.schema import Schema
from structout.schema.strict_form import strictified
from tests.conftest import needs

TYPES = ["union of models", "string lengths", "tuple", "dict", "defaults", "linked list"]
FEW = [case for case in CASES if case.name in TYPES]


@needs("openai", "pydantic_ai")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_kind_of_server_makes_structout_accept_an_invalid_document(kind: Kind) -> None:
    reports = measured("structout", kind, FEW)
    assert [one.invalid for one in reports.values()] == [0] * len(FEW)
    assert {name: one.right for name, one in reports.items()} == {name: one.meant for name, one in reports.items()}
    assert all(one.accepted >= one.rows - 1 for one in reports.values())  # all but the model that never heeds


@needs("openai", "pydantic_ai")
def test_strict_servers_hold_types_in_another_form() -> None:
    strict = next(kind for kind in KINDS if kind.name == "OpenAI responses, strict")
    reports = measured("structout", strict, FEW)
    assert {one.held for one in reports.values()} == {"rewritten"}
    assert {one.way for one in reports.values()} == {"format"}
    assert reports["dict"].accepted == reports["dict"].rows  # a document is forced from prose


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_strict_servers_take_the_strict_form_of_every_type(case: Case) -> None:
    contract = Schema.of(case.type).json_schema
    form = strictified(contract)
    adapter: TypeAdapter[Any] = TypeAdapter(case.type)
    for rules in (OPENAI, AZURE):
        assert rules.refusal(form.schema, "format") == ""
        for document in case.valid:
            answer = json.dumps(fitted(document, form.schema))  # what a model makes of the schema
            assert json.loads(rules.hold(form.schema, answer)) == json.loads(answer)
            read = json.dumps(form.document(json.loads(answer)))
            assert adapter.validate_json(read) == adapter.validate_json(json.dumps(document))


def test_the_report_names_what_fell_short(tmp_path: Path) -> None:
    def report(**others: Any) -> TypeReport:
        values: dict[str, Any] = {"held": "held", "way": "format", "rows": 4, "accepted": 4, "invalid": 0, "meant": 2,
                                  "right": 2, "requests": 5, "refused": 1}  # fmt: skip
        return TypeReport(**{**values, **others})

    short = report(held="validated", way="tool", right=1, reason="too | long")
    reports = {("Kind", "structout"): {"int": report(), "dict": short}, ("Kind", "peer"): {"int": report()}}
    text = written(reports, "structout 9")
    assert "| Kind | structout | 1 | 0 | 1 | 0 | format 1, tool 1 | 8 of 8 | 0 | 3 of 4 | 1.25 |" in text
    assert "| Kind | structout | 1 | dict | too \\| long |" in text
    assert "The clients: structout 9." in text
    page = tmp_path / "support.md"
    page.write_text("# Support\n<!-- made by python -m benchmarks.providers -->\nold\n<!-- end -->\nlast\n")
    put(page, matrix(reports))
    put(page, matrix(reports))
    assert page.read_text().count("| dict | validated |") == 1
    assert "old" not in page.read_text()
    assert page.read_text().endswith("<!-- end -->\nlast\n")
