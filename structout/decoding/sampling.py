"""Choosing the next token."""

from typing import Any

import torch

from structout.completion import Sampling


def choose(logits: Any, sampling: Sampling, generator: torch.Generator, mask: Any = None) -> int:
    """Choose a token by `logits` (shape [vocabulary]); `mask` (bool, the same shape) says which are allowed.

    Greedy at temperature 0. Otherwise the temperature is applied first, then top-k, then top-p (the smallest set
    of tokens whose probability reaches it; Holtzman et al., arXiv 1904.09751), all within the mask.
    """
    if mask is not None:
        logits = logits.masked_fill(~mask.to(logits.device), float("-inf"))
    if sampling.temperature == 0:
        return int(logits.argmax())
    logits = logits / sampling.temperature
    if sampling.top_k is not None and sampling.top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], float("-inf"))
    probabilities = logits.softmax(-1)
    if sampling.top_p is not None and sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = probabilities.scatter(-1, order[outside], 0.0)
    return int(torch.multinomial(probabilities.cpu(), 1, generator=generator))
