"""The choice of the next token."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch

from structout.completion import Sampling

_LONGEST_LOOP = 16  # tokens
MOST_REFUSALS = 64  # the tokens that a grammar may reject in one place, a safeguard: grammars have their own limit


def choose(
    logits: torch.Tensor,
    sampling: Sampling,
    seed: int = 0,
    position: int = 0,
    mask: torch.Tensor | None = None,
    refused: Sequence[int] = (),
) -> int:
    """Choose a token by `logits` (shape [vocabulary]); `mask` (bool, the same shape) marks the allowed tokens.

    The choice is greedy at temperature 0. Otherwise these filters apply in this order, within the mask: temperature,
    top-k, top-p (the smallest set of tokens whose probability reaches it; Holtzman et al., arXiv 1904.09751), min-p
    (tokens with at least this probability relative to the most probable token; Nguyen et al., arXiv 2407.01082). Then
    the Gumbel-max trick draws the token: the largest of the logits plus noise, where the noise is a function of `seed`
    and `position` alone. So a choice depends neither on the batch nor on forced or drafted tokens. If only the
    temperature is set, an unmasked choice that the mask allows is the masked choice too.

    `refused` tokens are skipped, unless no other token is allowed.
    """
    if mask is not None:
        logits = logits.masked_fill(~mask.to(logits.device), float("-inf"))
    if refused:
        without = logits.index_fill(-1, torch.tensor(list(refused), device=logits.device), float("-inf"))
        logits = without if bool((without > float("-inf")).any()) else logits
    if sampling.temperature == 0:
        return int(logits.argmax())
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], float("-inf"))
    if sampling.top_p is not None and sampling.top_p < 1:
        ordered, order = logits.softmax(-1).sort(descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        logits = logits.index_fill(-1, order[outside], float("-inf"))
    if sampling.min_p is not None:
        probabilities = logits.softmax(-1)
        logits = logits.masked_fill(probabilities < sampling.min_p * probabilities.max(), float("-inf"))
    return int((logits + _gumbel(seed, position, logits.shape[-1]).to(logits.device)).argmax())


def filtered(sampling: Sampling) -> bool:
    """Whether a choice depends on the whole mask, even if the mask allows the unmasked choice."""
    return sampling.temperature > 0 and not (sampling.top_k is sampling.top_p is sampling.min_p is None)


def looping(tokens: Sequence[int], limit: int | None) -> list[int]:
    """The tokens that would make `tokens` end in more than `limit` copies of one run (of up to 16 tokens)."""
    if limit is None:
        return []
    refused = []
    for period in range(1, min(_LONGEST_LOOP, (len(tokens) + 1) // (limit + 1)) + 1):
        tail = tokens[len(tokens) - period * (limit + 1) + 1 :]  # one token short of `limit` + 1 copies
        if tail[period:] == tail[:-period]:
            refused.append(tail[-period])
    return refused


def ends_in(stops: Sequence[str], tokens: Sequence[int], decode: Callable[[Sequence[int]], str]) -> bool:
    """Whether the end of the text of `tokens` contains one of `stops`."""
    longest = max(len(stop.encode()) for stop in stops)
    tail = decode(tokens[-longest - 8 :])  # a token has at least one byte, except for a few tokens without text
    return any(stop in tail for stop in stops)


def _gumbel(seed: int, position: int, size: int) -> torch.Tensor:
    # A counter-based generator (Philox; Salmon et al., SC 2011): the position is the counter, and nothing is kept.
    stream = numpy.random.Generator(numpy.random.Philox(key=seed, counter=[0, 0, 0, position]))
    noise: Any = stream.standard_exponential(size, dtype=numpy.float32)
    return torch.from_numpy(noise).clamp_(min=1e-30).log_().neg_()
