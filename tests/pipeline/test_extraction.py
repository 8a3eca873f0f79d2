import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from structout import (
    Cascade,
    Completion,
    Constrained,
    ModelError,
    On,
    Prompt,
    Prompted,
    Reask,
    Repair,
    Schema,
    SchemaError,
    Scripted,
    SpecError,
    extract,
    extract_many,
    preview,
)
from structout.models.tuning import Tuning
from structout.prompts import fingerprint
from tests.bolt import Bolt


def size(prompt: Prompt) -> str:
    """Answers with the number that the record holds; says no to odd ones."""
    number = prompt.messages[1].content.split("\n")[1]
    even = number.isascii() and number.isdecimal() and int(number) % 2 == 0
    return f'{{"kind": "hex", "size_mm": {number}}}' if even else "no"


def test_one_text() -> None:
    result = extract("8", Bolt, Scripted(size))
    assert result.unwrap() == Bolt(kind="hex", size_mm=8)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 99) | st.text(max_size=3), max_size=50), st.integers(1, 9))
def test_one_result_each_in_input_order_and_bad_rows_never_raise(rows: list[Any], chunk: int) -> None:
    results = list(extract_many(map(str, rows), Bolt, Scripted(size), "Prompted()", chunk=chunk))
    assert len(results) == len(rows)
    for row, result in zip(rows, results, strict=True):
        even = str(row).isascii() and str(row).isdecimal() and int(row) % 2 == 0
        assert result.ok == even
        assert not even or result.unwrap().size_mm == int(row)


def test_a_row_that_is_not_text_is_a_result() -> None:
    texts: list[Any] = ["2", None, 7, "4"]
    results = list(extract_many(texts, Bolt, Scripted(size)))
    assert [result.status for result in results] == ["valid", "invalid", "invalid", "valid"]


def test_texts_are_read_lazily() -> None:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for i in itertools.count():
            read += 1
            yield str(i)

    stream = extract_many(texts(), Bolt, Scripted(size), "Prompted()", chunk=4)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert read <= 12


def test_a_model_that_fails_raises() -> None:
    with pytest.raises(ModelError):
        list(extract_many(["x"], Bolt, Scripted({"y": "z"})))


def test_wrong_arguments_raise_at_once() -> None:
    with pytest.raises(SchemaError):
        extract_many(["x"], 5, Scripted(size))
    with pytest.raises(SpecError):
        extract_many(["x"], Bolt, Scripted(size), "Prompt()")
    with pytest.raises(ModelError):
        extract_many(["x"], Bolt, "gpt")
    for odd in ("hex 5 mm", b"hex", 5, None):
        with pytest.raises(SpecError, match="give a list of texts"):
            extract_many(odd, Bolt, Scripted(size))  # type: ignore[arg-type]
    for way in (3, Prompted, None):
        with pytest.raises(SpecError, match="invalid strategy"):
            extract_many(["x"], Bolt, Scripted(size), way)  # type: ignore[arg-type]


def test_a_validator_that_fails_costs_its_own_row_alone() -> None:
    class Careless(BaseModel):
        kind: str
        size_mm: float

        @field_validator("size_mm")
        @classmethod
        def known(cls, size: float) -> float:
            return {4.0: size}[size]

    bad, good = extract_many(["6", "4"], Careless, Scripted(size), Prompted())
    assert (bad.status, good.status) == ("invalid", "valid")
    assert "known raised KeyError: 6.0" in bad.issues[0].message


@pytest.mark.parametrize(
    "strategy",
    ["Constrained(examples=0)", "Reask(Repair(Constrained()))", "Cascade(Constrained(), On('x', Prompted()))"],
)
def test_a_preview_is_exactly_what_is_sent(strategy: str) -> None:
    model = Scripted(Completion("2").text)
    extract("a 6 mm bolt", Bolt, model, strategy.replace("On('x', Prompted())", "Prompted()"))
    assert preview("a 6 mm bolt", Bolt, strategy) == model.batches[0][0]


@dataclass(frozen=True)
class Taught:
    """A model that was fine-tuned with the schema shown in another form."""

    name = "taught"
    tuning: Tuning

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        raise AssertionError


def test_a_preview_is_in_the_form_that_the_model_asked_was_taught(tmp_path: Path) -> None:
    schema = Schema.of(Bolt)
    orders = {"": ["note", "size_mm", "kind"]}
    tuning = Tuning(
        base="embedded",
        checksum="",
        show="none",
        prompt=fingerprint(schema, "none"),
        schema="Bolt",
        fingerprint=schema.fingerprint(),
        data="",
        training={},
        orders=orders,
    )
    tuning.write(tmp_path)
    model = Taught(tuning)
    expected = preview("x", Bolt, "Constrained()", model=model)
    for way in (
        Cascade(On(model, Reask(Constrained())), Prompted()),
        On(f"path:{tmp_path}", Constrained()),
        Reask(On(f"path:{tmp_path}", Constrained())),
    ):
        assert preview("x", Bolt, way) == expected != preview("x", Bolt, "Constrained()")
        assert preview("x", Bolt, way, model=Scripted({})) == expected
    plain = preview("x", Bolt, On("hf:no/such", Constrained()), model=model)
    assert plain == preview("x", Bolt, "Constrained()"), "another model than the one that was taught is asked"


def test_a_preview_asks_no_model() -> None:
    silent = Scripted({})
    assert preview("x", Bolt, On(silent, Reask(Repair(Constrained())))).constraint is not None
    assert silent.calls == 0


@pytest.mark.parametrize("with_journal", [False, True])
def test_a_text_on_which_the_model_fails_is_a_result_if_asked_for(tmp_path: Path, with_journal: bool) -> None:
    broken = {"2 mm"}

    def answer(prompt: Prompt) -> str:
        text = prompt.messages[-1].content
        if any(word in text for word in broken):
            raise ModelError("the server answers 500")
        return '{"kind": "hex", "size_mm": 6}'

    model = Scripted(answer)
    options: dict[str, Any] = {"journal": tmp_path / "j"} if with_journal else {}
    texts = [f"{n} mm" for n in range(1, 6)]
    results = list(extract_many(texts, Bolt, model, "Prompted()", chunk=2, on_error="result", **options))
    assert [result.status for result in results] == ["valid", "invalid", "valid", "valid", "valid"]
    assert "answers 500" in str(results[1].issues[0])
    with pytest.raises(ModelError, match="answers 500"):
        list(extract_many(texts, Bolt, model, "Prompted()", chunk=2, **options))
    before = model.calls
    broken.clear()
    again = list(extract_many(texts, Bolt, model, "Prompted()", chunk=2, on_error="result", **options))
    assert [result.status for result in again] == ["valid"] * 5
    assert model.calls - before == (1 if with_journal else 5)


def test_a_model_that_fails_on_every_text_raises_all_the_same() -> None:
    def answer(prompt: Prompt) -> str:
        raise ModelError("the server answers 500")

    with pytest.raises(ModelError, match="failed on 10 rows in a row: the server answers 500"):
        list(extract_many(["a"] * 50, Bolt, Scripted(answer), "Prompted()", on_error="result"))
    with pytest.raises(SpecError, match="invalid on_error"):
        extract_many(["a"], Bolt, Scripted("x"), on_error="ignore")  # type: ignore[arg-type]
