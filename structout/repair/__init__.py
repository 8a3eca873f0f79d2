"""Text to document: what a model meant, with every change named and graded."""

from structout.repair.edits import Edit, Grade, Policy
from structout.repair.repair import Repaired, repair

__all__ = ["Edit", "Grade", "Policy", "Repaired", "repair"]
