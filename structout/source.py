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

_refused = False  # once for a process, and for all of its threads: a way in that forgot to ask would be a hole
_files_may = False  # whether a file of data may name code
_reading: ContextVar[str] = ContextVar("reading", default="")  # the file of data that is being read
_PREFIX = "structout_source_"  # of the names that modules from files have
_PLACE = "__structout_source__"  # in such a module: how it was named


def refuse_code() -> None:
    """Import nothing that is named by text from now on, in this process: schemas, models, rules and metrics are data.

    There is no way back. What a program imports itself, it may still hand in.
    """
    global _refused
    _refused = True


def refuses_code() -> bool:
    """Whether `refuse_code` was called."""
    return _refused


def allow_code() -> None:
    """Let files of data name code from now on, in this process: a `.strategy` file runs what it names.

    Without, code is imported only where whoever calls typed its name. `refuse_code` overrules this.
    """
    global _files_may
    _files_may = True


@contextmanager
def reading(file: str) -> Iterator[None]:
    """While a file of data is read, code that the file names is refused, unless `allow_code` was called."""
    token = _reading.set(file)
    try:
        yield
    finally:
        _reading.reset(token)


def check_code(source: str) -> None:
    """Raise `CodeError` for the name of an object to import where code is refused."""
    if _refused:
        raise CodeError(f"{source} is code, which is refused here", hint="name data instead, or leave out --no-code")
    if _reading.get() and not _files_may:
        hint = "--allow-code (in a program: structout.source.allow_code()) runs it; read the file first"
        raise CodeError(f"{_reading.get()} names code: {source}", hint=hint)


def import_object(source: str) -> Any:
    """Import what `path/to/file.py:Name` or `package.module:Name` names.

    A `.py` file without a name stands for the one name in its `__all__`. A module needs the name: a file of data whose
    name is misspelt is no module. Raises `SchemaError`, and `CodeError` where code is refused.
    """
    place, colon, name = source.rpartition(":")
    if not colon or source.endswith(".py"):
        place, name = source, ""
    if not place.endswith(".py") and (not name or not _is_module(place) or os.path.isfile(place)):
        hint = "give a folder, a .json file, path/to/schema.py:Name or package.module:Name"
        raise SchemaError(f"no schema {source!r}", hint=hint)
    check_code(source)
    try:
        module = _import_file(Path(place)) if place.endswith(".py") else _import_module(place)
    except SchemaError:
        raise
    except (Exception, SystemExit) as error:  # a file that ends the program is no schema either
        reason = f"{type(error).__name__}: {error}"
        raise SchemaError(f"{place} cannot be imported: {reason}", hint="mend it, or check the name") from error
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
    """The text that names a class or a function, as `import_object` takes it."""
    module = sys.modules.get(thing.__module__)
    place = getattr(module, _PLACE, "") or (getattr(module, "__file__", "") if thing.__module__ == "__main__" else "")
    return f"{place or thing.__module__}:{thing.__qualname__}"


def file_named(source: str) -> Path | None:
    """The file in the name of an object, `path/to/file.py:Name`; None for the name of an object in a module."""
    place = source if source.endswith(".py") else source.rpartition(":")[0]
    return Path(place) if place.endswith(".py") else None


def defining_file(thing: Any) -> Path | None:
    """The file that defines a function, a class, or the class of another object; None for a part of Python."""
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
    sys.modules[name] = module  # Pydantic resolves a module's annotations through sys.modules
    spec.loader.exec_module(module)
    return module


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))  # also refuses the empty name


def _import_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:  # an installed command does not see the folder it is called in
        sys.path.insert(0, here)
    return importlib.import_module(name)
