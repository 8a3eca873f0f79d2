"""Python objects named by text: `path/to/file.py:Name` or `package.module:Name`."""

import hashlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from structout.errors import CodeError, SchemaError

_refused = False  # once for a process, and for all of its threads: a way in that forgot to ask would be a hole


def refuse_code() -> None:
    """Import nothing that is named by text from now on, in this process: schemas, models, rules and metrics are data.

    There is no way back. What a program imports itself, it may still hand in.
    """
    global _refused
    _refused = True


def refuses_code() -> bool:
    """Whether `refuse_code` was called."""
    return _refused


def check_code(source: str) -> None:
    """Raise `CodeError` for the name of an object to import where code is refused."""
    if _refused:
        raise CodeError(f"{source} is code, which is refused here", hint="name data instead, or leave out --no-code")


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


def _import_file(path: Path) -> ModuleType:
    if not os.path.isfile(path):
        raise SchemaError(f"no file {path}", hint="check the path")
    name = "structout_source_" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SchemaError(f"{path} is not a Python file", hint="check the path")
    module = importlib.util.module_from_spec(spec)
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
