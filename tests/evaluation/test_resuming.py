"""What was paid for is not paid for again."""

import json
import os
from pathlib import Path

import pytest

from structout import (
    Cascade,
    Completion,
    DataError,
    Dataset,
    On,
    Prompted,
    Reask,
    Repair,
    Scripted,
    SpecError,
    Strategy,
    evaluate,
)
from structout.completion import Prompt, Usage
from structout.evaluation import read_log
from structout.evaluation.stopping import Until
from structout.models import identity
from tests.evaluation.test_metrics import ANSWERS, RIGHT, bolts

NAMES = [f"bolt {i}" for i in range(100)]
STRATEGIES = ["Prompted()", "Reask(Repair(Prompted()))"]


def told(prompt: Prompt) -> Completion:
    wrong = len(prompt.messages) == 2 and "3" in prompt.messages[-1].content
    return Completion("no" if wrong else RIGHT, Usage(1, 10, 5, 0.1), logprobs=(-0.125, -0.1), values=(True, False))


def test_a_run_that_is_done_is_not_paid_again(tmp_path: Path) -> None:
    first = evaluate(STRATEGIES, Scripted(told), bolts(*NAMES), repeats=2, log=tmp_path / "log.jsonl")
    model = Scripted(told)
    again = evaluate(STRATEGIES, model, bolts(*NAMES), repeats=2, log=tmp_path / "log.jsonl")
    assert model.calls == 0
    assert again.outcomes == first.outcomes
    assert again.rows() == first.rows() == read_log(tmp_path / "log.jsonl").rows()


def test_an_extended_run_pays_for_what_is_new(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    evaluate(["Prompted()"], Scripted(told), bolts(*NAMES[:40]), log=log)
    model = Scripted(told)
    report = evaluate(["Prompted()", "Repair(Prompted())"], model, bolts(*NAMES), log=log)
    assert model.calls == 60
    assert [row.n for row in report.rows()] == [100, 100]
    model = Scripted(told)
    evaluate(["Prompted(examples=0, max_tokens=7)"], model, bolts(*NAMES[:5]), log=log)
    assert model.calls == 5, "another limit is another question"


@pytest.mark.parametrize("after", [1, 40, 99, 110])
def test_an_interrupted_run_goes_on_and_comes_to_the_same(tmp_path: Path, after: int) -> None:
    whole = evaluate(STRATEGIES, Scripted(told), bolts(*NAMES))

    def stops(prompt: Prompt) -> Completion:
        if model.calls >= after:
            raise KeyboardInterrupt
        return told(prompt)

    model = Scripted(stops)
    with pytest.raises(KeyboardInterrupt):
        evaluate(STRATEGIES, model, bolts(*NAMES), log=tmp_path / "log.jsonl")
    paid = sum("completion" in json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    rest = Scripted(told)
    done = evaluate(STRATEGIES, rest, bolts(*NAMES), log=tmp_path / "log.jsonl")
    assert done.rows() == whole.rows()
    assert rest.calls == len({attempt["key"] for o in whole.outcomes for attempt in o.attempts}) - paid


def test_a_line_that_a_killed_run_left_unfinished_is_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    evaluate(["Prompted()"], Scripted(told), bolts(*NAMES[:10]), log=log)
    whole = log.read_bytes()
    log.write_bytes(whole[:-20])
    assert len(read_log(log).outcomes) == 9
    model = Scripted(told)
    evaluate(["Prompted()"], model, bolts(*NAMES[:10]), log=log)
    assert model.calls == 0
    assert len(read_log(log).outcomes) == 10
    lines = whole.splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:-3], b"{broken\n", *lines[-2:]]))
    with pytest.raises(DataError):
        read_log(log)


def test_models_inside_strategies_are_paid_once_too(tmp_path: Path) -> None:
    small, big = Scripted("no", name="small"), Scripted(RIGHT, name="big")
    ways: list[Strategy] = [Cascade(Prompted(), On(big, Prompted())), Reask(On(big, Prompted()))]
    report = evaluate(ways, small, bolts("x", "y"), log=tmp_path / "log.jsonl")
    assert (small.calls, big.calls) == (2, 2)
    assert [row.cost.calls for row in report.rows()] == [2, 1]
    again = evaluate(ways, small, bolts("x", "y"), log=tmp_path / "log.jsonl")
    assert (small.calls, big.calls) == (2, 2)
    assert again.outcomes == report.outcomes


