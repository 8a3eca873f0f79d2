"""The data sets that are measured on, each with how its records are split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from structout import Dataset
from structout.evaluation.dataset import Record, Split

ROOT = Path(__file__).resolve().parents[2]
# The longest right answers have 285, 91, 80 and 149 tokens.
MAX_TOKENS = {"parts": 288, "addresses": 128, "snips": 96, "quantities": 160}
_SIZES = {"quantities": {"train": 150, "heads": 60, "calibration": 100}}


def load(name: str, data: Path) -> Dataset | None:
    """A data set by its name, None if it is not there: `parts` stands in `schemas`, the others in `data`.

    Where a set comes without dev records, every second test record is one.
    """
    if name == "parts":
        return Dataset.load(ROOT / "schemas" / "parts")
    file = data / f"{name}.jsonl"
    if not file.is_file():
        return None
    dataset = Dataset.load(file, str(data / f"{name}.schema.json"))
    if not dataset.split("dev").records:
        moved = frozenset(record.key for record in dataset.split("test").records[::2])
        records = (replace(one, split="dev") if one.key in moved else one for one in dataset)
        dataset = replace(dataset, records=tuple(records))
    return dataset


def adapters(folder: Path) -> list[Path]:
    """The fine-tuned models in a folder: the folder itself, or the members 1, 2, ... in it."""
    return [place for place in (folder, *sorted(folder.glob("[0-9]"))) if (place / "tuning.json").is_file()]


def sample(dataset: Dataset, count: int) -> Dataset:
    """`count` records, spread evenly over the data set, which may be sorted."""
    step = max(len(dataset) / count, 1.0)
    places = [int(i * step) for i in range(min(count, len(dataset)))]
    return replace(dataset, records=tuple(dataset.records[place] for place in places))


def folds(dataset: Dataset, count: int) -> list[Dataset]:
    """The records in `count` parts, each spread over the data set."""
    return [replace(dataset, records=dataset.records[i::count]) for i in range(count)]


def divided(name: str, data: Path) -> Dataset | None:
    """A data set in the splits of `parts`: heads are its dev records, and the records for calibration its test records.

    So the test records of `parts` stay unread. `parts` of `schemas` keep the splits that they have.
    """
    if name == "parts":
        return load(name, data)
    found = parts(name, data, **_SIZES.get(name, {}))
    if found is None:
        return None
    test = (replace(record, split="test") for record in found.calibration)
    return replace(found.train, records=(*found.train, *found.heads, *test))


@dataclass(frozen=True)
class Parts:
    """The records of a set by what they are for: to train a model, to fit heads, to calibrate, and to test, once."""

    train: Dataset
    heads: Dataset
    calibration: Dataset
    test: Dataset


def parts(name: str, data: Path, *, train: int = 300, heads: int = 200, calibration: int = 300) -> Parts | None:
    """A data set of `data`, divided by a shuffle that depends on the keys alone; None if it is not there.

    Train records are chosen among those that the set says are for training, where it says so.
    """
    file = data / f"{name}.jsonl"
    if not file.is_file():
        return None
    whole = Dataset.load(file, str(data / f"{name}.schema.json")).shuffled()
    named = not whole.split_by_place
    first = [one for one in whole if not named or one.split == "train"][:train]
    known = {one.key for one in first}
    rest = [one for one in whole if one.key not in known]
    ends = (heads, heads + calibration)

    def part(records: Sequence[Record], split: Split) -> Dataset:
        return replace(whole, records=tuple(replace(one, split=split) for one in records), split_by_place=0)

    return Parts(
        part(first, "train"), part(rest[: ends[0]], "dev"), part(rest[ends[0] : ends[1]], "dev"),
        part(rest[ends[1] :], "test"),
    )  # fmt: skip
