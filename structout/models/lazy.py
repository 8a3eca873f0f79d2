"""A model that is known by its name until it is asked."""

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from structout.completion import Completion, Prompt
from structout.models.base import Model
from structout.models.load import load_model
from structout.models.tuning import Tuning
from structout.source import check_code


class LazyModel:
    """The model that `load_model` gives for a name, loaded once, when it is first needed.

    Two of the same name are equal, and one that is sent to another process is loaded there.
    """

    def __init__(self, name: str) -> None:
        if name.startswith("py:"):
            check_code(name)  # better known before anything is asked
        self.name = name
        self._model: Model | None = None
        self._lock = threading.Lock()

    @property
    def tuning(self) -> Any:
        return getattr(self._loaded(), "tuning", None)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return self._loaded().complete(prompts)

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
    """A model's name with all that its answers hang on, however it was named.

    For one in a folder that is a hash of its weights and its prompt: trained anew it is another model, and copied
    elsewhere or judged again it is the same. For one behind a server it is where that is, and how it is asked. Raises
    `SpecError`.
    """
    kind, _, folder = name.partition(":")
    if kind == "openai":
        from structout.models.openai.address import Address

        return Address.read(folder).name
    if kind != "path" or not Path(folder).is_dir():
        return name
    seen = hashlib.sha256()
    for file in sorted(path for path in Path(folder).iterdir() if path.suffix in (".safetensors", ".bin")):
        seen.update(file.name.encode() + _digest(file, file.stat().st_size, file.stat().st_mtime_ns))
    tuning = Tuning.read(Path(folder))
    seen.update(json.dumps([tuning.prompt, tuning.orders, tuning.quotes] if tuning else []).encode())
    return f"{name}@{seen.hexdigest()[:12]}"


@lru_cache(maxsize=64)
def _digest(file: Path, _size: int, _changed: int) -> bytes:  # read once, as long as it seems to be the same file
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()
