"""Finite numbers: a mask may not write exponents of three digits, because a double cannot hold all of them."""

from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from structout.grammar.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch

# The places of a text outside strings: elsewhere, after a digit, after `e`, after its sign, and after one digit, two
# digits and more digits of an exponent.
_ELSEWHERE, _DIGIT, _LETTER, _SIGN, _ONE, _TWO, _TOO_MANY = range(7)
_AFTER_DIGIT: Final = {_ELSEWHERE: _DIGIT, _DIGIT: _DIGIT, _LETTER: _ONE, _SIGN: _ONE, _ONE: _TWO, _TWO: _TOO_MANY}

Position = tuple[int, bool, bool]  # the place, whether it is in a string, and whether a backslash precedes it
START: Final[Position] = (_ELSEWHERE, False, False)


def over(position: Position, piece: bytes) -> Position:
    """The position after a token."""
    place, in_string, escaped = position
    for byte in piece:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif 0x30 <= byte <= 0x39:
            if place == _TOO_MANY:
                continue
            place = _AFTER_DIGIT[place]
        elif place == _TOO_MANY:
            continue
        elif byte in b"eE" and place == _DIGIT:
            place = _LETTER
        elif byte in b"+-" and place == _LETTER:
            place = _SIGN
        elif byte != 0x2E or place != _DIGIT:
            place, in_string = _ELSEWHERE, byte == 0x22
    return place, in_string, escaped


class Exponents:
    """The tokens of one vocabulary that would write an exponent of three digits."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._pieces = vocabulary.pieces

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Exponents":
        """The tokens of a vocabulary, found once."""
        if vocabulary not in _KNOWN:
            _KNOWN[vocabulary] = cls(vocabulary)
        return _KNOWN[vocabulary]

    def forbids(self, position: Position, token: int) -> bool:
        """Whether a token may not come at a position."""
        return not position[1] and token in self._forbidden[position[0]]

    def is_full(self, position: Position) -> bool:
        """Whether no further digit may come at a position."""
        place, in_string, _ = position
        return place == _TWO and not in_string

    def narrow(self, mask: "torch.Tensor", position: Position) -> None:
        """Take the forbidden tokens out of a mask."""
        forbidden = None if position[1] else self._places.get(position[0])
        if forbidden is not None:
            mask[forbidden] = False

    @cached_property
    def _places(self) -> "dict[int, torch.Tensor]":
        """The forbidden tokens by place, where there are any: masks are made for every token."""
        import torch

        return {place: torch.tensor(sorted(tokens)) for place, tokens in self._forbidden.items() if tokens}

    @cached_property
    def _forbidden(self) -> dict[int, frozenset[int]]:
        numeric = [token for token, piece in enumerate(self._pieces) if piece[:1] and piece[0] in b"0123456789eE+-."]
        found: dict[int, frozenset[int]] = {}
        for place in (_ELSEWHERE, _DIGIT, _LETTER, _SIGN, _ONE, _TWO):
            start = (place, False, False)
            found[place] = frozenset(t for t in numeric if over(start, self._pieces[t])[0] == _TOO_MANY)
        return found


_KNOWN: "WeakKeyDictionary[Vocabulary, Exponents]" = WeakKeyDictionary()
