"""Text to document: what a model meant, with every change named and graded."""

from structout.repair.candidates import Format
from structout.repair.edits import Edit, Grade, Policy, apply
from structout.repair.repair import Repaired, repair
from structout.repair.scalars import Decimal
from structout.repair.view import view

__all__ = ["Decimal", "Edit", "Format", "Grade", "Policy", "Repaired", "apply", "repair", "view"]
