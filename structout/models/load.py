"""Models by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from structout.errors import ModelError
from structout.models.base import Model
from structout.models.scripted import Scripted
from structout.source import import_object

if TYPE_CHECKING:
    from structout.decoding.weights import Weights


def load_model(name: str, *, weights: "Weights" = "fp32", slots: int = 32) -> Model:
    """Load a model: `embedded`, `hf:NAME` (a Hugging Face model), `path:FOLDER`, `openai:MODEL@URL` (a server; see
    `structout.models.openai`), `scripted:FILE`, or `py:path/to/file.py:NAME` and `py:package.module:NAME` for an object
    with `complete`, or a function that makes one.

    For a local model, `slots` is how many prompts it answers at a time, and `weights` the form of its linear layers:
    `fp32` as they are, `packed` also (twice the memory) in the CPU's favourite order, `int8` faster and worse.
    Raises `ModelError` if there is no such model, `SpecError` for other weights, and `MissingExtraError` if the local
    models' packages are not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        return Scripted.load(rest)
    if kind == "openai" and rest:
        from structout.models.openai import OpenAIModel

        return OpenAIModel.load(rest)
    if kind == "py" and rest:
        return _imported(rest)
    if name == "embedded" or (kind in ("hf", "path") and rest):
        from structout.models.local import LocalModel

        if kind == "path" and not (Path(rest) / "config.json").is_file():
            raise ModelError(f"no model in {rest}", hint="a model folder holds config.json, weights and a tokenizer")
        if name == "embedded":
            from structout.models.embedded import embedded_folder

            return LocalModel.load(str(embedded_folder()), name="embedded", weights=weights, slots=slots)
        return LocalModel.load(rest, name=name, weights=weights, slots=slots)
    known = "embedded, hf:NAME, path:FOLDER, openai:MODEL@URL, scripted:FILE or py:FILE:NAME"
    raise ModelError(f"no model is called {name!r}", hint=f"give {known}")


def _imported(place: str) -> Model:
    found = import_object(place)
    model = found if hasattr(found, "complete") and not isinstance(found, type) else found()
    if not isinstance(model, Model):
        raise ModelError(f"{place} is no model", hint="it needs a `name` and `complete(prompts) -> completions`")
    return model
