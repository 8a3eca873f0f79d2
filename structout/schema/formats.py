"""Checks for the JSON Schema keyword `format`, for every draft and for Pydantic types."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema_rs

_LATEST = "https://json-schema.org/draft/2020-12/schema"
_FORMATS = (
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
    "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer",
    "relative-json-pointer", "regex",
)  # fmt: skip
# ISO 8601 with a fraction in any part, as Pydantic writes a timedelta. RFC 3339 allows only whole numbers.
_DURATION = re.compile(
    r"[+-]?P(?!$)(?:\d+(?:\.\d+)?Y)?(?:\d+(?:\.\d+)?M)?(?:\d+(?:\.\d+)?W)?(?:\d+(?:\.\d+)?D)?"
    r"(?:T(?!$)(?:\d+(?:\.\d+)?H)?(?:\d+(?:\.\d+)?M)?(?:\d+(?:\.\d+)?S)?)?"
)


def formats_for(json_schema: Any, *, pydantic: bool) -> dict[str, Callable[[str], bool]]:
    """The format checks that the validator lacks for the schema's draft.

    The schema of a Pydantic type says `date-time` and `time` for values with or without an offset, and `duration` for
    durations with fractions. With `pydantic`, the checks accept these values.
    """
    draft = json_schema.get("$schema", _LATEST) if isinstance(json_schema, dict) else _LATEST
    checks = dict(_unknown_to(draft)) if isinstance(draft, str) else {}
    if pydantic:
        checks["date-time"] = _offset_optional("date-time")
        checks["time"] = _offset_optional("time")
        checks["duration"] = lambda text: _DURATION.fullmatch(text) is not None
    return checks


@cache
def _unknown_to(draft: str) -> dict[str, Callable[[str], bool]]:
    def ignores(name: str) -> bool:
        try:
            validator = jsonschema_rs.validator_for({"$schema": draft, "format": name}, validate_formats=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return False
        return validator.is_valid("\\\x00{")

    return {name: _latest(name) for name in _FORMATS if ignores(name)}


@cache
def _latest(name: str) -> Callable[[str], bool]:
    validator = jsonschema_rs.validator_for({"$schema": _LATEST, "format": name}, validate_formats=True)
    return validator.is_valid


def _offset_optional(name: str) -> Callable[[str], bool]:
    check = _latest(name)
    return lambda text: check(text) or check(text + "Z")
