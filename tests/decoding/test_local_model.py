"""A local model over the engine: how it is loaded, and what its completions tell."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from structout.completion import Message, Prompt, Sampling
from structout.decoding.features import Features
from structout.decoding.weights import Weights
from structout.models.load import load_model
from structout.models.local import LocalModel
from structout.models.tuning import checksum
from structout.schema import Schema


@pytest.fixture(scope="module")
def half(model: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bf16 checkpoint."""
    folder = tmp_path_factory.mktemp("half")
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("weights", ["fp32", "packed", "int8"])
def test_a_bf16_checkpoint_is_widened_where_a_form_of_its_weights_is_asked_for(half: Path, weights: Weights) -> None:
    plain = load_model(f"path:{half}", device="cpu")
    assert isinstance(plain, LocalModel)
    assert plain.network.dtype == torch.bfloat16
    wide = load_model(f"path:{half}", weights=weights, device="cpu")
    assert isinstance(wide, LocalModel)
    assert wide.network.dtype == torch.float32
    if weights != "int8":
        assert checksum(wide.network) == checksum(plain.network)  # an adapter fits both
    (answer,) = wide.complete([Prompt((Message("user", "red"),), Sampling(max_tokens=4))])
    assert answer.finish_reason in ("stop", "length")


def test_forced_tokens_need_not_be_scored(half: Path) -> None:
    schema = Schema.of({"const": "true order and red"})
    prompt = Prompt((Message("user", "red"),), Sampling(max_tokens=20), schema)
    answers = []
    for features in (None, Features(score=False)):
        (answer,) = load_model(f"path:{half}", weights="fp32", device="cpu", features=features).complete([prompt])
        answers.append(answer)
    scored, unscored = answers
    assert scored.text == unscored.text
    assert any(scored.logprobs or ())
    assert unscored.logprobs == (0.0,) * len(scored.logprobs or ())
