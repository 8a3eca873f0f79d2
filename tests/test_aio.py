"""`extract` and `extract_many`, awaited."""

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from structout import Completion, ModelError, Prompt, SchemaError, Scripted, SpecError, Usage, aio, extract_many
from structout.halt import THREAD
from structout.models.openai.client import OpenAIModel
from tests.bolt import Bolt
from tests.conftest import ROOT
from tests.models.openai.clients import bolt
from tests.models.openai.servers import Proxy, serving


def size(prompt: Prompt) -> Completion:
    number = prompt.messages[1].content.split("\n")[1]
    return Completion(f'{{"kind": "hex", "size_mm": {number}}}', Usage(calls=1))


def test_one_text_and_many_give_what_the_functions_give() -> None:
    async def main() -> list[Any]:
        one = await aio.extract("8", Bolt, Scripted(size))
        many = [result async for result in aio.extract_many(map(str, range(70)), Bolt, Scripted(size), chunk=4)]
        return [one, *many]

    one, *many = asyncio.run(main())
    assert one.unwrap() == Bolt(kind="hex", size_mm=8)
    assert many == list(extract_many(map(str, range(70)), Bolt, Scripted(size), chunk=4))


def test_the_event_loop_goes_on_and_many_calls_share_it() -> None:
    def slow(prompt: Prompt) -> Completion:
        time.sleep(0.1)
        return size(prompt)

    async def main() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        found = await asyncio.gather(*(aio.extract(str(n), Bolt, Scripted(slow)) for n in range(80)))
        ticking.cancel()
        return ticks, sum(result.ok for result in found)

    ticks, accepted = asyncio.run(main())
    assert (ticks > 3, accepted) == (True, 80)


@pytest.mark.parametrize("is_async", [True, False])
def test_texts_are_read_lazily_and_within_bounds(is_async: bool) -> None:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for n in itertools.count():
            read += 1
            yield str(n)

    async def later() -> AsyncIterator[str]:
        for text in texts():
            await asyncio.sleep(0)
            yield text

    async def main() -> list[float]:
        stream = aio.extract_many(later() if is_async else texts(), Bolt, Scripted(size), chunk=4)
        found = [(await anext(stream)).unwrap().size_mm for _ in range(6)]
        await stream.aclose()  # type: ignore[attr-defined]
        return found

    assert asyncio.run(main()) == [0, 1, 2, 3, 4, 5]
    assert read <= 16


def test_errors_are_raised_where_they_are_awaited() -> None:
    async def first(*words: Any) -> None:
        await anext(aio.extract_many(*words))

    with pytest.raises(ModelError):
        asyncio.run(aio.extract("x", Bolt, Scripted({"y": "z"})))
    with pytest.raises(SchemaError):
        asyncio.run(first(["x"], 5, Scripted(size)))
    with pytest.raises(SpecError, match="give a list of texts"):
        asyncio.run(first("x", Bolt, Scripted(size)))


class Held:
    """Answers when it may, and counts what it was asked."""

    name = "held"

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked = 0

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.asked += len(prompts)
        self.may.wait(10)
        return [size(prompt) for prompt in prompts]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_a_cancelled_call_returns_at_once_and_what_is_in_flight_is_kept(tmp_path: Path) -> None:
    model = Held()

    async def main() -> None:
        texts = map(str, range(1000))
        stream = aio.extract_many(texts, Bolt, model, "Prompted()", chunk=4, journal=tmp_path / "j")
        step = asyncio.ensure_future(anext(stream))
        await asyncio.to_thread(until, lambda: model.asked == 8)
        began = time.monotonic()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert time.monotonic() - began < 1

    asyncio.run(main())
    model.may.set()
    until(lambda: all(thread.name != THREAD for thread in threading.enumerate()))
    assert model.asked == 8
    again = Scripted(size, name="held")
    found = list(extract_many(map(str, range(12)), Bolt, again, "Prompted()", journal=tmp_path / "j"))
    assert (len(found), again.calls) == (12, 4)


