"""A matcher that keeps an answer within its tokens: what it admits can still become a complete document in time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from structout.document import Json
from structout.grammar.closing import Closer, Scan
from structout.grammar.matcher import EngineMatcher
from structout.grammar.prefix import additions
from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from llguidance import LLMatcher

_REFUSALS = 8  # tokens refused in one place before no further one is tried
_EXPLORATIONS = 60  # in a quick search of a way out: about a tenth of a second
_SEARCH = 400  # in a thorough one, where the quick ones find none in time
_FAR = 64  # tokens of room with which a place may be gone to whose way out is not known
_TRIED = 24  # ways out that a thorough search has found, until one leads to a document that complies
_MARGIN = 8  # tokens of room, besides the way out, with which a document may be left unfit for now
_BEYOND = 256  # tokens by which a way out may be too long and still be found, to know that room is what lacks
_CURES = 24  # ways out with one more member or item that are looked at
_STRUCTURAL = b'",:{}[]'  # a value is complete only where one of these is written


class TextJudge(Protocol):
    """Tells what the grammar's mask cannot: whether a document complies."""

    def accepts(self, text: str) -> bool:
        """Whether a text is a document that complies."""

    def refuses(self, beginning: bytes, text: str) -> bool:
        """Whether no text with this beginning complies, as `text` does not; False if that is not known."""


@dataclass(frozen=True, slots=True)
class _State:
    """All that changes from token to token, but for the engine: kept for each, to roll back to."""

    left: int
    out: tuple[int, ...] | None  # a way out: tokens after which the document is complete; None if none is known
    fit: bool = True  # the document to which `out` leads complies
    scan: Scan = field(default_factory=Scan)
    steered: tuple[int, ...] = ()
    loose: bool = False  # no document that complies can come of it any more: the grammar alone counts
    # What was tried here, after this state:
    refused: frozenset[int] = frozenset()
    late: bool = False  # what was refused would not have ended in time
    cornered: bool = False  # only the known way out is left
    loosened: bool = False  # whatever goes on here was refused

    def untried(self) -> "_State":
        return replace(self, refused=frozenset(), late=False, cornered=False, loosened=False)


