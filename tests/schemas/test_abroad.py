"""Repair, grounding, quoting and perturbations on invoices in eight languages."""

import json
import random
import re
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from structout import Dataset, Scripted, Task, repair
from structout.document import leaves
from structout.evaluation.perturbations import PERTURBATIONS, SHARED
from structout.result import Result
from structout.strategies.quotes import quoted_fields
from structout.verifiers import Grounded
from structout.verifiers.finding import SearchedText
from tests.conftest import ROOT

INVOICES = Dataset.load(ROOT / "schemas/invoices_abroad")
RECORDS = {record.key: record for record in INVOICES}
DATES = ("/issued", "/due")


def sought(document: Any) -> dict[str, Any]:
    """The leaves that a record must say."""
    return {p: v for p, v in leaves(document).items() if p != "/currency" and not isinstance(v, bool)}


def put(document: Any, place: str, value: Any) -> Any:
    """A copy of the document with another leaf."""
    changed = json.loads(json.dumps(document))
    *way, last = place.split("/")[1:]
    node = changed
    for step in way:
        node = node[int(step)] if isinstance(node, list) else node[step]
    node[last] = value
    return changed


def as_printed(text: str, place: str, value: Any) -> str:
    """A figure or a date as the record writes it."""
    searched = SearchedText(text)
    if place in DATES:
        return text[slice(*(searched.find(value).span or (0, 0)))]
    return max((text[one.start : one.end] for one in searched._numbers if one.value == value), key=len)


@pytest.mark.parametrize("key", RECORDS)
def test_no_right_leaf_is_refused(key: str) -> None:
    record = RECORDS[key]
    task: Task[Any] = Task(record.text, INVOICES.schema)
    result: Result[Any] = Result("valid", document=record.written)
    (verdict,) = Grounded().check([task], [result], Scripted("{}"))
    assert verdict.issues == ()
    assert verdict.decision == "accept"


def test_names_and_dates_that_were_made_up_are_refused() -> None:
    tried = 0
    records = list(INVOICES)
    for at, record in enumerate(records):
        text = SearchedText(record.text)
        for place, value in sought(record.written).items():
            if place in DATES:
                day = date.fromisoformat(value)
                made_up: list[Any] = [(day + timedelta(days=days)).isoformat() for days in (1, 31, 366)]
            else:
                others = [leaves(records[(at + step) % len(records)].written).get(place) for step in (7, 8, 9, 16)]
                made_up = [one for one in others if isinstance(one, str) and isinstance(value, str)]
            for one in made_up:
                if one not in record.text and one not in leaves(record.written).values():
                    tried += 1
                    assert text.find(one, 0.9).score < 0.9, (record.key, place, one)
    assert tried > 900


def test_figures_that_were_made_up_are_refused() -> None:
    for record in INVOICES:
        text = SearchedText(record.text)
        said = {one.value for one in text._numbers}
        for value in sought(record.written).values():
            if isinstance(value, float | int):
                assert text.find(value + 0.37).score == (value + 0.37 in said)


def test_a_figure_or_a_date_as_printed_is_read_rightly_or_not_at_all() -> None:
    count: Counter[str] = Counter()
    for record in INVOICES:
        for place, value in sought(record.written).items():
            if isinstance(value, str) and place not in DATES:
                continue
            said = as_printed(record.text, place, value)
            found = repair(json.dumps(put(record.written, place, said), ensure_ascii=False), INVOICES.schema)
            right = found.ok and leaves(found.document).get(place) == value
            # A point before three digits is a decimal point, as in JSON, unless another number shows that it is not.
            if found.ok and not right:
                assert re.fullmatch(r"[0-9]{1,3}\.[0-9]{3}", said), (record.key, place, said)
            count["right" if right else "wrong" if found.ok else "refused"] += 1
    assert count["right"] >= 340
    assert count["wrong"] <= 1


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("1.234,56", 1234.56),
        ("1\u202f234,56", 1234.56),
        ("1 234.56", 1234.56),
        ("1'234.50", 1234.5),
        ("1,23,456.00", 123456),
        ("١٢٫٥٠", 12.5),
        ("٤٬٧٥٥٫٠٠", 4755),
        ("١٬١٥٠", 1150),
        ("१,९२५.००", 1925),
        ("４２．００", 42),
        ("１，４７０．００", 1470),
        ("￥1,470.00", 1470),
    ],
)
def test_numbers_of_other_scripts_are_read(said: str, value: float) -> None:
    found = repair(json.dumps({"currency": "JPY", "total": said}, ensure_ascii=False), INVOICES.schema)
    assert found.ok, found.issues
    assert found.document == {"currency": "JPY", "total": value}


@pytest.mark.parametrize("said", ["1.234", "12,50", "1,234", "１，４７０"])
def test_a_sign_that_may_mark_thousands_or_decimals_is_ambiguous(said: str) -> None:
    answer = {"lines": [{"description": "x", "amount": "2.345,60"}], "total": said}
    found = repair(json.dumps(answer, ensure_ascii=False), INVOICES.schema)
    assert "ambiguous" in [issue.kind for issue in found.issues]


@pytest.mark.parametrize(
    ("said", "currency"),
    [
        ("₹1,23,456.00", "INR"), ("1.234,50 zł", "PLN"), ("1.234,50 TL", "TRY"), ("₺1.234,50", "TRY"),
        ("￥1,234.50", "CNY"), ("1,234.50元", "CNY"), ("NT$1,234.50", "TWD"), ("٤٥٫٠٠ ر.س", "SAR"),
        ("१,२३४.५० रुपये", "INR"), ("Rs. 1,234.50", "INR"), ("1'234.50 Fr.", "CHF"), ("US$1,234.50", "USD"),
    ],
)  # fmt: skip
def test_an_amount_keeps_its_sign_only_if_the_currency_is_the_same(said: str, currency: str) -> None:
    assert repair(json.dumps({"currency": currency, "total": said}), INVOICES.schema).ok
    other = "EGP"
    found = repair(json.dumps({"currency": other, "total": said}), INVOICES.schema)
    assert "ambiguous" in [issue.kind for issue in found.issues]


@pytest.mark.parametrize("name", sorted(set(PERTURBATIONS) - set(SHARED)))
def test_what_is_copied_from_a_record_survives_every_perturbation(name: str) -> None:
    for record in INVOICES:
        task: Task[Any] = Task(record.text, INVOICES.schema)
        done = PERTURBATIONS[name](task, record.written, random.Random(record.key))
        if done is None:
            continue
        assert done.text != record.text
        for place, value in sought(record.written).items():
            if isinstance(value, str) and value in record.text:
                assert value in done.text, (record.key, place)
            elif not isinstance(value, str):
                assert SearchedText(done.text).find(value).score == 1, (record.key, place)


def test_every_text_of_a_label_can_be_quoted() -> None:
    quoted = quoted_fields(INVOICES.examples, 1.0)
    assert quoted >= {"/number", "/seller", "/buyer", "/lines/*/description"}
