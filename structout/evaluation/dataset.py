"""Labelled records to measure on."""

import hashlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from structout.document import Json, load_json, parse_json
from structout.errors import DataError, MissingExtraError, StructoutWarning
from structout.evaluation.scoring.comparison import Comparison
from structout.result import Example
from structout.schema import Schema
from structout.tables.csv import read_table
from structout.tables.layout import Layout, strangers

Split = Literal["train", "dev", "test"]
_FILES = ("records.jsonl", "records.csv")
_COLUMNS = ("text", "expected", "key", "split")
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
    """Records with their schema, and how their documents are compared (None: as the schema says)."""

    name: str
    schema: Schema[Any]
    records: tuple[Record, ...]
    comparison: Comparison | None = None

    @classmethod
    def load(cls, place: str | Path, schema: Any = None) -> "Dataset":
        """Read a folder (`schema.py` or `schema.json`, `records.jsonl` or `records.csv`, and `comparison.json` where
        not all is compared exactly), or a JSONL or CSV file with a schema given. `hf:OWNER/NAME` is such a folder on
        the Hugging Face hub; its `schema.py` is not run.

        A row holds `text` and `expected`, and may hold `key` and `split`; in CSV `expected` is JSON, or else each other
        column is a field. Raises `DataError` with the row's number for a row that is none, and for an expected document
        that does not comply with the schema, or has a field that it does not know; where others are allowed, but none
        are spoken of, that is a warning.
        """
        name, _, hub = str(place).partition(":")
        path = _from_hub(hub) if name == "hf" and hub else Path(place)
        file = next((path / name for name in _FILES if (path / name).is_file()), path) if path.is_dir() else path
        if not file.is_file():
            raise DataError(f"no data set in {place}", hint="give a folder with records.jsonl, or a JSONL or CSV file")
        if schema is None and not path.is_dir():
            raise DataError(f"{place} comes without a schema", hint="name one with --schema, or give its folder")
        own = path / "schema.json" if name == "hf" and hub else path
        contract = Schema.of(own if schema is None else schema)
        rows = _csv(file, contract) if file.suffix == ".csv" else _jsonl(file)
        records = tuple(_record(where, row, place, contract) for place, (where, row) in enumerate(rows))
        if not records:
            raise DataError(f"{file} holds no records", hint='write lines of {"text": ..., "expected": ...}')
        _tell(file, contract, records)
        keys = [record.key for record in records]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{file} holds two records with the key {twice!r}", hint="make the keys unique")
        comparison = Comparison.of(contract, path if path.is_dir() else path.parent)
        return cls(hub or (path.name if path.is_dir() else path.stem), contract, records, comparison)

    def split(self, name: Split) -> "Dataset":
        """Only the records of one split."""
        return replace(self, records=tuple(record for record in self.records if record.split == name))

    def head(self, count: int) -> "Dataset":
        """Only the first `count` records."""
        return replace(self, records=self.records[:count])

    def shuffled(self, seed: int = 0) -> "Dataset":
        """The records in an order that hangs on the seed and their keys alone, so that added ones change no other's."""

        def place(record: Record) -> str:
            return hashlib.sha256(f"{seed} {record.key}".encode("utf-8", "surrogatepass")).hexdigest()

        return replace(self, records=tuple(sorted(self.records, key=place)))

    def fingerprint(self) -> str:
        """A short hash of the records and their labels, for provenance."""
        content = json.dumps([[record.key, record.text, record.written] for record in self.records])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def examples(self) -> tuple[Example, ...]:
        """The train records, as examples that strategies may show."""
        return tuple(Example(record.text, record.written) for record in self.records if record.split == "train")

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


def _jsonl(file: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), 1):  # a text may hold what str.splitlines splits at
        if line.strip():
            where = f"{file}, line {number}"
            try:
                row = load_json(line)
            except ValueError as error:
                raise DataError(f"{where}: not JSON: {error}", hint="write one JSON object a line") from error
            yield where, {"key": number, **row} if isinstance(row, dict) else row


