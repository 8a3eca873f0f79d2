"""Schemas: the contracts that documents must meet."""

from structout.schema.contract import Checked, Schema, Writer

__all__ = ["Checked", "Schema", "Writer"]
