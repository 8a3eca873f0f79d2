"""Records of windows merged into one: what is joined, and what is a conflict."""

import json
import re
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from structout import (
    Prompt,
    Prompted,
    Scripted,
    Vote,
)
from tests.strategies.long_orders import (
    TITLES,
    Line,
    document_of,
    order,
    plain,
    reader,
    record,
    rows,
    run,
    windowed,
)


def test_equal_rows_are_kept_and_a_row_that_two_windows_show_counts_once() -> None:
    text = f"Order X7\n\n{TITLES}" + "A1        bolt   1.50\n" * 30
    for window, overlap in ((30, 0), (30, 15), (40, 12), (60, 30), (75, 20)):
        result = run(windowed(window, overlap), text, reader())
        assert result.ok, result
        assert len(result.unwrap().lines) == 30


def test_a_row_that_one_window_reads_differently_is_a_conflict() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        if not text.startswith("Order"):
            found["lines"][0]["amount"] += 1
        return found

    result = run(windowed(), order(20), reader(read))
    assert result.status == "rejected"
    assert result.value is None
    first, *_ = result.issues
    assert (first.kind, first.message) == (
        "conflict",
        f"{first.pointer[7:-7]}.5 in window 1, {int(first.pointer[7:-7]) + 1}.5 in window 2",
    )
    assert re.fullmatch(r"/lines/\d+/amount", first.pointer)


def test_a_row_that_one_window_misses_is_a_conflict() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found if text.startswith("Order") else found | {"lines": found["lines"][1:]}

    result = run(windowed(), order(12), reader(read))
    assert result.status == "rejected"
    assert "3 items in window 1, 2 items in window 2" in str(result.issues[0])


def test_a_row_that_a_window_makes_up_is_a_conflict_in_the_overlap() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found if text.startswith("Order") else found | {"lines": [found["lines"][0], *found["lines"]]}

    assert run(windowed(), order(20), reader(read)).status == "rejected"


def test_rows_in_another_order_are_found_all_the_same() -> None:
    def read(text: str) -> Any:
        found = plain(text)
        return found | {"lines": found["lines"][::-1]}

    result = run(windowed(), order(40), reader(read))
    assert result.ok, result
    assert sorted(line.amount for line in result.unwrap().lines) == [n + 0.5 for n in range(40)]


def test_a_scalar_is_taken_from_the_windows_that_say_it() -> None:
    result = run(windowed(), order(30), reader())
    assert result.unwrap().number == "X7"
    assert result.unwrap().buyer is None


def test_windows_that_say_different_scalars_contradict_one_another() -> None:
    result = run(windowed(), order(30), reader(lambda text: plain(text) | {"number": "X7" if "X7" in text else "X8"}))
    assert result.status == "rejected"
    (issue,) = result.issues
    assert str(issue).startswith('/number: "X7" in window 1, "X8" in windows 2, 3')


def test_a_scalar_that_no_window_says_is_missing() -> None:
    result = run(windowed(), order(30), reader(lambda text: {"number": None, "lines": rows(text)}))
    assert result.status == "invalid"
    assert [(issue.kind, issue.key) for issue in result.issues] == [("missing", "number")]


@pytest.mark.parametrize(("low", "status"), [(0.3, "valid"), (0.6, "rejected")])
def test_confidence_decides_only_where_it_is_clear(low: float, status: str) -> None:
    """A vote of nine to one against a vote of less than a half."""

    def answer(prompt: Prompt) -> str:
        text = record(prompt)
        if "X7" in text:
            return json.dumps(plain(text))
        said = "X8" if prompt.sample < low * 10 else f"Y{prompt.sample}"
        return json.dumps(plain(text) | {"number": said})

    result = run(windowed(1000, 100, Vote(Prompted(), n=10, level="record")), order(200), Scripted(answer))
    assert result.status == status
    assert not result.ok or result.unwrap().number == "X7"


def test_items_with_the_same_key_are_one_item_wherever_they_stand() -> None:
    text = order(30) + "\n" + "".join(f"A{n} is blue.\n" for n in range(30))

    def read(text: str) -> Any:
        notes = [{"code": code, "note": "blue"} for code in re.findall(r"^(\w+) is blue", text, re.MULTILINE)]
        return plain(text) | {"lines": [*rows(text), *notes]}

    schema = {
        "type": "object",
        "properties": {
            "number": {"type": "string"},
            "lines": {"items": {"properties": {"code": {"type": "string"}, "amount": {}, "note": {}}}, "type": "array"},
        },
    }
    for key in ("code", ("code",), {"/lines": "code"}):
        result = run(windowed(key=key), text, reader(read), schema)
        assert document_of(result)["lines"] == [{"code": f"A{n}", "amount": n + 0.5, "note": "blue"} for n in range(30)]
    result = run(
        windowed(key="code"),
        text,
        reader(lambda text: plain(text) | {"lines": [{"code": "A", "amount": len(text)}]}),
        schema,
    )
    assert result.status == "rejected"


def test_a_list_of_different_items_holds_equal_items_once() -> None:
    schema = {"type": "object", "properties": {"kinds": {"type": "array", "uniqueItems": True}}, "required": ["kinds"]}
    result = run(windowed(), order(40), reader(lambda text: {"kinds": ["bolt"]}), schema)
    assert result.document == {"kinds": ["bolt"]}


def test_items_that_stand_nowhere_are_merged_with_those_of_the_window_before() -> None:
    schema = {"type": "object", "properties": {"topics": {"type": "array"}}, "required": ["topics"]}
    result = run(windowed(), order(40), reader(lambda text: {"topics": ["hardware"]}), schema)
    assert result.document == {"topics": ["hardware"]}
    result = run(windowed(60, 0), order(40), reader(lambda text: {"topics": ["hardware"]}), schema)
    assert len(document_of(result)["topics"]) == len(result.attempts)


def test_a_key_that_may_be_null_is_null_where_no_window_says_more() -> None:
    properties: dict[str, Any] = {"a": {"type": ["string", "null"]}, "b": {"type": ["string", "null"]}, "lines": {}}
    schema = {"type": "object", "properties": properties, "required": ["a", "lines"]}
    said = [{"lines": []}, {"lines": [], "a": None}, {"lines": [], "b": None}]
    found = [run(windowed(60, 0), order(20), reader(lambda text, one=one: one), schema).document for one in said]  # type: ignore[misc]
    assert found == [{"a": None, "lines": []}, {"a": None, "lines": []}, {"a": None, "b": None, "lines": []}]


def test_alternatives_do_not_lend_one_another_their_keys() -> None:
    class Sale(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["sale"]
        discount: float | None

    class Return(BaseModel):
        model_config = ConfigDict(extra="forbid")
        kind: Literal["return"]
        reason: str | None

    class Either(BaseModel):
        case: Sale | Return
        lines: list[Line]

    read = {"case": {"kind": "return", "reason": "broken"}}
    result = run(windowed(), order(30), reader(lambda text: {**read, "lines": rows(text)}), Either)
    assert result.unwrap().case == Return(kind="return", reason="broken")
