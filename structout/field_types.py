"""A check that the fields of a dataclass have their declared types, for objects read from text or a file."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a text", NoneType: "None"}


def misfit(made: Any) -> str:
    """The first field whose value does not have its declared type, as a message; "" if all fields fit.

    A protocol must be `runtime_checkable`. An integer may stand for a float; a bool never counts as a number.
    """
    for one in fields(made):
        value = getattr(made, one.name)
        if not _fits(value, one.type):
            return f"invalid {one.name}: got {value!r}, expected {_words(one.type)}"
    return ""


def tupled(value: Any, declared: Any) -> Any:
    """The value with each list as a tuple where the declared type has a tuple."""
    kind, parts = get_origin(declared), get_args(declared)
    if kind in (Union, UnionType):
        tried = (tupled(value, part) for part in parts)
        return next((one for one, part in zip(tried, parts, strict=True) if _fits(one, part)), value)
    if kind is not tuple or not isinstance(value, list | tuple):
        return value
    each = parts[:1] * len(value) if Ellipsis in parts else parts
    return tuple(map(tupled, value, each)) if len(each) == len(value) else tuple(value)


def _words(declared: Any) -> str:
    """A type in plain words."""
    kind, parts = get_origin(declared), get_args(declared)
    if kind in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if kind is Literal:
        return " or ".join(map(repr, parts))
    named = declared.__name__ if isinstance(declared, type) and not parts else re.sub(r"(?:\w+\.)+", "", str(declared))
    return _NAMES.get(declared, named)


def _fits(value: Any, declared: Any) -> bool:
    kind, parts = get_origin(declared), get_args(declared)
    if declared is Any:
        return True
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if kind is Callable:
        return callable(value)
    if kind is tuple and Ellipsis not in parts:
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(_fits, value, parts))
    if kind in (tuple, list):
        return isinstance(value, kind) and all(_fits(one, parts[0]) for one in value)
    if kind is Mapping:
        return isinstance(value, Mapping) and all(_fits(k, parts[0]) and _fits(v, parts[1]) for k, v in value.items())
    if declared in (int, float):  # numpy registers its numbers with these
        return isinstance(value, Integral if declared is int else Real) and not isinstance(value, bool)
    return isinstance(value, declared) and not isinstance(value, type)
