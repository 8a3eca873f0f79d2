"""Labelled records to measure on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from structout.document import Json
from structout.errors import DataError
from structout.result import Example
from structout.schema import Schema

Split = Literal["train", "dev", "test"]
# Where a record does not name its split, its place in the file decides: half train, a quarter dev, a quarter test.
_BY_PLACE: tuple[Split, ...] = ("train", "dev", "train", "test")


@dataclass(frozen=True, slots=True)
class Record:
    """A text with the document that it should become: as the schema's own type writes it, defaults filled in, for
    scoring, and as the file writes it, for showing.
    """

    key: str
    text: str
    expected: Json
    written: Json
    split: Split


@dataclass(frozen=True)
class Dataset:
    """Records with their schema."""

    name: str
    schema: Schema[Any]
    records: tuple[Record, ...]

    @classmethod
    def load(cls, place: str | Path, schema: Any = None) -> "Dataset":
        """Read a folder (`schema.py` or `schema.json`, and `records.jsonl`), or a JSONL file with a schema given.

        A line holds `text` and `expected`, and may hold `key` and `split`. Raises `DataError` with the line's number
        for a line that is none, and for an expected document that does not comply with the schema.
        """
        path = Path(place)
        file = path / "records.jsonl" if path.is_dir() else path
        if not file.is_file():
            raise DataError(f"no data set in {place}", hint="give a folder with records.jsonl, or a JSONL file")
        if schema is None and not path.is_dir():
            raise DataError(f"{place} comes without a schema", hint="name one with --schema, or give its folder")
        contract = Schema.of(path if schema is None else schema)
        records = tuple(_read(file, contract))
        if not records:
            raise DataError(f"{file} holds no records", hint='write lines of {"text": ..., "expected": ...}')
        keys = [record.key for record in records]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{file} holds two records with the key {twice!r}", hint="make the keys unique")
        return cls(path.name if path.is_dir() else path.stem, contract, records)

    def split(self, name: Split) -> "Dataset":
        """Only the records of one split."""
        return replace(self, records=tuple(record for record in self.records if record.split == name))

    def head(self, count: int) -> "Dataset":
        """Only the first `count` records."""
        return replace(self, records=self.records[:count])

    @property
    def examples(self) -> tuple[Example, ...]:
        """The train records, as examples that strategies may show."""
        return tuple(Example(record.text, record.written) for record in self.records if record.split == "train")

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


def _read(file: Path, schema: Schema[Any]) -> Iterator[Record]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {file}: {error}", hint="give a JSONL file in UTF-8") from error
    filled = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    for place, (number, line) in enumerate(filled):
        where = f"{file}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{where}: not JSON: {error}", hint="write one JSON object a line") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "expected" not in row:
            raise DataError(f"{where}: no text or no expected document", hint='write {"text": ..., "expected": ...}')
        checked = schema.check(row["expected"])
        if not checked.ok:
            raise DataError(f"{where}: the expected document: {checked.issues[0]}", hint="mend the label or the schema")
        split = row.get("split", _BY_PLACE[place % len(_BY_PLACE)])
        if split not in get_args(Split):
            raise DataError(f"{where}: the split is {split!r}", hint="it is train, dev or test")
        yield Record(str(row.get("key", number)), row["text"], schema.dump(checked.value), row["expected"], split)
