"""The table and the figure."""

from pathlib import Path
from typing import Any


def write(tables: list[dict[str, Any]], folder: Path) -> None:
    pass
