"""The tasks of schemas/: each loads, is filled, and its labels keep the rules that a program can check."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from structout import Dataset
from tests.conftest import ROOT

FOLDERS = sorted(file.parent for file in (ROOT / "schemas").glob("*/records.jsonl"))
TASKS = {folder.name: Dataset.load(folder) for folder in FOLDERS}
# Fields whose value is a stretch of the text, but for case.
VERBATIM = {
    "parts": ["/part_numbers/*"],
    "invoices": ["/number", "/seller", "/buyer", "/lines/*/description"],
    "invoices_abroad": ["/number", "/seller", "/buyer", "/lines/*/description"],
    "tickets": ["/customer", "/email", "/phone", "/order_numbers/*", "/products/*"],
    "events": ["/title", "/location", "/link"],
    "recipes": ["/title", "/ingredients/*/name"],
    "statements": ["/number", "/lines/*/code"],
}
LONG = TASKS["statements"]  # few and long
SHORT = {name: task for name, task in TASKS.items() if task is not LONG}
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{place}/{key}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, f"{place}/*")
    elif node is not None:
        yield place, node


def enums(schema: Any) -> Iterator[list[str]]:
    if isinstance(schema, dict):
        if "enum" in schema:
            yield schema["enum"]
        for value in schema.values():
            yield from enums(value)


def test_there_are_eight() -> None:
    assert set(SHORT) == {"parts", "invoices", "invoices_abroad", "tickets", "events", "recipes", "queries"}
    assert {folder.name for folder in (ROOT / "schemas").iterdir() if folder.is_dir()} == set(TASKS)


@pytest.mark.parametrize("task", SHORT.values(), ids=SHORT)
def test_its_splits_are_filled_and_its_texts_short(task: Dataset) -> None:
    counts = Counter(record.split for record in task)
    assert len(task) >= 64
    assert counts["train"] == len(task) // 2
    assert counts["dev"] == counts["test"] == len(task) // 4
    assert max(len(record.text.split()) for record in task) <= 120


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_no_two_records_are_alike(task: Dataset) -> None:
    texts = [re.findall(r"\w+", record.text.casefold()) for record in task]
    triples = [set(zip(words, words[1:], words[2:], strict=False)) for words in texts]
    assert len({" ".join(words) for words in texts}) == len(task), "what stands twice leaks from train into test"
    for place, one in enumerate(triples):
        for other in triples[:place]:
            assert len(one & other) <= 0.5 * min(len(one), len(other)) or len(one) < 4, (one, other)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_what_is_verbatim_stands_in_the_text(task: Dataset) -> None:
    for record in task:
        text = " ".join(record.text.casefold().split())
        for place, value in leaves(record.expected):
            if place in VERBATIM.get(task.name, ()):
                assert value.casefold() in text, (record.key, place, value)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_labels_leave_out_defaults_and_use_every_choice(task: Dataset) -> None:
    adapter = task.schema.adapter
    if adapter is None:
        return
    used = set()
    for record in task:
        value = adapter.validate_python(record.expected)
        assert adapter.dump_python(value, mode="json", exclude_defaults=True) == record.written, record.key
        used |= {leaf for _, leaf in leaves(record.expected) if isinstance(leaf, str)}
    assert not [choice for choices in enums(task.schema.json_schema) for choice in choices if choice not in used]


@pytest.mark.parametrize("folder", FOLDERS, ids=TASKS)
def test_it_says_how_it_is_labelled_and_compared(folder: Any) -> None:
    words = (folder / "README.md").read_text(encoding="utf-8")
    assert "## How a record is labelled" in words
    declared = folder / "comparison.json"
    if declared.is_file():
        assert "comparison.json" in words
        there = {place for record in TASKS[folder.name] for place, _ in leaves(record.expected)}
        assert set(json.loads(declared.read_text(encoding="utf-8"))) <= there


def test_parts_are_labelled_with_what_their_texts_say() -> None:
    noise, figures = str.maketrans("01l", "oii"), str.maketrans("OoIl", "0011")
    typos = {"Corolla": "CORROLA"}
    for record in TASKS["parts"]:
        part: Any = record.expected
        read, dates = record.text.casefold().translate(noise), f"{record.text} {record.text.translate(figures)}"
        place = 0
        for number in part["part_numbers"]:
            place = record.text.index(number, place)
        models = [vehicle["model"] for vehicle in part["fitment"] if vehicle["model"]]
        for model in models:
            said = {model.casefold().translate(noise), typos.get(model, model).casefold().translate(noise)}
            assert any(one in read for one in said), (record.key, model)
        for year in {vehicle[end] for vehicle in part["fitment"] for end in ("year_from", "year_to")} - {None}:
            assert re.search(rf"(?<!\d)({year}|{year % 100:02})(?!\d)", dates), (record.key, year)
        assert all((one["year_from"] or 0) <= (one["year_to"] or 9999) for one in part["fitment"]), record.key
        vehicles = [(vehicle["make"], vehicle["model"]) for vehicle in part["fitment"]]
        assert len({*vehicles}) == len(vehicles), record.key
        assert part["name"] == " ".join(part["name"].casefold().split()), record.key


def test_statements_say_by_themselves_whether_a_line_is_missing() -> None:
    assert len(LONG) == 12
    checked = 0
    for record in LONG:
        statement: Any = record.expected
        assert LONG.schema.check(statement).ok
        assert 8 <= len(statement["lines"]) <= 20
        checked += statement["count"] is not None
        for line in statement["lines"]:
            less = [one for one in statement["lines"] if one is not line]
            assert line["amount"] == 0 or not LONG.schema.check({**statement, "lines": less}).ok
            assert all(word in record.text for word in line["text"].split()), (record.key, line)
    assert checked >= 8
    assert sum("\f" in record.text for record in LONG) >= 5


def test_an_invoice_cannot_hide_that_it_does_not_add_up() -> None:
    schema = TASKS["invoices"].schema
    flagged = checked = 0
    for record in TASKS["invoices"]:
        invoice: Any = record.expected
        flagged += not invoice["adds_up"]
        assert not schema.check({**invoice, "adds_up": not invoice["adds_up"]}).ok, record.key
        if invoice["adds_up"] and isinstance(invoice["total"], float):
            checked += not schema.check({**invoice, "total": invoice["total"] + 0.5}).ok
    assert flagged >= 8
    assert checked >= 50, "for most invoices the total follows from the rest"


def test_events_lie_where_a_calendar_has_them() -> None:
    weekdays, months = "|".join(DAYS), "|".join(MONTHS)
    named = re.compile(
        rf"\b({weekdays})[a-z]*\.?,? (?:the )?(\d+)(?:st|nd|rd|th)? ({months})[a-z]*\.?,? (\d{{4}})", re.IGNORECASE
    )
    seen = 0
    for record in TASKS["events"]:
        expected: Any = record.expected
        event = {key: value for key, value in expected.items() if value is not None}
        assert re.search(r"\b202\d\b", record.text), "no day of reference"
        assert event["day"] < event.get("last_day", "9")
        assert event.get("reply_by", "") <= event["day"]
        if "last_day" not in event:
            assert event.get("time", "00:00") < event.get("end_time", "99")
        for weekday, day, month, year in named.findall(record.text):
            found = date(int(year), MONTHS.index(month.lower()) + 1, int(day))
            assert DAYS[found.weekday()] == weekday.lower(), record.text
            seen += 1
    assert seen >= 30


def test_tickets_keep_the_rules_between_their_labels() -> None:
    for record in TASKS["tickets"]:
        ticket: Any = record.expected
        if ticket["contacted_before"]:
            assert ticket["priority"] in ("high", "urgent"), record.key
        if ticket["category"] == "other":
            assert ticket["priority"] == "low", record.key
        if ticket["priority"] == "low":
            assert ticket["category"] in ("product_question", "feedback", "other"), record.key
        if ticket["category"] == "feedback":
            assert ticket["wish"] == "nothing", record.key
