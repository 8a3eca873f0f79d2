import random
from collections.abc import Sequence
from dataclasses import replace
from math import log
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from structout import (
    Constrained,
    DataError,
    Grounded,
    Learned,
    ModelError,
    Prompt,
    Result,
    Rule,
    Scripted,
    SpecError,
    Task,
    Usage,
    Verify,
    evaluate,
    load_strategy,
    spec,
)
from structout.completion import Completion
from structout.evaluation import Dataset, judged, read_log
from structout.evaluation.dataset import Record
from structout.schema import Schema
from structout.verifiers import Head, Judged, read_head, verify, write_head
from tests.bolt import Bolt

SCHEMA = Schema.of(Bolt)


def answer(prompt: Prompt) -> Completion:
    """Says the size that stands in the record, or where it is unsure, most of the time, another one."""
    text = prompt.messages[-1].content
    size = int(next(word for word in text.split() if word.isdecimal()))
    draw = random.Random(text)
    sure = draw.random()
    right = draw.random() < sure
    said = f'{{"kind": "hex", "size_mm": {size if right else size + 1}}}'
    logprobs = tuple(log(max(sure, 0.01)) if said[i].isdecimal() else -0.01 for i in range(len(said)))
    values = tuple(char.isdecimal() for char in said)
    return Completion(
        said, Usage(1, 9, len(said)), "stop", logprobs, values=values, ends=tuple(range(1, len(said) + 1))
    )


def bolts(sizes: Sequence[int]) -> Dataset:
    records = (
        Record(str(n), f"hex bolt, {n} mm", {"kind": "hex", "size_mm": n, "note": None}, {}, "dev") for n in sizes
    )
    return Dataset("bolts", SCHEMA, tuple(records))


def lessons(sizes: Sequence[int], log: Path) -> list[Judged]:
    evaluate([Constrained()], Scripted(answer), bolts(sizes), log=log)
    return judged(read_log(log).outcomes, SCHEMA)


def test_what_is_learned_of_is_the_document_as_it_will_be_judged(tmp_path: Path) -> None:
    for way in (Constrained(), Verify(Constrained(), Rule(lambda value: False))):
        log = tmp_path / f"{type(way).__name__}.jsonl"
        evaluate([way], Scripted(answer), bolts([6]), log=log)
        (lesson,) = judged(read_log(log).outcomes, SCHEMA)
        (live,) = Constrained().run([Task("hex bolt, 6 mm", SCHEMA)], Scripted(answer))
        assert lesson.result.document == live.document  # without the note, which is null if it is not written
        assert lesson.result.value == live.value


def test_it_learns_from_the_log_and_tells_right_from_wrong_on_other_records(tmp_path: Path) -> None:
    taught = lessons(range(1, 300), tmp_path / "log.jsonl")
    learned = Learned.fit(taught)
    new = lessons(range(300, 500), tmp_path / "other.jsonl")
    verdicts = verify(learned, [one.task for one in new], [one.result for one in new], Scripted({}))
    accepted = [one.right for one, verdict in zip(new, verdicts, strict=True) if verdict.decision == "accept"]
    refused = [one.right for one, verdict in zip(new, verdicts, strict=True) if verdict.decision == "reject"]
    assert sum(accepted) / len(accepted) > 0.65 > 0.35 > sum(refused) / len(refused)
    error = sum((verdict.score - one.right) ** 2 for one, verdict in zip(new, verdicts, strict=True)) / len(new)
    assert error < 0.21  # a half for all is 0.25: so the score is a probability that is worth something
    assert all(verdict.usage == Usage() for verdict in verdicts)


def test_a_result_from_the_log_is_scored_like_the_one_that_was_logged(tmp_path: Path) -> None:
    (lesson, *_) = taught = lessons(range(1, 60), tmp_path / "log.jsonl")
    learned = Learned.fit(taught)
    (result,) = Constrained().run([lesson.task], Scripted(answer))
    (now,) = verify(learned, [lesson.task], [result], Scripted({}))
    (then,) = verify(learned, [lesson.task], [lesson.result], Scripted({}))
    assert now.score == pytest.approx(then.score, abs=1e-3)


def test_a_head_is_written_and_read_back(tmp_path: Path) -> None:
    learned = Learned.fit(lessons(range(1, 60), tmp_path / "log.jsonl"))
    assert isinstance(learned.head, Head)
    write_head(learned.head, tmp_path / "head.json")
    assert read_head(tmp_path / "head.json") == learned.head
    task: Task[Any] = Task("hex bolt, 7 mm", SCHEMA)
    (result,) = Constrained().run([task], Scripted(answer))
    by_name = Learned(str(tmp_path / "head.json"))
    assert verify(by_name, [task], [result], Scripted({})) == verify(learned, [task], [result], Scripted({}))


