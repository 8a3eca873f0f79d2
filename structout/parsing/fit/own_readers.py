"""Texts that a validator of the user's own reads: `mode="before"` and wrap validators of a Pydantic field."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from structout.document import Json, scalars
from structout.parsing.edits import Edit, edit_text
from structout.schema import Checked, Schema

_FIELDS: Final = ("model-field", "dataclass-field", "typed-dict-field")
_READING: Final = ("function-before", "function-wrap", "function-plain")
_WITHIN: Final = ("schema", "items_schema", "values_schema", "inner_schema")


def read_by_own(document: Json, schema: Schema[Any]) -> tuple[Checked[Any], tuple[Edit, ...]] | None:
    """The document as the user's own validators read it, in Pydantic's own mode; None if this is not what changes it.

    Pydantic's own mode also reads `"20240305"` as seconds since 1970, so only fields with a validator may change.
    """
    names = _names(schema)
    if not names or schema.adapter is None:
        return None
    try:
        value = schema.adapter.validate_json(edit_text(document))
        checked = schema.check(schema.written(Checked(value, document)))
    except Exception:  # the user's code, or a value that does not comply
        return None
    if not checked.ok:
        return None
    before, after = scalars(document), scalars(checked.document)
    edits = []
    for place, old in before.items():
        new = after.get(place)
        if place not in after or edit_text(new) == edit_text(old):
            continue
        if not names & set(place.split("/")):
            return None
        edits.append(
            Edit("validator", "lossless" if isinstance(old, str) else "lossy", place, edit_text(old), edit_text(new))
        )
    return (checked, tuple(edits)) if edits and before.keys() <= after.keys() else None


@lru_cache(maxsize=256)
def _names(schema: Schema[Any]) -> frozenset[str]:
    """The names of the fields that a validator of the user's own reads."""
    found: set[str] = set()
    stack: list[Any] = [schema.adapter.core_schema if schema.adapter is not None else None]
    while stack:
        node = stack.pop()
        if isinstance(node, list | tuple):
            stack.extend(node)
        elif isinstance(node, Mapping):
            for name, field in (node.get("fields") or {}).items() if isinstance(node.get("fields"), Mapping) else ():
                if isinstance(field, Mapping) and field.get("type") in _FIELDS and any(map(_reads, _chain(field))):
                    alias = field.get("validation_alias")
                    found |= {name, *([alias] if isinstance(alias, str) else [])}
            stack.extend(value for key, value in node.items() if key not in ("metadata", "cls", "serialization"))
    return frozenset(found)


def _chain(node: Any) -> Iterator[Mapping[str, Any]]:
    """A field's node and the nodes within it, but for those of other fields."""
    if isinstance(node, Mapping):
        yield node
        for key in _WITHIN:
            yield from _chain(node.get(key))


def _reads(node: Mapping[str, Any]) -> bool:
    function = node.get("function")
    code = function.get("function") if isinstance(function, Mapping) else function
    module = str(getattr(code, "__module__", ""))
    return node.get("type") in _READING and not module.startswith(("pydantic", "ipaddress"))
