"""Functions that users provide by name."""

from collections.abc import Callable
from typing import Any

from structout.errors import SpecError, StructoutError
from structout.source import import_object


def own(place: str, *returns: type) -> Callable[[Any], Any]:
    """The function that `path/to/file.py:name` names, wrapped by `checked`.

    Raises `SchemaError` for an unknown name.
    """
    return checked(import_object(place), place, *returns)


def checked(function: Any, name: str, *returns: type) -> Callable[[Any], Any]:
    """The function, wrapped so that its errors, and results of a type not in `returns`, raise `SpecError`.

    Messages call the function `name`.
    """
    hint = f"give a function that returns {' or '.join(one.__name__ for one in returns)}"
    if not callable(function):
        raise SpecError(f"{name} is not a function", hint=hint)

    def call(given: Any) -> Any:
        try:
            found = function(given)
        except StructoutError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise SpecError(f"{name} failed: {reason}", hint=hint) from error
        if not isinstance(found, returns):
            raise SpecError(f"{name} returned {found!r}", hint=hint)
        return found

    return call
