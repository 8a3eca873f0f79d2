"""What a document must be."""

from structout.schema.contract import Checked, Schema, Writer

__all__ = ["Checked", "Schema", "Writer"]
