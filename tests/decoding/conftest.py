"""A tiny decoder with random weights, and a tokenizer of bytes and a few merges: exactness needs no more."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from structout import grammar
from structout.completion import Sampling
from structout.decoding.request import Request
from structout.schema import Schema

MERGES = [("t", "r"), ("u", "e"), ("tr", "ue"), ("o", "r"), ('"', ":"), ("a", "n"), ("Ġ", '"'), ("e", "d"), ("b", "l")]
SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "orange", "blue", "black"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 99},
        "note": {"type": "string", "maxLength": 6},
        "good": {"type": "boolean"},
    },
    "required": ["colour", "count", "good"],
    "additionalProperties": False,
}


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<end>", *letters, *("".join(pair) for pair in MERGES)]
    bpe = models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=MERGES)
    made = Tokenizer(bpe)
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<end>")
    wrapped.chat_template = None
    return wrapped


@pytest.fixture(scope="session")
def model(tokenizer: Any) -> Any:
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.3,  # wide: choices that are close would differ by rounding
        bos_token_id=0,
        eos_token_id=0,
    )
    return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="session")
def ask(model: Any, tokenizer: Any) -> Any:
    """Makes a request: a prompt's text, how to sample, the schema to keep to (None: none), and if within budget."""
    vocabulary = grammar.Vocabulary.of(tokenizer, model.config.vocab_size, [0])

    def make(text: str, schema: Any = SCHEMA, *, seed: int = 0, budget: bool = False, **sampling: Any) -> Request:
        settings = Sampling(**{"max_tokens": 60} | sampling)
        limit = settings.max_tokens if budget else None
        matcher = None if schema is None else grammar.compile(Schema.of(schema)).matcher(vocabulary, limit)
        return Request(tokenizer(text).input_ids, settings, seed, matcher)

    return make


def decode(tokens: Sequence[int]) -> str:
    """Only for the bytes of ASCII letters: what stop strings are made of here."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["", *letters, *("".join(pair) for pair in MERGES)]
    return "".join(pieces[token] for token in tokens)
