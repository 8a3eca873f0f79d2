"""Tests for your own models, strategies and verifiers.

    from structout.testing import Scripted, check_model, check_strategy, check_verifier

    def test_my_strategy():
        check_strategy(MyStrategy(limit=2))

Each check calls the part as structout does, and raises `AssertionError` with a sentence that says what it must do.
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
_ANSWERS = {  # by a part of the record: correct, repairable, correct at the second try, wrong, empty, cut off
    "M1": '{"kind": "hex", "size": 1}',
    "M2": "{'kind': 'hex', 'size': 2,}",
    "M3": ['{"kind": "hex"}', '{"kind": "hex", "size": 3}'],
    "M4": '{"kind": "round", "size": 4}',
    "M5": "",
    "M6": '{"kind": "hex", "si',
}


def check_strategy(strategy: Strategy, model: Callable[[], Model] = lambda: Scripted(_ANSWERS)) -> None:
    """Check a strategy against correct, repairable, wrong and empty answers of a scripted model.

    A strategy returns one result per task, in the order of the tasks, and an empty list for no tasks. Bad answers do
    not make it raise. A result has a value only if the value complies. Each model call is among the attempts or the
    checks of a result. The strategy can be pickled, and `load_strategy` reads what `spec` writes. `model` builds the
    model to use instead of the scripted one.
    """
    assert isinstance(strategy, Strategy), f"{strategy!r} needs a method run(tasks, model)"
    tasks = [Task(f"{name} hex bolt", _SCHEMA, _EXAMPLES, Sampling(max_tokens=40)) for name in _ANSWERS]
    meter = _Meter(model())
    assert strategy.run([], meter) == [], "run must return an empty list for no tasks"
    assert not meter.usage.calls, "run must not call the model for no tasks"
    results = strategy.run(tasks, meter)
    assert isinstance(results, list), f"run must return a list, but returned a {type(results).__name__}"
    assert len(results) == len(tasks), (
        f"run returned {len(results)} results for {len(tasks)} tasks: return one for each task"
    )
    for task, result in zip(tasks, results, strict=True):
        _check_result(task, result)
    counted = sum((result.usage for result in results), Usage())
    assert counted.calls == meter.usage.calls, (
        f"the model was called {meter.usage.calls} times, but the results hold {counted.calls} calls: keep each "
        "call in the attempts or the checks of a result"
    )
    backwards = strategy.run(tasks[::-1], _Meter(model()))
    texts = [_first_words(result) for result in backwards]
    assert texts == [task.text for task in tasks[::-1]], "results must be in the order of the tasks"
    again = pickle.loads(pickle.dumps(strategy))
    assert spec(again) == spec(strategy), "the strategy must be the same after pickling: make it a frozen dataclass"
    assert spec(load_strategy(spec(strategy))) == spec(strategy), (
        f"load_strategy must read {spec(strategy)} back unchanged"
    )


def check_verifier(verifier: Verifier) -> None:
    """Check a verifier on results that comply.

    A verifier returns one verdict per result, in the order of the results, with a decision and a score from 0 to 1, and
    an empty list for no results. The verifier can be pickled. It may call the model, which always answers `yes` here.
    """
    assert isinstance(verifier, Verifier), f"{verifier!r} needs a method check(tasks, results, model)"
    tasks = [Task(f"M{size} hex bolt", _SCHEMA) for size in (1, 2, 3)]
    results = [_accepted(task, size) for size, task in enumerate(tasks, 1)]
    model = Scripted("yes")
    assert verifier.check([], [], model) == [], "check must return an empty list for no results"
    verdicts = verifier.check(tasks, results, model)
    assert isinstance(verdicts, list), f"check must return a list, but returned a {type(verdicts).__name__}"
    assert len(verdicts) == len(results), (
        f"check returned {len(verdicts)} verdicts for {len(results)} results: return one for each result"
    )
    for verdict in verdicts:
        assert isinstance(verdict, Verdict), f"check must return verdicts, but returned a {type(verdict).__name__}"
        assert verdict.decision in ("accept", "reject", "unsure"), f"invalid decision {verdict.decision!r}"
        assert 0 <= verdict.score <= 1, f"invalid score {verdict.score!r}: expected a number from 0 to 1"
        assert verdict.decision != "reject" or verdict.issues, "a rejecting verdict must say why in an issue"
    single = [verifier.check([task], [result], model)[0] for task, result in zip(tasks, results, strict=True)]
    assert [one.decision for one in single] == [one.decision for one in verdicts], (
        "a verdict must depend on its own result only, not on the rest of the batch"
    )
    pickle.loads(pickle.dumps(verifier))


def check_model(model: Model, prompts: Sequence[str] = ("Say yes.", "Say no.", "")) -> None:
    """Check a model with a few prompts.

    A model has a name and returns one completion per prompt, in the order of the prompts, with a plausible usage, and
    an empty list for no prompts. A prompt that the model cannot take gives a `refused` completion. Several threads may
    call the model at once.
    """
    assert isinstance(model, Model), f"{model!r} needs a name and a method complete(prompts)"
    assert isinstance(model.name, str), f"the name must be a text, but is {model.name!r}"
    assert model.name, "the name must not be empty"
    asked = [Prompt((Message("user", text),), Sampling(max_tokens=16)) for text in prompts]
    strict = Strict(model)
    try:
        assert strict.complete([]) == [], "complete must return an empty list for no prompts"
        together = strict.complete(asked)
        with ThreadPoolExecutor(2) as pool:
            apart = list(pool.map(lambda prompt: strict.complete([prompt])[0], asked))
    except StructoutError as error:
        raise AssertionError(str(error)) from error
    for prompt, one, other in zip(asked, together, apart, strict=True):
        for completion in (one, other):
            refused = completion.finish_reason == "refused"
            assert bool(completion.refusal) or not refused, (
                f"the model refused {prompt.messages[0].content!r} without a reason"
            )


class _Meter:
    """A model that adds up the usage of another model."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self.name = inner.name
        self.usage = Usage()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        completions = self.inner.complete(prompts)
        self.usage = sum((one.usage for one in completions), self.usage)
        return completions


def _check_result(task: Task[Any], result: Any) -> None:
    assert isinstance(result, Result), f"run must return results, but returned a {type(result).__name__}"
    if result.ok:
        assert task.schema.check(result.value).ok, f"{task.text!r} has a value that does not comply: {result.value!r}"
    else:
        assert result.issues, f"the result of {task.text!r} is {result.status} without an issue that says why"
    for attempt in result.attempts:
        assert isinstance(attempt, Attempt), f"attempts must hold Attempt objects, but hold a {type(attempt).__name__}"


def _first_words(result: Result[Any]) -> str:
    """The record that the first prompt of a result asks about."""
    asked = " ".join(message.content for message in result.attempts[0].prompt.messages) if result.attempts else ""
    return next((f"{name} hex bolt" for name in _ANSWERS if f"{name} hex bolt" in asked), "")


def _accepted(task: Task[Any], size: int) -> Result[Any]:
    model = Scripted(f'{{"kind": "hex", "size": {size}}}')
    return Prompted().run([task], model)[0]
