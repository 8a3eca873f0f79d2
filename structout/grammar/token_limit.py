"""A matcher with a token limit, which allows only tokens after which the document can be completed in time."""

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

_REFUSALS = 8  # rejected tokens in one place, before no further token is tried
_EXPLORATIONS = 60  # in a quick search for a way out: about a tenth of a second
_SEARCH = 400  # explorations in a thorough search, after quick searches found no way out in time
_FAR = 64  # remaining tokens that allow a state with an unknown way out
_TRIED = 24  # ways out from a thorough search that are checked for compliance
_MARGIN = 8  # remaining tokens, besides the way out, that allow a document that does not comply yet
_BEYOND = 256  # tokens by which a search may exceed the limit, to learn that only room is missing
_EXTENSIONS = 24  # ways out with one more member or item that are tried
_STRUCTURAL = b'",:{}[]'  # one of these bytes follows every complete value


class TextJudge(Protocol):
    """Decides whether a document complies, beyond the grammar's mask."""

    def accepts(self, text: str) -> bool:
        """Whether a text is a document that complies."""

    def refuses(self, beginning: bytes, text: str) -> bool:
        """Whether no text with this beginning can comply; False if unknown. `text` has the beginning."""


@dataclass(frozen=True, slots=True)
class _State:
    """The state after a token, without the engine's state; all states are kept for rollbacks."""

    left: int
    out: tuple[int, ...] | None  # a way out: tokens that complete the document; None if unknown
    fit: bool = True  # the document to which `out` leads complies
    scan: Scan = field(default_factory=Scan)
    steered: tuple[int, ...] = ()
    loose: bool = False  # no document from here can comply: only the grammar counts
    # The tokens that were tried after this state:
    refused: frozenset[int] = frozenset()
    late: bool = False  # a rejected token would not have ended in time
    cornered: bool = False  # only the known way out is left
    loosened: bool = False  # every next token was rejected

    def untried(self) -> "_State":
        """The state before any token was tried after it."""
        return replace(self, refused=frozenset(), late=False, cornered=False, loosened=False)


class Guarded:
    """A matcher with a token limit, over an engine's matcher. Its members are described in `Matcher`.

    The matcher rejects a token if a thorough search finds no document that ends in time after it. It also rejects a
    token if no document after it can ever comply: a repeated key, or an equal item where all items must differ. It
    allows a token if the search for a way out fails but many tokens remain. It also allows a token if the document does
    not comply yet but still may, as with a number that grows digit by digit. If it rejects every next token, no
    document from there can comply, and only the grammar counts from there on.
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
        self._other = replace(closer, order=closer.order + 1, memory={})  # for a second search
        self._judge = judge
        self._likely = likely  # documents that comply
        self._tokens: list[int] = []
        self._state = _State(max_tokens, tuple(out))
        self._past: list[_State] = []

    @property
    def may_stop(self) -> bool:
        """Whether the document may end here."""
        state = self._state
        if not self._engine.may_stop:
            return False
        return state.loose or state.loosened or (state.out == () and state.fit) or self._accepts(())

    @property
    def must_stop(self) -> bool:
        """Whether the document must end here, or has ended."""
        return self._engine.must_stop or (self._state.left <= 0 and self.may_stop)

    @property
    def steered(self) -> tuple[int, ...]:
        """The places of the tokens that the token limit chose."""
        cut = self._state.left <= 0 and not self._engine.must_stop and self.may_stop
        return (*self._state.steered, len(self._tokens)) if cut else self._state.steered

    @property
    def reason(self) -> str:
        """Why the engine gave up; "" if it did not."""
        return self._engine.reason

    def mask(self) -> "torch.Tensor":
        """The tokens that may come next."""
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
        """The tokens that must come next."""
        if self.must_stop or self._state.refused or self._state.loosened:
            return []
        forced, out = self._engine.forced(), self._state.out
        if not forced or (self._state.fit and out is not None and tuple(forced) == out[: len(forced)]):
            return forced
        trial = self.copy()
        return forced if trial.try_advance(forced) == len(forced) else []

    def try_advance(self, tokens: Sequence[int]) -> int:
        """Advance over the longest allowed prefix of `tokens`; returns its length."""
        for n, token in enumerate(tokens):
            if not self._advance(token):
                return n
        return len(tokens)

    def rollback(self, n: int) -> None:
        """Remove the last `n` tokens, and forget which tokens were rejected after them."""
        if not n:
            self._state = self._state.untried()
            return
        self._engine.rollback(n)
        self._state = self._past[-n].untried()
        del self._past[-n:], self._tokens[-n:]

    def copy(self) -> "Guarded":
        """An independent matcher at the same position."""
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
        """Record a rejected token. After the last choice, allow only the known way out; if it cannot comply
        either, allow everything that the grammar allows.
        """
        state = self._state = replace(self._state, refused=self._state.refused | {token}, late=self._state.late or late)
        if len(state.refused) < _REFUSALS and bool(self.mask().any()):
            return
        cornered = bool(state.out) and (state.fit or state.late)
        # The known way out may have been rejected as well: it is allowed again.
        refused = state.refused.difference(state.out[:1]) if cornered and state.out else frozenset()
        self._state = replace(state, refused=refused, cornered=cornered, loosened=not state.fit)

    def _marked(self) -> tuple[int, ...]:
        """The steered tokens, with the next token if the model's own choice was rejected for lack of room."""
        state = self._state
        return (*state.steered, len(self._tokens)) if state.late or state.cornered else state.steered

    # The search for a way out.

    def _look(self, token: int, following: _State) -> tuple[_State | None, bool]:
        """The state after `token`, over which the engine has already advanced; None if the token is rejected, and
        whether it is rejected for lack of room.
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
        """Ways out of the state after `token`, the most probable first; None for each search that fails."""
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
                    return  # within a value compliance is not decided yet
        if first is None:
            if lost and room >= _FAR:
                return  # the token is allowed without a way out
            yield from map(tuple, islice(self._closer.soonest(position, room, _SEARCH), _TRIED))
            return
        yield from self._extensions(token, first, following)
        if room < len(first) + _MARGIN:
            yield from map(tuple, islice(self._closer.soonest(position, room, _SEARCH), _TRIED))

    def _extensions(self, token: int, out: tuple[int, ...], following: _State) -> Iterator[tuple[int, ...]]:
        """Ways out with one more member or item, taken from the same container of a document that complies."""
        if not self._closer.is_json:
            return
        text = self._vocabulary.decode(out)
        written = b"".join(self._vocabulary.pieces[one] for one in (*self._tokens, token))
        for more in additions(written, text, self._likely)[:_EXTENSIONS]:
            tokens = self._vocabulary.encode(more)
            trial = self._engine.position.deep_copy()
            if (
                len(tokens) <= following.left
                and trial.try_consume_tokens(tokens) == len(tokens)
                and trial.is_accepting()
            ):
                yield tuple(tokens)

    def _refused_for_good(self, token: int, scan: Scan, out: tuple[int, ...]) -> bool:
        """Whether no document can comply after `token` and the tokens that the grammar forces after it."""
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
        """The byte that ends the string or the number at `position`, if the grammar allows only the end; else empty."""
        first = self._vocabulary.tables.first_bytes(position.compute_logit_bias())
        if scan.in_string:
            return b'"' if first == {0x22} else b""
        return b"," if first <= set(b",]} ") else b""

    def _accepts(self, more: tuple[int, ...]) -> bool:
        return self._judge is None or self._judge.accepts(self._vocabulary.decode([*self._tokens, *more]))


def _structural(piece: bytes) -> bool:
    return any(byte in _STRUCTURAL for byte in piece)
