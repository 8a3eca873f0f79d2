"""Continuous batching: an engine that runs a queue of token sequences, each with its own grammar, through one model."""

import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from structout.decoding.attention import Packing, Prefill, Span, packed
from structout.decoding.cache import Prefixes, SharedPrefix, Slots, common_length
from structout.decoding.drafting import Drafter
from structout.decoding.features import Features
from structout.decoding.fitness import Loop, plain_loop, unfit
from structout.decoding.generation import Decode, Generation
from structout.decoding.loop import generate
from structout.decoding.meter import Meter, Spent
from structout.decoding.queue import Call, Queued, pull
from structout.decoding.request import Generated, Request
from structout.decoding.weights import rounds
from structout.errors import ModelError
from structout.surfaces import line

_LOG = logging.getLogger(__name__)
_PASS_TOKENS = 512  # the maximum of prompt tokens in a pass, which bounds its memory
_LEAST_PREFIX = 32  # tokens; a shorter prefix does not pay for its extra attention
_LEAST_FORK = 16  # tokens; fewer common tokens are not copied


@dataclass(slots=True, eq=False)
class _Active:
    call: Call
    index: int
    row: Generation


class Engine:
    """A decoder-only transformers model that continues token sequences, in up to `slots` rows at a time.

    Memory is bounded by `tokens` (the keys and values of all slots) and `prefix_bytes` (the keys and values of shared
    prefixes, in use or kept for later). It does not grow with the queue: requests are drawn from their iterable as
    slots become free. A single request or prefix may exceed the bound. `ends` are the tokens that end an answer; stop
    strings need `decode`. Several threads may call: their requests share the slots. A model whose attention does not
    support packed rows runs in a plain loop. Calls raise `ModelError` if the plain loop does not reproduce the model's
    own results.
    """

    def __init__(
        self,
        model: Any,
        ends: frozenset[int],
        decode: Decode | None = None,
        *,
        slots: int = 32,
        tokens: int = 32 * 1024,
        prefix_bytes: int = 1 << 29,
        features: Features | None = None,
    ) -> None:
        self.model, self.ends, self.decode = model, ends, decode
        self.features = features or Features()
        self._meter = Meter()
        self._limit, self._tokens = slots, tokens
        self._prefixes = Prefixes(prefix_bytes)
        self._drafter = Drafter()
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._queue: deque[Queued] = deque()
        self._rows: list[_Active] = []
        self._recent: deque[Sequence[int]] = deque(maxlen=4)
        # int8 layers round: they would turn batch-dependent noise of 1e-7 into percents. Double precision removes it.
        self._dtype = torch.float64 if rounds(model) else None
        self._slots = Slots(0, 0, self._dtype)
        self._check = threading.Lock()
        self._checked = False
        self._loop: Loop | None = None  # the plain loop for a model without support for packed rows

    @property
    def passes(self) -> int:
        """The number of forward passes so far."""
        return self._meter.passes

    @property
    def packs(self) -> bool:
        """Whether the model runs with packed rows. Only these rows can begin with tokens of an answer."""
        with self._check:  # not the lock of the passes: requests are drawn under it, and may ask
            if not self._checked:
                if reason := unfit(self.model):
                    self._loop = plain_loop(self.model)
                    _LOG.warning("%s: decoding with a plain loop", line(reason))
                self._checked = True
            return self._loop is None

    def generate(self, requests: Iterable[Request]) -> list[Generated]:
        """Continue all `requests`; the answers are in the order of the requests. Raises `ModelError`."""
        return [output for _, output in sorted(self.stream(requests), key=lambda item: item[0])]

    def stream(self, requests: Iterable[Request]) -> Iterator[tuple[int, Generated]]:
        """Continue `requests`, and yield each answer, with its request's place, as soon as it is done.

        Raises `ModelError`.
        """
        if not self.packs:
            yield from self._plainly(requests)
            return
        call = Call(iter(requests))
        with self._lock:
            self._calls.append(call)
        try:
            while True:
                with self._lock:
                    if not call.ready and not call.over:
                        self._step()
                    ready, call.ready = call.ready, []
                    over = call.over
                yield from ready
                if call.error is not None:
                    raise call.error
                if over and not call.ready:
                    return
        finally:
            with self._lock:
                self._forget(call)

    def _plainly(self, requests: Iterable[Request]) -> Iterator[tuple[int, Generated]]:
        loop = self._loop
        assert loop is not None
        source = iter(enumerate(requests))
        limit = self._limit if loop is generate else 1
        while True:
            before = self._meter.read()
            batch = [item for _, item in zip(range(limit), source, strict=False)]
            drawn = self._meter.read() - before
            if not batch:
                return
            with self._lock:
                outputs = loop(self.model, [request for _, request in batch], self.ends, self.decode)
            for (index, _), output in zip(batch, outputs, strict=True):
                output.charge(drawn, 1 / len(batch))
                yield index, output

    def _forget(self, call: Call) -> None:
        self._calls = [other for other in self._calls if other is not call]
        self._queue = deque(item for item in self._queue if item.call is not call)
        with self._sound():
            for slot in reversed(range(len(self._rows))):
                if self._rows[slot].call is call:
                    self._vacate(slot)

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Reset rows and slots if the block fails or is interrupted, as their content is unknown then."""
        try:
            with torch.inference_mode():
                yield
        except BaseException as error:
            mine = isinstance(error, Exception)
            shared = error if mine else ModelError("a call that shared the passes was interrupted", hint="try again")
            for call in self._calls:  # the answers of every call are lost
                call.error = call.error or shared
            self._rows.clear()
            self._queue.clear()
            self._slots = Slots(0, 0, self._dtype)
            if not mine:
                raise  # only this thread was interrupted

    # One pass over all rows.

    def _step(self) -> None:
        """Fill free slots, and run every row's new tokens through the model once."""
        with self._sound():
            before = self._meter.read()
            pull(self._calls, self._queue, 2 * self._limit)
            with packed(self.model):
                paid = self._admit()
                shares = self._advance() if self._rows else []
            spent = self._meter.read() - before - paid
            for output, share in shares:
                output.charge(spent, share)

    def _advance(self) -> list[tuple[Generated, float]]:
        """Make a pass; returns each answer in it with its share of the pass."""
        rows = [active.row for active in self._rows]
        spans, ids, keep = self._pack(rows)
        layout = Packing(spans, self._slots)
        logits = self._forward(ids, layout, keep)
        free, scale = logits.argmax(-1).tolist(), logits.logsumexp(-1).tolist()
        first = 0
        for slot, row in enumerate(rows):
            at = {place: first + i for i, place in enumerate(row.wanted)}
            first += len(at)
            self._read(row, logits, free, at, scale)
            self._slots.held[slot] = (row.prefix, row.own[: row.computed])
        for slot in reversed(range(len(rows))):
            if rows[slot].over:
                self._finish(slot)
        return [(row.output, span.count / len(ids)) for row, span in zip(rows, spans, strict=True)]

    def _pack(self, rows: Sequence[Generation]) -> tuple[list[Span], list[int], list[int]]:
        """The content of the pass: each row's span, all token ids, and the places that need logits."""
        spans: list[Span] = []
        ids: list[int] = []
        keep: list[int] = []
        room = _PASS_TOKENS
        for slot, row in enumerate(rows):
            row.feeding = min(row.waiting, max(room, 1))
            row.drafts = []
            if row.choosing and self.features.draft:
                row.draft(self._drafter, len(rows), self.ends, force=self.features.force)
            row.wanted = row.needs(self.features.score)
            keep += [len(ids) + place for place in row.wanted]
            new = row.own[row.computed : row.computed + row.feeding] + [draft.token for draft in row.drafts]
            spans.append(Span(slot, row.computed, len(new), row.prefix))
            ids += new
            room -= len(new)
        return spans, ids, keep

    def _forward(self, ids: Sequence[int], layout: Packing | Prefill, keep: Sequence[int]) -> torch.Tensor:
        device = self.model.device
        with self._meter.running():
            logits: torch.Tensor = self.model(
                input_ids=torch.tensor([list(ids)], device=device),
                position_ids=layout.positions[None].to(device),
                use_cache=False,
                logits_to_keep=torch.tensor(list(keep), dtype=torch.long, device=device),
                layout=layout,
            ).logits[0]
            return logits.float()

    def _read(self, row: Generation, logits: torch.Tensor, free: Sequence[int], at: dict[int, int], scale: Any) -> None:
        """Read the logits after a row's new tokens; `at` maps a place in the span to the place of its logits."""

        def score(place: int, token: int) -> None:
            row.output.logprobs.append(float(logits[at[place], token]) - scale[at[place]])

        for place in range(row.feeding):
            if place in at and row.computed + place + 1 < len(row.own):
                score(place, row.own[row.computed + place + 1])
        choosing, place, ahead = row.choosing, row.feeding - 1, 0
        row.computed += row.feeding
        if not choosing:
            return
        while True:
            token = row.pick(logits[at[place]], free[at[place]], self.features.lazy)
            if token is None:
                break
            draft = row.drafts[ahead] if ahead < len(row.drafts) else None
            guess = draft.guess if draft else row.guess if not row.drafts else None
            if guess is not None:
                self._drafter.credit(guess, guess.token == token)
            hit = draft is not None and draft.token == token
            row.take(token, self.ends, self.decode)
            if row.wrote(token):
                score(place, token)
            row.settle()
            if row.done or not hit:
                break
            row.output.accepted += 1
            row.computed += 1
            ahead, place = ahead + 1, place + 1
            run = []
            while ahead < len(row.drafts) and row.drafts[ahead].guess is None:
                run.append(row.drafts[ahead].token)
                ahead += 1
            row.confirm(run)
            before = len(row.output.tokens)
            row.write(run, self.ends, self.decode)
            for written in row.output.tokens[before:]:
                if self.features.score:
                    score(place, written)
                else:
                    row.output.logprobs.append(0.0)
                place += 1
                row.computed += 1
            if row.done:
                break
        if not row.done and self.features.force:
            row.write(row.forced(), self.ends, self.decode)
            if not self.features.score:
                row.output.logprobs += [0.0] * (len(row.output.tokens) - len(row.output.logprobs))

    # Requests that enter and leave.

    def _admit(self) -> Spent:
        """Give free slots to requests; returns the cost of prefixes that the requests were charged for."""
        paid = Spent()
        for item in list(self._queue):
            if len(self._rows) >= self._limit:
                break
            before = self._meter.read()
            prefix = self._shared(item)
            spent = self._meter.read() - before
            rest = item.tokens[prefix.length if prefix else 0 :]
            source, common = self._alike(prefix, rest)
            if source is None:
                continue  # wait for a row that will soon hold the same first tokens, to copy them
            if not self._make_room(len(rest) + item.request.sampling.max_tokens):
                break
            if source >= self._slots.count:  # the slot is gone: the slots became fewer and longer
                common = 0
            row = Generation(item.request, prefix, rest, computed=common)
            if common:
                self._slots.copy(source, len(self._rows), common)
            row.output.reused = len(item.tokens) - len(rest) + common
            if prefix is not None:  # charge the computed tokens to the first request that uses them
                row.output.reused -= prefix.computed
                prefix.computed = 0
            row.output.charge(spent)
            paid += spent
            row.begin(self.ends, self.decode)
            if self.features.force and not row.done:
                row.write(row.forced(), self.ends, self.decode)
            if not self.features.score:
                row.output.logprobs += [0.0] * len(row.output.tokens)
            self._rows.append(_Active(item.call, item.index, row))
            self._queue.remove(item)
            self._recent.append(item.tokens)
        return paid

    def _shared(self, item: Queued) -> SharedPrefix | None:
        """The longest kept prefix of a request, or a longer, new prefix if enough known requests share it."""
        if not self.features.share:
            return None
        tokens = item.tokens
        found = self._prefixes.find(tokens)
        have = found.length if found else 0
        least = have + max(_LEAST_PREFIX, have // 4)
        others = [other.tokens for other in self._queue if other is not item] + list(self._recent)
        common = sorted((common_length(o, tokens) for o in others if o[:least] == tokens[:least]), reverse=True)
        lengths = [min(length, len(tokens) - 1) for length in common]
        saved = [(length - have) * (i + 1) for i, length in enumerate(lengths)]
        length = lengths[saved.index(max(saved))] if saved else 0
        if length < least or not self._prefixes.make_room(length, [active.row.prefix for active in self._rows]):
            return found
        self._slots.forget(self._prefixes)
        prefix = SharedPrefix(tokens[:length], self._dtype)
        donor, start = self._prefixes.closest(prefix.tokens)
        if (lent := self._slots.lend(prefix)) > start:
            start = lent
        elif donor is not None:
            prefix.copy_from(donor, start)
        prefix.computed = prefix.length - start
        for at in range(start, prefix.length, _PASS_TOKENS):
            ids = prefix.tokens[at : at + _PASS_TOKENS]
            self._forward(ids, Prefill(prefix, at, len(ids)), [])
        self._prefixes.keep(prefix)
        return prefix

    def _alike(self, prefix: SharedPrefix | None, rest: Sequence[int]) -> tuple[int | None, int]:
        """The slot that holds most of the first tokens of `rest`, and their number.

        The slot is None if another row will hold more of them soon, so that waiting pays off.
        """
        if not self.features.share:
            return 0, 0
        held = [
            (min(common_length(own, rest), len(rest) - 1), slot)
            for slot, (base, own) in enumerate(self._slots.held)
            if base is prefix
        ]
        common, source = max(held, default=(0, 0))
        common = common if common >= _LEAST_FORK else 0
        for active in self._rows:
            row = active.row
            if row.prefix is prefix and row.computed < row.prompt:
                coming = min(common_length(row.own[: row.prompt], rest), len(rest) - 1)
                if coming >= common + _LEAST_FORK:
                    return None, 0
        return source, common

    def _make_room(self, need: int) -> bool:
        """Provide a free slot of at least `need` tokens; False if it must wait until rows leave."""
        slots, rows = self._slots, len(self._rows)
        needs = [need, *(active.row.prompt + active.row.request.sampling.max_tokens for active in self._rows)]
        longest = -(-max(needs) // 64) * 64
        # Slots can be too long after a row has left.
        cramped = slots.length >= 2 * longest and self._tokens // slots.length < self._limit
        length = longest if longest > slots.length or cramped else slots.length
        most = min(self._limit, max(1, self._tokens // length))
        if rows >= most:
            return False
        if length != slots.length or rows >= slots.count or slots.count > most:
            count = min(most, max(slots.count, 2 * rows, rows + len(self._queue)))
            self._slots = slots.resized(count, length)
        return True

    def _finish(self, slot: int) -> None:
        active = self._rows[slot]
        row = active.row
        self._drafter.learn(row.own[max(row.prompt - 6, 0) :])
        active.call.ready.append((active.index, row.output))
        active.call.open -= 1
        self._vacate(slot)

    def _vacate(self, slot: int) -> None:
        """Free a slot. The last row moves into it, so that the rows in use keep the first slots."""
        last = len(self._rows) - 1
        if slot != last:
            self._slots.copy(last, slot, self._rows[last].row.computed)
            self._rows[slot] = self._rows[last]
        self._rows.pop()
