"""Choosing a token."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from structout.completion import Sampling
from structout.decoding.sampling import choose, ends_in, looping
from structout.errors import SpecError

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])


def frequencies(sampling: Sampling, mask: torch.Tensor | None = None, draws: int = 4000) -> torch.Tensor:
    drawn = [choose(LOGITS, sampling, seed, position, mask) for seed in range(draws // 8) for position in range(8)]
    return torch.bincount(torch.tensor(drawn), minlength=5) / draws


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(temperature=1.0), [0, 1, 2, 3, 4]),
        (Sampling(temperature=2.0), [0, 1, 2, 3, 4]),
        (Sampling(temperature=1.0, top_k=2), [0, 1]),
        (Sampling(temperature=1.0, top_p=0.8), [0, 1, 4]),
        (Sampling(temperature=1.0, min_p=0.2), [0, 1, 4]),
    ],
    ids=str,
)
def test_tokens_come_as_often_as_they_are_probable(sampling: Sampling, kept: list[int]) -> None:
    expected = torch.zeros(5)
    expected[kept] = (LOGITS[kept] / sampling.temperature).softmax(-1)
    found = frequencies(sampling)
    assert found == pytest.approx(expected, abs=0.03)  # four standard deviations
    assert not found[expected == 0].any()


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": "hot"}, {"temperature": None}, {"temperature": float("nan")}, {"top_p": "0.5"}, {"min_p": True},
        {"max_tokens": 1.5}, {"max_tokens": None}, {"top_k": 2.0}, {"seed": "1"}, {"repetitions": 0.5}, {"stop": 3},
        {"stop": ("a", "")},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_setting_is_refused_with_a_hint(given: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=next(iter(given))) as caught:
        Sampling(**given)
    assert caught.value.hint


def test_a_mask_renormalises_what_it_leaves() -> None:
    mask = torch.tensor([False, True, False, True, True])
    expected = LOGITS.masked_fill(~mask, float("-inf")).softmax(-1)
    assert frequencies(Sampling(temperature=1.0), mask) == pytest.approx(expected, abs=0.03)


@given(st.integers(0, 2**62), st.integers(0, 4000), st.lists(st.booleans(), min_size=5, max_size=5))
def test_the_free_choice_is_the_masked_choice_where_the_mask_admits_it(
    seed: int, position: int, allowed: list[bool]
) -> None:
    free = choose(LOGITS, Sampling(temperature=1.0), seed, position)
    allowed[free] = True
    assert choose(LOGITS, Sampling(temperature=1.0), seed, position, torch.tensor(allowed)) == free


def test_greedy_takes_the_largest_and_refused_tokens_are_passed_over_unless_all_are() -> None:
    greedy = Sampling()
    assert choose(LOGITS, greedy) == 0
    assert choose(LOGITS, greedy, refused=[0]) == 1
    only = torch.tensor([True, False, False, False, False])
    assert choose(LOGITS, greedy, mask=only, refused=[0]) == 0


@given(st.lists(st.integers(0, 2), max_size=24), st.integers(1, 3))
def test_a_refused_token_is_one_that_would_repeat_a_run_too_often(tokens: list[int], limit: int) -> None:
    refused = looping(tokens, limit)
    for token in range(3):
        written = [*tokens, token]
        repeats = any(
            len(written) >= n * (limit + 1) and written[-n * (limit + 1) :] == written[-n:] * (limit + 1)
            for n in range(1, 17)
        )
        assert (token in refused) == repeats


def test_a_stop_string_is_seen_when_its_last_token_comes() -> None:
    text = "one two three"
    tokens = list(range(len(text)))

    def decode(some: object) -> str:
        return "".join(text[i] for i in some)  # type: ignore[attr-defined]

    assert next(n for n in tokens if ends_in(("two",), tokens[:n], decode)) == 7
    assert not ends_in(("four",), tokens, decode)
