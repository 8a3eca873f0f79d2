"""A small schema that many tests share, as a class and as commands take it.

Commands import the file of their schema at each run, so the file holds nothing that acts on what the tests share.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

BOLT = f"{Path(__file__)}:Bolt"


class Bolt(BaseModel):
    """A bolt."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hex", "flange"]
    size_mm: float
    note: str | None = None
