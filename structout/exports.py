"""Lazy exports: names that a package imports on first use."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package that exports names of its modules.

    `homes` maps each module, without the package's name, to the names it defines, separated by spaces.

        __getattr__, __dir__ = lazy(__name__, {"schema": "Schema", "errors": "DataError SpecError"})
    """
    modules = {name: f"{package}.{module}" for module, names in homes.items() for name in names.split()}
    namespace = vars(import_module(package))

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=import_module(package))
        namespace[name] = value = getattr(import_module(modules[name]), name)
        return value

    def names() -> list[str]:
        return sorted({*modules, *(name for name in namespace if name.startswith("__"))})

    return get, names
