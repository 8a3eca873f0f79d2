"""Text in, validated records out."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar, overload

from structout.completion import Completion, Prompt, Sampling
from structout.errors import SpecError
from structout.issue import Issue
from structout.models import Model, load_model
from structout.result import Example, Result, Task
from structout.schema import Schema
from structout.strategies import Constrained, Reask, Repair, Strategy, Think, load_strategy, spec

T = TypeVar("T")

# Held to the schema where the model can be, mended where it could not be, and asked once more where neither did it.
DEFAULT_STRATEGY: Strategy = Reask(Repair(Constrained()))
_IN_FLIGHT = 2  # chunks at once, so that a straggler in one chunk's re-ask never idles the model


@overload
def extract(
    text: str,
    schema: type[T] | Schema[T],
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[T]: ...
@overload
def extract(
    text: str,
    schema: Any,
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[Any]: ...
def extract(
    text: str,
    schema: Any,
    model: Model | str = "embedded",
    strategy: Strategy | str = DEFAULT_STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
) -> Result[Any]:
    """Turn one text into a validated record: see `extract_many`."""
    (result,) = extract_many([text], schema, model, strategy, examples=examples, sampling=sampling)
    return result


def extract_many(
    texts: Iterable[str],
    schema: Any,
    model: Model | str = "embedded",
    strategy: Strategy | str = DEFAULT_STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    chunk: int = 32,
) -> Iterator[Result[Any]]:
    """Turn texts into validated records: one result each, in input order, as they come.

    `schema` is whatever `Schema.of` takes, `model` a `Model` or a name for `load_model`, `strategy` a `Strategy` or an
    expression for `load_strategy`. Texts are read lazily, `chunk` at a time. A bad text becomes a result with issues;
    only a schema, model or strategy that is none raises, and a model that fails.
    """
    contract = Schema.of(schema)
    way = load_strategy(strategy) if isinstance(strategy, str) else strategy
    who = load_model(model) if isinstance(model, str) else model
    shown, how = tuple(examples), sampling or Sampling()
    return _results(iter(texts), contract, who, way, shown, how, chunk)


def _results(
    texts: Iterator[str],
    schema: Schema[Any],
    model: Model,
    strategy: Strategy,
    examples: tuple[Example, ...],
    sampling: Sampling,
    chunk: int,
) -> Iterator[Result[Any]]:
    def run(batch: list[str]) -> list[Result[Any]]:
        results: list[Result[Any]] = [_NO_TEXT] * len(batch)
        places = [place for place, text in enumerate(batch) if isinstance(text, str)]
        tasks = [Task(batch[place], schema, examples, sampling) for place in places]
        for place, result in zip(places, strategy.run(tasks, model) if tasks else [], strict=True):
            results[place] = result
        return results

    pool = ThreadPoolExecutor(_IN_FLIGHT)
    running: deque[Future[list[Result[Any]]]] = deque()
    try:
        while True:
            while len(running) < _IN_FLIGHT and (batch := list(islice(texts, chunk))):
                running.append(pool.submit(run, batch))
            if not running:
                return
            yield from running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


_NO_TEXT: Result[Any] = Result("invalid", issues=(Issue("", "unanswered", "the record is not text"),))


class _AskedError(Exception):
    """Carries the first prompts of a strategy out of its run."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self.prompts = prompts


class _Recorder:
    """A model that answers nothing: it stops at the first question."""

    name = "preview"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        raise _AskedError(prompts)


def _opening(way: Strategy) -> Strategy | None:
    """The part of a strategy that asks first, None if that is the strategy itself."""
    if isinstance(way, Think):
        return None
    parts = (getattr(way, "first", None), getattr(way, "inner", None), *getattr(way, "stages", ()))
    return next((part for part in parts if part is not None), None)


def preview(
    text: str,
    schema: Any,
    strategy: Strategy | str = DEFAULT_STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
) -> Prompt:
    """The first prompt that the strategy would send for this text, exactly as it would be sent. No model is asked."""
    way = load_strategy(strategy) if isinstance(strategy, str) else strategy
    while inner := _opening(way):
        way = inner  # what is wrapped asks first; and `On` would ask its own model
    task: Task[Any] = Task(text, Schema.of(schema), tuple(examples), sampling or Sampling())
    try:
        way.run([task], _Recorder())
    except _AskedError as asked:
        return asked.prompts[0]
    raise SpecError(f"{spec(way)} sends no prompt", hint="preview a strategy that asks a model")
