"""Python objects named by text: `path/to/file.py:Name` or `package.module:Name`."""

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

from structout.errors import CodeError, SchemaError

_refused = False  # one flag for the whole process and all its threads, so that no entry point can forget it
_files_may = False  # whether data files may name code
_reading: ContextVar[str] = ContextVar("reading", default="")  # the data file that is being read
_PREFIX = "structout_source_"  # begins the names of modules that are loaded from files
_PLACE = "__structout_source__"  # the attribute of such a module that holds the path given for it


def refuse_code() -> None:
    """Refuse to import code named by text, for the rest of this process: schemas, models, rules and metrics are data.

    The refusal cannot be undone. A program may still pass in objects that it imported itself.
    """
    global _refused
    _refused = True


def refuses_code() -> bool:
    """Whether `refuse_code` was called."""
    return _refused


def allow_code() -> None:
    """Let data files name code, for the rest of this process: a `.strategy` file then runs the code it names.

    By default, code is imported only where the caller names it. `refuse_code` overrides `allow_code`.
    """
    global _files_may
    _files_may = True


@contextmanager
def reading(file: str) -> Iterator[None]:
    """A context manager for reading a data file: code that the file names is refused unless `allow_code` was called."""
    token = _reading.set(file)
    try:
        yield
    finally:
        _reading.reset(token)


def check_code(source: str) -> None:
    """Raise `CodeError` if the code that `source` names may not be imported."""
    if _refused:
        raise CodeError(
            f"{source} names Python code, and code is refused here", hint="name data instead, or omit --no-code"
        )
    if _reading.get() and not _files_may:
        hint = "read the file, then allow it: --allow-code, or structout.source.allow_code() in a program"
        raise CodeError(f"{_reading.get()} names code: {source}", hint=hint)


def import_object(source: str, kind: str = "function") -> Any:
    """Import the object that `path/to/file.py:Name` or `package.module:Name` names. Messages call the object a `kind`.

    A `.py` file without a name stands for the only name in its `__all__`. A module always needs a name, so that a
    misspelt path of a data file is not imported as a module. Raises `SchemaError`, and `CodeError` for refused code.
    """
    place, colon, name = source.rpartition(":")
    if not colon or source.endswith(".py"):
        place, name = source, ""
    if not place.endswith(".py") and (not name or not _is_module(place) or os.path.isfile(place)):
        data = "a folder, a .json file, " if kind == "schema" else ""
        hint = f"give {data}path/to/{kind}.py:Name or package.module:Name"
        raise SchemaError(f"unknown {kind} {source!r}", hint=hint)
    check_code(source)
    try:
        module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    except SchemaError:
        raise
    except (Exception, SystemExit) as error:  # SystemExit too: a file may end the program
        reason = f"{type(error).__name__}: {error}"
        raise SchemaError(f"{place} cannot be imported: {reason}", hint="fix the code, or check the name") from error
    if not name:
        names = list(getattr(module, "__all__", []))
        if len(names) != 1:
            hint = f"write {place}:Name, or set __all__ to one name"
            raise SchemaError(f"{source} does not say which object is meant", hint=hint)
        name = names[0]
    if not hasattr(module, name):
        known = ", ".join(sorted(key for key in vars(module) if not key.startswith("_"))[:12])
        raise SchemaError(f"{place} has no {name!r}", hint=f"it has: {known}")
    return getattr(module, name)


def source_of(thing: Any) -> str:
    """The name of a class or a function as text, in the form that `import_object` reads."""
    module = sys.modules.get(thing.__module__)
    place = getattr(module, _PLACE, "") or (getattr(module, "__file__", "") if thing.__module__ == "__main__" else "")
    return f"{place or thing.__module__}:{thing.__qualname__}"


def file_named(source: str) -> Path | None:
    """The file that the text `path/to/file.py:Name` names; None if the text names a module."""
    place = source if source.endswith(".py") else source.rpartition(":")[0]
    return Path(place) if place.endswith(".py") else None


def defining_file(thing: Any) -> Path | None:
    """The file that defines a function, a class, or the class of any other object; None for built-in objects."""
    try:
        file = inspect.getsourcefile(thing if inspect.isroutine(thing) or inspect.isclass(thing) else type(thing))
    except (TypeError, OSError):
        return None
    return Path(file) if file is not None and Path(file).is_file() else None


def _import_file(path: Path) -> ModuleType:
    if not os.path.isfile(path):
        raise SchemaError(f"no file {path}", hint="check the path")
    name = _PREFIX + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SchemaError(f"{path} is not a Python file", hint="check the path")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _PLACE, str(path))
    sys.modules[name] = module  # Pydantic resolves annotations through sys.modules
    spec.loader.exec_module(module)
    return module


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))  # False for an empty name too


def _import_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not search the current folder
        sys.path.insert(0, here)
    return importlib.import_module(name)
