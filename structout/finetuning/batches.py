"""Batches of demonstrations as tensors, with the loss on answers only."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import DynamicCache

from structout.completion import Prompt, Sampling
from structout.errors import DataError
from structout.finetuning.demonstrations import Demonstration
from structout.finetuning.training import Training
from structout.models.local import LocalModel

_IGNORED = -100  # the label of a token that is not learned: PyTorch's cross entropy ignores it
_BUCKET = 8  # batches within which records are sorted by length: little padding in a random order


@dataclass(frozen=True, slots=True)
class Encoded:
    """A demonstration as tokens; the answer begins at index `start`."""

    tokens: tuple[int, ...]
    start: int


def encode(model: LocalModel, demonstrations: Sequence[Demonstration]) -> list[Encoded]:
    """Encode demonstrations as the model will see them when asked. Raises `DataError` for one that is too long."""
    encoded = []
    for number, one in enumerate(demonstrations, 1):
        answer = model.encode_answer(one.response)
        prompt = model.encode(Prompt(one.prompt, Sampling(max_tokens=len(answer))))
        if isinstance(prompt, str):
            raise DataError(f"demonstration {number}: {prompt}", hint="shorten it or leave it out")
        encoded.append(Encoded((*prompt, *answer), len(prompt)))
    return encoded


def plan(lengths: Sequence[int], training: Training, more: int = 0) -> list[int]:
    """The order in which demonstrations are learned, over all passes; the last `more` demonstrations occur once.

    Batches are in random order; the demonstrations of a batch have similar lengths. A batch may span
    two passes.
    """
    draw = random.Random(training.seed)
    queue: list[int] = []
    own = len(lengths) - more
    for number in range(training.passes):
        begin, end = (own + (number + later) * more // training.passes for later in (0, 1))
        queue += draw.sample([*range(own), *range(begin, end)], own + end - begin)
    order: list[int] = []
    for start in range(0, len(queue), bucket := training.batch * _BUCKET):
        part = sorted(queue[start : start + bucket], key=lambda place: lengths[place])
        batches = [part[i : i + training.batch] for i in range(0, len(part), training.batch)]
        draw.shuffle(batches)
        batches.sort(key=lambda batch: len(batch) < training.batch)  # the incomplete batch goes last
        order += [place for batch in batches for place in batch]
    return order


def collate(batch: Sequence[Encoded], pad: int) -> dict[str, torch.Tensor]:
    """Collate demonstrations; their common beginning is stored once, as `prefix`.

    Shapes: `prefix` (shared); `input_ids` and `labels` (batch, longest), without the prefix; `attention_mask` (batch,
    shared + longest), for both.
    """
    shared = 0
    if len(batch) > 1:
        most = min(one.start for one in batch) - 1  # the token before an answer predicts its first token
        columns = zip(*(one.tokens[:most] for one in batch), strict=True)
        shared = next((i for i, column in enumerate(columns) if len(set(column)) > 1), most)
    longest = max(len(one.tokens) for one in batch) - shared
    tokens = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), _IGNORED)
    mask = torch.ones((len(batch), shared + longest), dtype=torch.long)
    for row, one in enumerate(batch):
        end = len(one.tokens) - shared
        tokens[row, :end] = torch.tensor(one.tokens[shared:])
        labels[row, one.start - shared : end] = torch.tensor(one.tokens[one.start :])
        mask[row, shared + end :] = 0
    prefix = torch.tensor(batch[0].tokens[:shared], dtype=torch.long)
    return {"prefix": prefix, "input_ids": tokens, "attention_mask": mask, "labels": labels}


def answers(network: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (n, vocabulary), labels (n) and rows (n) of all tokens that are learned.

    The prefix is computed once for the batch, and logits only where they predict a token that is learned.
    """
    prefix, tokens, labels = inputs["prefix"], inputs["input_ids"], inputs["labels"]
    cache = None
    if len(prefix):
        cache = DynamicCache(config=network.config)
        network(input_ids=prefix[None], past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_repeat_interleave(len(tokens))
    learnt = labels[:, 1:] != _IGNORED  # the first token is of the prompt
    with _head_reads(network, nn.functional.pad(learnt, (0, 1))):
        output = network(
            input_ids=tokens,
            attention_mask=inputs["attention_mask"],
            past_key_values=cache,
            use_cache=cache is not None,
        )
    return output.logits.float(), labels[:, 1:][learnt], learnt.nonzero()[:, 0]


@contextmanager
def _head_reads(network: Any, places: torch.Tensor) -> Iterator[None]:
    """Within it, the head of the network computes logits for these places (batch, length) alone, as rows."""
    head = network.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, hidden: (hidden[0][places],))
    try:
        yield
    finally:
        hook.remove()
