"""The ledger of a model that works in batches: what was submitted to a provider, and not collected yet."""

import hashlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Protocol

from structout.completion import Completion, Usage
from structout.models.base import Model
from structout.models.wrappers.base import Wrapper

WAVE = 5_000  # rows that go to a provider together
_MARK = "batch"  # in the options of a model


@dataclass(frozen=True)
class Wave:
    """Requests that go to a provider as one job.

    `keys` are the keys of their prompts. A wave loses the keys whose answers are collected; `size` is the number of
    requests in the job. `job` is the provider's id of the job, "" as long as it is unknown. `time` is the time before
    the submission, in ISO 8601. `way` says how the answers are held to their schemas. `salt` is a part of the ids of
    the requests at the provider; both are "" in a wave of an older version.
    """

    id: str
    provider: str
    keys: tuple[str, ...]
    size: int
    time: str
    job: str = ""
    way: str = ""
    salt: str = ""

    def custom_id(self, key: str) -> str:
        """The id of a request at the provider, which no request of another wave has."""
        return custom_id(self.salt, key)


class Ledger(Protocol):
    """What a model keeps of its waves, so that a process that ends loses no job. Every change is on disk before the
    method returns. Thread-safe.
    """

    def waves(self) -> list[Wave]:
        """The waves that are not collected yet, the oldest first."""
        ...

    def intend(self, wave: Wave) -> None:
        """Keep a wave before it is submitted."""
        ...

    def submitted(self, wave: Wave, job: str) -> None:
        """Keep the id of the job that the provider made of the wave; "" if it is unknown again."""
        ...

    def collected(self, wave: Wave, answers: Mapping[str, Completion], failed: Mapping[str, Usage]) -> None:
        """Keep answers by the keys of their prompts. The wave loses their keys, and the keys of requests that `failed`,
        whose usage counts too. A wave without keys ends. Keys that the wave has lost already are ignored.
        """
        ...

    def has_answered(self) -> bool:
        """Whether the model has answered before, maybe for another process."""
        ...


def custom_id(salt: str, key: str) -> str:
    """The id at the provider of the request for the prompt with a key."""
    return hashlib.sha256(f"{salt}\n{key}".encode()).hexdigest() if salt else key


def is_batched(name: str) -> bool:
    """Whether the model of this name works in batches: `batch` is among the options after its `#`."""
    return _MARK in name.partition("#")[2].split(",") and name.partition(":")[0] != "py"


def at_once(name: str) -> str:
    """The name of the same model that answers at once."""
    place, _, options = name.partition("#")
    left = ",".join(option for option in options.split(",") if option != _MARK)
    return f"{place}#{left}" if left else place


def batched(name: str) -> str:
    """The name of the same model that works in batches."""
    return f"{name},{_MARK}" if "#" in name else f"{name}#{_MARK}"


def with_ledger(model: Model, ledger: Ledger) -> Model:
    """The model, with the ledger for what it submits."""
    if isinstance(model, Wrapper):
        changed = copy(model)
        changed.inner = with_ledger(model.inner, ledger)
        return changed
    keep = getattr(model, "with_ledger", None)
    return model if keep is None else keep(ledger)
