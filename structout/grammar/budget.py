"""A matcher that always knows a way out: what it admits can still become a complete, valid document in time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from structout.grammar.closing import Closer, Scan
from structout.grammar.matcher import Engine
from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

# Whether a text is a document, as far as the grammar's mask cannot tell.
Check = Callable[[str], bool]

_REFUSALS = 6  # tokens refused in one place before only the known way out is left
_EXPLORATIONS = 60  # in one search of a way out: about a tenth of a second
_FREE = 1000  # a string that this many tokens could continue is free text
_MARGIN = 24  # tokens kept back for what still has to be said, if the way out is at least as long
_LONGEST_NUMBER = 20  # tokens of one number


@dataclass(frozen=True, slots=True)
class _State:
    """All that changes from token to token, but for the engine: kept for each, to roll back to."""

    left: int
    out: tuple[int, ...]  # a way out: tokens after which the document is complete and checked
    scan: Scan = field(default_factory=Scan)
    slack: int = 0  # tokens to spare when the string began that this is in
    digits: int = 0  # tokens of the number that this is in
    steered: tuple[int, ...] = ()
    refused: frozenset[int] = frozenset()
    late: bool = False  # what was refused here would not have ended in time
    ending: bool = False  # only what ends a text, a list or a number is left


class Guarded:
    """A matcher within a budget of tokens, over an engine's.

    Invariant: `engine` + `out` is a complete document that `check` accepts, and `out` fits into what is left. A token
    is admitted if a way out is found after it; finding one is a search, so a token may be refused that a longer
    search would have admitted, and none is admitted that leads nowhere. When little is left, free text and lists are
    ended while there is still room to say what the schema requires, so that less of it has to be invented.
    """

    def __init__(
        self,
        engine: Engine,
        vocabulary: Vocabulary,
        closer: Closer,
        out: Sequence[int],
        max_tokens: int,
        check: Check | None = None,
    ) -> None:
        self._engine = engine
        self._vocabulary = vocabulary
        self._closer = closer
        self._closers = (closer, replace(closer, order=closer.order + 1, memory={}))  # the second for another try
        self._check = check
        self._tokens: list[int] = []
        self._state = _State(max_tokens, tuple(out))
        self._past: list[_State] = []

    @property
    def may_stop(self) -> bool:
        return self._engine.may_stop and (not self._state.out or self._checked(()))

    @property
    def must_stop(self) -> bool:
        return self._engine.must_stop or (self._state.left <= 0 and self.may_stop)

    @property
    def steered(self) -> tuple[int, ...]:
        cut = self._state.left <= 0 and not self._engine.must_stop and self.may_stop
        return (*self._state.steered, len(self._tokens)) if cut else self._state.steered

    def mask(self) -> "torch.Tensor":
        import torch

        state = self._state
        if self.must_stop or self._cornered:
            only = torch.zeros(self._vocabulary.size, dtype=torch.bool)
            only[[state.out[0]] if state.out and not self.must_stop else list(self._vocabulary.end)] = True
            return only
        mask = self._allowed()
        ending = self._ending(mask) if state.ending else None
        return mask if ending is None else ending

    def _allowed(self) -> "torch.Tensor":
        """What the grammar allows here and was not refused."""
        mask = self._engine.mask()
        if not self.may_stop:
            mask[list(self._vocabulary.end)] = False
        if self._state.refused:
            mask[list(self._state.refused)] = False
        return mask

    @property
    def _first(self) -> bytes:
        """The byte that ends the text, list or number that this is in, once it has had its share; b"" if it has not."""
        state = self._state
        if not self._closer.is_json or not state.out:
            return b""
        spare = state.left - len(state.out)
        margin = min(_MARGIN, max(4, len(state.out)))
        first = self._vocabulary.pieces[state.out[0]][:1]
        if state.scan.in_string:
            # A value that others must follow gets half of what there was to spare, the last one all but the margin.
            share = state.slack // 2 if len(state.out) > 3 else 0
            return first if spare <= max(share, margin) and first == b'"' else b""
        # A list goes on only with room for an item that says something.
        over = spare <= 2 * margin or state.digits >= _LONGEST_NUMBER
        return first if first in (b"]", b"}", b",") and over else b""

    def _ending(self, mask: "torch.Tensor") -> "torch.Tensor | None":
        """The part of the mask that ends what has had its share; None if all may go on."""
        first = self._first
        if not first or (self._state.scan.in_string and int(mask.sum()) < _FREE):
            return None
        ending = mask & self._vocabulary.tables.begin_with(first)
        return ending if 0 < int(ending.sum()) < int(mask.sum()) else None

    def _goes_on(self, token: int) -> bool:
        """Whether a token that the grammar allows goes on with what has had its share."""
        first = self._first
        if not first or self._vocabulary.pieces[token].startswith(first) or self._cornered:
            return False
        allowed = self._allowed()
        ending = self._ending(allowed)
        # What the grammar refuses anyway is not refused for want of room.
        return ending is not None and bool(allowed[token]) and not bool(ending[token])

    def forced(self) -> list[int]:
        if self.must_stop or self._state.refused or self._state.ending:
            return []
        forced = self._engine.forced()
        if not forced or tuple(forced) == self._state.out[: len(forced)]:
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
            self._state = replace(self._state, refused=frozenset(), late=False, ending=False)
            return
        self._engine.rollback(n)
        self._state = self._past[-n]
        del self._past[-n:], self._tokens[-n:]

    def copy(self) -> "Guarded":
        other = object.__new__(Guarded)
        other.__dict__.update(self.__dict__)
        other._engine = self._engine.copy()
        other._tokens, other._past = list(self._tokens), list(self._past)
        return other

    @property
    def _cornered(self) -> bool:
        """So many tokens were refused here that only the known way out is left."""
        return len(self._state.refused) >= _REFUSALS

    def _advance(self, token: int) -> bool:
        state = self._state
        if self._vocabulary.is_end(token):
            if not self.may_stop or not self._engine.try_advance([token]):
                return False
            self._push(token, replace(state, steered=self._marked(), refused=frozenset(), late=False, ending=False))
            return True
        known = bool(state.out) and token == state.out[0]
        if state.left <= 0 or token in state.refused or (self._cornered and not known):
            return False
        if self._goes_on(token):
            self._state = replace(state, late=True, ending=True)
            return False
        if not self._engine.try_advance([token]):
            return False
        piece = self._vocabulary.pieces[token]
        scan = state.scan.over(piece)
        out, late = (state.out[1:], False) if known else self._way_out(token, scan, state.left - 1)
        if out is None:
            late = late or state.late
            self._engine.rollback(1)
            self._state = replace(state, refused=state.refused | {token}, late=late)
            return False
        left = state.left - 1
        slack = state.slack if scan.in_string and state.scan.in_string else left - len(out)
        digits = state.digits + 1 if not scan.in_string and not piece.strip(b"0123456789.eE+-") else 0
        self._push(token, _State(left, out, scan, slack, digits, self._marked()))
        return True

    def _marked(self) -> tuple[int, ...]:
        """The steered tokens, with the next one if the model's own choice was refused for want of room."""
        steered = self._state.steered
        return (*steered, len(self._tokens)) if self._state.late or self._cornered else steered

    def _push(self, token: int, state: _State) -> None:
        self._past.append(self._state)
        self._tokens.append(token)
        self._state = state

    def _way_out(self, token: int, scan: Scan, room: int) -> tuple[tuple[int, ...] | None, bool]:
        """A way out after `token`, which the engine has taken already, and if there is none whether `room` is why."""
        late = True
        for closer in self._closers:
            out = closer.close(self._engine.position, scan, room, self._state.out, _EXPLORATIONS)
            if out is not None:
                if self._checked((token, *out)):
                    return tuple(out), False
                late = False
            elif late:
                break
        return None, late

    def _checked(self, more: tuple[int, ...]) -> bool:
        return self._check is None or self._check(self._vocabulary.decode([*self._tokens, *more]))
