"""The loader of models by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from structout.defaults import MODEL_NAMES
from structout.errors import MissingExtraError, ModelError, NoModelError
from structout.models.base import Model
from structout.models.ledger import is_batched
from structout.models.openai.kinds import KINDS
from structout.models.providers.name import is_hosted
from structout.models.scripted import Scripted
from structout.models.tuning import Tuning, has_adapter
from structout.source import import_object

if TYPE_CHECKING:
    from structout.decoding.features import Features
    from structout.decoding.weights import Weights

_HINT = "name an object with `name` and `complete(prompts) -> completions`, or a function that returns such an object"
_KINDS = frozenset((*KINDS, "hf", "path", "py", "scripted"))


def load_model(
    name: str,
    *,
    weights: "Weights | None" = None,
    slots: int = 32,
    device: str | None = None,
    features: "Features | None" = None,
) -> Model:
    """Load a model by its name:

    - `embedded`: the embedded model;
    - `hf:NAME`: a model from Hugging Face;
    - `path:FOLDER`: a model in a folder, fine-tuned or not;
    - `openai:MODEL@URL`: a model behind a server; see `structout.models.openai.address`;
    - `vllm:MODEL`, `ollama:MODEL`, `lmstudio:MODEL`, `llamacpp:MODEL`, `sglang:MODEL`: a model behind such a server, at
      its usual local address or at `@URL`;
    - `PROVIDER:MODEL` without an address, such as `anthropic:claude-sonnet-4-5` or `openai:gpt-4o`: a model of a hosted
      provider; see `structout.models.providers.name`. With `#batch` after its name, it is asked by the provider's batch
      API, and needs a journal;
    - `scripted:FILE`: the answers in a JSON file;
    - `py:path/to/file.py:NAME` or `py:package.module:NAME`: an object with `complete`, or a function that returns one.

    The other arguments apply to local models. `slots` is the number of prompts that are answered at a time. `weights`
    is the form of the linear layers: `fp32` is plain, `packed` adds a copy in the CPU's preferred order (twice the
    memory), `int8` is faster and less exact. The default is exact: `packed` for up to 2 GB of fp32 weights on the CPU,
    else unchanged. A bf16 checkpoint stays bf16 unless `weights` is given: give it on a CPU that does not calculate in
    bf16. `device` is a PyTorch device, by default the GPU if there is one. `features` turns optimizations of the token
    loop on and off. `Features(score=False)` from `structout.decoding.features` saves about a quarter of the time:
    tokens that the schema forces count as certain, and their log-probabilities are not computed. Do not use it where
    confidence in a record matters.

    Raises `ModelError` for an unknown model, `SpecError` for unknown weights, and `MissingExtraError` if the packages
    for local models are not installed.
    """
    kind, _, rest = name.partition(":")
    if kind == "scripted" and rest:
        return Scripted.load(rest)
    if is_batched(name) or is_hosted(name):
        return _hosted(name)
    if kind in KINDS and rest:
        from structout.models.openai.client import OpenAIModel

        return OpenAIModel.load(rest, kind)
    if kind == "py" and rest:
        return _imported(rest)
    if name == "embedded" or (kind in ("hf", "path") and rest):
        from structout.models.local import LocalModel

        folder = Path(rest)
        tuning = Tuning.read(folder) if kind == "path" else None
        adapter = folder if tuning and has_adapter(folder) else None
        if kind == "path" and adapter is None and not (folder / "config.json").is_file():
            raise NoModelError(f"no model in {rest}", hint="give a folder with config.json, weights and a tokenizer")
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
    raise _unknown(name)


def check_name(name: str) -> None:
    """Raise `NoModelError` unless a name is one that `load_model` understands. Nothing is loaded or asked."""
    kind, _, rest = name.partition(":")
    if not (name == "embedded" or (rest and kind in _KINDS) or is_batched(name) or is_hosted(name)):
        raise _unknown(name)


def _unknown(name: str) -> NoModelError:
    return NoModelError(f"unknown model {name!r}", hint=f"give {MODEL_NAMES}")


def _hosted(name: str) -> Model:
    """The model of a hosted provider. An `openai:` name never changes its client in silence."""
    from structout.models.providers.batch import BatchModel
    from structout.models.providers.hosted import HostedModel

    try:
        return BatchModel.load(name) if is_batched(name) else HostedModel.load(name)
    except MissingExtraError as missing:
        if name.startswith("openai:"):
            model = name.removeprefix("openai:").partition("#")[0]
            instead = f"or ask with structout's own client: openai:{model}@https://api.openai.com/v1"
            missing.hint = f"{missing.hint}, {instead}"
        raise


def _place(name: str) -> str:
    """The folder or Hugging Face name under which transformers finds a model."""
    if name == "embedded":
        from structout.models.embedded import embedded_folder

        return str(embedded_folder())
    return name.partition(":")[2]


def _imported(place: str) -> Model:
    found = import_object(place, "model")
    model = found
    if not hasattr(found, "complete") or isinstance(found, type):
        try:
            model = found()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            raise ModelError(f"cannot make a model with {place}: {reason}", hint=_HINT) from error
    if not isinstance(model, Model):
        raise NoModelError(f"invalid model: got {type(model).__name__} from {place}", hint=_HINT)
    return model
