"""The checks of a Pydantic type that its JSON Schema does not express."""

from collections.abc import Iterator, Mapping
from typing import Any

from structout.grammar.rewrite import Gap
from structout.schema import Schema

NOT_IN_JSON_SCHEMA = "not in JSON Schema"
# Functions of Pydantic whose types accept less than the JSON Schema that they write.
_LOOSE = (
    "bytesize",
    "validate_file",
    "validate_directory",
    "validate_new",
    "validate_socket",
    "import_string",
)
_DATE_BOUNDS = "date bounds"
_TIME_BOUNDS = ("datetime bounds", "time bounds", "timedelta bounds")
_ONE_SPELLING = "the mask allows one spelling only"
_BOUNDS = frozenset({"ge", "gt", "le", "lt"})
_CODE = f"Python code, {NOT_IN_JSON_SCHEMA}"
_PLAIN_KEYS = ("str", "any", "literal", "enum")


def python_checks(schema: Schema[Any], expressed: frozenset[int] = frozenset()) -> list[Gap]:
    """The validators and constraints of a Pydantic type that JSON Schema cannot express; empty without a type.

    `expressed` are the ids of the type's nodes that the mask enforces nevertheless, though more narrowly.
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
                for gap in _gaps(node, id(node) in expressed)
                if gap.keyword not in found or not gap.narrower
            )
            stack.extend(value for key, value in node.items() if key not in ("serialization", "metadata", "cls"))
    return list(found.values())


def _gaps(node: Mapping[str, Any], expressed: bool) -> Iterator[Gap]:
    if node.get("type") in ("url", "multi-host-url") and set(node.get("allowed_schemes") or ()) - {"http", "https"}:
        yield Gap("", "URL", "the mask allows the usual forms only", True)
    for gap in _unexpressed(node):
        if expressed and gap.keyword == _DATE_BOUNDS:
            continue  # by a pattern, to the day
        why = "the mask allows bounds to the second only" if gap.keyword in _TIME_BOUNDS else _ONE_SPELLING
        yield Gap(gap.pointer, gap.keyword, why, True) if expressed else gap


def _unexpressed(node: Mapping[str, Any]) -> Iterator[Gap]:
    kind, function = node.get("type"), node.get("function")
    if isinstance(kind, str) and kind.startswith("function-"):
        code = function.get("function") if isinstance(function, Mapping) else function
        name = getattr(code, "__qualname__", repr(code))
        own = str(getattr(code, "__module__", "")).startswith(("pydantic", "ipaddress"))
        if name.endswith("val_func"):
            yield Gap("", "predicate of annotated_types", _CODE)
        elif not own or any(part in name.lower() for part in _LOOSE):
            yield Gap("", f"validator {name}", _CODE)
    elif kind == "decimal":
        yield Gap("", "Decimal", f"the spelling of the number, {NOT_IN_JSON_SCHEMA}")
    elif kind == "date" and _BOUNDS & node.keys():
        yield Gap("", _DATE_BOUNDS, f"bounds of a date, {NOT_IN_JSON_SCHEMA}")
    elif kind in ("datetime", "time", "timedelta") and _BOUNDS & node.keys():
        yield Gap("", f"{kind} bounds", f"bounds of a {kind}, {NOT_IN_JSON_SCHEMA}")
    elif kind == "str" and node.get("strip_whitespace") and node.keys() & {"min_length", "pattern"}:
        yield Gap("", "strip_whitespace", f"the text without outer spaces, {NOT_IN_JSON_SCHEMA}")
    elif kind == "bytes" and node.keys() & {"min_length", "max_length"}:
        yield Gap("", "bytes length", f"the number of bytes, {NOT_IN_JSON_SCHEMA}")
    elif kind == "complex":
        yield Gap("", "complex", f"the spelling of the number, {NOT_IN_JSON_SCHEMA}")
    elif kind in ("model", "dataclass") and node.get("post_init"):
        name = "__post_init__" if kind == "dataclass" else str(node["post_init"])
        code = getattr(node.get("cls"), name, None)
        if not str(getattr(code, "__module__", "")).startswith("pydantic"):  # it sets private attributes
            yield Gap("", f"validator {getattr(code, '__qualname__', name)}", _CODE)
    elif kind == "enum" and any(isinstance(member.value, tuple) for member in node.get("members", ())):
        yield Gap("", "enum of tuples", f"JSON has lists, {NOT_IN_JSON_SCHEMA}")
    elif kind == "json":
        yield Gap("", "Json", f"the content of the text, {NOT_IN_JSON_SCHEMA}")
    elif kind in ("date", "datetime") and node.get("now_op"):
        yield Gap("", f"{kind} in the {node['now_op']}", f"depends on the day, {NOT_IN_JSON_SCHEMA}")
    elif kind in ("datetime", "time") and node.get("tz_constraint") is not None:
        yield Gap("", f"{kind} {node['tz_constraint']}", f"the presence of an offset, {NOT_IN_JSON_SCHEMA}")
    elif kind == "dict" and node.get("keys_schema"):
        keys = node["keys_schema"]
        narrow = keys.keys() & {"pattern", "min_length", "max_length"}
        if keys.get("type") not in _PLAIN_KEYS or narrow:
            yield Gap("", "dict keys", f"keys other than plain text, {NOT_IN_JSON_SCHEMA}")
