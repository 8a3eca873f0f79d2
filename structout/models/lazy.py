"""A model that is loaded at its first use, and the identity of a model."""

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from structout.completion import Completion, Prompt
from structout.models.base import Model
from structout.models.ledger import Ledger, at_once, batched, is_batched, with_ledger
from structout.models.load import load_model
from structout.models.openai.kinds import KINDS
from structout.models.providers.name import HostedName, is_hosted
from structout.models.tuning import Tuning
from structout.source import check_code


class LazyModel:
    """The model that `load_model` gives for a name, loaded once, at its first use.

    Two lazy models with the same name are equal. A pickled lazy model is loaded in the process that receives it.
    Raises `CodeError` at once for a `py:` name whose code may not run.
    """

    def __init__(self, name: str) -> None:
        if name.startswith("py:"):
            check_code(name)  # raise here, before a model is asked
        self.name = name
        self._model: Model | None = None
        self._lock = threading.Lock()

    @property
    def tuning(self) -> Any:
        """How the model was fine-tuned; None if it was not. Loads the model."""
        return getattr(self._loaded(), "tuning", None)

    @property
    def inner(self) -> Model:
        """The model itself. Loads it."""
        return self._loaded()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return self._loaded().complete(prompts)

    def with_ledger(self, ledger: Ledger) -> Model:
        """This model with the ledger for what it submits. Loads a model that works in batches."""
        return with_ledger(self._loaded(), ledger) if is_batched(self.name) else self

    def _loaded(self) -> Model:
        with self._lock:
            if self._model is None:
                self._model = load_model(self.name)
            return self._model

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyModel) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[type["LazyModel"], tuple[str]]:
        return LazyModel, (self.name,)


def identity(name: str) -> str:
    """A model's name, extended by everything that its answers depend on.

    A model in a folder is identified by a hash of its weights and its prompt: training changes the identity, copying
    the folder or evaluating the model again does not. A model behind a server is identified by the server's address
    and the options that affect answers, and a model that pydantic-ai asks by this client and the settings. Raises
    `SpecError` for an invalid address, option or file of settings.
    """
    if is_batched(name):
        return batched(identity(at_once(name)))
    kind, _, folder = name.partition(":")
    if is_hosted(name):
        return HostedName.read(name).identity
    if kind in KINDS and folder:
        from structout.models.openai.address import Address

        return Address.read(folder, kind).name
    if kind != "path" or not Path(folder).is_dir():
        return name
    seen = hashlib.sha256()
    for file in sorted(path for path in Path(folder).iterdir() if path.suffix in (".safetensors", ".bin")):
        seen.update(file.name.encode() + _digest(file, file.stat().st_size, file.stat().st_mtime_ns))
    tuning = Tuning.read(Path(folder))
    seen.update(json.dumps([tuning.prompt, tuning.orders, tuning.quotes] if tuning else []).encode())
    return f"{name}@{seen.hexdigest()[:12]}"


@lru_cache(maxsize=64)
def _digest(file: Path, _size: int, _changed: int) -> bytes:  # cached as long as size and change time stay the same
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()