def _csv(file: Path, schema: Schema[Any]) -> Iterator[tuple[str, Any]]:
    """The rows of a CSV file with a header; a field's cell is read as the schema wants it, an empty one is absent."""
    from structout.parsing import repair

    rows = read_table(str(file), io.StringIO(_text(file)), ",", ["text"])
    for number, line in enumerate(rows, 1):
        if line.wrong or isinstance(line.cells, str):
            raise DataError(f"{file}, {line.wrong}", hint="mend the row")
        cells = line.cells
        row: dict[str, Any] = {"key": number, **{name: cells.pop(name) for name in _COLUMNS if cells.get(name)}}
        if "expected" in row:
            if schema.language is None:
                row["expected"], issue = parse_json(row["expected"])
                if issue is not None:
                    raise DataError(f"{file}, row {number}: expected is not JSON: {issue}", hint="mend the cell")
        else:
            written = {name: _cell(cell) for name, cell in cells.items() if name and cell}
            mended = repair(json.dumps(written), schema)
            row["expected"] = mended.document if mended.ok else written
        yield f"{file}, row {number}", row


def _cell(text: str) -> Json:
    document, issue = parse_json(text)
    return document if issue is None and isinstance(document, dict | list) else text


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {file}: {error}", hint="give a JSONL or CSV file in UTF-8") from error


def _record(where: str, row: Any, place: int, schema: Schema[Any]) -> Record:
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or "expected" not in row:
        raise DataError(f"{where}: no text or no expected document", hint='write {"text": ..., "expected": ...}')
    checked = schema.check(row["expected"])
    if not checked.ok:
        raise DataError(f"{where}: the expected document: {checked.issues[0]}", hint="mend the label or the schema")
    expected = schema.dump(checked.value)
    if ignored := _ignored(row["expected"], expected, schema):
        hint = f"it has: {', '.join(Layout.of(schema).columns)}; rename what is misspelt, leave out what is no label"
        raise DataError(f"{where}: {schema.name} has no field {ignored!r}", hint=hint)
    split = row.get("split", _BY_PLACE[place % len(_BY_PLACE)])
    if split not in get_args(Split):
        raise DataError(f"{where}: the split is {split!r}", hint="it is train, dev or test")
    return Record(str(row["key"]), row["text"], expected, row["expected"], split)


def _ignored(written: Json, expected: Json, schema: Schema[Any]) -> str | None:
    """A field of a label, at any depth, that the schema does not name and without which the label says the same."""
    known = _names(schema.json_schema)
    for path in _paths(written):
        if path[-1] not in known:
            less = schema.check(_without(written, path))
            if less.ok and schema.dump(less.value) == expected:
                return str(path[-1])
    return None


def _names(node: Any) -> set[str]:
    """The properties that a JSON Schema names, wherever it does."""
    if isinstance(node, list):
        return set().union(*map(_names, node))
    if not isinstance(node, Mapping):
        return set()
    properties = node.get("properties")
    return set(properties if isinstance(properties, Mapping) else ()).union(*map(_names, node.values()))


def _paths(node: Json) -> Iterator[tuple[Any, ...]]:
    """The way to each key of each object in a document."""
    if isinstance(node, dict):
        yield from ((key,) for key in node)
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    yield from ((step, *path) for step, value in inside for path in _paths(value))


def _without(node: Any, path: tuple[Any, ...]) -> Json:
    step, *rest = path
    if not rest:
        return {key: value for key, value in node.items() if key != step}
    changed = _without(node[step], tuple(rest))
    return {**node, step: changed} if isinstance(node, dict) else [*node[:step], changed, *node[step + 1 :]]


def _tell(file: Path, schema: Schema[Any], records: tuple[Record, ...]) -> None:
    """Warn of fields that the schema allows but does not name: whoever answers cannot know of them."""
    names = {name: None for one in records if isinstance(one.expected, dict) for name in one.expected}
    if others := strangers(schema, names):
        said = f"{file} has labels that are no field of {schema.name}: {', '.join(others[:12])}"
        warnings.warn(said, StructoutWarning, stacklevel=3)


def _from_hub(name: str) -> Path:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise MissingExtraError("huggingface_hub", "local") from error
    try:
        files = [*_FILES, "schema.json", "comparison.json"]
        return Path(huggingface_hub.snapshot_download(name, repo_type="dataset", allow_patterns=files))
    except Exception as error:  # the hub's client raises whatever its parts raise
        reason = str(error).strip().split("\n")[0][:200]
        raise DataError(f"hf:{name} cannot be had: {reason}", hint="check the name and the network") from error
