"""The parts of an expression: strategies and verifiers, and the models, functions and values within them."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

from structout.models.base import Model


def parts(part: Any) -> Iterator[Any]:
    """Each part of an expression, outer parts before inner parts, in the order of writing.

    A model is a part; its fields are not.
    """
    if isinstance(part, tuple | list):
        for one in part:
            yield from parts(one)
        return
    yield part
    if not hasattr(part, "complete"):
        for _, inner in _fields(part):
            yield from parts(inner)


def models_of(part: Any) -> list[Model]:
    """The models within an expression, such as the model of an `On` or of a `Judge`."""
    return [one for one in parts(part) if hasattr(one, "complete") and not isinstance(one, type)]


def with_models(part: Any, change: Callable[[Model], Model]) -> Any:
    """The expression with `change` applied to each model within it."""
    if isinstance(part, tuple | list):
        return type(part)(with_models(one, change) for one in part)
    if isinstance(part, type):
        return part
    if hasattr(part, "complete"):
        return change(part)
    inner = list(_fields(part))
    if not inner:
        return part
    changed = copy(part)
    for name, value in inner:
        object.__setattr__(changed, name, with_models(value, change))
    return changed


def with_inner(part: Any, change: Callable[[Any], Any]) -> Any:
    """The part with `change` applied to each value directly within it; a model stays as it is."""
    inner = [] if hasattr(part, "complete") else list(_fields(part))
    if not inner:
        return part
    changed = copy(part)
    for name, value in inner:
        several = isinstance(value, tuple | list)
        object.__setattr__(changed, name, type(value)(map(change, value)) if several else change(value))
    return changed


def with_field(part: Any, name: str, value: Any) -> Any:
    """The expression with one field of each strategy and verifier changed that has the field and leaves it empty."""
    if isinstance(part, tuple | list):
        return type(part)(with_field(one, name, value) for one in part)
    if isinstance(part, type) or hasattr(part, "complete"):
        return part
    inner = {own: with_field(one, name, value) for own, one in _fields(part)}
    if name in inner and not inner[name]:
        inner[name] = value
    if not inner:
        return part
    changed = copy(part)
    for own, one in inner.items():
        object.__setattr__(changed, own, one)
    return changed


def _fields(part: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a strategy, a verifier or a dataclass within them."""
    if isinstance(part, type):
        return
    if is_dataclass(part):
        yield from ((one.name, getattr(part, one.name)) for one in fields(part))
    elif hasattr(part, "run") or hasattr(part, "check"):  # any class may hold strategies
        yield from getattr(part, "__dict__", {}).items()
