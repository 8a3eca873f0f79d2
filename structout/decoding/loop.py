"""Plain decoding loops, one token per row and step: batched with left padding, or one answer at a time."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from structout.decoding.meter import Meter
from structout.decoding.request import Generated, Request
from structout.decoding.sampling import MOST_REFUSALS, choose, ends_in, looping


@torch.inference_mode()
def generate(
    model: Any,
    requests: Sequence[Request],
    ends: frozenset[int],
    decode: Callable[[Sequence[int]], str] | None = None,
    *,
    forced: bool = False,
    share: bool = False,
) -> list[Generated]:
    """Continue all `requests` in one batch with a decoder-only transformers `model`; `ends` are the end tokens.

    Rows that are done leave the batch. `Engine` must agree with this loop token for token, and falls back to it. Stop
    strings need `decode`. With `forced` a text that the grammar forces is written in its canonical tokens; otherwise
    the model may write it with other tokens. With `share` the common first tokens of the prompts are computed once.
    Padding then separates them from the rest of a prompt. So `share` is only for models whose layers attend to all
    tokens and take distances from `position_ids`: a sliding window would fill with padding.
    """
    meter = Meter()
    before = meter.read()
    outputs = [Generated() for _ in requests]
    runs: list[list[int]] = [[] for _ in requests]  # forced tokens that are not written yet
    rows = list(range(len(requests)))  # the requests that are still in the batch
    cache = DynamicCache(config=model.config)
    shared = _shared_prefix([request.tokens for request in requests]) if share else 0
    if shared:
        with meter.running():
            model(
                input_ids=torch.tensor([list(requests[0].tokens[:shared])], device=model.device),
                past_key_values=cache,
                logits_to_keep=1,
            )
        cache.batch_repeat_interleave(len(rows))
        for output in outputs[1:]:
            output.reused = shared
    ids, attention, positions = _pad([request.tokens[shared:] for request in requests], shared, model.device)
    while True:
        with meter.running():
            passed = model(
                input_ids=ids,
                attention_mask=attention,
                position_ids=positions,
                past_key_values=cache,
                logits_to_keep=1,
            )
            logits = passed.logits[:, -1].float()
        staying, tokens = [], []
        for place, row in enumerate(rows):
            token = _write(logits[place], requests[row], outputs[row], runs[row], ends, decode, forced)
            if token is not None:
                staying.append(place)
                tokens.append(token)
        spent = meter.read()
        for row in rows:
            outputs[row].charge(spent - before, 1 / len(rows))
        before = spent
        if not staying:
            return outputs
        rows = [rows[place] for place in staying]
        ids = torch.tensor(tokens, device=model.device)[:, None]
        if len(staying) < len(attention):
            index = torch.tensor(staying, device=model.device)
            cache.batch_select_indices(index)
            attention, positions = attention[index], positions[index]
        attention = torch.cat([attention, attention.new_ones(len(rows), 1)], dim=1)
        positions = positions[:, -1:] + 1


@torch.inference_mode()
def generate_alone(
    model: Any, requests: Sequence[Request], ends: frozenset[int], decode: Callable[[Sequence[int]], str] | None = None
) -> list[Generated]:
    """Continue one request after the other, without padding, with the state that the model keeps between its passes.

    This loop is for recurrent state, which allows neither padding nor copies from row to row.
    """
    return [_alone(model, request, ends, decode) for request in requests]


def _alone(
    model: Any, request: Request, ends: frozenset[int], decode: Callable[[Sequence[int]], str] | None
) -> Generated:
    meter = Meter()
    before = meter.read()
    output = Generated()
    names = inspect.signature(model.forward).parameters
    kept = {"cache_params" if "cache_params" in names else "past_key_values": DynamicCache(config=model.config)}
    ids = torch.tensor([list(request.tokens)], device=model.device)
    while True:
        if "position_ids" in names:
            done = len(request.tokens) + len(output.tokens)
            kept["position_ids"] = torch.arange(done - ids.shape[1], done, device=model.device)[None]
        with meter.running():
            logits = model(input_ids=ids, use_cache=True, logits_to_keep=1, **kept).logits[0, -1].float()
        token = _write(logits, request, output, [], ends, decode, forced=False)
        spent = meter.read()
        output.charge(spent - before)
        before = spent
        if token is None:
            return output
        ids = torch.tensor([[token]], device=model.device)


def _write(
    logits: torch.Tensor,
    request: Request,
    output: Generated,
    run: list[int],
    ends: frozenset[int],
    decode: Callable[[Sequence[int]], str] | None,
    forced: bool,
) -> int | None:
    """Choose the next token of an answer and write it; None if the answer ends."""
    token = _next(logits, request, output, run, forced)
    if token is None or token in ends:
        return None
    output.tokens.append(token)
    output.logprobs.append(float(logits[token] - logits.logsumexp(-1)))
    if request.matcher and request.matcher.must_stop:
        return None
    if request.sampling.stop and decode and ends_in(request.sampling.stop, output.tokens, decode):
        return None
    if len(output.tokens) >= request.sampling.max_tokens:
        output.finish_reason = "length"
        return None
    return token


def _next(logits: torch.Tensor, request: Request, output: Generated, run: list[int], forced: bool) -> int | None:
    """Choose the next token and advance the matcher over it; None if the answer is stuck."""
    written = output.tokens
    refused = looping(written, request.sampling.repetitions)
    matcher = request.matcher
    if matcher is None:
        return choose(logits, request.sampling, request.seed, len(written), refused=refused)
    with output.matching():
        if forced and not run:
            run += matcher.forced()
        if run and matcher.try_advance(run[:1]):
            return run.pop(0)
        run.clear()
    for _ in range(MOST_REFUSALS):
        with output.matching():
            mask = matcher.mask()
        if not bool(mask.any()):
            break
        token = choose(logits, request.sampling, request.seed, len(written), mask, refused)
        with output.matching():
            if matcher.try_advance([token]):
                return token  # else the token limit ruled the token out, and the next mask excludes it
    output.give_up(matcher)
    return None


def _shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """The number of first tokens that all prompts share; each prompt keeps at least one token of its own."""
    if len(prompts) < 2:
        return 0
    ordered = sorted(map(list, prompts))
    first, last = ordered[0], ordered[-1]  # the two prompts with the shortest common prefix
    limit = min(map(len, prompts)) - 1
    return next((i for i in range(limit) if first[i] != last[i]), max(limit, 0))


def _pad(rests: Sequence[Sequence[int]], shared: int, device: Any) -> tuple[Any, Any, Any]:
    width = max(map(len, rests))
    ids = torch.zeros(len(rests), width, dtype=torch.long)
    attention = torch.ones(len(rests), shared + width, dtype=torch.long)
    positions = torch.zeros(len(rests), width, dtype=torch.long)
    for row, rest in enumerate(rests):
        gap = width - len(rest)
        ids[row, gap:] = torch.tensor(list(rest))
        attention[row, shared : shared + gap] = 0
        positions[row, gap:] = torch.arange(shared, shared + len(rest))
    return ids.to(device), attention.to(device), positions.to(device)
