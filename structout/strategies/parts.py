"""The models that a strategy has of its own."""

from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

from structout.models.base import Model


def with_models(part: Any, change: Callable[[Model], Model]) -> Any:
    """The same strategy, each model in it, that of an `On` or a `Judge`, replaced by what `change` makes of it."""
    if isinstance(part, tuple):
        return tuple(with_models(one, change) for one in part)
    if isinstance(part, type):
        return part
    if hasattr(part, "complete"):
        return change(part)
    if not is_dataclass(part):
        return part
    changed = copy(part)
    for one in fields(part):
        object.__setattr__(changed, one.name, with_models(getattr(part, one.name), change))
    return changed
