"""`prices`, `budget` and `progress` of `extract_many` and `extract_table`."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from structout import (
    Budget,
    BudgetError,
    Completion,
    ModelError,
    Price,
    Prices,
    Progress,
    Prompt,
    Prompted,
    Reask,
    Result,
    Sampling,
    SpecError,
    Usage,
    aio,
    extract_many,
    extract_table,
)
from structout.pipeline.status import read_status
from tests.bolt import Bolt
from tests.conftest import needs
from tests.pipeline.conftest import Exact, number

LIMIT = Sampling(max_tokens=10)  # a call may use 12 + 10 tokens
TEXTS = [f"{n} mm bolt" for n in range(1, 41)]


def answer(prompt: Prompt) -> Completion:
    """Uses all that it may. Says no to multiples of seven at first."""
    n, is_first = number(prompt), len(prompt.messages) < 4
    text = "no" if n % 7 == 0 and is_first else json.dumps({"kind": "hex", "size_mm": n})
    return Completion(text, Usage(calls=1, input_tokens=12, output_tokens=10))


def until_the_end(results: Any) -> tuple[list[Result[Any]], BudgetError]:
    """The results, and the error that ends them."""
    found: list[Result[Any]] = []
    with pytest.raises(BudgetError) as caught:
        found.extend(results)
    return found, caught.value


@pytest.fixture
def model() -> Exact:
    return Exact(answer)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("chunk", [1, 6, 64])
@pytest.mark.parametrize("tolerant", [True, False])
def test_nothing_is_sent_beyond_the_budget_and_what_is_known_comes_first(
    tmp_path: Path, model: Exact, kept: bool, chunk: int, tolerant: bool
) -> None:
    journal = tmp_path / "j" if kept else None

    def call(tokens: int) -> Any:
        return extract_many(
            TEXTS, Bolt, model, Reask(Prompted()), sampling=LIMIT, chunk=chunk, journal=journal,
            budget=Budget(tokens=tokens), on_error="result" if tolerant else "raise",
        )  # fmt: skip

    found, error = until_the_end(call(450))
    assert model.calls * 22 <= 450
    assert (2 if kept else 6) <= len(found) <= 20  # a later chunk may be in the journal already
    assert [one.unwrap().size_mm for one in found] == list(range(1, len(found) + 1))
    assert ("same call with this journal" in error.hint) == kept
    before = model.calls
    results = list(call(10_000))
    assert [one.unwrap().size_mm for one in results] == list(range(1, 41))
    assert model.calls == (45 if kept else before + 45)


def test_a_budget_too_small_for_one_text_is_refused(tmp_path: Path, model: Exact) -> None:
    for journal in (None, tmp_path / "j"):
        with pytest.raises(BudgetError, match=r"too small for one row.*lower max_tokens") as caught:
            list(extract_many(TEXTS, Bolt, model, sampling=LIMIT, budget=Budget(tokens=21), journal=journal))
        assert not caught.value.retryable
    assert model.calls == 0


@pytest.mark.parametrize("kept", [True, False])
def test_results_stay_in_order_where_a_later_text_still_fits(tmp_path: Path, model: Exact, kept: bool) -> None:
    path = tmp_path / "j" if kept else None
    model.encode = lambda prompt: [0] * (400 if number(prompt) == 3 else 12)  # type: ignore[method-assign]
    found, _ = until_the_end(
        extract_many(TEXTS[:8], Bolt, model, sampling=LIMIT, chunk=1, budget=Budget(tokens=300), journal=path)
    )
    assert [one.unwrap().size_mm for one in found] == [1, 2]


def test_dollars_need_the_price_of_the_model_and_keep_to_it(model: Exact) -> None:
    with pytest.raises(SpecError, match="the price of scripted is unknown"):
        extract_many(TEXTS, Bolt, model, budget=Budget(usd=1))
    for prices in ({"scripted": (1e6, 0)}, Prices({"scripted": Price(1e6)}), {"": Price(1e6)}):
        model.calls = 0
        made = extract_many(TEXTS, Bolt, model, Prompted(), sampling=LIMIT, prices=prices, budget=Budget(usd=100))
        found, error = until_the_end(made)
        assert (model.calls, len(found)) == (8, 8)
        assert "$96.00 of $100.00 is spent, $4.00 is left" in error.message


@pytest.mark.parametrize("odd", [{"m": 5}, {"m": (1,)}, {"m": "1,2"}, {"m": (-1, 2)}, [1, 2], "m=1,2"])
def test_other_prices_are_refused(model: Exact, odd: Any) -> None:
    with pytest.raises(SpecError, match="invalid price"):
        extract_many(TEXTS, Bolt, model, prices=odd)


@pytest.mark.parametrize("kept", [True, False])
def test_progress_counts_results_tokens_and_dollars(tmp_path: Path, model: Exact, kept: bool) -> None:
    seen: list[Progress] = []
    journal = tmp_path / "j" if kept else None
    prices = {"scripted": (1e6, 0.0)}
    made = extract_many(
        TEXTS, Bolt, model, Prompted(), sampling=LIMIT, journal=journal, prices=prices, progress=seen.append
    )
    assert len(list(made)) == 40
    assert [one.done for one in seen] == list(range(1, 41))
    last = seen[-1]
    assert (last.total, last.accepted, last.tokens, last.estimated_tokens, last.cost) == (40, 35, 880, 0, 480.0)
    if kept:
        assert read_status(tmp_path / "j")["cost_usd"] == 480.0
    unknown = list[Progress]()
    list(extract_many(iter(TEXTS), Bolt, model, Prompted(), progress=unknown.append))
    assert (unknown[-1].total, unknown[-1].cost) == (None, None)


def test_a_bar_on_stderr_leaves_stdout_alone(model: Exact, capsys: pytest.CaptureFixture[str]) -> None:
    for result in extract_many(TEXTS, Bolt, model, Prompted(), prices={"scripted": (1e6, 0.0)}, progress=True):
        print(result.status)
    out, err = capsys.readouterr()
    assert out.split().count("valid") == 35
    assert "40/40 yield 87.5 %, 880 tokens, $480.0000" in " ".join(err.split())


def test_an_error_of_the_model_is_still_one(model: Exact) -> None:
    def failing(prompts: Sequence[Prompt]) -> list[Completion]:
        raise ModelError("busy")

    model.complete = failing  # type: ignore[method-assign]
    seen: list[Progress] = []
    with pytest.raises(ModelError, match="busy"):
        list(extract_many(TEXTS, Bolt, model, budget=Budget(hours=1), progress=seen.append))
    assert seen == []


def test_asynchronous_programs_have_them_too(model: Exact) -> None:
    async def main(keep: Callable[[Result[Any]], None]) -> None:
        made = aio.extract_many(TEXTS, Bolt, model, Prompted(), sampling=LIMIT, budget=Budget(tokens=220))
        async for result in made:
            keep(result)

    found: list[Result[Any]] = []
    with pytest.raises(BudgetError):
        asyncio.run(main(found.append))
    assert (len(found), model.calls) == (10, 10)


@needs("pyarrow")
def test_a_table_goes_on_with_its_journal(tmp_path: Path, model: Exact) -> None:
    import pyarrow as pa

    table = pa.table({"text": TEXTS})
    seen: list[Progress] = []

    def call(tokens: int) -> Any:
        return extract_table(
            table, Bolt, model, Prompted(), sampling=LIMIT, journal=tmp_path / "j", budget=Budget(tokens=tokens),
            prices={"scripted": (1e6, 0.0)}, progress=seen.append,
        )  # fmt: skip

    with pytest.raises(BudgetError):
        call(220)
    assert model.calls == 10
    assert call(10_000)["_status"].to_pylist().count("valid") == 35
    assert model.calls == 40
