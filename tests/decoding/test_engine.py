"""The engine gives what the plain loop gives, whatever it does to be fast, and whoever shares the batch."""

import copy
import gc
import threading
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any
from weakref import WeakSet

import pytest
import torch

from structout.decoding.cache import SharedPrefix
from structout.decoding.engine import Engine
from structout.decoding.features import Features
from structout.decoding.loop import generate
from structout.decoding.request import Request
from structout.decoding.weights import convert
from structout.errors import ModelError
from tests.decoding.conftest import SCHEMA, decode

ENDS = frozenset({0})
SHARED = "This is what all of the records begin with, and it is long enough to be kept: "
TEXTS = [SHARED + text for text in ("red true 42 blue", "an orange one, true", "black", "red red red red or blue", "7")]
SWITCHES = [Features(), Features(False, False, False, False, False)] + [
    replace(Features(), **{field.name: False}) for field in fields(Features)
]
SAMPLINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 1.0},
    {"temperature": 0.7, "top_k": 5},
    {"temperature": 1.3, "top_p": 0.8},
    {"temperature": 1.0, "min_p": 0.1, "repetitions": 2},
    {"repetitions": 1},
]


def same(one: Sequence[Any], other: Sequence[Any]) -> None:
    assert [o.tokens for o in one] == [o.tokens for o in other]
    assert [o.finish_reason for o in one] == [o.finish_reason for o in other]


@pytest.mark.parametrize("features", SWITCHES, ids=str)
@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["schema", "free"])
def test_every_switch_gives_the_tokens_of_the_plain_loop(model: Any, ask: Any, features: Features, schema: Any) -> None:
    engine = Engine(model, ENDS, slots=3, features=features)
    for sampling in SAMPLINGS[:2]:
        for _ in range(2):  # again, when there is something to share and to draft from
            found = engine.generate([ask(text, schema, **sampling) for text in TEXTS])
        plain = generate(model, [ask(text, schema, **sampling) for text in TEXTS], ENDS, forced=features.force)
        same(found, plain)
        for one, other in zip(found, plain, strict=True):
            if features.score:
                assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
            else:
                assert len(one.logprobs) == len(one.tokens)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_an_answer_depends_on_its_prompt_and_seed_alone(model: Any, ask: Any, sampling: dict[str, Any]) -> None:
    wanted = [(text, seed) for text in TEXTS for seed in (1, 2)]
    together = Engine(model, ENDS, slots=8).generate([ask(text, seed=seed, **sampling) for text, seed in wanted])
    engine = Engine(model, ENDS, slots=1)
    alone = [engine.generate([ask(text, seed=seed, **sampling)])[0] for text, seed in reversed(wanted)]
    same(together, alone[::-1])
    same(together, generate(model, [ask(text, seed=seed, **sampling) for text, seed in wanted], ENDS, forced=True))


def test_seeds_give_different_samples_of_one_prompt_that_is_computed_once(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=8)
    found = engine.generate([ask(TEXTS[0], None, seed=seed, temperature=1.0) for seed in range(6)])
    assert len({tuple(output.tokens) for output in found}) == 6
    length = len(ask(TEXTS[0]).tokens)
    assert sum(length - output.reused for output in found) < 2 * length


def test_grammars_budgets_and_none_share_a_batch(model: Any, ask: Any) -> None:
    def requests() -> list[Request]:
        wanted = [
            ask(text, schema, max_tokens=limit) for text in TEXTS for limit in (3, 60) for schema in (SCHEMA, None)
        ]
        return [*wanted, ask("q", {"type": "boolean"}), ask("x", {"const": "blue"})]

    same(Engine(model, ENDS, slots=4).generate(requests()), generate(model, requests(), ENDS, forced=True))


def test_answers_keep_the_order_of_their_requests_and_costs_add_up(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=3)
    requests = [ask(TEXTS[i % 5], None, max_tokens=1 + i % 7) for i in range(20)]
    found = engine.generate(requests)
    assert [len(output.tokens) for output in found] == [
        len(output.tokens) for output in generate(model, requests, ENDS)
    ]
    assert sum(output.passes for output in found) == pytest.approx(engine.passes)
    assert all(output.model_seconds + output.mask_seconds <= output.seconds * 1.001 for output in found)
    assert all(output.accepted <= output.drafted for output in found)
    assert all(0 <= output.reused < len(request.tokens) for output, request in zip(found, requests, strict=True))


def test_forced_tokens_and_drafts_save_passes(model: Any, ask: Any) -> None:
    def passes(features: Features) -> int:
        engine = Engine(model, ENDS, slots=1, features=features)
        for text in TEXTS:
            engine.generate([ask(text)])
        return engine.passes

    plain, forced = passes(Features(force=False, draft=False)), passes(Features(draft=False))
    assert passes(Features()) < forced < plain


