"""The embedded model's tokenizer, and a walk through a grammar that takes tokens at random."""

import random
from collections.abc import Callable

import numpy as np
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
        rejected = 0  # in one place: the mask becomes narrower with every rejection
        while not matcher.must_stop and len(tokens) < (max_tokens or 400):
            forced = matcher.forced() if rng.random() < 0.5 else []
            if forced:
                assert matcher.try_advance(forced) == len(forced)
                tokens += forced
                continue
            token = int(rng.choice(np.flatnonzero(matcher.mask())))
            if matcher.try_advance([token]):
                if vocabulary.is_end(token):
                    break
                tokens.append(token)
                rejected = 0
            else:
                rejected += 1
                assert rejected < 30, f"rejected {rejected} tokens after {vocabulary.decode(tokens)!r}"
        return matcher, vocabulary.decode(tokens), len(tokens)

    return walk


@pytest.fixture(scope="session")
def letters() -> Vocabulary:
    """A vocabulary of single bytes and a few pairs: small enough to look at every document of a small grammar."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pairs = [("a", "b"), ('"', ":"), ("x", "y"), ("t", "r"), ("u", "e"), ("tr", "ue"), ("0", "."), (",", "Ġ")]
    pieces = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet()), *("".join(pair) for pair in pairs)]
    made = Tokenizer(models.BPE(vocab={piece: n for n, piece in enumerate(pieces)}, merges=pairs))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    return Vocabulary.of(PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>"))
