"""Models of others' making, which may do anything."""

from collections.abc import Callable, Sequence
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from structout import (
    Completion,
    Confident,
    Constrained,
    Dataset,
    ModelError,
    On,
    Prompt,
    Schema,
    SpecError,
    Usage,
    Verify,
    certify,
    evaluate,
    extract,
    extract_many,
)
from structout.evaluation import Record
from structout.models import Memo, Strict
from structout.models.base import PartialAnswerError
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.tables.rows import rows_of
from tests.bolt import Bolt
from tests.models.test_scripted import ask

GOOD = '{"kind": "hex", "size_mm": 6}'


class Odd:
    """Answers with what a function makes of the prompts."""

    name = "odd"

    def __init__(self, answers: Callable[[Sequence[Prompt]], Any]) -> None:
        self._answers = answers

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return self._answers(prompts)  # type: ignore[no-any-return]


def out_of_memory(prompts: Sequence[Prompt]) -> Any:
    raise RuntimeError("CUDA out of memory")


ODD = [
    (out_of_memory, "odd failed: RuntimeError: CUDA out of memory"),
    (lambda prompts: None, "odd returned NoneType, not a list"),
    (lambda prompts: "{}", "odd returned str, not a list"),
    (lambda prompts: [], "odd returned 0 completions for 1 prompts"),
    (lambda prompts: [GOOD for _ in prompts], "odd returned str among its completions"),
    (lambda prompts: [None for _ in prompts], "odd returned NoneType among its completions"),
    (lambda prompts: [Completion(None) for _ in prompts], "odd returned a Completion whose text is NoneType"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("answers", "said"), ODD)
def test_what_a_model_must_not_do_is_a_model_error_that_says_so(answers: Any, said: str) -> None:
    document: Any = {"kind": "hex", "size_mm": 6, "note": None}
    records = tuple(Record(split, "M6", document, document, split) for split in ("dev", "test"))
    data = Dataset("bolts", Schema.of(Bolt), records)
    everything: list[Callable[[], object]] = [
        lambda: list(extract_many(["M6"], Bolt, Odd(answers), Constrained())),
        lambda: extract("M6", Bolt, "embedded", On(Odd(answers), Constrained())),
        lambda: evaluate([Constrained()], Odd(answers), data),
        lambda: certify(Constrained(), data, model=Odd(answers)),
    ]
    for one in everything:
        with pytest.raises(ModelError, match=said) as caught:
            one()
        assert caught.value.hint


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"logprobs": (nan,)}, "logprobs have nan"),
    ({"logprobs": (-0.1, 0.5)}, "logprobs have 0.5"),
    ({"logprobs": (inf,)}, "logprobs have inf"),
    ({"logprobs": ("-0.5",)}, "logprobs have '-0.5'"),
    ({"logprobs": "abc"}, "logprobs are str"),
    ({"logprobs": -0.5}, "logprobs are float"),
    ({"logprobs": (-0.1,), "ends": (5, 29)}, "ends are 2 for 1 logprobs"),
    ({"logprobs": (-0.1, -0.1), "values": (True,)}, "values are 1 for 2 logprobs"),
    ({"usage": Usage(1, -5, 0)}, "usage has input_tokens -5"),
    ({"usage": Usage(1, 0, -(10**9))}, "usage has output_tokens -1000000000"),
    ({"usage": Usage(-1)}, "usage has calls -1"),
    ({"usage": Usage(1, seconds=nan)}, "usage has seconds nan"),
    ({"usage": Usage(1, inf)}, "usage has input_tokens inf"),  # type: ignore[arg-type]
    ({"usage": Usage("1")}, "usage has calls '1'"),  # type: ignore[arg-type]
    ({"usage": None}, "usage is NoneType"),
    ({"finish_reason": "done"}, "finish_reason is 'done'"),
]


@pytest.mark.parametrize(("numbers", "said"), WRONG, ids=[said for _, said in WRONG])
def test_numbers_that_cannot_be_are_refused_before_anything_believes_them(
    numbers: dict[str, Any], said: str, tmp_path: Path
) -> None:
    def sometimes(prompts: Sequence[Prompt]) -> Any:
        odd = ["M7" in prompt.messages[-1].content for prompt in prompts]
        return [Completion(GOOD, **numbers) if one else Completion(GOOD, Usage(1, 10, 5), logprobs=(0,)) for one in odd]

    sure = Verify(Constrained(), Confident(0.99))
    with pytest.raises(ModelError, match=f"odd returned a Completion whose {said}") as caught:
        extract("M7", Bolt, Odd(sometimes), sure)
    assert "not below 0" in caught.value.hint
    with pytest.raises(PartialAnswerError) as partial:
        Strict(Odd(sometimes)).complete(ask("M6", "M7"))
    assert [one is not None for one in partial.value.completions] == [True, False]
    job = Job(Schema.of(Bolt), Odd(sometimes), Constrained())
    with Journal(tmp_path / "j", job.identity()) as journal:
        tally = process(rows_of(["M6", "M7", "M8"]), job, journal, local(budget=Budget(tokens=100_000)))
        spent = journal.spent()["odd"]
    assert tally.counts == {"valid": 2, "error": 1}
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (2, 20, 10)


def test_what_a_model_may_do_is_let_through() -> None:
    assert extract("M6", Bolt, Odd(lambda prompts: (Completion(GOOD),)), Constrained()).ok

    def stop(prompts: Sequence[Prompt]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract("M6", Bolt, Odd(stop), Constrained())


@pytest.mark.parametrize("model", [object(), None, 5, Odd])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(SpecError, match="invalid model") as caught:
        extract("M6", Bolt, model, Constrained())
    assert "complete(prompts)" in caught.value.hint


def test_a_memo_keeps_what_was_paid_for_before_a_failure() -> None:
    def half(prompts: Sequence[Prompt]) -> Any:
        raise PartialAnswerError("down", [Completion("a"), *[None] * (len(prompts) - 1)])

    paid: list[str] = []
    memo = Memo(Strict(Odd(half)), paid=lambda prompt, completion: paid.append(completion.text))
    with pytest.raises(ModelError, match="down"):
        memo.complete(ask("x", "y"))
    assert memo.complete(ask("x"))[0].text == "a"
    assert paid == ["a"]
