"""Tighter JSON Schemas for masks, with constraints of a Pydantic type that its own JSON Schema omits."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from structout.grammar.strings import FORMATS, address, durations_between, times_between
from structout.schema import Schema, Writer
from structout.schema.patterns import with_unicode_patterns

_WHOLE, _PLACES = 12, 12  # digits and decimal places of a Decimal without bounds
_BOUNDS = ("ge", "gt", "le", "lt", "multiple_of")
_DAY = date(2000, 1, 1)  # of the bounds of times
_SECOND = timedelta(seconds=1)
_T = TypeVar("_T", date, datetime, timedelta)
_KEYS = {"int": r"^(?:0|-?[1-9][0-9]{0,17})$", "date": f"^(?:{FORMATS['date']})$", "uuid": f"^(?:{FORMATS['uuid']})$"}


def tightened(schema: Schema[Any], mask: Any = None) -> tuple[Any, frozenset[int]]:
    """The JSON Schema for the mask, and the ids of the nodes of the Pydantic type that it expresses completely.

    It allows no document that the schema's own JSON Schema rejects, and it keeps the order of keys. Without a Pydantic
    type it is the schema's own JSON Schema; where there is a `mask`, it is the mask.
    """
    if schema.adapter is None:
        return schema.json_schema if mask is None else mask, frozenset()
    written, expressed = _written(schema, id(schema.adapter.core_schema))
    return written if mask is None else mask, expressed


@lru_cache(maxsize=64)
def _written(schema: Schema[Any], _type: int) -> tuple[Any, frozenset[int]]:  # `_type` too, as in `compile`
    assert schema.adapter is not None
    expressed: set[int] = set()

    class Tight(_Tight):
        def done(self, node: Any) -> None:
            expressed.add(id(node))

    written = with_unicode_patterns(schema.adapter.json_schema(schema_generator=Tight))
    return _ordered(written, schema.json_schema), frozenset(expressed)


def _ordered(node: Any, own: Any) -> Any:
    """`node` with its keys in the order of `own`, at every level; keys that `own` lacks come last."""
    if isinstance(node, dict) and isinstance(own, dict):
        keys = [key for key in own if key in node]
        return {key: _ordered(node[key], own.get(key)) for key in dict.fromkeys([*keys, *node])}
    if isinstance(node, list) and isinstance(own, list):
        return [_ordered(one, other) for one, other in zip(node, own, strict=False)] + node[len(own) :]
    return node


def _within(bounds: Mapping[str, Any], step: timedelta, first: _T, last: _T) -> tuple[_T | None, _T | None]:
    """The least and the greatest value within bounds, where values are steps apart; None without a bound.

    Raises `OverflowError` if a value next to a bound is not between `first` and `last`.
    """
    if bounds.get("gt", first) > last - step or bounds.get("lt", last) < first + step:
        raise OverflowError
    least = [bounds["ge"]] if "ge" in bounds else []
    least += [bounds["gt"] + step] if "gt" in bounds else []
    most = [bounds["le"]] if "le" in bounds else []
    most += [bounds["lt"] - step] if "lt" in bounds else []
    return max(least, default=None), min(most, default=None)


def _text(bound: date | None, *, up: bool) -> str:
    """A bound in ISO 8601, to the second; "" without a bound. Raises `OverflowError` after the last second."""
    if isinstance(bound, datetime):
        bound = bound.replace(microsecond=0) + (_SECOND if up and bound.microsecond else timedelta())
    return bound.isoformat() if bound is not None else ""


class _Tight(Writer):
    """The writer of JSON Schema, extended by constraints of some types."""

    def done(self, node: Any) -> None:
        """Record a node that the JSON Schema expresses completely."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        most, places = schema.get("max_digits"), schema.get("decimal_places")
        whole = _WHOLE if most is None else most - (places or 0)
        decimals = (_PLACES if most is None else 0) if places is None else places
        self.done(schema)
        if any(key in schema for key in _BOUNDS):  # a number, because a mask can enforce a number's bounds
            number: JsonSchemaValue = super().decimal_schema(schema)["anyOf"][0]
            if most is None and places is None:
                return number
            if "multipleOf" not in number:
                number["multipleOf"] = 10.0**-decimals if decimals else 1
                return {"allOf": [number, {"exclusiveMinimum": -(10**whole), "exclusiveMaximum": 10**whole}]}
            return {"allOf": [number, {"type": "integer", "minimum": 1 - 10**whole, "maximum": 10**whole - 1}]}
        fraction = rf"\.[0-9]{{1,{decimals}}}" if decimals else ""
        before = f"(?:0|[1-9][0-9]{{0,{whole - 1}}})(?:{fraction})?" if whole > 0 else f"0{fraction}"
        text = {"type": "string", "pattern": f"^-?{before}$"}
        if most is None and places is None:  # a bounded number is written without an exponent
            return {"anyOf": [{"type": "number", "minimum": -(10**whole), "maximum": 10**whole}, text]}
        number = {"type": "number", "multipleOf": 10.0**-decimals if decimals else 1}
        number |= {"exclusiveMinimum": -(10**whole), "exclusiveMaximum": 10**whole}
        return {"anyOf": [number, text]} if whole > 0 else text

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        written = self._in_time(super().date_schema(schema), schema.get("now_op"))
        return self._bounded(written, schema, schema, timedelta(days=1), date.min, date.max)

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        return self._address(super().url_schema(schema), schema.get("allowed_schemes"))

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        return self._address(super().multi_host_url_schema(schema), schema.get("allowed_schemes"), several_hosts=True)

    def _address(
        self, written: JsonSchemaValue, schemes: list[str] | None, *, several_hosts: bool = False
    ) -> JsonSchemaValue:
        if not schemes or set(schemes) == {"http", "https"}:
            return written
        kept = {key: value for key, value in written.items() if key != "format"}
        return {**kept, "pattern": address(schemes, several_hosts=several_hosts)}

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        zone = schema.get("tz_constraint")
        written = self._zoned(self._in_time(super().datetime_schema(schema), schema.get("now_op")), zone)
        bounds = {key: bound for key in _BOUNDS if isinstance(bound := schema.get(key), datetime)}
        zones = {bound.tzinfo is not None for bound in bounds.values()}
        if len(zones) > 1 or (True in zones and zone == "naive"):
            return written
        if True in zones:  # offsets would have to be subtracted, so the mask allows UTC only
            bounds = {key: bound.astimezone(UTC).replace(tzinfo=None) for key, bound in bounds.items()}
            written = {"allOf": [written, {"pattern": "Z$"}]}
        return self._bounded(written, schema, bounds, _SECOND, datetime.min, datetime.max)

    def time_schema(self, schema: core_schema.TimeSchema) -> JsonSchemaValue:
        written = self._zoned(super().time_schema(schema), schema.get("tz_constraint"))
        times = {key: bound for key in _BOUNDS if isinstance(bound := schema.get(key), time)}
        if any(bound.tzinfo is not None for bound in times.values()):
            return written
        bounds = {key: datetime.combine(_DAY, bound) for key, bound in times.items()}
        first, last = datetime.combine(_DAY, time.min), datetime.combine(_DAY, time.max)
        return self._bounded(written, schema, bounds, _SECOND, first, last)

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        written = super().timedelta_schema(schema)
        bounds = {key: bound for key in _BOUNDS if isinstance(bound := schema.get(key), timedelta)}
        least, most = _within(bounds, _SECOND, timedelta.min, timedelta.max) if bounds else (None, None)
        first = 0 if least is None else -(-least // _SECOND)  # the next whole second
        last = timedelta.max // _SECOND if most is None else most // _SECOND
        if not bounds or first < 0 or last < first:
            return written
        self.done(schema)
        return {"type": "string", "pattern": durations_between(first, last)}

    def _bounded(
        self, written: JsonSchemaValue, node: Any, bounds: Mapping[str, Any], step: timedelta, first: Any, last: Any
    ) -> JsonSchemaValue:
        """What is written, with bounds; the node is done unless they cannot be written."""
        try:
            least, most = _within(bounds, step, first, last)
            texts = _text(least, up=True), _text(most, up=False)
        except OverflowError:
            return written
        if node["type"] == "time":
            texts = texts[0].partition("T")[2], texts[1].partition("T")[2]
        self.done(node)
        patterns = times_between(*texts)
        return {"allOf": [written, *({"pattern": pattern} for pattern in patterns)]} if patterns else written

    def _in_time(self, written: JsonSchemaValue, now: str | None) -> JsonSchemaValue:
        year = datetime.now(UTC).year
        if now == "past":
            written["pattern"] = f"^(?:[01]|(?:{'|'.join(map(str, range(2000, year)))})-)"
        elif now == "future":  # not next year, which may have begun when the document is validated
            near = "|".join(map(str, range(year + 2, 2100)))
            written["pattern"] = f"^(?:(?:{near})-|2[1-9][0-9]{{2}}-|[3-9])"
        return written

    def _zoned(self, written: JsonSchemaValue, constraint: Any) -> JsonSchemaValue:
        zone = {"aware": r"(?:Z|[+-][0-9]{2}:[0-9]{2})$", "naive": r"^(?:[0-9-]*T)?[0-9:.]*$"}.get(constraint)
        return {"allOf": [written, {"pattern": zone}]} if zone else written

    def json_schema(self, schema: core_schema.JsonSchema) -> JsonSchemaValue:
        if "schema" not in schema:
            self.done(schema)
        return {**super().json_schema(schema), "format": "json-string"}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        written = super().dict_schema(schema)
        keys: Any = schema.get("keys_schema", {})
        limits = {"minLength": keys.get("min_length"), "maxLength": keys.get("max_length")}
        limits = {name: limit for name, limit in limits.items() if limit is not None}
        if keys.get("type") in _KEYS:
            self.done(schema)
            written["propertyNames"] = {"pattern": _KEYS[keys["type"]]}
        elif keys.get("type") == "str" and "pattern" in keys and not limits and "patternProperties" in written:
            self.done(schema)
            written["additionalProperties"] = False
        elif keys.get("type") == "str" and limits and "pattern" not in keys:
            self.done(schema)
            written["propertyNames"] = limits
        return written
