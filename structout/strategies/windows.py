"""Windows: stretches of a long text that a model reads one by one."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from structout.completion import Message, Prompt, Sampling
from structout.strategies.pieces import Piece, Span, pieces

_MOST_ENCODED = 256  # characters: a text that the model cannot encode is counted by its characters
_CHARACTERS = 4.0  # per token, where the model does not count


class Window(NamedTuple):
    """A stretch of a text from `start` to `end`. `text` is what the model reads: the head of the table that the window
    continues, if any, and the stretch itself. `pieces` are the pieces of the stretch, and `first` is the number of the
    first of them in the whole text; `titles` is the number of the piece with the head. `word` is what people call it.
    """

    number: int
    start: int
    end: int
    text: str
    pieces: tuple[str, ...]
    first: int = 0
    head: Span | None = None
    titles: int | None = None
    word: str = "window"

    @property
    def last(self) -> int:
        """The number of the piece after the last."""
        return self.first + len(self.pieces)

    @property
    def name(self) -> str:
        """The window and its place, for people."""
        place = f" (characters {self.start:,} to {self.end:,})" if self.end else ""
        return f"{self.word} {self.number}{place}"

    def in_text(self, span: Span) -> Span | None:
        """A place of the window as a place of the whole text; None for a place that is partly in the head."""
        first, last = span
        above = self.head[1] - self.head[0] if self.head else 0
        if self.head and last <= above:
            return first + self.head[0], last + self.head[0]
        return None if first < above else (first - above + self.start, last - above + self.start)


def cut(text: str, most: int, overlap: int, count: Callable[[str], float]) -> list[Window]:
    """Cut a text into windows of at most `most` tokens by `count`. Neighbours share up to `overlap` tokens.

    Windows begin and end between pieces (see `pieces`), so a window is longer than `most` if a single piece, with the
    head of its table, is longer. The windows have every character of the text.
    """
    found = pieces(text, most, count)
    sizes = [count(text[one.start : one.end]) for one in found]
    heads = {one.head: count(text[slice(*one.head)]) for one in found if one.head}
    above = [heads[one.head] if one.head else 0.0 for one in found]
    windows: list[Window] = []
    first = end = 0
    while end < len(found):
        size = above[first] + sum(sizes[first:end])
        begun = end
        while end < len(found) and (end == begun or size + sizes[end] <= most):
            size += sizes[end]
            end += 1
        windows.append(_window(text, found, len(windows) + 1, first, end))
        if end < len(found):
            first = _next(sizes, above, first, end, most, overlap)
    return windows


def _next(sizes: Sequence[float], above: Sequence[float], first: int, end: int, most: int, overlap: int) -> int:
    """The first piece of the next window, which must have room for the piece `end`."""
    begin, shared = end, 0.0
    while begin - 1 > first and shared + sizes[begin - 1] <= overlap:
        begin -= 1
        shared += sizes[begin]
    while begin < end and above[begin] + shared + sizes[end] > most:
        shared -= sizes[begin]
        begin += 1
    return begin


def _window(text: str, found: Sequence[Piece], number: int, first: int, end: int) -> Window:
    start, stop = found[first].start, found[end - 1].end
    head = found[first].head
    shown = text[slice(*head)] if head else ""
    parts = tuple(text[one.start : one.end] for one in found[first:end])
    titles = bisect_right(found, head[0], key=lambda one: one.start) - 1 if head else None
    return Window(number, start, stop, shown + text[start:stop], parts, first=first, head=head, titles=titles)


def counter(encode: Callable[[Prompt], list[int] | str] | None) -> Callable[[str], float]:
    """A function that counts the tokens of a text: by the model's own `encode`, else four characters a token."""
    if encode is None:
        return lambda text: len(text) / _CHARACTERS

    def length(text: str) -> int | None:
        tokens = encode(Prompt((Message("user", text),), Sampling(max_tokens=1)))
        return len(tokens) if isinstance(tokens, list) else None

    template = length("") or 0

    def count(text: str) -> float:
        if (found := length(text)) is not None:
            return found - template
        if len(text) <= _MOST_ENCODED:  # half of a character, which the model will refuse
            return len(text)
        return count(text[: len(text) // 2]) + count(text[len(text) // 2 :])  # longer than the model's context

    return count
