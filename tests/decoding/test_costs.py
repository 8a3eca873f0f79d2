"""What answers are said to have cost adds up to what was spent, by a clock that only goes on where it is told to."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM, MistralConfig, MistralForCausalLM

from structout.completion import Sampling
from structout.decoding import meter
from structout.decoding import request as requests_module
from structout.decoding.engine import Engine
from structout.decoding.request import Request
from tests.decoding.test_engine import ENDS, TEXTS
from tests.decoding.test_fallback import HEADS, SIZES


class Clock:
    """Seconds that pass where something says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.passes = 0

    def perf_counter(self) -> float:
        return self.now

    def drawing(self, requests: list[Request]) -> Iterator[Request]:
        """The requests, each of which takes 5 seconds to make."""
        for one in requests:
            self.now += 5
            yield one

    def one_pass(self, *_: Any) -> None:
        """A pass of 7 seconds."""
        self.now += 7
        self.passes += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (meter, requests_module):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    return clock


def test_costs_add_up_to_all_that_was_spent(
    model: Any, ask: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(model, ENDS, slots=3)
    engine.generate([ask("warm")])
    learn = engine._drafter.learn

    def slowly(tokens: Any) -> None:
        clock.now += 3
        learn(tokens)

    monkeypatch.setattr(engine._drafter, "learn", slowly)
    requests = [ask(text, None, max_tokens=4 + i) for i, text in enumerate(TEXTS * 2)]
    hook = model.register_forward_pre_hook(clock.one_pass)
    try:
        outputs = engine.generate(clock.drawing(requests))
    finally:
        hook.remove()
    assert sum(output.seconds for output in outputs) == pytest.approx(clock.now)
    assert clock.now == 5 * 10 + 7 * clock.passes + 3 * 10
    assert sum(output.model_seconds for output in outputs) == pytest.approx(7 * clock.passes)
    assert sum(output.passes for output in outputs) == pytest.approx(clock.passes)


@pytest.mark.parametrize(
    ("kind", "config"),
    [(MistralForCausalLM, MistralConfig(**SIZES, **HEADS, sliding_window=4)), (MambaForCausalLM, MambaConfig(**SIZES))],
    ids=["batched", "alone"],
)
def test_costs_of_plain_loops_add_up_too(kind: Any, config: Any, ask: Any, clock: Clock) -> None:
    torch.manual_seed(0)
    config.vocab_size = 266  # so many tokens has the tokenizer of the requests
    model = kind(config).eval()
    engine = Engine(model, ENDS, slots=2)
    engine.generate([Request([1, 2], Sampling(max_tokens=1), 0)])
    clock.now = 0
    requests = [ask(text, {"enum": ["red", "true"]}) for text in TEXTS]
    for one in requests:
        slow(one, clock)
    hook = model.register_forward_pre_hook(clock.one_pass)
    outputs = engine.generate(clock.drawing(requests))
    hook.remove()
    assert sum(output.seconds for output in outputs) == pytest.approx(clock.now)
    assert sum(output.model_seconds for output in outputs) == pytest.approx(7 * clock.passes)
    assert sum(output.passes for output in outputs) == pytest.approx(clock.passes)
    assert all(output.mask_seconds == 2 * len(output.tokens) for output in outputs)


def slow(request: Request, clock: Clock) -> None:
    """Have a request's grammar take 2 seconds for a mask."""
    matcher: Any = request.matcher
    mask = matcher.mask

    def slowly() -> Any:
        clock.now += 2
        return mask()

    matcher.mask = slowly


def test_the_first_answer_alone_has_a_shared_prefix_on_its_account(model: Any, ask: Any) -> None:
    computed: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda _model, _args, options: computed.append(options["input_ids"].numel()), with_kwargs=True
    )
    engine = Engine(model, ENDS, slots=8)
    engine.generate([ask("warm", None, max_tokens=1)])
    computed.clear()
    requests = [ask(text, None, max_tokens=1) for text in TEXTS]
    outputs = engine.generate(requests)
    hook.remove()
    assert sum(len(request.tokens) for request in requests) - sum(output.reused for output in outputs) == sum(computed)
