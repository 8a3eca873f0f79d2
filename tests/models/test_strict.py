"""Models of others' making, which may do anything."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from structout import (
    Completion,
    Constrained,
    Dataset,
    ModelError,
    On,
    Prompt,
    Schema,
    SpecError,
    certify,
    evaluate,
    extract,
    extract_many,
)
from structout.evaluation import Record
from structout.models import Memo, Strict
from structout.models.base import PartialAnswerError
from tests.conftest import Bolt
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


def test_what_a_model_may_do_is_let_through() -> None:
    assert extract("M6", Bolt, Odd(lambda prompts: (Completion(GOOD),)), Constrained()).ok

    def stop(prompts: Sequence[Prompt]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract("M6", Bolt, Odd(stop), Constrained())


@pytest.mark.parametrize("model", [object(), None, 5, Odd])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(SpecError, match="is no model") as caught:
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
