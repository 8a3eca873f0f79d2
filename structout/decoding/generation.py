"""One answer in the making: what is written, what the model has yet to read of it, and when it is done."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from structout.decoding.cache import SharedPrefix
from structout.decoding.drafting import Drafter, DraftText, Guess, worth
from structout.decoding.request import Generated, Request
from structout.decoding.sampling import MOST_REFUSALS, choose, ends_in, filtered, looping

_MOST_DRAFTED = 32
Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A token that was guessed, or (without a guess) that the grammar forces after the guesses before it."""

    token: int
    guess: Guess | None = None


@dataclass(slots=True)
class Generation:
    """A request in a slot. Its own tokens are those after the prefix: the rest of the prompt, then the answer."""

    request: Request
    prefix: SharedPrefix | None
    own: list[int]  # the tokens after the prefix, up to what was chosen
    output: Generated = field(default_factory=Generated)
    computed: int = 0  # how many of its own tokens have keys and values in the slot
    feeding: int = 0  # how many of its own tokens the pass reads; drafted ones come on top
    drafts: list[Drafted] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)  # where in the pass it needs logits
    guess: Guess | None = None  # what is guessed to come next, if it is not worth drafting
    text: DraftText | None = None
    prompt: int = 0  # how many of its own tokens belong to the prompt
    done: bool = False

    def __post_init__(self) -> None:
        self.prompt = len(self.own)

    @property
    def waiting(self) -> int:
        """How many of its own tokens the model has yet to read; the last one of an answer that is done it need not."""
        return len(self.own) - self.computed - self.done

    @property
    def choosing(self) -> bool:
        """Whether the pass gets as far as the next choice."""
        return not self.done and self.feeding == self.waiting

    @property
    def over(self) -> bool:
        """Done, and all that was wanted of it is known."""
        return self.done and len(self.output.logprobs) >= len(self.output.tokens)

    def needs(self, score: bool) -> list[int]:
        """The places in the pass, counted from the row's first, after which logits are needed.

        They are where a token is chosen and, with `score`, where an answer's token follows that was forced.
        """
        scored = self.prompt + len(self.output.logprobs)
        known = range(self.computed + 1, min(self.computed + self.feeding + 1, len(self.own)))
        places = [index - 1 - self.computed for index in known if score and index >= scored]
        if self.choosing:
            places.append(self.feeding - 1)
            for i in range(len(self.drafts)):
                last = i + 1 == len(self.drafts)
                if score or last or self.drafts[i + 1].guess is not None:
                    places.append(self.feeding + i)
        return places

    def draft(self, drafter: Drafter, rows: int, ends: frozenset[int], *, force: bool) -> None:
        """Guess on from what is written, as far as the grammar admits it and the odds are worth it with `rows` rows."""
        self.guess = None
        self.text = self.text or DraftText(self.own[: self.prompt])
        matcher = self.request.matcher
        room = min(_MOST_DRAFTED, self.request.sampling.max_tokens - len(self.output.tokens) - 1)
        context, chance, advanced = self.own[-8:], 1.0, 0
        while guess := drafter.guess(self.text, context):
            chance *= guess.probability
            if chance < worth(rows):
                if not self.drafts:
                    self.guess = guess  # not drafted, but watched: the odds may change
                break
            if guess.token in ends or not self.confirm([guess.token]):
                break
            run = self.forced() if force else []
            advanced += 1 + len(run)
            if len(self.drafts) + 1 + len(run) > room:
                break  # a forced run must not be cut: the model might spell its rest differently
            self.drafts += [Drafted(guess.token, guess), *map(Drafted, run)]
            self.output.drafted += 1
            context += [guess.token, *run]
            if matcher is not None and matcher.must_stop:
                break
        if matcher is not None:
            matcher.rollback(advanced)

    def pick(self, logits: torch.Tensor, free: int, lazy: bool) -> int | None:
        """Choose the next token by `logits`, of which `free` is the largest, and advance the matcher over it; None if
        the answer is stuck.

        With `lazy` the mask is only computed if the grammar refuses the free choice: where it admits that, the masked
        choice is the same.
        """
        sampling, matcher, written = self.request.sampling, self.request.matcher, self.output.tokens
        refused = looping(written, sampling.repetitions)
        place = self.request.seed, len(written)
        if matcher is None or (lazy and not refused and not filtered(sampling)):
            plain = sampling.temperature == 0 and not refused
            token = free if plain else choose(logits, sampling, *place, refused=refused)
            if matcher is None or self._advance([token]):
                return token
        for _ in range(MOST_REFUSALS):
            began = time.perf_counter()
            mask = matcher.mask()
            self.output.mask_seconds += time.perf_counter() - began
            if not bool(mask.any()):
                break
            token = choose(logits, sampling, *place, mask, refused)
            if self._advance([token]):
                return token  # else the budget refused it, and the mask is now without it
        self.output.give_up(matcher)
        self.done = True
        return None

    def take(self, token: int, ends: frozenset[int], decode: Decode | None, *, forced: bool = False) -> None:
        """Write a token that the matcher has been advanced over, and see whether that ends the answer."""
        sampling, output = self.request.sampling, self.output
        if token in ends:
            self.done = True
            return
        output.tokens.append(token)
        output.forced += forced
        self.own.append(token)
        if sampling.stop and decode is not None and ends_in(sampling.stop, output.tokens, decode):
            self.done = True
        elif len(output.tokens) >= sampling.max_tokens:
            self.done = True
            output.finish_reason = "length"

    def wrote(self, token: int) -> bool:
        """Whether the last choice became part of the answer; an end token does not."""
        return len(self.output.tokens) > len(self.output.logprobs) and self.output.tokens[-1] == token

    def settle(self) -> None:
        """See whether the grammar ends the answer here."""
        matcher = self.request.matcher
        if matcher is not None and matcher.must_stop and (not self.done or self.output.finish_reason == "length"):
            self.done = True
            self.output.finish_reason = "stop"

    def write(self, run: Sequence[int], ends: frozenset[int], decode: Decode | None) -> None:
        """Write forced tokens that the matcher has been advanced over, as far as there is room for them."""
        for i, token in enumerate(run):
            self.take(token, ends, decode, forced=True)
            if self.done and i + 1 < len(run):
                return  # the matcher is ahead of what is written: it cannot tell whether the answer ends here
        self.settle()

    def forced(self) -> list[int]:
        """Advance the matcher over the tokens that it forces here, and return them."""
        matcher = self.request.matcher
        if matcher is None:
            return []
        began = time.perf_counter()
        run = matcher.forced()
        run = run[: matcher.try_advance(run)] if run else []
        self.output.mask_seconds += time.perf_counter() - began
        return run

    def confirm(self, drafted: Sequence[int]) -> int:
        """Advance the matcher over drafted tokens that are forced here; returns how many it admits."""
        return self._advance(drafted)

    def _advance(self, tokens: Sequence[int]) -> int:
        matcher = self.request.matcher
        if matcher is None:
            return len(tokens)
        began = time.perf_counter()
        taken = matcher.try_advance(tokens)
        self.output.mask_seconds += time.perf_counter() - began
        return taken
