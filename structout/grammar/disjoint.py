"""The proof that two subschemas share no value, so that `oneOf` is equivalent to `anyOf`."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

TYPES = ("null", "boolean", "number", "string", "array", "object")


class Reader(Protocol):
    """Reads subschemas of one schema."""

    def resolve(self, node: Any) -> Any:
        """The target of a `$ref`."""

    def values(self, node: Any) -> list[Any] | None:
        """The values that a subschema lists and accepts; None if it lists no values, or if that is unknown."""

    def fits(self, node: Any, value: Any) -> bool:
        """Whether a value fits a subschema; True if that is unknown."""


def disjoint(one: Any, two: Any, context: Mapping[str, Any], reader: Reader, depth: int = 0) -> bool:
    """Whether no value fits both subschemas; False without a proof. `context` is a schema that applies besides both."""
    one, two = reader.resolve(one), reader.resolve(two)
    if one is False or two is False:
        return True
    if not isinstance(one, Mapping) or not isinstance(two, Mapping) or depth > 6:
        return False
    for this, other in ((one, two), (two, one)):
        listed = reader.values(this)
        if listed is not None and not any(reader.fits(other, value) for value in listed):
            return True
        for key in ("anyOf", "oneOf"):
            if isinstance(this.get(key), list) and all(
                disjoint(branch, other, context, reader, depth + 1) for branch in this[key]
            ):
                return True
        if any(disjoint(part, other, context, reader, depth + 1) for part in this.get("allOf", [])):
            return True
    kinds = _kinds(one) & _kinds(two) & _kinds(context)
    if not kinds:
        return True
    if kinds == {"object"}:
        return _apart(one, two, context, reader, depth)
    if kinds <= {"number", "integer"}:
        return _above(one, two) or _above(two, one)
    if kinds == {"string"}:
        return any(a.get("maxLength", math.inf) < b.get("minLength", 0) for a, b in ((one, two), (two, one)))
    return False


def _apart(
    one: Mapping[str, Any], two: Mapping[str, Any], context: Mapping[str, Any], reader: Reader, depth: int
) -> bool:
    for this, other in ((one, two), (two, one)):
        for name in [*this.get("required", []), *context.get("required", [])]:
            mine, theirs = this.get("properties", {}).get(name, True), other.get("properties", {}).get(name)
            if theirs is None:
                closed = other.get("additionalProperties") is False and not other.get("patternProperties")
                theirs = not closed
            if disjoint(mine, theirs, {}, reader, depth + 1):
                return True
    return False


def _kinds(node: Mapping[str, Any]) -> set[str]:
    """The JSON types that a subschema allows; an integer is a number."""
    types = node.get("type")
    if types is None:
        return {*TYPES, "integer"}
    found = {types} if isinstance(types, str) else set(types)
    return found | {"integer"} if "number" in found else found


def _above(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool:
    """Whether every number of the first is greater than every number of the second."""
    low = one.get("minimum", one.get("exclusiveMinimum"))
    high = two.get("maximum", two.get("exclusiveMaximum"))
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return False
    strict = "minimum" not in one or "maximum" not in two
    return low > high or (strict and low == high)
