"""The state of one answer during decoding: the written tokens, the tokens still to be read, and the drafts."""

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
    """A guessed token, or (without `guess`) a token that the grammar forces after the guesses before it."""

    token: int
    guess: Guess | None = None


@dataclass(slots=True)
class Generation:
    """A request in a slot. Its own tokens follow the shared prefix: the rest of the prompt, then the answer."""

    request: Request
    prefix: SharedPrefix | None
    own: list[int]  # the tokens after the prefix, up to the last chosen token
    output: Generated = field(default_factory=Generated)
    computed: int = 0  # the number of own tokens with keys and values in the slot
    feeding: int = 0  # the number of own tokens that the pass reads, not counting drafts
    drafts: list[Drafted] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)  # the places in the pass that need logits
    guess: Guess | None = None  # a guess that is not probable enough for a draft
    text: DraftText | None = None
    prompt: int = 0  # the number of own tokens that belong to the prompt
    done: bool = False

    def __post_init__(self) -> None:
        self.prompt = len(self.own)

    @property
    def waiting(self) -> int:
        """The number of own tokens still to be read by the model; the last token of a finished answer is not read."""
        return len(self.own) - self.computed - self.done

    @property
    def choosing(self) -> bool:
        """Whether the pass reaches the next choice of a token."""
        return not self.done and self.feeding == self.waiting

    @property
    def over(self) -> bool:
        """Whether the answer is done and all its log-probabilities are known."""
        return self.done and len(self.output.logprobs) >= len(self.output.tokens)

    def needs(self, score: bool) -> list[int]:
        """The places in the pass, counted from the row's first token, that need logits.

        Logits are needed where a token is chosen and, with `score`, before a forced token of the answer.
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
        """Draft tokens after the written tokens while the grammar allows them and they pay off with `rows` rows."""
        self.guess = None
        self.text = self.text or DraftText(self.own[: self.prompt])
        matcher = self.request.matcher
        room = min(_MOST_DRAFTED, self.request.sampling.max_tokens - len(self.output.tokens) - 1)
        context, chance, advanced = self.own[-8:], 1.0, 0
        while guess := drafter.guess(self.text, context):
            chance *= guess.probability
            if chance < worth(rows):
                if not self.drafts:
                    self.guess = guess  # not drafted, but counted: its kind may become more probable
                break
            if guess.token in ends or not self.confirm([guess.token]):
                break
            run = self.forced() if force else []
            advanced += 1 + len(run)
            if len(self.drafts) + 1 + len(run) > room:
                break  # do not cut a forced run: the model might write the rest with other tokens
            self.drafts += [Drafted(guess.token, guess), *map(Drafted, run)]
            self.output.drafted += 1
            context += [guess.token, *run]
            if matcher is not None and matcher.must_stop:
                break
        if matcher is not None:
            matcher.rollback(advanced)

    def pick(self, logits: torch.Tensor, free: int, lazy: bool) -> int | None:
        """Choose the next token by `logits` and advance the matcher over it; None if the answer is stuck.

        `free` is the token with the largest logit. With `lazy` the mask is computed only if the grammar rejects the
        unmasked choice: a choice that the grammar allows is the masked choice too.
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
                return token  # else the token limit ruled the token out, and the next mask excludes it
        self.output.give_up(matcher)
        self.done = True
        return None

    def take(self, token: int, ends: frozenset[int], decode: Decode | None, *, forced: bool = False) -> None:
        """Write a token that the matcher has already accepted, and check whether it ends the answer."""
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

    def begin(self, ends: frozenset[int], decode: Decode | None) -> None:
        """Write the tokens with which the answer begins."""
        for token in self.request.begun:
            self.take(token, ends, decode)
        self.settle()

    def wrote(self, token: int) -> bool:
        """Whether the last chosen token became part of the answer; an end token does not."""
        return len(self.output.tokens) > len(self.output.logprobs) and self.output.tokens[-1] == token

    def settle(self) -> None:
        """Check whether the grammar ends the answer here."""
        matcher = self.request.matcher
        if matcher is not None and matcher.must_stop and (not self.done or self.output.finish_reason == "length"):
            self.done = True
            self.output.finish_reason = "stop"

    def write(self, run: Sequence[int], ends: frozenset[int], decode: Decode | None) -> None:
        """Write forced tokens that the matcher has already accepted, as far as the answer has room."""
        for i, token in enumerate(run):
            self.take(token, ends, decode, forced=True)
            if self.done and i + 1 < len(run):
                return  # the matcher is ahead of the answer, so it cannot tell whether the answer ends here
        self.settle()

    def forced(self) -> list[int]:
        """Advance the matcher over the tokens that it forces here; returns the tokens."""
        matcher = self.request.matcher
        if matcher is None:
            return []
        began = time.perf_counter()
        run = matcher.forced()
        run = run[: matcher.try_advance(run)] if run else []
        self.output.mask_seconds += time.perf_counter() - began
        return run

    def confirm(self, drafted: Sequence[int]) -> int:
        """Advance the matcher over drafted tokens; returns how many of them it accepts."""
        return self._advance(drafted)

    def _advance(self, tokens: Sequence[int]) -> int:
        matcher = self.request.matcher
        if matcher is None:
            return len(tokens)
        began = time.perf_counter()
        taken = matcher.try_advance(tokens)
        self.output.mask_seconds += time.perf_counter() - began
        return taken
