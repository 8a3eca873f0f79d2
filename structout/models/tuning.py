"""The record of how a model was fine-tuned, kept beside its weights, and the merge of an adapter."""

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
    """How a model was fine-tuned: from which model, for which schema, on which data.

    `base` is the name of the base model, and `checksum` the checksum of its weights. `show` is the form of the prompt,
    and `prompt` the prompt's fingerprint. `schema` is the schema's name, `fingerprint` the schema's fingerprint, and
    `data` the fingerprint of the labelled records. `training` holds the settings, `log` the measurements during the
    training, `cost` what the training took, and `evaluation` the measures before and after it. `orders` holds the order
    of an object's keys in answers where it differs from the schema's order. `quotes` are the fields whose texts were
    quoted from the records.
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
        """Read the tuning in a model folder; None if structout did not fine-tune the model. Raises `NoModelError`."""
        if not (folder / _FILE).is_file():
            return None
        try:
            content = load_json((folder / _FILE).read_text(encoding="utf-8"))
            return cls(**{**content, "log": tuple(content["log"]), "quotes": tuple(content.get("quotes", ()))})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise NoModelError(f"cannot read {folder / _FILE}: {error}", hint="fine-tune the model again") from error

    def write(self, folder: Path) -> None:
        """Write the tuning into a model folder."""
        (folder / _FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8", newline="\n")


def reordered(schema: Schema[Any], orders: Orders) -> Schema[Any]:
    """The schema with its objects' keys in the given orders. It accepts the same documents."""
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
    """A hash of a model's weights. It depends neither on their file format nor on whether they were widened to fp32."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        exact = tensor.detach().float() if tensor.is_floating_point() else tensor  # numpy does not support bf16
        digest.update(exact.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def has_adapter(folder: Path) -> bool:
    """Whether a model folder holds an adapter."""
    return (folder / _ADAPTER).is_file()


def merge_adapter(network: Any, folder: Path) -> None:
    """Merge a low-rank adapter (LoRA, arXiv:2106.09685, as `peft` writes it) into a model's weights, in place.

    A merged adapter costs no time when the model answers. Raises `NoModelError` if the adapter does not fit the model.
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
            f"the adapter in {folder} does not fit the model: {error}", hint="fine-tune the model again"
        ) from error
