"""What an error of the validator says to a person and to a model: what was expected, and what was found."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsonschema_rs

from structout.document import Json, scalars
from structout.issue import MISSING
from structout.schema.patterns import shown_pattern

_Kind = jsonschema_rs.ValidationErrorKind
_LONGEST: Final = 80  # characters of a value
_MOST: Final = 8  # names of a list
_APART: Final = 3  # values in which two documents differ
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)
_TYPES: Final = {
    "null": "null",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text in quotes",
    "array": "a list",
    "object": "an object",
}
_FORMATS: Final = {
    "date": "a date (YYYY-MM-DD)",
    "date-time": "a date and time with a time zone (YYYY-MM-DDTHH:MM:SSZ)",
    "time": "a time with a time zone (HH:MM:SSZ)",
    "duration": "a duration (such as P1DT2H)",
    "email": "an email address",
    "idn-email": "an email address",
    "uri": "a URL with its scheme (such as https://)",
    "url": "a URL with its scheme (such as https://)",
    "iri": "a URL with its scheme (such as https://)",
    "uuid": "a UUID",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
}


def said(error: jsonschema_rs.ValidationError) -> str:
    """The message for an error."""
    kind = error.kind
    match kind:
        case _Kind.Type():
            return not_of_type(error.instance, kind.types)
        case _Kind.Maximum():
            return f"{shown(error.instance)} is above the maximum {kind.limit}"
        case _Kind.Minimum():
            return f"{shown(error.instance)} is below the minimum {kind.limit}"
        case _Kind.ExclusiveMaximum():
            return f"{shown(error.instance)} is not below {kind.limit}"
        case _Kind.ExclusiveMinimum():
            return f"{shown(error.instance)} is not above {kind.limit}"
        case _Kind.MultipleOf():
            return f"{shown(error.instance)} is not a multiple of {kind.multiple_of}"
        case _Kind.MinLength() | _Kind.MaxLength():
            bound = "at least" if isinstance(kind, _Kind.MinLength) else "at most"
            return f"{shown(error.instance)} has {_count(error.instance, 'character')}, expected {bound} {kind.limit}"
        case _Kind.MinItems() | _Kind.MaxItems() | _Kind.AdditionalItems():
            bound = "at least" if isinstance(kind, _Kind.MinItems) else "at most"
            return f"the list has {_count(error.instance, 'item')}, expected {bound} {kind.limit}"
        case _Kind.MinProperties() | _Kind.MaxProperties():
            bound = "at least" if isinstance(kind, _Kind.MinProperties) else "at most"
            return f"the object has {_count(error.instance, 'key')}, expected {bound} {kind.limit}"
        case _Kind.UniqueItems():
            return "the list holds an item twice"
        case _Kind.Format():
            return f"{shown(error.instance)} is not {_FORMATS.get(kind.format, 'a ' + kind.format)}"
        case _Kind.Pattern():
            return f"{shown(error.instance)} does not match the pattern {shown_pattern(kind.pattern)}"
        case _Kind.Enum():
            return not_one_of(error.instance, kind.options)
        case _Kind.Constant():
            return f"{shown(error.instance)} is not {shown(kind.expected_value)}"
        case _Kind.Required():
            return missing(kind.property)
        case _Kind.AdditionalProperties() | _Kind.UnevaluatedProperties():
            names = _listed([_json(name) for name in kind.unexpected], "and")
            return f"the schema has no key {names}" if len(kind.unexpected) == 1 else f"the schema has no keys {names}"
        case _Kind.UnevaluatedItems():
            return "the list has more items than the schema allows"
        case _Kind.FalseSchema():
            return f"{shown(error.instance)} is not allowed here"
        case _Kind.AnyOf() | _Kind.OneOfNotValid():
            return f"{shown(error.instance)} fits none of the alternatives"
        case _Kind.OneOfMultipleValid():
            return f"{shown(error.instance)} fits more than one of the alternatives, expected exactly one"
        case _Kind.Not():
            return f"{shown(error.instance)} is not allowed: the schema excludes it"
        case _Kind.Contains():
            return "the list lacks an item that the schema requires, or holds too many such items"
        case _Kind.PropertyNames():
            return f"invalid key: {said(kind.error)}"
        case _:
            return error.message


def not_of_type(value: Any, types: Sequence[str]) -> str:
    """The message for a value that has none of these JSON types."""
    return f"{shown(value)} is not {_listed([_TYPES.get(name, name) for name in dict.fromkeys(types)])}"


def not_one_of(value: Any, options: Sequence[Any]) -> str:
    """The message for a value that the options do not include."""
    return f"{shown(value)} is not one of {_listed(list(dict.fromkeys(map(_json, options))))}"


def shown(value: Any) -> str:
    """A value as JSON, cut to a readable length."""
    text = ""
    for piece in _ENCODER.iterencode(value):  # not all of a large value
        text += piece
        if len(text) > _LONGEST:
            return text[: _LONGEST - 1] + "…"
    return text


def missing(key: str) -> str:
    """The message for a required key that is absent."""
    return MISSING.format(_json(key))


def told_apart(one: Json, two: Json) -> tuple[str, str]:
    """Two documents that differ, as JSON; if this is too long to show, the first values in which they differ."""
    texts = shown(one), shown(two)
    if not any(text.endswith("…") for text in texts):
        return texts
    first, second = scalars(one), scalars(two)
    places = [place for place in {**first, **second} if _at(first, place) != _at(second, place)]
    if not places:
        return texts
    told = [
        ", ".join(f"{place[:_LONGEST]}: {_at(found, place)}" for place in places[:_APART]) for found in (first, second)
    ]
    return f"{{… {told[0]} …}}", f"{{… {told[1]} …}}"


def _at(found: Mapping[str, Any], place: str) -> str:
    """The value at a place among scalars, as JSON."""
    return shown(found[place]) if place in found else "nothing"


def _json(value: Any) -> str:
    return _ENCODER.encode(value)


def _count(value: Any, noun: str) -> str:
    return f"{len(value)} {noun}{'' if len(value) == 1 else 's'}"


def _listed(names: list[str], word: str = "or") -> str:
    if len(names) > _MOST:
        return f"{', '.join(names[:_MOST])} {word} {len(names) - _MOST} more"
    return f" {word} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
