"""Schemas: the contracts that documents must meet."""

from structout.schema.contract import Checked, Schema
from structout.schema.writer import Writer

__all__ = ["Checked", "Schema", "Writer"]
