"""The forms of a model's linear layers that are faster on the CPU."""

import warnings
from typing import Any, Literal, get_args

import torch
from torch import nn

from structout.errors import ModelError, SpecError

Weights = Literal["fp32", "packed", "int8"]
_UNASKED = 2 << 30  # bytes of weights up to which packing, which doubles the memory, is the default
_LEVELS = 63  # levels of an activation, 7 bits: without VNNI the sum of two products must fit into 16 bits


class PackedLinear(nn.Linear):
    """A linear layer that also keeps its fp32 weight in the order that oneDNN uses for products.

    PyTorch's own product reorders the weight at each call, which for a few tokens costs as much as the product. Results
    differ from the plain layer's results by rounding only. Outside of inference it acts as the plain layer, so it can
    be trained; a changed weight is packed again.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self._packed: torch.Tensor | None = None
        self._version = -1

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 (PyTorch's own name)
        """The product, from the packed weight in inference with several tokens."""
        if not torch.is_inference_mode_enabled() or input.numel() == input.shape[-1]:
            return super().forward(input)  # for one token the order does not matter: each weight is read once
        if self._packed is None or self._version != self.weight._version:
            self._packed = torch.ops.mkldnn._reorder_linear_weight(self.weight.data, 8)
            self._version = self.weight._version
        packed = self._packed
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(input, packed, self.bias, "none", [], "")
        return result


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, scaled by output channel, and 7-bit activations, scaled by token.

    Scaling by token keeps a row's result independent of other rows (fbgemm's dynamic layers scale by batch).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.data.float()
        scales = weight.abs().amax(1).clamp(min=1e-12) / 127
        zeros = torch.zeros(len(weight), dtype=torch.long)
        with warnings.catch_warnings():  # deprecated in PyTorch, but CPUs without VNNI have no other way yet
            warnings.simplefilter("ignore")
            quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product of quantized activations and weights, scaled back to fp32."""
        size = x.abs().amax(-1, keepdim=True).clamp(min=1e-12)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        result: torch.Tensor = product(x / size, 1 / _LEVELS, _LEVELS + 1, self._packed) * size
        return result if self.bias is None else result + self.bias


def rounds(model: Any) -> bool:
    """Whether a model has layers that round their input."""
    return any(isinstance(module, Int8Linear) for module in model.modules())


def convert(model: Any, weights: Weights | None = None) -> None:
    """Convert a model's linear layers in place: `fp32` leaves them, `packed` makes `PackedLinear`, `int8` `Int8Linear`.

    None keeps the weights exact: it packs fp32 weights of up to 2 GB on the CPU, and leaves other weights unchanged.
    With `int8` the output head keeps its precision, because it decides between tokens with close scores. Raises
    `SpecError` for unknown weights, and `ModelError` if the machine or the model's number format does not support them.
    """
    if weights not in (None, *get_args(Weights)):
        raise SpecError(f"unknown weights {weights!r}", hint=f"give {', '.join(get_args(Weights))}")
    fitting = model.device.type == "cpu" and model.dtype == torch.float32
    packs = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    linears = [module for module in model.modules() if type(module) is nn.Linear]
    if weights is None:
        small = sum(linear.weight.numel() * 4 for linear in linears) <= _UNASKED
        weights = "packed" if fitting and packs and small else "fp32"
    if weights == "fp32":
        return
    if not fitting:
        hint = 'load the model with device="cpu", or leave weights out'
        raise ModelError(f"weights={weights!r} requires fp32 weights on the CPU", hint=hint)
    if not packs:
        raise ModelError("this build of PyTorch cannot pack weights: it has no oneDNN", hint='use weights="fp32"')
    if weights == "int8":
        if "fbgemm" not in torch.backends.quantized.supported_engines:
            raise ModelError("this build of PyTorch does not support int8 on this CPU", hint='use weights="packed"')
        torch.backends.quantized.engine = "fbgemm"
    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                whole = weights == "packed" or child is head
                setattr(parent, name, PackedLinear(child) if whole else Int8Linear(child))
