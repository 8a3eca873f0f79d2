"""The embedded model's tokenizer, and a walk through a grammar that takes tokens at random."""

import random
from collections.abc import Callable

import pytest

from structout.grammar import Grammar, Matcher, Vocabulary

Walk = Callable[[Grammar, int | None, int], tuple[Matcher, str, int]]


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    from transformers import AutoTokenizer

    from structout.models.embedded import embedded_folder

    return Vocabulary.of(AutoTokenizer.from_pretrained(embedded_folder()))


@pytest.fixture(scope="session")
def walk(vocabulary: Vocabulary) -> Walk:
    """Decode with random tokens: the matcher at the end, the text, and how many tokens it took."""

    def walk(grammar: Grammar, max_tokens: int | None, seed: int) -> tuple[Matcher, str, int]:
        rng = random.Random(seed)
        matcher = grammar.matcher(vocabulary, max_tokens)
        tokens: list[int] = []
        while not matcher.must_stop and len(tokens) < (max_tokens or 400):
            forced = matcher.forced() if rng.random() < 0.5 else []
            if forced:
                assert matcher.try_advance(forced) == len(forced)
                tokens += forced
                continue
            token = rng.choice(matcher.mask().nonzero()[:, 0].tolist())
            if matcher.try_advance([token]):
                if vocabulary.is_end(token):
                    break
                tokens.append(token)
        return matcher, vocabulary.decode(tokens), len(tokens)

    return walk
