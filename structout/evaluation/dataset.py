"""Data sets of labelled records."""

import hashlib
import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from structout.document import Json, load_json, parse_json
from structout.errors import DataError, MissingExtraError, StructoutWarning
from structout.evaluation.scoring.comparison import Comparison
from structout.result import Example
from structout.schema import Schema
from structout.tables.csv import read_table
from structout.tables.layout import ABSENT, Layout, strangers

Split = Literal["train", "dev", "test"]
_FILES = ("records.jsonl", "records.csv")
_COLUMNS = ("text", "expected", "key", "split")
# The place in the file decides the split of a record that names none: half train, a quarter dev, a quarter test.
_BY_PLACE: tuple[Split, ...] = ("train", "dev", "train", "test")


@dataclass(frozen=True, slots=True)
class Record:
    """A text with its expected document.

    `expected` is the document as the schema's type dumps it, with defaults, for scoring; `written` is the document as
    in the file, for prompts. Both are None without a label. Records of one `group`, such as one supplier, may be wrong
    together.
    """

    key: str
    text: str
    expected: Json
    written: Json
    split: Split
    has_label: bool = True
    group: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Records with their schema and the comparison of their documents (None: as the schema says).

    `split_by_place` counts the records whose place in the file decided their split, because they name none.
    """

    name: str
    schema: Schema[Any]
    records: tuple[Record, ...]
    comparison: Comparison | None = None
    split_by_place: int = 0

    @classmethod
    def load(
        cls,
        place: str | Path,
        schema: Any = None,
        *,
        needs_labels: bool = True,
        group: str | None = None,
        key: str | None = None,
    ) -> "Dataset":
        """Read a folder, a JSONL or CSV file with a `schema`, or `hf:OWNER/NAME`, a folder on the Hugging Face hub.

        A folder holds `schema.py` or `schema.json`, `records.jsonl` or `records.csv`, and optionally
        `comparison.json`. A `schema.py` from the hub is not run.

        A row holds `text` and `expected`, and optionally `key` and `split`. In CSV, `expected` is JSON; without an
        `expected` column, every other column is a field. Raises `DataError`, with the row's number, for an invalid row,
        for an expected document that does not comply with the schema, and for an unknown field. Warns of fields that
        the schema allows without naming them. Without `needs_labels`, a file may hold texts alone; it may not mix
        records with and without labels. `group` names the column or key that says which records belong together, and
        `key` the column or key that identifies a record (default: `key`, or the number of the row).
        """
        name, _, hub = str(place).partition(":")
        path = _from_hub(hub) if name == "hf" and hub else Path(place)
        file = next((path / name for name in _FILES if (path / name).is_file()), path) if path.is_dir() else path
        if not file.is_file():
            raise DataError(f"no data set in {place}", hint="give a folder with records.jsonl, or a JSONL or CSV file")
        if schema is None and not path.is_dir():
            raise DataError(f"{place} has no schema", hint="name a schema with --schema, or give a folder with one")
        own = path / "schema.json" if name == "hf" and hub else path
        contract = Schema.of(own if schema is None else schema)
        rows = list(_csv(file, contract, {group, key}) if file.suffix == ".csv" else _jsonl(file))
        if key is not None:
            rows = [(where, {**row, "key": _beside(where, row, key, "the key")}) for where, row in rows]
        has_labels = needs_labels or any(not isinstance(row, dict) or "expected" in row for _, row in rows)
        read = _record if has_labels else _unlabelled
        records = tuple(read(where, row, place, contract) for place, (where, row) in enumerate(rows))
        if group is not None:
            groups = [_beside(where, row, group, "the group") for where, row in rows]
            records = tuple(replace(record, group=name) for record, name in zip(records, groups, strict=True))
        if not records:
            raise DataError(f"{file} holds no records", hint='write lines of {"text": ..., "expected": ...}')
        _warn_of_unnamed(file, contract, records)
        keys = [record.key for record in records]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{file} holds two records with the key {twice!r}", hint="make the keys unique")
        comparison = Comparison.of(contract, path if path.is_dir() else path.parent)
        name = hub or (path.name if path.is_dir() else path.stem)
        by_place = sum("split" not in row for _, row in rows)
        return cls(name, contract, records, comparison, by_place)

    def split(self, name: Split) -> "Dataset":
        """The data set with the records of one split only."""
        return replace(self, records=tuple(record for record in self.records if record.split == name))

    def head(self, count: int) -> "Dataset":
        """The data set with its first `count` records only."""
        return replace(self, records=self.records[:count])

    def shuffled(self, seed: int = 0) -> "Dataset":
        """The data set in an order that depends only on the seed and the keys: added records do not move the others."""

        def place(record: Record) -> str:
            return hashlib.sha256(f"{seed} {record.key}".encode("utf-8", "surrogatepass")).hexdigest()

        return replace(self, records=tuple(sorted(self.records, key=place)))

    def fingerprint(self) -> str:
        """A short hash of the records and their labels, for provenance."""
        content = json.dumps([[record.key, record.text, record.written] for record in self.records])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def has_labels(self) -> bool:
        """Whether the records have labels; without labels, nothing says whether a value is right."""
        return all(record.has_label for record in self.records)

    def splits(self) -> dict[str, str]:
        """The fingerprint of each split."""
        names = dict.fromkeys(record.split for record in self.records)
        return {name: self.split(name).fingerprint() for name in names}

    @property
    def examples(self) -> tuple[Example, ...]:
        """The train records, as examples that strategies may show; none without labels."""
        train = (record for record in self.records if record.split == "train" and record.has_label)
        return tuple(Example(record.text, record.written) for record in train)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


def _jsonl(file: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), 1):  # str.splitlines would split at separators within a text
        if line.strip():
            where = f"{file}, line {number}"
            try:
                row = load_json(line)
            except ValueError as error:
                raise DataError(f"{where}: invalid JSON: {error}", hint="write one JSON object a line") from error
            yield where, {"key": number, **row} if isinstance(row, dict) else row


def _repaired(written: dict[str, Json], schema: Schema[Any]) -> Json:
    """The cells of a label as a document, with the cells that the schema ignores: a check names them later."""
    from structout.parsing import repair

    found = repair(json.dumps(written), schema)
    if not found.ok or not isinstance(found.document, dict):
        return found.document if found.ok else written
    lost = [name for name in written if name not in found.document]
    others = {name: repair(json.dumps({**written, name: None}), schema).document for name in lost}
    return {**found.document, **{name: written[name] for name in lost if others[name] == found.document}}


def _csv(file: Path, schema: Schema[Any], beside: Iterable[str | None]) -> Iterator[tuple[str, Any]]:
    """The rows of a CSV file with a header. The schema decides how a cell is read. An empty cell is null if the field
    may be null, or else an absent field. A column `beside` the label is not a field, unless the schema has it.
    """
    label_of = label_reader(schema)
    known = Layout.of(schema).columns
    rows = read_table(str(file), io.StringIO(_text(file)), ",")
    for number, line in enumerate(rows, 1):
        if line.wrong or isinstance(line.cells, str):
            raise DataError(f"{file}, {line.wrong}", hint="fix the row")
        cells = line.cells
        if "text" not in cells:
            hint = "labelled rows have their texts in the column text: rename the column of the texts to text"
            raise DataError(f"{file} has no column 'text'; it has: {', '.join(list(cells)[:12])}", hint=hint)
        row: dict[str, Any] = {"key": number, **{name: cells.pop(name) for name in _COLUMNS if cells.get(name)}}
        for name in beside:
            if name is not None and name in cells:
                row[name] = cells[name] if name in known else cells.pop(name)
        if "expected" in row:
            if schema.language is None:
                row["expected"], issue = parse_json(row["expected"])
                if issue is not None:
                    problem = f"{file}, row {number}: invalid JSON in the column expected: {issue}"
                    raise DataError(problem, hint="fix the cell")
        elif any(name not in _COLUMNS for name in cells if name):
            row["expected"] = label_of(cells)
        yield f"{file}, row {number}", row


def label_reader(schema: Schema[Any]) -> Callable[[Mapping[str, str | None]], Json]:
    """A function that reads the label in the text cells of a row, a cell a field, as the schema reads cells."""
    read = Layout.of(schema).cells()

    def label_of(cells: Mapping[str, str | None]) -> Json:
        found = {name: _cell(cell) if cell else read(name, cell) for name, cell in cells.items() if name}
        return _repaired({name: value for name, value in found.items() if value is not ABSENT}, schema)

    return label_of


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
        raise DataError(f"{where}: text or expected is missing", hint='write {"text": ..., "expected": ...}')
    checked = schema.check(row["expected"])
    if not checked.ok:
        raise DataError(f"{where}: invalid expected document: {checked.issues[0]}", hint="fix the label or the schema")
    expected = schema.written(checked)
    if ignored := _ignored(row["expected"], expected, schema):
        hint = f"rename or remove the field; {schema.name} has: {', '.join(Layout.of(schema).columns)}"
        raise DataError(f"{where}: unknown field {ignored!r} of {schema.name}", hint=hint)
    return Record(str(row["key"]), row["text"], expected, row["expected"], _split(where, row, place))


def _unlabelled(where: str, row: Any, place: int, schema: Schema[Any]) -> Record:
    if not isinstance(row.get("text"), str):
        raise DataError(f"{where}: text is missing", hint='write {"text": ...}')
    return Record(str(row["key"]), row["text"], None, None, _split(where, row, place), has_label=False)


def _beside(where: str, row: Any, name: str, what: str) -> str:
    """The value beside the label that is the key or the group of a record."""
    value = row.get(name) if isinstance(row, dict) else None
    if value is None or isinstance(value, dict | list):
        raise DataError(f"{where}: {name!r}, {what} of the record, is missing", hint=f"give each row a {name!r}")
    return str(value)


def _split(where: str, row: dict[str, Any], place: int) -> Split:
    split = row.get("split", _BY_PLACE[place % len(_BY_PLACE)])
    if split not in get_args(Split):
        raise DataError(f"{where}: invalid split: got {split!r}, expected train, dev or test", hint="fix the split")
    return cast("Split", split)


def _ignored(written: Json, expected: Json, schema: Schema[Any]) -> str | None:
    """A field of a label, at any depth, that the schema does not name and validation drops, or None."""
    known = _names(schema.json_schema)
    for path in _paths(written):
        if path[-1] not in known:
            less = schema.check(_without(written, path))
            if less.ok and schema.written(less) == expected:
                return str(path[-1])
    return None


def _names(node: Any) -> set[str]:
    """The properties that a JSON Schema names, at any depth."""
    if isinstance(node, list):
        return set().union(*map(_names, node))
    if not isinstance(node, Mapping):
        return set()
    properties = node.get("properties")
    return set(properties if isinstance(properties, Mapping) else ()).union(*map(_names, node.values()))


def _paths(node: Json) -> Iterator[tuple[Any, ...]]:
    """The path to each key of each object in a document."""
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


def _warn_of_unnamed(file: Path, schema: Schema[Any], records: tuple[Record, ...]) -> None:
    """Warn of fields that the schema allows but does not name: a model cannot know them."""
    names = {name: None for one in records if isinstance(one.expected, dict) for name in one.expected}
    if others := strangers(schema, names):
        message = f"{file} has labels for fields that {schema.name} does not name: {', '.join(others[:12])}"
        warnings.warn(message, StructoutWarning, stacklevel=3)


def _from_hub(name: str) -> Path:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise MissingExtraError("huggingface_hub", "local") from error
    try:
        files = [*_FILES, "schema.json", "comparison.json"]
        return Path(huggingface_hub.snapshot_download(name, repo_type="dataset", allow_patterns=files))
    except Exception as error:  # the hub's client raises errors of many libraries
        reason = str(error).strip().split("\n")[0][:200]
        raise DataError(f"cannot load hf:{name}: {reason}", hint="check the name and the network") from error
