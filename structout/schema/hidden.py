"""Hidden fields: what a Pydantic type does not show when it writes a value, namely secrets and excluded fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from structout.errors import SpecError
from structout.schema.contract import Schema

_HOLDERS = ("model-fields", "dataclass-args", "typed-dict")
_MOST_NAMED = 4


def hidden(schema: Schema[Any]) -> list[str]:
    """The names of the fields of a schema that hold secrets or are excluded, each once, with "" for the document."""
    core = schema.adapter.core_schema if schema.adapter is not None else None
    return list(dict.fromkeys(_hidden(core)))


def check_hidden(schema: Schema[Any], hint: str, place: str = "a file") -> None:
    """Raise `SpecError` with a hint if a schema has hidden fields, before they are written to a place."""
    found = [name or "the document" for name in hidden(schema)]
    if found:
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        names = ", ".join(found[:_MOST_NAMED]) + more
        raise SpecError(f"{schema.name} hides fields that {place} would show: {names}", hint=hint)


def _hidden(core: Any) -> Iterator[str]:
    waiting: list[tuple[Any, str]] = [(core, "")]
    while waiting:
        node, name = waiting.pop()
        if isinstance(node, list | tuple):
            waiting += [(one, name) for one in reversed(node)]
        elif isinstance(node, Mapping):
            if node.get("serialization_exclude") or node.get("serialization_exclude_if") or _is_secret(node):
                yield name
            if node.get("type") in _HOLDERS:
                fields = node["fields"]
                named = fields.items() if isinstance(fields, Mapping) else [(one["name"], one) for one in fields]
                waiting += [(one, own) for own, one in reversed(list(named))]
            else:
                waiting += [(one, name) for key, one in node.items() if key not in ("metadata", "cls", "serialization")]


def _is_secret(node: Mapping[str, Any]) -> bool:
    function = (node.get("serialization") or {}).get("function")
    written_by = getattr(function, "__module__", ""), getattr(function, "__name__", "")
    return written_by[0] == "pydantic.types" and written_by[1].startswith("_serialize_secret")
