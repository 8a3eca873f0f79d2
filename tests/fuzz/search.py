"""The search for cases that come to no good: those of the corpus, and new ones for as long as is wanted."""

import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.fuzz.child import Child
from tests.fuzz.target import Case
from tests.fuzz.targets import TARGETS, target

CORPUS = Path(__file__).parent / "corpus"
_BATCH = 25  # tries of a target before the next one has its turn
_SHRINKS = 150


class Finding(NamedTuple):
    """A case, what is wrong with what came of it, and where it is from."""

    target: str
    origin: str
    reason: str
    case: Case


def made(name: str, seed: int, number: int) -> Case:
    """The case of this number: it depends on nothing else."""
    return target(name).make(Random(f"{seed} {name} {number}"))


def corpus(name: str) -> dict[str, Case]:
    """The cases of a target that are kept, by the names of their files."""
    return {
        file.stem: json.loads(file.read_text(encoding="utf-8"))["case"]
        for file in sorted((CORPUS / name).glob("*.json"))
    }


def search(
    names: Sequence[str], seed: int, seconds: float, jobs: int, replay: Sequence[Path] = ()
) -> Iterator[tuple[int, Finding | None]]:
    """How many tries were made since the last word, and what was found in them: first the corpus, then new cases until
    the time is up; or the cases of these files alone.
    """
    told: queue.Queue[tuple[int, Finding | None] | None] = queue.Queue()
    until = time.monotonic() + seconds
    waiting: queue.Queue[tuple[str, list[tuple[str, Case]] | int]] = queue.Queue()
    if replay:
        for file in replay:
            name, origin = file.parent.name, file.stem
            if file.is_file():
                waiting.put((name, [(origin, json.loads(file.read_text(encoding="utf-8"))["case"])]))
            else:
                waiting.put((name, [(origin, made(name, *map(int, origin.split("-"))))]))
    else:
        for name in names:
            waiting.put((name, list(corpus(name).items())))
            waiting.put((name, 0))

    def work() -> None:
        children = {name: Child(name) for name in TARGETS}
        try:
            while True:
                try:
                    name, what = waiting.get_nowait() if replay else waiting.get(timeout=1)
                except queue.Empty:
                    break
                new = isinstance(what, int)
                if new and time.monotonic() > until:
                    break
                cases = (
                    [(f"{seed}-{n}", made(name, seed, n)) for n in range(what, what + _BATCH)]
                    if isinstance(what, int)
                    else what
                )
                if isinstance(what, int):
                    waiting.put((name, what + _BATCH))
                for origin, case in cases:
                    if new and time.monotonic() > until:
                        break
                    reason = children[name].attempt(case)
                    found = (
                        Finding(name, origin, reason, shrunk(children[name], case, reason) if new else case)
                        if reason
                        else None
                    )
                    told.put((1, found))
        except BaseException as error:
            told.put((0, Finding("fuzz", "error", f"{type(error).__name__}: {error}", {})))
        finally:
            for child in children.values():
                child.close()
            told.put(None)

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    working = len(threads)
    while working:
        word = told.get()
        if word is None:
            working -= 1
        else:
            yield word
    for thread in threads:
        thread.join()


def shrunk(child: Child, case: Case, reason: str) -> Case:
    """A smaller case that comes to the same, if one is soon found; not where each try takes the process with it."""
    if reason.startswith(("more than", "killed")):
        return case
    tries = 0
    smaller = True
    while smaller and tries < _SHRINKS:
        smaller = False
        for candidate in _smaller(case):
            tries += 1
            if tries > _SHRINKS:
                break
            if child.attempt(candidate) == reason:
                case, smaller = candidate, True
                break
    return case


def _smaller(node: Any) -> Iterator[Any]:
    """Documents like this one with something left out, the most first."""
    if isinstance(node, str):
        size = (len(node) + 1) // 2
        while size:
            for start in range(0, len(node), size):
                yield node[:start] + node[start + size :]
            size = (size + 1) // 2 if size > 1 else 0
    elif isinstance(node, list):
        for place in range(len(node)):
            yield [*node[:place], *node[place + 1 :]]
        for place, value in enumerate(node):
            for smaller in _smaller(value):
                yield [*node[:place], smaller, *node[place + 1 :]]
    elif isinstance(node, dict):
        for key in node:
            for smaller in _smaller(node[key]):
                yield {**node, key: smaller}
