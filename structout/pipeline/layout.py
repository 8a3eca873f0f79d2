"""How a record lies in the columns of a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from structout.document import Json
from structout.errors import DataError
from structout.prompts.render import resolve
from structout.schema import Schema

PROVENANCE = (
    "_key", "_status", "_edits", "_strategy", "_attempts", "_tokens", "_cost", "_seconds", "_fingerprint",
)  # fmt: skip
WHOLE, MORE = "value", "_more"


@dataclass(frozen=True)
class Layout:
    """The columns of a schema's records, each with the JSON Schema of what stands in it: a column a property and, where
    a record may hold others as well, `_more` for all of these; or one column `value`, where a record is no object with
    properties (`whole`). `root` is the schema that references point into.
    """

    columns: Mapping[str, Any]
    root: Any
    whole: bool = False
    extras: bool = False

    @classmethod
    def of(cls, schema: Schema[Any]) -> "Layout":
        root = schema.json_schema
        node = resolve(root, root["$ref"]) if isinstance(root, dict) and "$ref" in root else root
        extras = dumps_more(schema)
        if not (isinstance(node, dict) and node.get("properties") and node.get("type", "object") == "object"):
            return cls({WHOLE: node}, root, True, extras)
        more = {MORE: True} if is_open(node, extras) else {}
        return cls({**node["properties"], **more}, root, False, extras)

    def row(self, record: Json) -> dict[str, Json]:
        """The values of the columns. Raises `DataError` for a record that they have no place for."""
        if self.whole:
            return {WHOLE: record}
        if not isinstance(record, dict):
            raise DataError("a record that is no object has no columns", hint="JSONL holds any record")
        row = {name: value for name, value in record.items() if name in self.columns and name != MORE}
        if MORE in self.columns:
            return {**row, MORE: beside(record, self.columns) or None}
        if lost := beside(record, self.columns):
            raise DataError(f"the field {next(iter(lost))!r} has no column", hint="JSONL holds any record")
        return row


def beside(record: dict[str, Json], columns: Mapping[str, Any]) -> dict[str, Json]:
    """The fields of a record that have no column of their own."""
    return {name: value for name, value in record.items() if name == MORE or name not in columns}


def is_open(node: Mapping[str, Any], extras: bool) -> bool:
    """Whether an object may hold what its properties do not name: as `extras` says where the schema does not."""
    return bool(node.get("patternProperties")) or node.get("additionalProperties", extras) is not False


def dumps_more(schema: Schema[Any]) -> bool:
    """Whether records may hold fields that the schema does not speak of: by JSON Schema they may, and a Pydantic type
    writes such where a field is computed or has another name in the output.
    """
    if schema.adapter is None:
        return True
    try:
        written = schema.adapter.json_schema(mode="serialization")
    except Exception:  # a serializer of the user's own need not say what it writes
        return True
    return not set(_names(written)) <= set(_names(schema.json_schema))


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(properties := node.get("properties"), dict):
            yield from properties
        for part in node.values():
            yield from _names(part)
    elif isinstance(node, list):
        for part in node:
            yield from _names(part)


def fields(schema: Schema[Any]) -> list[str]:
    """The fields that a record may have by name, whatever the alternatives at the root are."""
    root = schema.json_schema
    found: dict[str, None] = {}
    seen: list[str] = []
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        found.update(dict.fromkeys(node.get("properties", ())))
        waiting += [part for keyword in ("anyOf", "oneOf", "allOf") for part in node.get(keyword, ())]
        if "$ref" in node and node["$ref"] not in seen:
            seen.append(node["$ref"])
            waiting.append(resolve(root, node["$ref"]))
    return list(found)