def test_ten_thousand_requests_are_drawn_only_as_slots_become_free(model: Any, ask: Any) -> None:
    drawn = 0
    asked = [ask(text, None, max_tokens=1) for text in ("red", "a", "blue", "or", "7")]

    def requests() -> Iterator[Request]:
        nonlocal drawn
        for i in range(10_000):
            drawn += 1
            yield asked[i % 5]

    engine = Engine(model, ENDS, slots=64)
    shapes = set()
    for done, _ in enumerate(engine.stream(requests())):
        assert drawn <= done + 4 * 64
        shapes.add((engine._slots.count, engine._slots.length))
    assert drawn == 10_000
    assert max(count * length for count, length in shapes) <= 64 * 64


def test_memory_holds_fewer_rows_where_they_are_long(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=8, tokens=256)
    requests = [ask(SHARED * 2 + str(i), None, max_tokens=limit) for i, limit in enumerate((4, 150, 4, 4, 200, 4))]
    same(engine.generate(requests), generate(model, requests, ENDS))
    assert engine._slots.count * engine._slots.length <= max(256, engine._slots.length)


def test_a_long_request_may_begin_like_one_whose_slot_must_make_room_for_it(model: Any, ask: Any) -> None:
    words = ("one", "two", "six", "ten", "red", "blue", "or", "black")
    engine = Engine(model, ENDS, slots=8, tokens=8 * 64)
    for word in words[:4]:  # the later ones are still known as prompts, and would become prefixes
        engine.generate([ask(word * 8, None, max_tokens=4) for word in words])
        found = engine.generate([ask(word * 8 + "!", None, max_tokens=350)])
        same(found, generate(model, [ask(word * 8 + "!", None, max_tokens=350)], ENDS))


def test_prefixes_are_dropped_when_they_exceed_their_memory(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=2, prefix_bytes=1)
    for word in ("one ", "two ", "six "):
        requests = [ask(word * 30 + text, None, max_tokens=3) for text in "abc"]
        same(engine.generate(requests), generate(model, requests, ENDS))
    assert len(list(engine._prefixes)) == 1


