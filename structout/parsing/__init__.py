"""Repair of model answers: from text to a document, with every change named and graded.

The readers are imported on first use: compiling their patterns takes a fifth of a second, and programs that only look
at results do not need the readers.
"""

from typing import TYPE_CHECKING

from structout.exports import lazy
from structout.parsing.edits import Decimal, Edit, Grade, Policy, allows, apply

if TYPE_CHECKING:
    from structout.parsing.diff import view
    from structout.parsing.engine import repair
    from structout.parsing.locate.candidates import Format
    from structout.parsing.repaired import Repaired

__all__ = ["Decimal", "Edit", "Format", "Grade", "Policy", "Repaired", "allows", "apply", "repair", "view"]


__getattr__, __dir__ = lazy(
    __name__,
    {
        "diff": "view",
        "edits": "Decimal Edit Grade Policy allows apply",
        "engine": "repair",
        "repaired": "Repaired",
        "locate.candidates": "Format",
    },
)
