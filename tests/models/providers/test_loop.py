"""The thread in which a hosted model asks: many requests at once, its end, forks and signals."""

import asyncio
import gc
import json
import os
import signal
import threading
import time
from typing import Any

import pytest
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.function import AgentInfo, FunctionModel

from structout.models.providers.hosted import from_pydantic_ai
from tests.models.providers.asking import (
    DOCUMENT,
    NATIVE,
    Asked,
    ask,
    bolt,
    of,
)


def test_many_requests_are_in_flight_at_a_time() -> None:
    both = threading.Barrier(4, timeout=5)

    async def slow(messages: Any, info: AgentInfo) -> ModelResponse:
        await asyncio.to_thread(both.wait)
        return bolt(info)

    model = from_pydantic_ai(FunctionModel(slow, profile=NATIVE))
    assert len(model.complete([ask(str(i)) for i in range(4)])) == 4
    assert model.limiter.peak == 4


def test_ctrl_c_ends_a_call_soon_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("structout.halt.GRACE", 0.2)

    async def hanging(messages: Any, info: AgentInfo) -> ModelResponse:
        await asyncio.sleep(60)
        return bolt(info)

    model = from_pydantic_ai(FunctionModel(hanging, profile=NATIVE))
    # A background shell hands the signal down as ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.complete([ask(str(number)) for number in range(100)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 3


def test_the_thread_ends_with_the_model() -> None:
    before = set(threading.enumerate())
    model = of(Asked())
    model.complete([ask()])
    (own,) = [thread for thread in threading.enumerate() if thread not in before and "provider" in thread.name]
    del model
    gc.collect()
    assert not own.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_asks_in_a_thread_of_its_own() -> None:
    model = of(Asked())
    model.complete([ask()])
    with model._loop._lock:  # another thread may hold it
        process = os.fork()
        if not process:
            signal.alarm(5)
            os._exit(0 if json.loads(model.complete([ask("nuts")])[0].text) == DOCUMENT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert len(model.complete([ask("nuts")])) == 1


def test_a_loop_whose_thread_died_starts_anew() -> None:
    model = of(Asked())
    model.complete([ask()])
    loop, thread = model._loop._loop, model._loop._thread
    assert loop is not None
    assert thread is not None
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    assert len(model.complete([ask("nuts")])) == 1