class Guarded:
    """A matcher within a budget of tokens, over an engine's.

    A token is refused if no document can end in time after it, as far as a thorough search tells, or if none that
    complies can come of it for good: a key that stands there already, a second item where all must differ. Where only
    the search for a way out fails and there is room, or where what does not comply yet may still come to, the token is
    admitted: whether a number is large enough, or an item among others, shows as it goes on. If all that can follow
    is refused, what was written has no way to comply, and the grammar alone counts from there.
    """

    def __init__(
        self,
        engine: EngineMatcher,
        vocabulary: Vocabulary,
        closer: Closer,
        out: Sequence[int],
        max_tokens: int,
        judge: TextJudge | None = None,
        likely: Sequence[Json] = (),
    ) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._closer = closer
        self._other = replace(closer, order=closer.order + 1, memory={})  # for another try
        self._judge = judge
        self._likely = likely  # documents that comply
        self._tokens: list[int] = []
        self._state = _State(max_tokens, tuple(out))
        self._past: list[_State] = []

    @property
    def may_stop(self) -> bool:
        state = self._state
        if not self._engine.may_stop:
            return False
        return state.loose or state.loosened or (state.out == () and state.fit) or self._accepts(())

    @property
    def must_stop(self) -> bool:
        return self._engine.must_stop or (self._state.left <= 0 and self.may_stop)

    @property
    def steered(self) -> tuple[int, ...]:
        cut = self._state.left <= 0 and not self._engine.must_stop and self.may_stop
        return (*self._state.steered, len(self._tokens)) if cut else self._state.steered

    @property
    def reason(self) -> str:
        return self._engine.reason

    def mask(self) -> "torch.Tensor":
        import torch

        state = self._state
        if state.cornered and state.out and not self.must_stop:
            only = torch.zeros(self._vocabulary.size, dtype=torch.bool)
            only[state.out[0]] = True
            return only
        mask = self._engine.mask()
        if not self.may_stop:
            mask[list(self._vocabulary.end)] = False
        elif self.must_stop:
            mask[:] = False
            mask[list(self._vocabulary.end)] = True
        if state.refused:
            mask[list(state.refused)] = False
        return mask

    def forced(self) -> list[int]:
        if self.must_stop or self._state.refused or self._state.loosened:
            return []
        forced, out = self._engine.forced(), self._state.out
        if not forced or (self._state.fit and out is not None and tuple(forced) == out[: len(forced)]):
            return forced
        trial = self.copy()
        return forced if trial.try_advance(forced) == len(forced) else []

    def try_advance(self, tokens: Sequence[int]) -> int:
        for n, token in enumerate(tokens):
            if not self._advance(token):
                return n
        return len(tokens)

    def rollback(self, n: int) -> None:
        if not n:
            self._state = self._state.untried()
            return
        self._engine.rollback(n)
        self._state = self._past[-n].untried()
        del self._past[-n:], self._tokens[-n:]

    def copy(self) -> "Guarded":
        other = object.__new__(Guarded)
        other.__dict__.update(self.__dict__)
        other._engine = self._engine.copy()
        other._tokens, other._past = list(self._tokens), list(self._past)
        return other

    def _advance(self, token: int) -> bool:
        state = self._state
        if self._vocabulary.is_end(token):
            if not self.may_stop or not self._engine.try_advance([token]):
                return False
            self._push(token, replace(state.untried(), steered=self._marked()))
            return True
        known = state.out is not None and state.out[:1] == (token,)
        if state.left <= 0 or token in state.refused or (state.cornered and not known):
            return False
        if not self._engine.try_advance([token]):
            return False
        piece = self._vocabulary.pieces[token]
        scan, left = state.scan.over(piece), state.left - 1
        following = _State(left, None, False, scan, self._marked(), loose=state.loose or state.loosened)
        if known and state.out is not None and (state.fit or (scan.in_string and not _structural(piece))):
            following = replace(following, out=state.out[1:], fit=state.fit)
        else:
            found, late = self._look(token, following)
            if found is None:
                self._engine.rollback(1)
                self._refuse(token, late)
                return False
            following = found
        self._push(token, following)
        return True

    def _push(self, token: int, state: _State) -> None:
        self._past.append(self._state)
        self._tokens.append(token)
        self._state = state

    def _refuse(self, token: int, late: bool) -> None:
        """Note that a token was refused, and what that leaves if it leaves no choice: the known way out, or if nothing
        that complies can come of that either, whatever the grammar allows.
        """
        state = self._state = replace(self._state, refused=self._state.refused | {token}, late=self._state.late or late)
        if len(state.refused) < _REFUSALS and bool(self.mask().any()):
            return
        cornered = bool(state.out) and (state.fit or state.late)
        again = frozenset() if not cornered else state.refused
        self._state = replace(state, refused=again, cornered=cornered, loosened=not state.fit)

    def _marked(self) -> tuple[int, ...]:
        """The steered tokens, with the next one if the model's own choice was refused for want of room."""
        state = self._state
        return (*state.steered, len(self._tokens)) if state.late or state.cornered else state.steered

    # The search for a way out.

    def _look(self, token: int, following: _State) -> tuple[_State | None, bool]:
        """The state after `token`, which the engine has taken already; if it is refused None, and whether for want of
        room.
        """
        state, room = self._state, following.left
        unfit: tuple[int, ...] | None = None
        lost = False
        for out in self._ways_out(token, following):
            if out is None:
                lost = True
            elif following.loose or self._accepts((token, *out)):
                return replace(following, out=out, fit=True), False
            else:
                unfit = out if unfit is None else unfit
        if unfit is None:
            admitted = (lost and room >= _FAR) or state.out is None
            return (following if admitted else None), True
        if self._engine.must_stop or self._refused_for_good(token, following.scan, unfit):
            return None, False
        if state.fit and room < len(unfit) + _MARGIN:
            return None, True
        return replace(following, out=unfit, fit=False), False

    def _ways_out(self, token: int, following: _State) -> Iterator[tuple[int, ...] | None]:
        """Ways out of the state after `token`, the likeliest first; None among them if the search itself fails."""
        position, scan, room = self._engine.position, following.scan, following.left
        known = self._state.out or ()
        first: tuple[int, ...] | None = None
        lost = False
        for closer in (self._closer, self._other):
            out = closer.close(position, scan, room + _BEYOND, known, _EXPLORATIONS)
            if out is None:
                lost = True
                yield None
            elif len(out) <= room:
                first = first or tuple(out)
                yield tuple(out)
                if not self._state.fit and not _structural(self._vocabulary.pieces[token]):
                    return  # within a text nothing is decided
        if first is None:
            if lost and room >= _FAR:
                return  # it is admitted as it is
            yield from map(tuple, islice(self._closer.soonest(position, room, _SEARCH), _TRIED))
            return
        yield from self._cures(token, first, following)
        if room < len(first) + _MARGIN:
            yield from map(tuple, islice(self._closer.soonest(position, room, _SEARCH), _TRIED))

    def _cures(self, token: int, out: tuple[int, ...], following: _State) -> Iterator[tuple[int, ...]]:
        """Ways out with one more member or item, which a complying document has in the same container."""
        if not self._closer.is_json:
            return
        text = self._vocabulary.decode(out)
        written = b"".join(self._vocabulary.pieces[one] for one in (*self._tokens, token))
        for more in additions(written, text, self._likely)[:_CURES]:
            tokens = self._vocabulary.encode(more)
            trial = self._engine.position.deep_copy()
            if (
                len(tokens) <= following.left
                and trial.try_consume_tokens(tokens) == len(tokens)
                and trial.is_accepting()
            ):
                yield tuple(tokens)

    def _refused_for_good(self, token: int, scan: Scan, out: tuple[int, ...]) -> bool:
        """Whether no document that complies can come of `token` and what the grammar forces after it."""
        if self._judge is None or not self._closer.is_json:
            return False
        position, pieces = self._engine.position.deep_copy(), self._vocabulary.pieces
        forced = position.compute_ff_tokens()
        position.consume_tokens(forced)
        new = b"".join(pieces[one] for one in (token, *forced))
        new += self._certain(position, scan.over(b"".join(pieces[one] for one in forced)))
        if not _structural(new):
            return False
        beginning = b"".join(pieces[one] for one in self._tokens) + new
        return self._judge.refuses(beginning, self._vocabulary.decode([*self._tokens, token, *out]))

    def _certain(self, position: "LLMatcher", scan: Scan) -> bytes:
        """What ends the text or the number that `position` is in, if nothing else can follow there."""
        first = self._vocabulary.tables.first_bytes(position.compute_logit_bias())
        if scan.in_string:
            return b'"' if first == {0x22} else b""
        return b"," if first <= set(b",]} ") else b""

    def _accepts(self, more: tuple[int, ...]) -> bool:
        return self._judge is None or self._judge.accepts(self._vocabulary.decode([*self._tokens, *more]))


def _structural(piece: bytes) -> bool:
    return any(byte in _STRUCTURAL for byte in piece)
