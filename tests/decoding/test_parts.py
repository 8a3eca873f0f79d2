"""The parts of the engine: prefixes, drafts, weights, threads."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from structout.completion import Message, Prompt, Sampling
from structout.decoding.cache import Prefixes, SharedPrefix, common_length
from structout.decoding.drafting import Drafter, DraftText, worth
from structout.decoding.threads import cpu_quota
from structout.decoding.weights import Int8Linear, PackedLinear, convert
from structout.errors import ModelError, SpecError
from structout.models.local import LocalModel


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_common_length_is_that_of_the_longest_common_beginning(one: list[int], other: list[int]) -> None:
    length = common_length(one, other)
    assert one[:length] == other[:length]
    assert one[length : length + 1] != other[length : length + 1] or length == min(len(one), len(other))


def test_guesses_come_from_the_record_and_from_earlier_answers() -> None:
    drafter, text = Drafter(), DraftText([1, 2, 3, 4])
    guess = drafter.guess(text, [9, 2, 3])
    assert guess is not None
    assert guess.token == 4
    assert drafter.guess(DraftText([]), [5, 6]) is None
    for _ in range(3):
        drafter.learn([5, 6, 7])
    learnt = drafter.guess(DraftText([]), [5, 6])
    assert learnt is not None
    assert learnt.token == 7


def test_guesses_that_fail_lose_credit_and_memory_is_bounded() -> None:
    drafter, text = Drafter(contexts=10), DraftText([1, 2])
    before = drafter.guess(text, [1])
    assert before is not None
    drafter.credit(before, False)
    after = drafter.guess(text, [1])
    assert after is not None
    assert after.probability < before.probability
    drafter.learn(list(range(100)))
    assert len(drafter._past) == 10
    assert worth(1) < worth(8) < worth(128)


def test_packed_weights_give_the_same_but_for_rounding() -> None:
    linear = torch.nn.Linear(32, 16)
    with torch.inference_mode():
        for tokens in (1, 2, 16, 40):
            x = torch.randn(1, tokens, 32)
            torch.testing.assert_close(PackedLinear(linear)(x), linear(x))


def test_packed_weights_can_still_be_trained(model: Any) -> None:
    linear = torch.nn.Linear(32, 16)
    layer, x = PackedLinear(linear), torch.randn(3, 32)
    with torch.inference_mode():
        before = layer(x)
    layer(x).sum().backward()
    assert linear.weight.grad is not None
    with torch.no_grad():
        linear.weight += 1
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), linear(x))
        assert not torch.equal(layer(x), before)


def test_weights_are_exact_unless_asked_for_otherwise(model: Any) -> None:
    packed = copy.deepcopy(model)
    convert(packed)
    assert any(isinstance(module, PackedLinear) for module in packed.modules())
    for name, parameter in model.named_parameters():
        assert torch.equal(packed.get_parameter(name), parameter)
    half = copy.deepcopy(model).half()
    convert(half)
    assert not any(isinstance(module, PackedLinear | Int8Linear) for module in half.modules())
    with pytest.raises(ModelError, match="fp32"):
        convert(half, "int8")


def test_the_prefix_that_was_used_longest_ago_goes_first() -> None:
    prefixes = Prefixes(limit=2 * 2 * 4 * 8)  # two prefixes of two tokens
    for start in (10, 20, 30):
        prefix = SharedPrefix([start, start + 1])
        prefix.layer(0, torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 4))
        assert prefixes.make_room(2, [])
        prefixes.keep(prefix)
        assert prefixes.find([10, 11, 12]) is not None  # the oldest, but in use
    assert [prefix.tokens for prefix in prefixes] == [[10, 11], [30, 31]]


def test_int8_rows_do_not_depend_on_the_batch() -> None:
    linear = torch.nn.Linear(64, 32)
    x = torch.randn(5, 64)
    with torch.inference_mode():
        layer = Int8Linear(linear)
        together = layer(x)
        assert torch.equal(together[2:3], layer(x[2:3]))
        assert torch.equal(together[:1], layer(torch.cat([x[:1], 100 * x[1:]]))[:1])
        assert (together - linear(x)).norm() < 0.05 * linear(x).norm()


def test_unknown_weights_are_refused(model: Any) -> None:
    with pytest.raises(SpecError, match="int3"):
        convert(model, "int3")  # type: ignore[arg-type]


def test_threads_stay_within_the_containers_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert cpu_quota(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    free = cpu_quota(tmp_path)
    assert free >= 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert cpu_quota(tmp_path) == 1
    (tmp_path / "cpu.max").unlink()
    assert cpu_quota(tmp_path) == free


def test_a_local_model_leaves_out_the_stop_string_and_tells_what_it_cost(model: Any, tokenizer: Any) -> None:
    local = LocalModel("tiny", model, tokenizer)
    prompts = [Prompt((Message("user", "red " * 20),), Sampling(max_tokens=12), sample=i) for i in range(3)]
    whole = local.complete(prompts)
    assert len({completion.text for completion in whole}) == 1  # greedy
    usage = whole[0].usage + whole[1].usage + whole[2].usage
    assert usage.calls == 3
    assert usage.output_tokens == sum(len(completion.logprobs or ()) for completion in whole)
    assert 0 < usage.reused_tokens < usage.input_tokens
    stop = whole[0].text[4:6]
    cut = local.complete([Prompt((Message("user", "red " * 20),), Sampling(max_tokens=12, stop=(stop,)))])[0]
    assert cut.text == whole[0].text.partition(stop)[0]
    assert cut.finish_reason == "stop"
    refused = local.complete([*prompts[:1], Prompt((Message("user", "red " * 2000),), Sampling(max_tokens=12))])
    assert [completion.finish_reason for completion in refused] == ["length", "refused"]
