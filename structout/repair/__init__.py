"""Text to document: what a model meant, with every change named and graded.

The readers are imported when they are first used: compiling their patterns takes a fifth of a second, which a program
that only looks at results does not pay.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from structout.repair.edits import Edit, Grade, Policy, allows, apply

if TYPE_CHECKING:
    from structout.repair.candidates import Format
    from structout.repair.mend import Repaired, repair
    from structout.repair.scalars import Decimal
    from structout.repair.unified import view

__all__ = ["Decimal", "Edit", "Format", "Grade", "Policy", "Repaired", "allows", "apply", "repair", "view"]


_HOMES = {"Decimal": "scalars", "Format": "candidates", "Repaired": "mend", "repair": "mend", "view": "unified"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'structout.repair' has no attribute {name!r}")
    value = getattr(import_module(f"structout.repair.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
