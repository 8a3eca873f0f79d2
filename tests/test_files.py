"""Files that are nested too deep, or are no JSON: a typed error that names the file, whoever reads it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from structout.document import load_json
from structout.errors import DataError, StructoutError
from structout.evaluation.dataset import Dataset
from structout.evaluation.experiment import Experiment
from structout.evaluation.log import read
from structout.evaluation.scoring.comparison import Comparison
from structout.models.scripted import Scripted
from structout.models.tuning import Tuning
from structout.prices import Prices
from structout.schema import Schema
from structout.verifiers.learned import read_head


def compare(file: Path) -> Any:
    return Comparison.of(Schema.of(True), file.rename(file.parent / "comparison.json").parent)


def tuning(file: Path) -> Any:
    return Tuning.read(file.rename(file.parent / "tuning.json").parent)


def dataset(file: Path) -> Any:
    return Dataset.load(file.rename(file.parent / "records.jsonl"), Schema.of(True))


READERS: dict[str, Callable[[Path], Any]] = {
    "schema": Schema.of,
    "head": read_head,
    "tuning": tuning,
    "script": Scripted.load,
    "comparisons": compare,
    "prices": Prices.load,
    "records": dataset,
    "log": read,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("levels", [300, 100_000])
def test_a_file_nested_too_deep_is_refused(reader: str, levels: int, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text('{"a":' + "[" * levels + "]" * levels + "}")
    with pytest.raises(StructoutError, match="nested more than 200 levels deep"):
        READERS[reader](file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": [1]}', r"invalid price of 'a' in .*: got \[1\]"),
        ('{"type": "object"}', "invalid price of 'type' in .*: got 'object'"),
        ('{"a": [1, "x"]}', "invalid price of 'a'"),
        ("[1]", "expected a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_an_invalid_price_list_names_the_price(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(DataError, match=said):
        Prices.load(file)
    with pytest.raises(DataError, match="No such file"):
        Prices.load(tmp_path / "none.json")


def test_an_experiment_nested_too_deep_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("a = " + "[" * 100_000)
    with pytest.raises(StructoutError, match="cannot read"):
        Experiment.load(file)


def test_a_file_may_be_as_deep_as_a_document() -> None:
    assert load_json("[" * 200 + "]" * 200)
    with pytest.raises(ValueError, match="nested"):
        load_json("[" * 201 + "]" * 201)
