"""What only a schema's Pydantic type checks, in no place of its JSON Schema."""

from collections.abc import Iterator, Mapping
from typing import Any

from structout.grammar.rewrite import Gap
from structout.schema import Schema

# Functions of Pydantic and the library whose types accept less than the JSON Schema that they write.
_LOOSE = ("bytesize",)
_PLAIN_KEYS = ("str", "any", "literal", "enum")


def python_checks(schema: Schema[Any], said: frozenset[int] = frozenset()) -> list[Gap]:
    """The validators and constraints of a Pydantic type that JSON Schema has no words for; none without a type.

    `said` are the ids of the nodes of the type that the mask says all of nevertheless, if more narrowly.
    """
    if schema.adapter is None:
        return []
    found: dict[str, Gap] = {}
    stack: list[Any] = [schema.adapter.core_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, list | tuple):
            stack.extend(node)
        elif isinstance(node, Mapping):
            found.update(
                (gap.keyword, gap)
                for gap in _of(node, id(node) in said)
                if gap.keyword not in found or not gap.narrower
            )
            stack.extend(value for key, value in node.items() if key not in ("serialization", "metadata", "cls"))
    return list(found.values())


def _of(node: Mapping[str, Any], said: bool) -> Iterator[Gap]:
    for gap in _unsaid(node):
        yield Gap(gap.pointer, gap.keyword, "by the mask, which writes it in one way", True) if said else gap


def _unsaid(node: Mapping[str, Any]) -> Iterator[Gap]:
    kind, function = node.get("type"), node.get("function")
    if isinstance(kind, str) and kind.startswith("function-"):
        code = function.get("function") if isinstance(function, Mapping) else function
        name = getattr(code, "__qualname__", repr(code))
        own = str(getattr(code, "__module__", "")).startswith(("pydantic", "ipaddress"))
        if not own or any(part in name.lower() for part in _LOOSE):
            yield Gap("", f"validator {name}", "Python code, in no JSON Schema")
    elif kind == "decimal":
        yield Gap("", "Decimal", "how it is written, in no JSON Schema")
    elif kind == "json":
        yield Gap("", "Json", "what is within the text, in no JSON Schema")
    elif kind in ("date", "datetime") and node.get("now_op"):
        yield Gap("", f"{kind} in the {node['now_op']}", "depends on the day, in no JSON Schema")
    elif kind in ("datetime", "time") and node.get("tz_constraint") is not None:
        yield Gap("", f"{kind} {node['tz_constraint']}", "whether there is an offset, in no JSON Schema")
    elif kind == "dict" and node.get("keys_schema"):
        keys = node["keys_schema"]
        narrow = keys.keys() & {"pattern", "min_length", "max_length"}
        if keys.get("type") not in _PLAIN_KEYS or narrow:
            yield Gap("", "dict keys", "of another type than plain text, in no JSON Schema")