def test_a_model_that_was_trained_anew_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    before = identity(f"path:{tmp_path}")
    (tmp_path / "evaluation.jsonl").write_text("{}")
    assert identity(f"path:{tmp_path}") == before
    os.utime(tmp_path / "model.safetensors", (1, 1))
    assert identity(f"path:{tmp_path}") == before
    (tmp_path / "model.safetensors").write_bytes(b"2")
    assert identity(f"path:{tmp_path}") != before
    assert identity("embedded") == "embedded"


def test_a_sweep_runs_every_point() -> None:
    seen: list[tuple[float, int | None]] = []

    def answer(prompt: Prompt) -> str:
        seen.append((prompt.sampling.temperature, prompt.sampling.top_k))
        return RIGHT

    report = evaluate(["Prompted()"], Scripted(answer), bolts("x"), sweep={"temperature": [0, 0.5], "top_k": [1, 5]})
    assert sorted(seen, key=str) == sorted([(0, 1), (0, 5), (0.5, 1), (0.5, 5)], key=str)
    assert [row.label for row in report.rows()][-1] == "Prompted() temperature=0.5 top_k=5"
    assert report["Prompted() temperature=0.5 top_k=1"].setting == (("temperature", 0.5), ("top_k", 1))


def test_a_sweep_over_a_name_in_an_expression() -> None:
    whole = Dataset("bolts", bolts("x").schema, (*bolts("x", "y").records,))
    report = evaluate(["Prompted(max_tokens={n})", "Prompted()"], Scripted(RIGHT), whole, sweep={"n": [8, 9]})
    assert [(row.strategy, row.setting) for row in report.rows()] == [
        ("Prompted(max_tokens={n})", (("n", 8),)),
        ("Prompted(max_tokens={n})", (("n", 9),)),
        ("Prompted()", ()),
    ]
    assert {o.attempts[0]["sampling"]["max_tokens"] for o in report.outcomes} == {8, 9, 512}
    with pytest.raises(SpecError, match="unknown sweep 'm'"):
        evaluate(["Prompted()"], Scripted(RIGHT), whole, sweep={"m": [1]})


def test_a_sweep_over_the_answers_of_a_vote_pays_for_each_once() -> None:
    model = Scripted(lambda prompt: RIGHT if prompt.sample else '{"kind": "hex", "size_mm": 1.0}')
    vote = "Vote(Prompted(temperature=0.7), n={n}, level='record')"
    report = evaluate([vote], model, bolts("x"), sweep={"n": [1, 5]})
    assert [(dict(row.setting)["n"], row.record_accuracy.value) for row in report.rows()] == [(1, 0.0), (5, 1.0)]
    calls = [row.cost.calls for row in report.rows()]
    assert calls[0] == 1
    assert model.calls == calls[1] <= 5  # the larger vote begins with the answer of the smaller


def test_it_stops_when_enough_is_known() -> None:
    many = bolts(*(f"bolt {i}" for i in range(1000)))
    report = evaluate(["Prompted()"], Scripted(RIGHT), many, until=Until(width=0.1))
    assert 32 < len(report.outcomes) < 320
    assert len(evaluate(["Prompted()"], Scripted(RIGHT), many.head(40), until=Until(width=0.01)).outcomes) == 40


def test_it_stops_when_the_best_is_known() -> None:
    many = bolts(*(f"bolt {i}" for i in range(400)))
    good, bad = Scripted(RIGHT, name="good"), Scripted(ANSWERS["wrong"], name="bad")
    report = evaluate({"ask": Prompted()}, [good, bad], many, until=Until(decided=True))
    assert {row.n for row in report.rows()} == {len(report.outcomes) // 2}
    assert len(report.outcomes) < 200
    tied = evaluate({"ask": Prompted(), "too": Repair(Prompted())}, good, many.head(64), until=Until(decided=True))
    assert len(tied.outcomes) == 128


def test_a_log_with_a_line_that_lacks_something_is_bad_input(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    evaluate(["Prompted()"], Scripted(told), bolts("bolt 0"), log=log)
    header, completion, outcome = map(json.loads, log.read_text().splitlines())

    def without(row: dict[str, object], name: str) -> str:
        return json.dumps({key: value for key, value in row.items() if key != name})

    log.write_text(f"{json.dumps(header)}\n{without(completion, 'identity')}\n")
    with pytest.raises(DataError, match="identity"):
        evaluate(["Prompted()"], Scripted(told), bolts("bolt 0"), log=log)
    log.write_text(f"{json.dumps(header)}\n{without(completion, 'messages')}\n")
    with pytest.raises(DataError, match="messages"):
        read_log(log)
    log.write_text(f"{json.dumps(header)}\n{json.dumps(completion)}\n{without(outcome, 'text')}\n")
    with pytest.raises(DataError, match="text"):
        read_log(log)
