"""Judgements on many documents, in order: in this process, or in several."""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context

from structout.gate.findings import Judgement
from structout.gate.gate import Gate, Mending
from structout.schema import Schema
from structout.tables.documents import Document

_CHUNK = 500  # documents that a process gets at once
_AHEAD = 3  # chunks that wait in each process

Odd = dict[int, Judgement]  # the judgements in a chunk that are not plainly valid, by their place


def judgements(gate: Gate, documents: Iterable[Document]) -> Iterator[tuple[Document, Judgement]]:
    """Each document with its judgement."""
    return ((document, gate.judge(document)) for document in documents)


def in_processes(
    gate: Gate, documents: Iterable[Document], *, source: str, jobs: int
) -> Iterator[tuple[Document, Judgement]]:
    """The same with several processes, which make their gates from `source`, the name of the gate's schema.

    If a process dies, such as for lack of memory, this process judges its documents and all others.
    """
    waiting: deque[tuple[list[Document], Future[Odd] | None]] = deque()
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (source, gate.mending, gate.fields))
    try:
        for chunk in _chunks(documents):
            waiting.append((chunk, _submitted(pool, chunk)))
            if len(waiting) >= jobs * _AHEAD:
                yield from _together(gate, *waiting.popleft())
        while waiting:
            yield from _together(gate, *waiting.popleft())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, chunk: list[Document]) -> "Future[Odd] | None":
    try:
        return pool.submit(_judged, [one._replace(kept=None) for one in chunk])
    except BrokenProcessPool:
        return None


def _chunks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    rest = iter(documents)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _together(gate: Gate, chunk: list[Document], found: "Future[Odd] | None") -> Iterator[tuple[Document, Judgement]]:
    try:
        odd = found.result() if found is not None else None
    except BrokenProcessPool:
        odd = None
    if odd is None:
        yield from judgements(gate, chunk)
        return
    for place, document in enumerate(chunk):
        yield document, odd.get(place) or Judgement(document.line, "valid")


_gate: Gate | None = None  # of a worker process


def _start(source: str, mending: Mending, fields: tuple[str, ...]) -> None:
    global _gate
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends the others
    _gate = Gate(Schema.of(source), mending, fields)


def _judged(chunk: list[Document]) -> Odd:
    assert _gate is not None
    found = {place: _gate.judge(document) for place, document in enumerate(chunk)}
    return {place: one for place, one in found.items() if one.status != "valid" or one.notices}
