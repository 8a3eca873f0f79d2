"""Models by name."""

from pathlib import Path

from structout.errors import ModelError
from structout.models.base import Model
from structout.models.scripted import Scripted


def load_model(name: str) -> Model:
    """Load a model: `embedded`, `hf:NAME` (a Hugging Face model), `path:FOLDER`, or `scripted:FILE`.

    Raises `ModelError` if there is none, `MissingExtraError` if the local models' packages are not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        return Scripted.load(rest)
    if name == "embedded" or (kind in ("hf", "path") and rest):
        from structout.models.local import LocalModel

        if kind == "path" and not (Path(rest) / "config.json").is_file():
            raise ModelError(f"no model in {rest}", hint="a model folder holds config.json, weights and a tokenizer")
        if name == "embedded":
            from structout.models.embedded import embedded_folder

            return LocalModel.load(str(embedded_folder()), name="embedded")
        return LocalModel.load(rest, name=name)
    raise ModelError(f"no model is called {name!r}", hint="give embedded, hf:NAME, path:FOLDER or scripted:FILE")
