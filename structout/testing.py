"""What authors of models, strategies and verifiers test them with.

    from structout.testing import Scripted, check_model, check_strategy, check_verifier

    def test_my_strategy():
        check_strategy(MyStrategy(limit=2))

Each check calls a part as structout does, and raises `AssertionError` with a sentence that says what the part must do.
"""

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.errors import StructoutError
from structout.models import Model, Scripted, Strict
from structout.result import Attempt, Example, Result, Task
from structout.schema import Schema
from structout.strategies import Prompted, Strategy, load_strategy, spec
from structout.verifiers import Verdict, Verifier

__all__ = ["Scripted", "check_model", "check_strategy", "check_verifier"]

_SCHEMA: Schema[Any] = Schema.of(
    {
        "title": "Bolt",
        "type": "object",
        "properties": {"kind": {"enum": ["hex", "flange"]}, "size": {"type": "integer", "minimum": 1}},
        "required": ["kind", "size"],
        "additionalProperties": False,
    }
)
_EXAMPLES = (Example("flange bolt, 8 mm", {"kind": "flange", "size": 8}),)
_ANSWERS = {  # by a part of the record: right, to be repaired, right at the second try, wrong, empty, cut off
    "M1": '{"kind": "hex", "size": 1}',
    "M2": "{'kind': 'hex', 'size': 2,}",
    "M3": ['{"kind": "hex"}', '{"kind": "hex", "size": 3}'],
    "M4": '{"kind": "round", "size": 4}',
    "M5": "",
    "M6": '{"kind": "hex", "si',
}


def check_strategy(strategy: Strategy, model: Callable[[], Model] = lambda: Scripted(_ANSWERS)) -> None:
    """Check a strategy against right, repairable, wrong and empty answers of a scripted model.

    A strategy gives one result for each task, in their order; bad answers do not make it raise; a result has a value
    only where the value complies; each call of the model is among the attempts or the checks of a result; no tasks come
    to no results; the strategy can be pickled, and written by `spec` and read again. `model` makes another model.
    """
    assert isinstance(strategy, Strategy), f"{strategy!r} has no method run(tasks, model)"
    tasks = [Task(f"{name} hex bolt", _SCHEMA, _EXAMPLES, Sampling(max_tokens=40)) for name in _ANSWERS]
    meter = _Meter(model())
    assert strategy.run([], meter) == [], "no tasks must come to no results"
    assert not meter.usage.calls, "no tasks must not ask the model"
    results = strategy.run(tasks, meter)
    assert isinstance(results, list), f"run must return a list, and returned {type(results).__name__}"
    assert len(results) == len(tasks), f"{len(tasks)} tasks came to {len(results)} results: each has exactly one"
    for task, result in zip(tasks, results, strict=True):
        _check_result(task, result)
    counted = sum((result.usage for result in results), Usage())
    assert counted.calls == meter.usage.calls, (
        f"the model was asked {meter.usage.calls} times, and the results hold {counted.calls} calls: keep each call in "
        "the attempts or the checks of a result"
    )
    backwards = strategy.run(tasks[::-1], _Meter(model()))
    texts = [_first_words(result) for result in backwards]
    assert texts == [task.text for task in tasks[::-1]], "results must stand in the order of the tasks"
    again = pickle.loads(pickle.dumps(strategy))
    assert spec(again) == spec(strategy), "the strategy must be the same after pickling: make it a frozen dataclass"
    assert spec(load_strategy(spec(strategy))) == spec(strategy), f"{spec(strategy)} must read back the same"


def check_verifier(verifier: Verifier) -> None:
    """Check a verifier on results that comply.

    A verifier gives one verdict for each result, in their order, with a decision and a score from 0 to 1; no results
    come to no verdicts; the verifier can be pickled. It may ask the model, which answers `yes` here.
    """
    assert isinstance(verifier, Verifier), f"{verifier!r} has no method check(tasks, results, model)"
    tasks = [Task(f"M{size} hex bolt", _SCHEMA) for size in (1, 2, 3)]
    results = [_accepted(task, size) for size, task in enumerate(tasks, 1)]
    model = Scripted("yes")
    assert verifier.check([], [], model) == [], "no results must come to no verdicts"
    verdicts = verifier.check(tasks, results, model)
    assert isinstance(verdicts, list), f"check must return a list, and returned {type(verdicts).__name__}"
    assert len(verdicts) == len(results), f"{len(results)} results came to {len(verdicts)} verdicts"
    for verdict in verdicts:
        assert isinstance(verdict, Verdict), f"check must return verdicts, and returned a {type(verdict).__name__}"
        assert verdict.decision in ("accept", "reject", "unsure"), f"invalid decision {verdict.decision!r}"
        assert 0 <= verdict.score <= 1, f"invalid score {verdict.score!r}: a score is from 0 to 1"
        assert verdict.decision != "reject" or verdict.issues, "a verdict that rejects must say why in an issue"
    single = [verifier.check([task], [result], model)[0] for task, result in zip(tasks, results, strict=True)]
    assert [one.decision for one in single] == [one.decision for one in verdicts], (
        "a verdict must hang on its own result, and not on the others of the batch"
    )
    pickle.loads(pickle.dumps(verifier))


def check_model(model: Model, prompts: Sequence[str] = ("Say yes.", "Say no.", "")) -> None:
    """Check a model with a few prompts.

    A model has a name and gives one completion for each prompt, in their order, with usage that can be; no prompts come
    to no completions; a prompt that it cannot take is a `refused` completion; it may be called by several threads.
    """
    assert isinstance(model, Model), f"{model!r} has no name, or no method complete(prompts)"
    assert isinstance(model.name, str), f"the name must be a text, and is {model.name!r}"
    assert model.name, "the name must not be empty"
    asked = [Prompt((Message("user", text),), Sampling(max_tokens=16)) for text in prompts]
    strict = Strict(model)
    try:
        assert strict.complete([]) == [], "no prompts must come to no completions"
        together = strict.complete(asked)
        with ThreadPoolExecutor(2) as pool:
            apart = list(pool.map(lambda prompt: strict.complete([prompt])[0], asked))
    except StructoutError as error:
        raise AssertionError(str(error)) from error
    for prompt, one, other in zip(asked, together, apart, strict=True):
        for completion in (one, other):
            refused = completion.finish_reason == "refused"
            assert bool(completion.refusal) or not refused, f"refused {prompt.messages[0].content!r} without a reason"


class _Meter:
    """A model that adds up what it was asked."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self.name = inner.name
        self.usage = Usage()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        completions = self.inner.complete(prompts)
        self.usage = sum((one.usage for one in completions), self.usage)
        return completions


def _check_result(task: Task[Any], result: Any) -> None:
    assert isinstance(result, Result), f"run must return results, and returned a {type(result).__name__}"
    if result.ok:
        assert task.schema.check(result.value).ok, f"{task.text!r} has a value that does not comply: {result.value!r}"
    else:
        assert result.issues, f"{task.text!r} came to {result.status} without an issue that says why"
    for attempt in result.attempts:
        assert isinstance(attempt, Attempt), f"attempts must hold Attempt, and hold {type(attempt).__name__}"


def _first_words(result: Result[Any]) -> str:
    """The record that a result's first prompt asks about."""
    asked = " ".join(message.content for message in result.attempts[0].prompt.messages) if result.attempts else ""
    return next((f"{name} hex bolt" for name in _ANSWERS if f"{name} hex bolt" in asked), "")


def _accepted(task: Task[Any], size: int) -> Result[Any]:
    model = Scripted(f'{{"kind": "hex", "size": {size}}}')
    return Prompted().run([task], model)[0]
