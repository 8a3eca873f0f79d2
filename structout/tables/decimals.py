"""Decimals in columns: exact numbers, which JSON holds as text or as a number."""

import json
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from structout.document import Json
from structout.schema import Schema, Writer
from structout.schema.references import local
from structout.schema.walk import kinds_of, meant

_FORMAT: Final = "decimal"
_BOUNDS: Final = "x-digits"  # the most digits, and the most of them after the point
_MOST: Final = 38  # digits that a column of decimals holds
_EXACT: Final = Context(prec=100)


class _Typed(Writer):
    """The writer of JSON Schema, with decimals told apart from any other text or number."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        written: JsonSchemaValue = {"type": ["string", "number"], "format": _FORMAT}
        digits, places = schema.get("max_digits"), schema.get("decimal_places")
        if digits is not None and places is not None and 0 <= places <= digits <= _MOST and digits:
            written[_BOUNDS] = [digits, places]
        return written


def with_decimals(schema: Schema[Any]) -> Any:
    """The JSON Schema for columns: the schema's own, in which decimals have a format of their own."""
    return schema.json_schema if schema.adapter is None else _typed(schema, id(schema.adapter.core_schema))


@lru_cache(maxsize=64)
def _typed(schema: Schema[Any], _type: int) -> Any:  # `_type` too: equal schemas may have other Pydantic types
    assert schema.adapter is not None
    written = to_jsonable_python(schema.adapter.json_schema(schema_generator=_Typed))
    return local(written) if f'"{_FORMAT}"' in json.dumps(written) else schema.json_schema


def is_decimal(node: Any, root: Any) -> bool:
    """Whether all values of a subschema are decimals or numbers, and some of them decimals."""
    ends = [part for part in meant([node], root) if not part.keys() & {"$ref", "anyOf", "oneOf"}]
    exact = [part for part in ends if part.get("format") == _FORMAT]
    return bool(exact) and all(part in exact or kinds_of(part, root) <= {"number", "null"} for part in ends)


def bounds_of(node: Any) -> tuple[int, int] | None:
    """The digits of a decimal, in total and after the point, as its schema bounds them; None without both bounds."""
    found = node.get(_BOUNDS) if node.get("format") == _FORMAT else None
    match found:
        case [int(digits), int(places)] if 0 <= places <= digits <= _MOST and digits:
            return digits, places
    return None


def exact_text(value: Json) -> str:
    """A decimal as text, without an exponent if it was a number."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a decimal is text or a number")
    return str(value) if isinstance(value, int) else format(Decimal(repr(value)), "f")


def bounded(value: Json, digits: int, places: int) -> Decimal:
    """A decimal with `places` digits after the point. Raises `ValueError` if it does not fit."""
    try:
        found = Decimal(exact_text(value))
        made = found.quantize(Decimal(1).scaleb(-places), context=_EXACT)
    except InvalidOperation as error:
        raise ValueError("it is not such a number") from error
    if made != found or made.adjusted() >= digits - places:
        raise ValueError("it has too many digits")
    return made
