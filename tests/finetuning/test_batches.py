"""Batches compute what one record after the other would, and bring records in a sensible order."""

from dataclasses import replace
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from structout.finetuning.batches import Encoded, answers, collate, plan
from structout.finetuning.finetuner import local
from structout.finetuning.training import Training

BATCH = [Encoded((5, 6, 7, 8, 20, 21, 22), 5), Encoded((5, 6, 7, 9, 30), 4), Encoded((5, 6, 7, 9, 40, 41, 42, 43), 6)]


def test_a_shared_beginning_and_padding_change_neither_logits_nor_gradients(tiny: str) -> None:
    network = local(tiny).network

    def gradients(batches: list[list[Encoded]]) -> tuple[torch.Tensor, torch.Tensor]:
        network.zero_grad()
        found = []
        for batch in batches:
            logits, labels, _ = answers(network, collate(batch, 0))
            cross_entropy(logits, labels, reduction="sum").backward()  # type: ignore[no-untyped-call]
            found.append(logits.detach())
        return torch.cat(found), network.model.layers[0].self_attn.k_proj.weight.grad.clone()

    together, alone = gradients([BATCH]), gradients([[one] for one in BATCH])
    assert collate(BATCH, 0)["prefix"].tolist() == [5, 6, 7]
    assert together[0].allclose(alone[0], atol=1e-5)
    assert together[1].allclose(alone[1], atol=1e-4)


def test_only_answers_are_learnt(tiny: str) -> None:
    _, labels, rows = answers(local(tiny).network, collate(BATCH, 0))
    assert labels.tolist() == [21, 22, 30, 42, 43]
    assert rows.tolist() == [0, 0, 1, 2, 2]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 4), st.integers())
def test_every_record_is_learnt_once_a_pass(lengths: list[int], batch: int, passes: int, seed: int) -> None:
    training = replace(Training(), batch=batch, passes=passes, seed=seed)
    order = plan(lengths, training)
    assert sorted(order) == sorted(list(range(len(lengths))) * passes)
    assert order == plan(lengths, training)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 4), st.integers(0, 60))
def test_further_records_are_learnt_once_in_all(lengths: list[int], batch: int, passes: int, more: int) -> None:
    more = min(more, len(lengths))
    own = len(lengths) - more
    order = plan(lengths, Training(batch=batch, passes=passes), more)
    assert sorted(order) == sorted([*range(own)] * passes + [*range(own, len(lengths))])


def test_further_records_are_spread_over_the_passes() -> None:
    order = plan([1] * 90, Training(batch=1, passes=3), 60)
    assert [sum(place >= 30 for place in order[start : start + 50]) for start in (0, 50, 100)] == [20, 20, 20]


def test_a_batch_holds_records_of_about_one_length() -> None:
    lengths = [10, 200] * 40
    order = plan(lengths, Training(batch=8, passes=1))
    batches: list[Any] = [{lengths[place] for place in order[i : i + 8]} for i in range(0, len(order), 8)]
    assert sum(len(batch) > 1 for batch in batches) <= 2