def test_a_journal_is_free_again_once_its_stream_is_closed(tmp_path: Path) -> None:
    def slow(prompt: Prompt) -> Completion:
        time.sleep(0.02)
        return size(prompt)

    async def main() -> list[Any]:
        texts, model = list(map(str, range(40))), Scripted(slow)
        stream = aio.extract_many(texts, Bolt, model, "Prompted()", chunk=4, journal=tmp_path / "j")
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        asked = model.calls
        again = aio.extract_many(texts, Bolt, model, "Prompted()", chunk=4, journal=tmp_path / "j")
        return [len([result async for result in again]), model.calls, 4 <= asked < 40]

    assert asyncio.run(main()) == [40, 40, True]


def test_closing_a_stream_waits_for_a_model_for_a_while_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "_LAST", 0.2)
    may = threading.Event()

    def slow(prompt: Prompt) -> Completion:
        answer = size(prompt)
        if '"size_mm": 0' not in answer.text:
            may.wait(10)
        return answer

    async def main() -> float:
        stream = aio.extract_many(list("0123"), Bolt, Scripted(slow), "Prompted()", chunk=1, journal=tmp_path / "j")
        await anext(stream)  # while the second text waits for its answer
        began = time.monotonic()
        await stream.aclose()  # type: ignore[attr-defined]
        return time.monotonic() - began

    try:
        assert 0.1 < asyncio.run(main()) < 2
    finally:
        may.set()
        until(lambda: all(thread.name != THREAD for thread in threading.enumerate()))


def test_cancelling_sends_nothing_new_to_a_server_that_throttles() -> None:
    slow = {"status": 429, "error": {"message": "slow down"}}
    with serving(Proxy(lambda body: slow if len(proxy.requests) > 4 else bolt(body))) as proxy:
        model = OpenAIModel("m", proxy.url)

        async def main() -> None:
            call = aio.extract_many([f"{n} mm" for n in range(64)], Bolt, model, "Prompted()")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(call), 1)

        asyncio.run(main())
        until(lambda: all(thread.name != THREAD for thread in threading.enumerate()))
        sent = len(proxy.requests)
        time.sleep(0.5)
        assert len(proxy.requests) == sent


def test_a_program_that_ends_keeps_what_is_in_flight(tmp_path: Path) -> None:
    program = """
import asyncio, sys, time
from structout import Completion, Usage, aio, extract_many
from tests.bolt import Bolt

class Slow:
    name = "slow"
    def complete(self, prompts):
        time.sleep(0.6)
        return [Completion("{}", Usage(calls=1)) for prompt in prompts]

async def main():
    call = aio.extract_many(map(str, range(100)), Bolt, Slow(), "Prompted()", chunk=4, journal=sys.argv[1])
    await asyncio.wait_for(anext(call), 0.3)

def left_open():
    global stream
    stream = extract_many(map(str, range(100)), Bolt, Slow(), "Prompted()", chunk=4, journal=sys.argv[1])
    next(stream)

asyncio.run(main()) if sys.argv[2] == "aio" else left_open()
"""
    for how in ("aio", "open"):
        journal = tmp_path / how
        subprocess.run([sys.executable, "-c", program, str(journal), how], cwd=ROOT, capture_output=True, check=False)
        again = Scripted("{}", name="slow")
        found = list(extract_many(map(str, range(20)), Bolt, again, "Prompted()", journal=journal))
        assert (len(found), again.calls) == (20, 20 - 8)


def test_the_example_runs_and_the_import_of_structout_stays_light() -> None:
    assert aio.__doc__ is not None
    example = "\n".join(line[4:] for line in aio.__doc__.splitlines() if line.startswith("    "))
    done = subprocess.run([sys.executable, "-c", example], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["{'size_mm': 6}"] * 3, done.stderr
    code = "import sys, structout; assert not {'asyncio', 'structout.aio', 'structout.halt'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
