"""A question about a tool library, as one SELECT over its three tables."""

from pathlib import Path

from structout.language import Sql

__all__ = ["Query"]

Query = Sql(Path(__file__).with_name("tables.sql").read_text(encoding="utf-8"))
