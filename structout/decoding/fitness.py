"""The checks for whether the engine, a plain loop or neither can run a model."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from structout.completion import Sampling
from structout.decoding.attention import Packing, Prefill, Span, packed
from structout.decoding.cache import SharedPrefix, Slots
from structout.decoding.loop import generate, generate_alone
from structout.decoding.request import Generated, Request
from structout.decoding.weights import rounds
from structout.errors import ModelError

Loop = Callable[[Any, Sequence[Request], frozenset[int], Callable[[Sequence[int]], str] | None], list[Generated]]

_BATCH_DEPENDENT_ROPE = ("dynamic", "longrope")  # the angles depend on the longest sequence of a pass

_TOKEN_BY_TOKEN = {"full_attention", "sliding_attention", "chunked_attention"}  # layers that keep one entry per token


def unfit(model: Any) -> str:
    """The reason why the engine cannot run a model with packed rows, or "" if it can.

    The model's configuration must state plain causal attention in every layer, and on a few tokens the packed pass must
    give the same logits as the model's own pass.
    """
    name = type(model).__name__
    config = model.config.get_text_config()
    if getattr(model.config, "is_encoder_decoder", False):
        return f"{name} has an encoder"
    if stateful(model):
        return f"{name} has recurrent state"
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds - {"full_attention"}:
        return f"{name} has layers of {', '.join(sorted(kinds - {'full_attention'}))}"
    if not kinds and getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return f"{name} attends within a sliding window"
    if getattr(config, "attn_logit_softcapping", None):
        return f"{name} caps its attention scores"
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if rope.get("rope_type") in _BATCH_DEPENDENT_ROPE:
        return f"{name} has {rope['rope_type']} rotary embeddings"
    try:
        error = _error(model)
    except Exception as problem:  # a model without the attention interface may raise any error
        return f"{name} does not support packed rows ({type(problem).__name__}: {str(problem).splitlines()[0][:100]})"
    return "" if error < _tolerance(model) else f"{name} gives different results with packed rows (error {error:.1e})"


def plain_loop(model: Any) -> Loop:
    """The plain loop, batched or one by one, that gives the same logits as a pass over the whole text.

    Raises `ModelError` if neither loop does: neither can keep the model's state between passes.
    """
    reasons = []
    for loop in (generate_alone,) if stateful(model) else (generate, generate_alone):
        try:
            error = _loop_error(model, loop)
            if error < _tolerance(model):
                return loop
            reasons.append(f"error {error:.1e}")
        except Exception as problem:  # a model may raise any error
            reasons.append(f"{type(problem).__name__}: {str(problem).splitlines()[0][:100]}")
    raise ModelError(
        f"{type(model).__name__} cannot be decoded token by token ({reasons[-1]})",
        hint="use a model of another architecture, or serve the model: openai:MODEL@URL",
    )


def stateful(model: Any) -> bool:
    """Whether a model keeps recurrent or convolutional state between passes, instead of one entry per token."""
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ())
    return bool(getattr(model, "_is_stateful", False)) or bool(kinds - _TOKEN_BY_TOKEN)


def _tolerance(model: Any) -> float:
    # int8 layers round, so noise grows to percents; a wrong layout is off by half and more.
    return 0.3 if rounds(model) else 1e-3 if model.dtype == torch.float32 else 5e-2


def _prompts(model: Any) -> list[list[int]]:
    """Two short prompts of unequal lengths with the same first tokens."""
    size = model.config.get_text_config().vocab_size
    return [[i * 7919 % size for i in ids] for ids in ((1, 2, 3, 4, 5, 6, 7, 8), (1, 2, 3, 9, 10))]


def _own(model: Any, tokens: list[int]) -> torch.Tensor:
    """The logits after `tokens`, by the model's own pass over all tokens."""
    logits: torch.Tensor = model(input_ids=torch.tensor([tokens], device=model.device), use_cache=False).logits[0, -1]
    return logits


def _distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.float() - other.float()).norm() / one.float().norm())


@torch.inference_mode()
def _loop_error(model: Any, loop: Loop) -> float:
    """The relative error of a loop's logits for the third token, compared with the model's own pass."""
    prompts = _prompts(model)
    errors = []
    for batch in [prompts] if loop is generate else [[prompt] for prompt in prompts]:
        seen: list[torch.Tensor] = []
        hook = model.register_forward_hook(lambda _model, _input, output, seen=seen: seen.append(output.logits))
        try:
            outputs = loop(model, [Request(prompt, Sampling(max_tokens=3), 0) for prompt in batch], frozenset(), None)
        finally:
            hook.remove()
        for row, (prompt, output) in enumerate(zip(batch, outputs, strict=True)):
            errors.append(_distance(_own(model, prompt + output.tokens[:-1]), seen[-1][row, -1]))
    return max(errors)


@torch.inference_mode()
def _error(model: Any) -> float:
    """The relative error of the logits of packed rows, compared with the model's own pass."""
    prompts = _prompts(model)
    prefix, slots = SharedPrefix(prompts[0][:3]), Slots(2, 8)
    layouts: list[Prefill | Packing] = [Prefill(prefix, 0, 2), Prefill(prefix, 2, 1)]
    spans = [Span(slot, 0, len(ids) - 3, prefix) for slot, ids in enumerate(prompts)]
    layouts.append(Packing(spans, slots))
    rows = [prefix.tokens[:2], prefix.tokens[2:], [token for ids in prompts for token in ids[3:]]]
    with packed(model):
        for ids, layout in zip(rows, layouts, strict=True):
            logits = model(
                input_ids=torch.tensor([ids], device=model.device),
                position_ids=layout.positions[None].to(model.device),
                use_cache=False,
                layout=layout,
            ).logits[0]
    there = [logits[len(prompts[0]) - 4], logits[-1]]
    return max(_distance(_own(model, prompt), logits) for prompt, logits in zip(prompts, there, strict=True))
