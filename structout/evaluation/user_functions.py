"""Functions of the user's own, by their names."""

from collections.abc import Callable
from typing import Any

from structout.errors import SpecError, StructoutError
from structout.source import import_object


def own(place: str, *returns: type) -> Callable[[Any], Any]:
    """The function that `path/to/file.py:name` names: whatever it cannot do is bad input, a `SpecError`.

    Raises `SchemaError` if there is no such name.
    """
    return checked(import_object(place), place, *returns)


def checked(function: Any, name: str, *returns: type) -> Callable[[Any], Any]:
    """The function, which goes by `name`: whatever it cannot do is bad input, a `SpecError`."""
    hint = f"give a function that returns {' or '.join(one.__name__ for one in returns)}"
    if not callable(function):
        raise SpecError(f"{name} is no function", hint=hint)

    def call(given: Any) -> Any:
        try:
            found = function(given)
        except StructoutError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise SpecError(f"{name} fails: {reason}", hint=hint) from error
        if not isinstance(found, returns):
            raise SpecError(f"{name} returned {found!r}", hint=hint)
        return found

    return call
