"""Other forms of a model's linear layers, for speed on the CPU."""

import warnings
from typing import Any, Literal, get_args

import torch
from torch import nn

from structout.errors import ModelError, SpecError

Weights = Literal["fp32", "packed", "int8"]
_PACKED_TOKENS = range(2, 17)  # where a repacked weight was measured to be faster than a plain one
_LEVELS = 63  # of an activation: 7 bits, as the sums of two products must fit 16 bits without VNNI


class PackedLinear(nn.Module):
    """A linear layer whose fp32 weight is also kept as oneDNN likes it, for passes of a few tokens.

    PyTorch's own product repacks the weight at each call, which then costs as much as the product. Weights are kept
    twice; results differ from the plain layer's by rounding only.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self._packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.data, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() // x.shape[-1] not in _PACKED_TOKENS:
            return nn.functional.linear(x, self.weight, self.bias)
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._packed, self.bias, "none", [], "")
        return result


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, scaled by output channel, and activations of 7 bits, scaled by token.

    By token, so that a row's result does not depend on the rows beside it (fbgemm's dynamic layers scale by batch).
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.data.float()
        scales = weight.abs().amax(1).clamp(min=1e-12) / 127
        zeros = torch.zeros(len(weight), dtype=torch.long)
        with warnings.catch_warnings():  # PyTorch moves these out; there is nothing else for CPUs without VNNI yet
            warnings.simplefilter("ignore")
            quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(quantized, None)
        self.bias = linear.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        size = x.abs().amax(-1, keepdim=True).clamp(min=1e-12)
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
        result: torch.Tensor = product(x / size, 1 / _LEVELS, _LEVELS + 1, self._packed) * size
        return result if self.bias is None else result + self.bias


def convert(model: Any, weights: Weights) -> None:
    """Give a model's linear layers another form, in place: `fp32` is as it is, `packed` and `int8` as above.

    The output head keeps its precision at `int8`: it decides between tokens that are close. Raises `SpecError` for
    weights that there are none of, and `ModelError` if this machine or the model's number format cannot have them.
    """
    if weights not in get_args(Weights):
        raise SpecError(f"no weights are called {weights!r}", hint=f"give one of {', '.join(get_args(Weights))}")
    if weights == "fp32":
        return
    if model.device.type != "cpu" or model.dtype != torch.float32:
        hint = "load the model in fp32 on the CPU, or leave weights out"
        raise ModelError(f"weights={weights!r} are made of fp32 weights on the CPU", hint=hint)
    if weights == "int8":
        if "fbgemm" not in torch.backends.quantized.supported_engines:
            raise ModelError("this build of PyTorch has no int8 layers for this CPU", hint='use weights="packed"')
        torch.backends.quantized.engine = "fbgemm"
    head = model.get_output_embeddings()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, Int8Linear(child) if weights == "int8" and child is not head else _packed(child))


def _packed(linear: nn.Linear) -> nn.Module:
    return PackedLinear(linear) if torch.backends.mkldnn.is_available() else linear  # type: ignore[no-untyped-call]
