"""`extract` and `extract_many` for asynchronous programs.

    import asyncio
    from structout import aio
    from structout.testing import Scripted

    async def main():
        model = Scripted('{"size_mm": 6}')
        schema = {"type": "object", "properties": {"size_mm": {"type": "integer"}}, "required": ["size_mm"]}
        print((await aio.extract("a 6 mm bolt", schema, model)).value)
        async for result in aio.extract_many(["a 6 mm bolt", "an M6 nut"], schema, model):
            print(result.value)

    asyncio.run(main())

Both call the functions of the same names in threads, so that the event loop goes on. A cancelled call returns at once:
nothing new is sent, and a thread finishes the requests in flight and keeps their answers in the journal.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload
from weakref import WeakKeyDictionary

from structout import defaults
from structout.completion import Sampling
from structout.halt import Halt, HaltedError, current, started
from structout.models import Model
from structout.pipeline import extraction
from structout.pipeline.budget import Budget
from structout.pipeline.progress import Progress
from structout.prices import Price, Prices
from structout.result import Example, Result
from structout.schema import Schema
from structout.strategies import Strategy

__all__ = ["extract", "extract_many"]

T = TypeVar("T")
R = TypeVar("R")

_MOST = 64  # concurrent calls of `extract` in an event loop
_LAST = 10.0  # seconds that `aclose` waits for the requests in flight
_LOOK = 0.2  # seconds between two looks at a halt

_END: Any = object()
_room: "WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]" = WeakKeyDictionary()


@overload
async def extract(
    text: str,
    schema: type[T] | Schema[T],
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[T]: ...
@overload
async def extract(
    text: str,
    schema: Any,
    model: Model | str = ...,
    strategy: Strategy | str = ...,
    *,
    examples: Sequence[Example] = ...,
    sampling: Sampling | None = ...,
) -> Result[Any]: ...
async def extract(
    text: str,
    schema: Any,
    model: Model | str = defaults.MODEL,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
) -> Result[Any]:
    """Turn one text into a validated record. The parameters and the errors are those of `structout.extract`.

    At most 64 calls in an event loop ask at the same time.
    """
    call = partial(extraction.extract, text, schema, model, strategy, examples=examples, sampling=sampling)
    async with _room.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_MOST)):
        return await _awaited(call, Halt())


async def extract_many(
    texts: Iterable[str] | AsyncIterable[str],
    schema: Any,
    model: Model | str = defaults.MODEL,
    strategy: Strategy | str = defaults.STRATEGY,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
    chunk: int | None = None,
    journal: str | Path | None = None,
    private: bool = False,
    prices: Prices | Mapping[str, Price | Sequence[float]] | None = None,
    budget: Budget | None = None,
    progress: Callable[[Progress], object] | bool = False,
) -> AsyncIterator[Result[Any]]:
    """Turn texts into validated records. The parameters are those of `structout.extract_many`, and so are the errors,
    which the first step raises.

    `texts` may also be asynchronous. `progress` is called in a thread. At most two chunks of texts are read ahead of
    the result that is awaited. With a `journal`, `aclose()` waits up to 10 seconds for the requests in flight, and then
    the journal is free again.
    """
    halt, lock, is_over = Halt(), Lock(), False
    given = _read(texts, asyncio.get_running_loop()) if isinstance(texts, AsyncIterable) else texts

    def results() -> Generator[Result[Any], None, None]:
        yield from extraction.extract_many(
            given,
            schema,
            model,
            strategy,
            examples=examples,
            sampling=sampling,
            chunk=chunk,
            journal=journal,
            private=private,
            prices=prices,
            budget=budget,
            progress=progress,
        )

    stream = results()

    def step() -> Result[Any] | None:
        with lock:
            return next(stream, None)

    def close() -> None:
        with lock:  # after the step in progress
            stream.close()

    try:
        while (result := await _awaited(step, halt)) is not None:
            yield result
        is_over = True
    except GeneratorExit:
        is_over = True
        halt.call()
        closing = started(close, halt)
        if journal is not None:
            await _ended(closing)
        raise
    finally:
        if not is_over:
            halt.call()
            started(close, halt)


async def _awaited(call: Callable[[], R], halt: Halt) -> R:
    """What `call` returns in a thread. If the caller is cancelled, the thread ends soon."""
    try:
        return await asyncio.wrap_future(started(call, halt))
    except asyncio.CancelledError:
        halt.call()
        raise


async def _ended(work: Future[None]) -> None:
    """Wait for the end of some work, at most `_LAST` seconds."""
    waiting = asyncio.wrap_future(work)
    waiting.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks for its error
    await asyncio.wait({waiting}, timeout=_LAST)
    waiting.cancel()


def _read(texts: AsyncIterable[str], loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """The texts, read in the event loop, for another thread. Raises `HaltedError`."""
    stream = aiter(texts)

    async def read() -> Any:
        return await anext(stream, _END)

    while True:
        step = asyncio.run_coroutine_threadsafe(read(), loop)
        while wait([step], _LOOK).not_done:
            if current().is_called:
                step.cancel()
                raise HaltedError
        if (text := step.result()) is _END:
            return
        yield text
