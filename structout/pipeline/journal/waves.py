"""The waves of a journal: what models that work in batches have at their providers."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path

from structout.errors import BatchError, DamagedError, DataError
from structout.models.ledger import Wave
from structout.pipeline.journal.tables import add, loaded

LOST = Wave("lost", "", (), 0, "")  # stands for the waves that a damaged journal has lost
_TWICE = "(if there is a job, its rows are billed twice)"


def waves_in(db: sqlite3.Connection, path: Path) -> list[tuple[str, Wave]]:
    """The waves in the journal `path`, each with the name of its model, the oldest first. Raises `DamagedError`."""
    rows = db.execute("SELECT id, model, data FROM batches").fetchall()
    try:
        found = [(model, _wave(id_, data)) for id_, model, data in rows]
    except (DataError, TypeError, ValueError) as error:
        hint = "look for its jobs at the provider; --fresh and another journal submit all rows again"
        raise DamagedError(f"{path} is damaged: a wave of it cannot be read: {error}", hint=hint) from error
    return sorted(found, key=lambda one: (one[1].time, one[1].id))


def put(db: sqlite3.Connection, model: str, wave: Wave) -> None:
    """Keep a wave; remove it if it has no keys left."""
    if wave.keys or wave.id == LOST.id:
        about = {name: value for name, value in asdict(wave).items() if name != "id"}
        db.execute(add("batches"), [wave.id, model, json.dumps(about)])
    else:
        db.execute("DELETE FROM batches WHERE id = ?", [wave.id])


def without(db: sqlite3.Connection, path: Path, keys: Collection[str]) -> None:
    """Remove the keys of forgotten prompts from all waves."""
    for model, wave in waves_in(db, path):
        left = tuple(key for key in wave.keys if key not in keys)
        if left != wave.keys:
            put(db, model, replace(wave, keys=left))


def in_doubt(wave: Wave) -> BatchError:
    """The error for a wave of which nobody knows whether the provider has a job."""
    if wave.id == LOST.id:
        problem = "the damaged journal has lost what waits at a provider: look there for jobs of this run"
        return BatchError(problem, hint=f"--batch-resubmit goes on without them {_TWICE}")
    problem = f"it is unknown whether {wave.provider} has a job of {wave.size:,} requests of this run"
    return BatchError(
        f"{problem}: look for a job from {wave.time} or soon after, with the custom id {wave.custom_id(wave.keys[0])}",
        hint=f"add --batch-adopt JOB if there is such a job, otherwise --batch-resubmit {_TWICE}",
    )


def _wave(id_: str, data: str) -> Wave:
    found = loaded(data)
    about = (found["provider"], tuple(found["keys"]), found["size"], found["time"], found["job"])
    wave = Wave(id_, *about, way=found.get("way", ""), salt=found.get("salt", ""))
    texts = (wave.provider, wave.time, wave.job, wave.way, wave.salt, *wave.keys)
    if not all(isinstance(one, str) for one in texts) or not isinstance(wave.size, int):
        raise DataError("a part of it has another type")
    return wave
