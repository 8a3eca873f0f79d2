"""How a fine-tuned model came about, kept beside its weights, and the weights put to use."""

import hashlib
import json
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from structout.document import load_json
from structout.errors import NoModelError
from structout.schema import Schema

Orders = dict[str, list[str]]  # the keys of an object in a schema, by its JSON Pointer
_FILE = "tuning.json"
_ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a model was fine-tuned for, on, and how.

    `base` is the name of the model that it began as, with the `checksum` of its weights; `show` the form of the prompt,
    with the fingerprint of that `prompt`; `schema` and `fingerprint` name the schema, `data` is the fingerprint of the
    labelled records. `training` holds the settings, `log` what was measured as it went on, `cost` what it took, and
    `evaluation` the measures before and after. `orders` says in which order the keys of objects are answered, where it
    is not the schema's. `quotes` are the fields whose texts were quoted from the records.
    """

    base: str
    checksum: str
    show: str
    prompt: str
    schema: str
    fingerprint: str
    data: str
    training: dict[str, Any]
    log: tuple[dict[str, Any], ...] = ()
    cost: dict[str, float] = field(default_factory=dict)
    orders: Orders = field(default_factory=dict)
    quotes: tuple[str, ...] = ()
    evaluation: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Tuning | None":
        """The tuning in a model folder, None if the model was not fine-tuned by structout. Raises `ModelError`."""
        if not (folder / _FILE).is_file():
            return None
        try:
            content = load_json((folder / _FILE).read_text(encoding="utf-8"))
            return cls(**{**content, "log": tuple(content["log"]), "quotes": tuple(content.get("quotes", ()))})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise NoModelError(f"{folder / _FILE} cannot be read: {error}", hint="fine-tune the model again") from error

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def reordered(schema: Schema[Any], orders: Orders) -> Schema[Any]:
    """The same schema with the keys of its objects in these orders: it admits the same documents."""
    if not orders or isinstance(schema.json_schema, bool):
        return schema
    copy = deepcopy(schema.json_schema)
    for place, keys in orders.items():
        node: Any = copy
        for step in place.split("/")[1:]:
            node = node[int(step) if isinstance(node, list) else step.replace("~1", "/").replace("~0", "~")]
        node["properties"] = {key: node["properties"][key] for key in keys}
    return Schema(schema.name, copy, schema.adapter, schema.language)


def checksum(network: Any) -> str:
    """A hash of a model's weights, whatever file they came from, and the same where they were widened to fp32."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        exact = tensor.detach().float() if tensor.is_floating_point() else tensor  # numpy knows no bf16
        digest.update(exact.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def has_adapter(folder: Path) -> bool:
    return (folder / _ADAPTER).is_file()


def merge_adapter(network: Any, folder: Path) -> None:
    """Add a low-rank adapter (LoRA, arXiv:2106.09685, as `peft` writes it) to a model's weights, in place.

    Merged, it costs nothing when the model answers. Raises `ModelError` if it was made for another model.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = load_json((folder / "adapter_config.json").read_text(encoding="utf-8"))
        factors = load_file(folder / _ADAPTER)
        scale = config["lora_alpha"] / config["r"]
        with torch.no_grad():
            for name, down in factors.items():
                if not name.endswith(".lora_A.weight"):
                    continue
                up = factors[name.replace(".lora_A.", ".lora_B.")]
                target = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
                weight = network.get_submodule(target).weight
                weight += (scale * (up.float() @ down.float())).to(weight.dtype)
    except (OSError, ValueError, KeyError, AttributeError, RuntimeError, SafetensorError) as error:
        raise NoModelError(
            f"the adapter in {folder} does not fit: {error}", hint="fine-tune the model again"
        ) from error
