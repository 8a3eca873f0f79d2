import json
import pickle
import re
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from structout import (
    BudgetError,
    Cascade,
    Completion,
    Constrained,
    Grounded,
    Judge,
    Message,
    ModelError,
    On,
    Prompt,
    Prompted,
    Reask,
    Repair,
    Sampling,
    Schema,
    Scripted,
    SpecError,
    StructoutWarning,
    Task,
    Usage,
    Verify,
)  # fmt: skip
from structout.models.base import PartialAnswerError
from structout.models.wrappers.strict import Strict
from structout.models.wrappers.traced import Traced
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.most import most_of
from structout.pipeline.recorded import Recorded
from structout.pipeline.run import local, process
from structout.prices import Price, Prices, named, read_price, read_prices
from structout.strategies import spec, with_models
from structout.tables.rows import rows_of
from structout.verifiers import AllOf
from tests.bolt import Bolt
from tests.conftest import needs
from tests.pipeline.conftest import Exact, bolt


def ask(text: str, **sampling: float) -> Prompt:
    return Prompt((Message("user", text),), Sampling(**sampling))  # type: ignore[arg-type]


@pytest.fixture
def journal(job: Job, tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j", job.identity()) as journal:
        yield journal


def test_like_prompts_are_asked_once_and_sampled_ones_each_time(journal: Journal) -> None:
    inner = Scripted("x")
    model = Recorded(inner, journal)
    model.complete([ask("a"), ask("b"), ask("a")])
    model.complete([ask("b"), ask("c")])
    assert inner.calls == 3
    model.complete([ask("a", temperature=1.0), ask("a", temperature=1.0)])
    assert inner.calls == 5
    model.complete([ask("a", temperature=1.0, seed=3), ask("a", temperature=1.0, seed=3)])
    assert inner.calls == 6
    Recorded(inner, journal, cache=False).complete([ask("a")])
    assert inner.calls == 7
    assert journal.spent()["scripted"].calls == 7


def test_an_answer_in_flight_is_waited_for(journal: Journal) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(prompt: Prompt) -> str:
        asked.set()
        assert go.wait(10)
        return "x"

    inner = Scripted(slow)
    model = Recorded(inner, journal)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(model.complete, [ask("a")])
        assert asked.wait(10)
        second = pool.submit(model.complete, [ask("a")])
        go.set()
        assert first.result() == second.result()
    assert inner.calls == 1


class Picky:
    """Fails on one prompt of a batch, having answered the others."""

    name = "picky"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        answers: list[Completion | None] = []
        for prompt in prompts:
            text = prompt.messages[0].content
            self.asked.append(text)
            answers.append(None if text == "poison" else Completion(text, Usage(calls=1, input_tokens=1)))
        if None in answers:
            raise PartialAnswerError("the server failed", answers)
        return [answer for answer in answers if answer is not None]


def test_a_partial_answer_is_one_of_all_that_was_asked(journal: Journal) -> None:
    model = Recorded(Picky(), journal, Budget(tokens=10_000))
    model.complete([ask("b")])
    with pytest.raises(PartialAnswerError) as caught:
        model.complete([ask("a"), ask("s", temperature=1.0), ask("poison"), ask("b"), ask("a")])
    assert [answer and answer.text for answer in caught.value.completions] == ["a", "s", None, "b", "a"]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_was_answered_beside_a_failure_is_not_paid_twice(journal: Journal, temperature: float) -> None:
    inner = Picky()
    model = Recorded(inner, journal)
    with pytest.raises(ModelError):
        model.complete([ask(text, temperature=temperature) for text in ("a", "poison", "b")])
    for text in ("a", "b"):
        assert model.complete([ask(text, temperature=temperature)])[0].text == text
    assert inner.asked == ["a", "poison", "b"]
    assert journal.spent()["picky"].calls == 2


@needs("opentelemetry")
def test_a_fine_tuned_model_is_still_known_as_one(journal: Journal) -> None:
    inner = Scripted("x")
    inner.tuning = "as it was taught"  # type: ignore[attr-defined]
    assert Recorded(inner, journal).tuning == Traced(inner).tuning == "as it was taught"
    assert Recorded(Scripted("x"), journal).tuning is None


def test_every_model_in_a_strategy_is_recorded(journal: Journal) -> None:
    big = Scripted("x", name="big")
    checked = Verify(Constrained(), AllOf(Grounded(), Judge(big)))
    way = Cascade(Repair(Prompted(examples=2)), On(big, Reask(checked, limit=2)))
    wrapped = with_models(way, lambda model: Recorded(model, journal))
    assert spec(wrapped) == spec(way)
    assert isinstance(wrapped.stages[1].model, Recorded)
    assert wrapped.stages[0] == way.stages[0]
    judge = wrapped.stages[1].inner.inner.verifier.verifiers[1]
    assert isinstance(judge.model, Recorded)
    assert way.stages[1].model is big  # type: ignore[attr-defined]


def test_a_named_model_that_has_answered_before_is_recorded_too(journal: Journal, tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text('"x"')
    way = On(f"scripted:{tmp_path / 'big.json'}", Prompted())
    task = Task("a bolt", Schema.of(str))
    way.run([task], Scripted("unasked"))
    with_models(way, lambda model: Recorded(model, journal)).run([task], Scripted("unasked"))
    assert sum(usage.calls for usage in journal.spent().values()) == 1
    assert spec(pickle.loads(pickle.dumps(way))) == spec(way)  # sent to another process, it is loaded there


def test_a_budget_stops_the_run_before_it_is_passed_and_a_higher_one_goes_on(job: Job, tmp_path: Path) -> None:
    rows = list(rows_of([f"{n} mm" for n in range(1, 101)]))
    job = replace(job, model=Exact(bolt), sampling=Sampling(max_tokens=5))
    with Journal(tmp_path / "j", job.identity()) as journal:
        with pytest.raises(BudgetError, match=r"of 500 tokens are spent, .* the next call may use up to 17") as caught:
            process(rows, job, journal, local(4, Budget(tokens=500)))
        assert "--budget-tokens" in caught.value.hint
        spent = sum(journal.spent().values(), Usage())
        assert 500 - 17 < spent.input_tokens + spent.output_tokens <= 500
        tally = process(rows, job, journal, local(4, Budget(tokens=5000)))
        assert (tally.accepted, tally.quarantined) == (86, 14)
        with pytest.raises(BudgetError, match="0 hours"):
            process(rows_of([*(row.text for row in rows), "101 mm"]), job, journal, local(4, Budget(hours=0)))


def test_a_call_waits_for_the_calls_that_are_under_way(journal: Journal) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(prompt: Prompt) -> Completion:
        if prompt.messages[0].content == "slow":
            asked.set()
            assert go.wait(10)
        return Completion("x", Usage(calls=1, input_tokens=10))

    inner = Exact(slow)
    model = Recorded(inner, journal, Budget(tokens=35))
    model.complete([ask("first", max_tokens=3)])
    with ThreadPoolExecutor(2) as pool:
        under_way = pool.submit(model.complete, [ask("slow", max_tokens=3)])
        assert asked.wait(10)
        another = pool.submit(model.complete, [ask("another", max_tokens=3)])
        time.sleep(0.1)
        assert not another.done()
        assert inner.calls == 2
        go.set()
        assert under_way.result()[0].text == "x"
        assert another.result()[0].text == "x"
    with pytest.raises(
        BudgetError, match="30 of 35 tokens are spent, 5 are left; the next call may use up to 15 tokens"
    ):
        model.complete([ask("last", max_tokens=3)])
    assert inner.calls == 3


@pytest.mark.parametrize("seconds", [0.0, 0.01])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_left_of_a_budget_goes_to_as_many_rows_as_it_is_enough_for(
    job: Job, tmp_path: Path, seconds: float, temperature: float
) -> None:
    def answer(prompt: Prompt) -> Completion:
        time.sleep(seconds)
        return Completion('{"kind": "hex", "size_mm": 6}', Usage(calls=1, input_tokens=100, output_tokens=50))

    model = Exact(answer)
    model.tokens = 100
    job = Job(job.schema, model, Prompted(), sampling=Sampling(temperature=temperature, max_tokens=50))
    rows = list(rows_of([f"{n} mm" for n in range(1, 41)]))
    with Journal(tmp_path / "j", job.identity()) as journal:
        for limit, done in ((2000, 13), (2000, 13), (4400, 29), (5850, 39)):
            with pytest.raises(BudgetError, match=f" of {limit:,} tokens are spent, .*may use up to 150"):
                process(rows, job, journal, local(32, Budget(tokens=limit)))
            assert (journal.counts(), model.calls) == ({"valid": done}, done)
        assert process(rows, job, journal, local(32, Budget(tokens=6000))).accepted == 40
    assert model.calls == 40


def test_a_small_budget_is_told_in_digits_that_can_be_seen() -> None:
    spent, prices = {"m": Usage(calls=1, input_tokens=1000)}, Prices({"m": Price(1, 0)})
    for limit, told in (
        (0.001, "$0.001 of $0.001 is spent, $0.00 is left; the next call may use up to $0.001"),
        (0.0012, "$0.001 of $0.0012 is spent, $0.0002 is left; the next call may use up to $0.001"),
    ):
        budget = Budget(usd=limit)
        with pytest.raises(BudgetError, match=re.escape(told)), budget.room("m", lambda: spent, prices, Usage(1, 1000)):
            pass


@pytest.mark.parametrize(("limit", "calls"), [(0, 0), (16, 0), (17, 1), (40, 2), (10_000, 80)])
def test_no_budget_is_overrun_by_a_whole_chunk(job: Job, tmp_path: Path, limit: int, calls: int) -> None:
    model = Exact(bolt)
    prices = Prices({model.name: Price(1e6, 1e6)})  # a dollar a token
    for budget in (Budget(tokens=limit), Budget(usd=limit)):
        before = model.calls
        way = Job(job.schema, model, Prompted(), sampling=Sampling(max_tokens=5), prices=prices)
        with Journal(tmp_path / f"{budget.tokens}", way.identity()) as journal:
            run = partial(process, rows_of([f"{n} mm" for n in range(1, 81)]), way, journal, local(32, budget))
            if calls == 80:
                run()
            else:
                with pytest.raises(BudgetError) as caught:
                    run()
                assert caught.value.retryable == (calls > 0)  # else it is too small for one row
        assert model.calls - before == calls


def test_a_dearer_model_is_counted_at_its_own_mean(journal: Journal) -> None:
    budget, prices = Budget(usd=100), Prices({"cheap": Price(0, 0), "dear": Price(1e6, 0)})
    answer = Completion("x", Usage(calls=1, input_tokens=20))
    models = {name: Exact(lambda prompt: answer, name=name) for name in ("cheap", "dear")}
    for one in models.values():
        one.tokens = 20
    cheap, dear = (Recorded(model, journal, budget, prices) for model in models.values())
    cheap.complete([ask(str(n)) for n in range(50)])
    dear.complete([ask("a"), ask("b")])
    with pytest.raises(BudgetError, match=r"\$60.00 is left; the next call may use up to \$80"):
        dear.complete([ask(text) for text in "cdef"])
    cheap.complete([ask(str(n)) for n in range(100)])


def test_a_model_that_uses_more_than_it_may_is_told(journal: Journal) -> None:
    inner = Exact(lambda prompt: Completion("x", Usage(calls=1, input_tokens=10, output_tokens=2000)))
    with pytest.warns(StructoutWarning, match=r"used 10 \+ 2,000 tokens for calls that may use 12 \+ 512 tokens"):
        Recorded(inner, journal, Budget(tokens=1000)).complete([ask("a")])


def test_what_a_prompt_may_use_is_bounded_by_its_bytes_where_nobody_counts() -> None:
    schema = Schema.of(Bolt)
    plain, held = (
        Prompt((Message("user", "größe"),), Sampling(max_tokens=9), constraint) for constraint in (None, schema)
    )
    model = Scripted("x")
    used = most_of([plain], model)
    assert (used.calls, used.output_tokens) == (1, 9)
    assert used.input_tokens >= len("größe".encode())
    assert most_of([held], model).input_tokens - used.input_tokens == len(json.dumps(held.held_to))
    assert most_of([plain, plain], Strict(Exact("x"))) == Usage(2, 24, 18)


@pytest.mark.parametrize("wrong", [float("nan"), -1])
def test_limits_and_prices_that_are_none(wrong: Any) -> None:
    for make in (
        lambda: Budget(usd=wrong),
        lambda: Budget(tokens=wrong),
        lambda: Budget(hours=wrong),
        lambda: Price(wrong, 1),
        lambda: read_price(f"1,{wrong}"),
    ):
        with pytest.raises(SpecError) as caught:
            make()
        assert caught.value.hint


def test_money_is_counted_where_the_price_is_known(job: Job, tmp_path: Path) -> None:
    known = Prices({"scripted": Price(1000, 2000)})
    assert known.cost([("scripted", Usage(calls=1, input_tokens=1000, output_tokens=500))]) == pytest.approx(2.0)
    assert known.cost([("scripted", Usage(calls=1)), ("other", Usage(calls=1))]) is None
    assert Prices().cost([]) == 0
    assert read_price("0.15,0.6") == ("", Price(0.15, 0.6))
    assert read_price("openai:a=b=0.15/0.6/2") == ("openai:a=b", Price(0.15, 0.6, 2))
    assert named(read_prices(["1,2", "big=3,4"]), ["small"]) == {"small": Price(1, 2), "big": Price(3, 4)}
    with pytest.raises(SpecError, match=r"got 'cheap', expected \[MODEL=\]INPUT,OUTPUT"):
        read_price("cheap")
    with pytest.raises(SpecError, match="expected MODEL=INPUT,OUTPUT"):
        named(read_prices(["1,2"]), ["small", "big"])
    with pytest.raises(SpecError, match="price of scripted is unknown"):
        reserve({"scripted": Usage(calls=1)}, Prices())
    with pytest.raises(BudgetError):
        reserve({"scripted": Usage(calls=10, input_tokens=999)}, known)
    reserve({"scripted": Usage(calls=10, input_tokens=900)}, known)


def reserve(spent: dict[str, Usage], prices: Prices) -> None:
    """Reserve 90 tokens of a budget of a dollar."""
    with Budget(usd=1).room("scripted", lambda: spent, prices, Usage(1, 90)):
        pass