@pytest.mark.parametrize("together", [True, False], ids=["in one call", "in one call after the other"])
def test_prefixes_keep_to_their_memory_while_rows_use_them_and_afterwards(
    model: Any, ask: Any, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: WeakSet[SharedPrefix] = WeakSet()
    made = SharedPrefix.__init__

    def noted(prefix: SharedPrefix, *arguments: Any) -> None:
        made(prefix, *arguments)
        alive.add(prefix)

    monkeypatch.setattr(SharedPrefix, "__init__", noted)
    requests = [ask(word * 20 + end, None, max_tokens=3) for word in ("one ", "two ", "six ", "ten ") for end in "ab"]
    bound = 2 * 80 * 2 * 2 * 2 * 16 * 4  # two prefixes: layers, keys and values, heads, numbers a head, bytes a number
    engine = Engine(model, ENDS, slots=8, prefix_bytes=bound)
    engine.generate([ask("warm", None, max_tokens=1)])
    alive.clear()
    hook = model.register_forward_pre_hook(lambda *_: sizes.append(sum(prefix.bytes for prefix in alive)))
    sizes: list[int] = []
    found = []
    for part in [requests] if together else [requests[i : i + 2] for i in range(0, 8, 2)]:
        found += engine.generate(part)
        gc.collect()
        sizes.append(sum(prefix.bytes for prefix in alive))
    hook.remove()
    assert 0 < max(sizes) <= bound
    same(found, generate(model, requests, ENDS))


def test_threads_share_the_slots(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=4)
    found: dict[int, Any] = {}

    def work(i: int) -> None:
        found[i] = engine.generate([ask(text, seed=i, temperature=1.0) for text in TEXTS])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(4):
        same(found[i], generate(model, [ask(text, seed=i, temperature=1.0) for text in TEXTS], ENDS, forced=True))


def test_a_failing_iterable_fails_its_own_call_alone(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=2)

    def broken() -> Iterator[Request]:
        yield ask(TEXTS[0])
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        engine.generate(broken())
    same(engine.generate([ask(TEXTS[0])]), generate(model, [ask(TEXTS[0])], ENDS, forced=True))


def test_after_a_failure_of_the_model_the_engine_starts_afresh(
    model: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(model, ENDS, slots=2)
    engine.generate([ask(TEXTS[0])])
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_forward", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
        with pytest.raises(RuntimeError, match="out of memory"):
            engine.generate([ask(TEXTS[1])])
    same(engine.generate([ask(TEXTS[1])]), generate(model, [ask(TEXTS[1])], ENDS, forced=True))


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_after_an_interrupt_in_a_pass_nothing_that_it_spoilt_is_used(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=1)
    known = "a true red or blue and black " * 2
    engine.generate([ask(known + "7", None, max_tokens=4)])
    hook = model.model.layers[1].register_forward_pre_hook(interrupt)  # the first layer has its keys by then
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.generate([ask("quite another prompt", None)])
    finally:
        hook.remove()
    requests = [ask(known + "42", None, max_tokens=20)]
    same(engine.generate(requests), generate(model, requests, ENDS))


def test_an_interrupt_fails_the_calls_that_shared_the_pass(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=2)
    other = engine.stream([ask(text, None, max_tokens=i + 1) for i, text in enumerate(TEXTS)])
    next(other)
    hook = model.register_forward_pre_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.generate([ask(TEXTS[0], None)])
    finally:
        hook.remove()
    with pytest.raises(ModelError, match="try again"):
        list(other)
    same(engine.generate([ask(TEXTS[1])]), generate(model, [ask(TEXTS[1])], ENDS, forced=True))


def test_a_call_that_is_left_early_leaves_the_rows_of_others_alone(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=3)
    left = engine.stream([ask(TEXTS[i], None, max_tokens=1 + 39 * i) for i in range(2)])
    next(left)  # one row of it goes on
    other = engine.stream([ask(text, None, max_tokens=5 + 15 * i) for i, text in enumerate(TEXTS)])
    found = dict([next(other)])  # ... and others run behind it
    left.close()  # type: ignore[attr-defined]
    found |= dict(other)
    plain = generate(model, [ask(text, None, max_tokens=5 + 15 * i) for i, text in enumerate(TEXTS)], ENDS)
    same([found[i] for i in range(len(TEXTS))], plain)


def test_a_stream_that_is_left_early_frees_its_slots(model: Any, ask: Any) -> None:
    engine = Engine(model, ENDS, slots=2)
    stream = engine.stream(ask(text, None, max_tokens=i + 1) for i, text in enumerate(TEXTS))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not engine._rows
    assert not engine._queue
    same(engine.generate([ask(TEXTS[2])]), generate(model, [ask(TEXTS[2])], ENDS, forced=True))


def test_the_models_own_attention_is_restored(model: Any, ask: Any) -> None:
    before = model.config._attn_implementation
    Engine(model, ENDS).generate([ask(TEXTS[0])])
    assert model.config._attn_implementation == before


def test_stop_strings_end_an_answer(model: Any, ask: Any) -> None:
    free = Engine(model, ENDS).generate([ask(TEXTS[0], None)])[0]
    stop = decode(free.tokens)[10:12]
    for features in (Features(), Features(draft=False)):
        engine = Engine(model, ENDS, decode, features=features)
        for _ in range(2):
            found = engine.generate([ask(TEXTS[0], None, stop=(stop,))])
        same(found, generate(model, [ask(TEXTS[0], None, stop=(stop,))], ENDS, decode))
        assert found[0].finish_reason == "stop"
        assert stop in decode(found[0].tokens)
        assert stop not in decode(found[0].tokens[:-1])


class Reluctant:
    """A matcher that refuses every other token at first, though its mask allowed it, as one with a budget may."""

    steered: tuple[int, ...] = ()

    def __init__(self, inner: Any) -> None:
        self.inner, self.refused, self.asked = inner, set[int](), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def mask(self) -> torch.Tensor:
        mask: torch.Tensor = self.inner.mask().clone()
        mask[list(self.refused)] = False
        return mask

    def try_advance(self, tokens: Sequence[int]) -> int:
        at = int(self.inner.mask().sum())
        if len(tokens) == 1 and at > 2 and tokens[0] % 2 and self.inner.mask()[tokens[0]]:
            self.refused.add(tokens[0])
            return 0
        taken: int = self.inner.try_advance(tokens)
        if taken:
            self.refused.clear()
        return taken


def test_a_token_that_a_budget_refuses_is_chosen_again(model: Any, ask: Any) -> None:
    def request(text: str) -> Request:
        plain: Request = ask(text, {"type": "integer", "minimum": 0, "maximum": 999999}, max_tokens=8)
        return replace(plain, matcher=Reluctant(plain.matcher))

    features = Features(draft=False)
    found = Engine(model, ENDS, features=features).generate(map(request, TEXTS))
    same(found, generate(model, list(map(request, TEXTS)), ENDS, forced=True))


def test_forced_runs_are_spelt_as_the_tokenizer_spells_them(model: Any, ask: Any, tokenizer: Any) -> None:
    (found,) = Engine(model, ENDS).generate([ask("x", {"const": "true order and red"})])
    assert found.tokens == tokenizer('"true order and red"').input_ids
    assert found.forced == len(found.tokens)


def test_packed_weights_give_the_same_answers(model: Any, ask: Any) -> None:
    packed = copy.deepcopy(model)
    convert(packed, "packed")
    requests = [(text, schema) for text in TEXTS for schema in (SCHEMA, None)]
    found = Engine(packed, ENDS, slots=8).generate([ask(text, schema) for text, schema in requests])
    same(found, generate(model, [ask(text, schema) for text, schema in requests], ENDS, forced=True))


def test_int8_answers_do_not_depend_on_their_batch(model: Any, ask: Any) -> None:
    torch.manual_seed(7)
    config = copy.deepcopy(model.config)
    config.num_hidden_layers, config.initializer_range = 16, 0.15  # deep enough for noise to grow
    deep = type(model)(config).eval()
    convert(deep, "int8")
    together = Engine(deep, ENDS, slots=8).generate([ask(text, None) for text in TEXTS])
    alone = [Engine(deep, ENDS, slots=1).generate([ask(text, None)])[0] for text in TEXTS]
    same(together, alone)
    for one, other in zip(together, alone, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
