"""Demonstrations as tensors: as few tokens as possible, and the loss on answers alone."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from structout.completion import Prompt, Sampling
from structout.errors import DataError
from structout.finetuning.demonstrations import Demonstration
from structout.finetuning.training import Training
from structout.models.local import LocalModel

_IGNORED = -100  # the label of a token that is not learnt: what PyTorch's cross entropy leaves out
_BUCKET = 8  # batches within which records are sorted by length: little padding, and still a random order


@dataclass(frozen=True, slots=True)
class Encoded:
    """A demonstration in tokens; the answer begins at `start`."""

    tokens: tuple[int, ...]
    start: int


def encode(model: LocalModel, demonstrations: Sequence[Demonstration]) -> list[Encoded]:
    """Demonstrations as the model will see them when it is asked. Raises `DataError` for one that it cannot take."""
    encoded = []
    for number, one in enumerate(demonstrations, 1):
        answer = model.encode_answer(one.response)
        prompt = model.encode(Prompt(one.prompt, Sampling(max_tokens=len(answer))))
        if isinstance(prompt, str):
            raise DataError(f"demonstration {number}: {prompt}", hint="shorten it or leave it out")
        encoded.append(Encoded((*prompt, *answer), len(prompt)))
    return encoded


def plan(lengths: Sequence[int], training: Training, more: int = 0) -> list[int]:
    """The order in which demonstrations are learnt, all passes one after the other; the last `more` of them come once.

    Batches come at random, and what is in a batch is of about one length. What does not fill one begins the next pass.
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
        batches.sort(key=lambda batch: len(batch) < training.batch)  # the one that is not full goes last
        order += [place for batch in batches for place in batch]
    return order


def collate(batch: Sequence[Encoded], pad: int) -> dict[str, torch.Tensor]:
    """Demonstrations side by side. What all of them begin with stands once, in `prefix`, of shape (shared); `input_ids`
    and `labels`, of shape (batch, longest), are the rest, and `attention_mask` (batch, shared + longest) is for both.
    """
    shared = 0
    if len(batch) > 1:
        most = min(one.start for one in batch) - 1  # the token before an answer tells its first
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
    """Logits (n, vocabulary), labels (n) and rows (n) of all the tokens that are learnt.

    The prefix is computed once for the batch, and logits before the first answer begins not at all.
    """
    prefix, tokens, labels = inputs["prefix"], inputs["input_ids"], inputs["labels"]
    cache = None
    if len(prefix):
        cache = DynamicCache(config=network.config)
        network(input_ids=prefix[None], past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache.batch_repeat_interleave(len(tokens))
    learnt = labels != _IGNORED
    first = int(learnt.any(0).nonzero()[0])
    count = labels.shape[1] - first + 1
    output = network(
        input_ids=tokens,
        attention_mask=inputs["attention_mask"],
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=count,
    )
    learnt = learnt[:, first:]
    return output.logits[:, -count:-1][learnt].float(), labels[:, first:][learnt], learnt.nonzero()[:, 0]
