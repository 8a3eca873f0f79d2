"""Architectures that the engine cannot drive are served by a plain loop, and say so once."""

import logging
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
    MptForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    RwkvConfig,
    RwkvForCausalLM,
)

from structout.completion import Sampling
from structout.decoding.engine import Engine
from structout.decoding.request import Request
from structout.errors import ModelError

SIZES = {
    "vocab_size": 100,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
HEADS = {"num_key_value_heads": 2}
OTHER = {"vocab_size": 100, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}  # of configurations of old
# They begin alike, and are of unequal lengths: padding must not count as text.
PROMPTS = [[5, 6, 7, 8, 9, 10, *rest] for rest in ((20, 21), (30, 31, 32, 33, 34), (40,))]


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
        (LlamaForCausalLM, LlamaConfig(**SIZES, **HEADS), ""),
        (Qwen3ForCausalLM, Qwen3Config(**SIZES, **HEADS, head_dim=8), ""),
        (MistralForCausalLM, MistralConfig(**SIZES, **HEADS, sliding_window=4), "sliding"),
        (Gemma2ForCausalLM, Gemma2Config(**SIZES, **HEADS, head_dim=8, sliding_window=4), "sliding"),
        (
            Gemma3ForCausalLM,
            Gemma3TextConfig(**SIZES, **HEADS, head_dim=8, sliding_window=4, query_pre_attn_scalar=8),
            "sliding",
        ),
        (
            GptOssForCausalLM,
            GptOssConfig(**SIZES, **HEADS, head_dim=8, num_local_experts=2, num_experts_per_tok=1, sliding_window=4),
            "sliding",
        ),
        (
            GPTNeoForCausalLM,
            GPTNeoConfig(
                **OTHER,
                hidden_size=32,
                num_layers=2,
                num_heads=4,
                attention_types=[[["global", "local"], 1]],
                window_size=4,
                initializer_range=0.3,
            ),
            "packed rows",
        ),
        (MptForCausalLM, MptConfig(vocab_size=100, d_model=32, n_heads=4, n_layers=2), "packed rows"),
        (BloomForCausalLM, BloomConfig(**OTHER, hidden_size=32, n_layer=2, n_head=4), "packed rows"),
        (MambaForCausalLM, MambaConfig(**SIZES), "recurrent"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_architecture_gets_its_own_answers_whatever_the_lengths_of_its_prompts(
    kind: Any, config: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    torch.manual_seed(0)
    config.initializer_range = 0.3
    model = kind(config).eval()
    engine = Engine(model, frozenset())
    with caplog.at_level(logging.WARNING, "structout"):
        for _ in range(2):
            found = engine.generate([Request(prompt, Sampling(max_tokens=6), 0) for prompt in PROMPTS])
    assert [output.tokens for output in found] == [recomputed(model, prompt, 6) for prompt in PROMPTS]
    said = [record.getMessage() for record in caplog.records if record.name.startswith("structout")]
    assert len(said) == bool(reason)
    assert all(reason in line for line in said)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (RwkvForCausalLM, RwkvConfig(**OTHER, hidden_size=32, num_hidden_layers=2, attention_hidden_size=32)),
        (OpenAIGPTLMHeadModel, OpenAIGPTConfig(vocab_size=100, n_embd=32, n_layer=2, n_head=4)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_keeps_something_else_between_its_passes_is_refused(kind: Any, config: Any) -> None:
    torch.manual_seed(0)
    engine = Engine(kind(config).eval(), frozenset())
    for _ in range(2):
        with pytest.raises(ModelError, match=f"{kind.__name__} cannot be decoded.*another architecture"):
            engine.generate([Request(PROMPTS[0], Sampling(max_tokens=6), 0)])