def test_a_head_that_is_read_looks_for_the_same_leaves(tmp_path: Path) -> None:
    """The note is in no record: to look for it as well would make each result another one."""
    taught = [
        lesson._replace(result=replace(lesson.result, document={**lesson.result.document, "note": "new"}))  # type: ignore[dict-item]
        for lesson in lessons(range(1, 60), tmp_path / "log.jsonl")
    ]
    learned = Learned.fit(taught, grounded=Grounded(("/size_mm",), 1.0))
    assert isinstance(learned.head, Head)
    write_head(learned.head, tmp_path / "head.json")
    by_name = Learned(str(tmp_path / "head.json"))
    tasks, results = [one.task for one in taught], [one.result for one in taught]
    scores = [verdict.score for verdict in verify(learned, tasks, results, Scripted({}))]
    assert [verdict.score for verdict in verify(by_name, tasks, results, Scripted({}))] == scores
    elsewhere = Learned(str(tmp_path / "head.json"), grounded=Grounded(("/note",)))
    assert [verdict.score for verdict in verify(elsewhere, tasks, results, Scripted({}))] != scores
    assert load_strategy(spec(Verify(Constrained(), learned))) == Verify(Constrained(), learned)


def test_a_log_with_repeats_makes_a_head_no_surer(tmp_path: Path) -> None:
    """Where nothing tells right from wrong, who has met a record before still can: that must not pass for skill."""
    draw = random.Random(3)
    once = [
        lesson._replace(
            right=draw.random() < 0.5, result=replace(lesson.result, confidence={"/size_mm": draw.random()})
        )
        for lesson in lessons(range(1, 41), tmp_path / "log.jsonl")
    ]
    tasks, results = [one.task for one in once], [one.result for one in once]

    def spread(taught: Sequence[Judged]) -> float:
        scores = [verdict.score for verdict in verify(Learned.fit(taught), tasks, results, Scripted({}))]
        return max(scores) - min(scores)

    assert spread([lesson for lesson in once for _ in range(7)]) < 1.2 * spread(once)
    with pytest.raises(DataError, match="4 records"):
        Learned.fit(once[:4] * 10)  # as many results, but they tell no more


@pytest.mark.parametrize(("count", "few"), [(9, True), (9, False), (0, True)])
def test_of_a_handful_of_right_or_wrong_ones_nothing_is_learned(count: int, few: bool) -> None:
    taught = [lesson(i, i / 60, right=(i < count) is few) for i in range(60)]
    with pytest.raises(DataError, match=f"{'right' if few else 'wrong'} results for {count}.*Confident"):
        Learned.fit(taught)
    Learned.fit([one._replace(right=not one.right) if i >= 50 else one for i, one in enumerate(taught)])


def lesson(size: int, sure: float, right: bool) -> Judged:
    document: dict[str, Any] = {"kind": "hex", "size_mm": size}
    value = SCHEMA.check(document).value
    return Judged(Task(f"bolt {size}", SCHEMA), Result("valid", value, document, confidence={"/size_mm": sure}), right)


def scores(learned: Learned, lessons: Sequence[Judged]) -> list[float]:
    verdicts = verify(learned, [one.task for one in lessons], [one.result for one in lessons], Scripted({}))
    return [verdict.score for verdict in verdicts]


@pytest.mark.parametrize("seed", range(12))
def test_where_there_is_nothing_to_learn_the_scores_stay_close_to_the_base_rate_and_in_order(seed: int) -> None:
    draw = random.Random(seed)
    taught = [lesson(i, draw.random(), right=draw.random() < 0.5) for i in range(40)]
    found = scores(Learned.fit(taught), taught)
    assert mean(found) == pytest.approx(mean(one.right for one in taught), abs=0.02)
    right, wrong = ([x for x, one in zip(found, taught, strict=True) if one.right is truth] for truth in (True, False))
    assert mean(right) > mean(wrong)


@pytest.mark.parametrize("seed", range(8))
def test_a_weak_signal_keeps_its_direction(seed: int) -> None:
    """Of the surer half 16 in 30 are right, of the other 14."""
    taught = [lesson(i, 0.9 if i % 2 else 0.1, right=i // 2 < (16 if i % 2 else 14)) for i in range(60)]
    random.Random(seed).shuffle(taught)  # which puts them into other folds
    unsure, sure = scores(Learned.fit(taught), [lesson(30, 0.1, right=True), lesson(30, 0.9, right=True)])
    assert unsure < sure


def test_what_is_no_head_and_what_teaches_nothing(tmp_path: Path) -> None:
    taught = lessons(range(1, 60), tmp_path / "log.jsonl")
    with pytest.raises(DataError, match="too few"):
        Learned.fit(taught[:10])
    with pytest.raises(DataError, match="too few"):
        Learned.fit([one._replace(right=True) for one in taught])
    (tmp_path / "head.json").write_text('{"features": []}')
    for name in ("head.json", "nothing.json"):
        with pytest.raises(ModelError):
            read_head(tmp_path / name)
    with pytest.raises(SpecError):
        Head((0.0,), (1.0,), (1.0,), 0.0)
