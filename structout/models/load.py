"""Models by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from structout.errors import ModelError, NoModelError
from structout.models.base import Model
from structout.models.scripted import Scripted
from structout.models.tuning import Tuning, has_adapter
from structout.source import import_object

if TYPE_CHECKING:
    from structout.decoding.features import Features
    from structout.decoding.weights import Weights

_HINT = "name an object with a `name` and `complete(prompts) -> completions`, or a function that makes one"


def load_model(
    name: str,
    *,
    weights: "Weights | None" = None,
    slots: int = 32,
    device: str | None = None,
    features: "Features | None" = None,
) -> Model:
    """Load a model: `embedded`, `hf:NAME` (a Hugging Face model), `path:FOLDER` (a fine-tuned one too),
    `openai:MODEL@URL` (a server; see `structout.models.openai.address`), `scripted:FILE`, or
    `py:path/to/file.py:NAME` and `py:package.module:NAME` for an object with `complete`, or a function that makes one.

    For a local model, `slots` is how many prompts it answers at a time, and `weights` the form of its linear layers:
    `fp32` plainly, `packed` also (twice the memory) in the CPU's favourite order, `int8` faster and worse; the default
    is exact: `packed` up to 2 GB of fp32 weights on the CPU, else as they are. A bf16 checkpoint stays bf16 unless
    `weights` are given: give them on a CPU that does not calculate in bf16. `device` is one of PyTorch's, by default a
    GPU if there is one. `features` says what its token loop does to be fast. `Features(score=False)`, of
    `structout.decoding.features`, saves about a quarter of the time: tokens that the schema forces then count as
    certain, and their log-probabilities are not computed. Do not use it where confidence in a record matters.
    Raises `ModelError` if there is no such model, `SpecError` for other weights, and `MissingExtraError` if the local
    models' packages are not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        return Scripted.load(rest)
    if kind == "openai" and rest:
        from structout.models.openai.client import OpenAIModel

        return OpenAIModel.load(rest)
    if kind == "py" and rest:
        return _imported(rest)
    if name == "embedded" or (kind in ("hf", "path") and rest):
        from structout.models.local import LocalModel

        folder = Path(rest)
        tuning = Tuning.read(folder) if kind == "path" else None
        adapter = folder if tuning and has_adapter(folder) else None
        if kind == "path" and adapter is None and not (folder / "config.json").is_file():
            raise NoModelError(f"no model in {rest}", hint="a model folder holds config.json, weights and a tokenizer")
        place = _place(tuning.base) if tuning and adapter else _place(name)
        return LocalModel.load(
            place,
            name=name,
            weights=weights,
            slots=slots,
            device=device,
            tuning=tuning,
            adapter=adapter,
            features=features,
        )
    known = "embedded, hf:NAME, path:FOLDER, openai:MODEL@URL, scripted:FILE or py:FILE:NAME"
    raise NoModelError(f"no model is called {name!r}", hint=f"give {known}")


def _place(name: str) -> str:
    """Where transformers finds the model of this name."""
    if name == "embedded":
        from structout.models.embedded import embedded_folder

        return str(embedded_folder())
    return name.partition(":")[2]


def _imported(place: str) -> Model:
    found = import_object(place)
    model = found
    if not hasattr(found, "complete") or isinstance(found, type):
        try:
            model = found()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise ModelError(f"{place} makes no model: {reason}", hint=_HINT) from error
    if not isinstance(model, Model):
        raise NoModelError(f"{place} is no model", hint=_HINT)
    return model
