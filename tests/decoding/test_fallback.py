"""Architectures that the engine cannot drive are served by a plain loop, and say so once."""

import logging
from typing import Any

import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from structout.completion import Sampling
from structout.decoding.engine import Engine
from structout.decoding.request import Request

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
PROMPTS = [[5, 6, 7, 8, 9, 10, i, i + 1] for i in (20, 30, 40)]


def recomputed(model: Any, prompt: list[int], length: int) -> list[int]:
    """The greedy answer, with the whole text computed anew for each token."""
    tokens = list(prompt)
    with torch.inference_mode():
        while len(tokens) < len(prompt) + length:
            tokens.append(int(model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax()))
    return tokens[len(prompt) :]


@pytest.mark.parametrize(
    ("kind", "config", "reason"),
    [
        (LlamaForCausalLM, LlamaConfig(**SIZES), ""),
        (Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=8), ""),
        (MistralForCausalLM, MistralConfig(**SIZES, sliding_window=4), "sliding"),
        (MambaForCausalLM, MambaConfig(**SIZES), "recurrent"),
    ],
    ids=["llama", "qwen3", "sliding window", "recurrent state"],
)
def test_every_architecture_gets_its_own_answers(
    kind: Any, config: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    model = kind(config).eval()
    engine = Engine(model, frozenset())
    with caplog.at_level(logging.WARNING, "structout"):
        for _ in range(2):
            found = engine.generate([Request(prompt, Sampling(max_tokens=6), 0) for prompt in PROMPTS])
    assert [output.tokens for output in found] == [recomputed(model, prompt, 6) for prompt in PROMPTS]
    said = [record.getMessage() for record in caplog.records if record.name.startswith("structout")]
    assert len(said) == bool(reason)
    assert all(reason in line for line in said)
