"""A model that is as small as can be, with the embedded model's tokenizer: it learns in a second."""

import json
from pathlib import Path

import pytest

from structout import Dataset
from structout.finetuning import Training, finetune
from structout.models.embedded import embedded_folder
from tests.bolt import Bolt

QUICK = Training(passes=2, rank=2, learning_rate=1e-2, batch=4, held_out=0.2)


def bolts(folder: Path, count: int = 24) -> Dataset:
    rows = [
        {"text": f"{kind} bolt {size} mm", "expected": {"kind": kind, "size_mm": size}, "split": "train"}
        for size in range(1, count // 2 + 1)
        for kind in ("hex", "flange")
    ]
    rows.append({"text": "hex bolt 99 mm", "expected": {"kind": "hex", "size_mm": 99}, "split": "dev"})
    file = folder / "bolts.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Dataset.load(file, Bolt)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a model of two layers with random weights."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from transformers.utils import logging

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder())
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return f"path:{folder}"


@pytest.fixture(scope="package")
def taught(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `QUICK` makes of it on bolts, to be read or copied."""
    folder = tmp_path_factory.mktemp("taught")
    finetune(tiny, bolts(folder), folder / "out", QUICK)
    return folder / "out"
