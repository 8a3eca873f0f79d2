"""What a journal knows of its run as a whole: its identity, and other small facts by name."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from structout.document import load_json
from structout.errors import DamagedError, DataError
from structout.pipeline.journal.database import ANEW
from structout.pipeline.journal.tables import COPY, add, loaded

T = TypeVar("T", dict[str, str], list[dict[str, Any]])


def about(db: sqlite3.Connection, path: Path, name: str, nothing: T) -> T:
    """A fact by its name; `nothing`, an empty object of texts or list of objects, if it is unknown. Raises
    `DamagedError` for a fact of another type.
    """
    row = db.execute("SELECT value FROM about WHERE name = ?", [name]).fetchone()
    try:
        found = loaded(row[0]) if row else nothing
        inner = str if isinstance(nothing, dict) else dict
        if isinstance(found, type(nothing)) and all(isinstance(one, inner) for one in found):
            return found
        reason = "its type is wrong"
    except DataError as error:
        reason = error.message
    raise DamagedError(f"{path} is damaged: its {name} cannot be read: {reason}", hint=ANEW)


def put(db: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a fact, and its copy, which counts where the fact is damaged."""
    db.executemany(add("about"), [(name, value), (name + COPY, value)])


def changes(known: Mapping[str, str], identity: Mapping[str, str], names: Sequence[str]) -> str:
    """The named parts of an identity that differ from the known identity, with their changes; "" if none differs."""
    changed = [name for name in names if known.get(name) != identity[name]]
    was = "; ".join(_change(name, known.get(name), identity[name]) for name in changed)
    return f"{' and '.join(changed)} ({was})" if changed else ""


def _change(name: str, before: str | None, now: str) -> str:
    """A change of the identity in words. Of settings, such as those of sampling, only the changed ones are named."""
    with suppress(ValueError):
        old, new = load_json(before or ""), load_json(now)
        if isinstance(old, dict) and isinstance(new, dict):
            changed = [key for key in old | new if old.get(key) != new.get(key)]
            return "; ".join(f"{key}: {_short(old.get(key))}, now {_short(new.get(key))}" for key in changed)
    return f"{name}: {_short(before)}, now {_short(now)}"


def _short(text: object) -> str:
    text = str(text)
    return text if len(text) <= 60 else text[:59] + "…"
