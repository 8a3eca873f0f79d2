"""Signs outside of strings in the way of JSON: full-width brackets and quotes, and the colours of a terminal."""

import re
from typing import Final

from structout.parsing.edits import Edit

_PLAIN: Final = dict(zip("｛｝［］：，＂「」『』", '{}[]:,"""""', strict=True))
_BRACKETS: Final = re.compile("[｛［「『＂\x1b]")
# A string in one of its quotes, or a sign outside of strings.
_PART: Final = re.compile(
    r'"(?:[^"\\]|\\.)*+"|“[^“”]*+”|([「『＂])([^「」『』＂"]*+)([」』＂])|([｛｝［］：，])|(\x1b\[[0-9;]*m)', re.DOTALL
)


def narrowed(text: str) -> tuple[str, tuple[Edit, ...]]:
    """The text with plain signs in place of full-width signs, of the same length, and the edits that lead to it."""
    if not _BRACKETS.search(text):
        return text, ()
    edits: list[Edit] = []
    made = list(text)
    for part in _PART.finditer(text):
        if colour := part.group(5):
            made[part.start() : part.end()] = " " * len(colour)
            edits.append(Edit("whitespace", "lossless", part.start(), colour, ""))
        for group in (1, 3, 4):
            sign = part.group(group)
            if sign is not None:
                place = part.start(group)
                made[place] = _PLAIN[sign]
                kind = "quotes" if group < 4 else "comma" if sign == "，" else "colon" if sign == "：" else "closer"
                edits.append(Edit(kind, "lossless", place, sign, _PLAIN[sign]))  # type: ignore[arg-type]
    return "".join(made), tuple(edits)


def with_narrowed(edits: tuple[Edit, ...], text: str, first: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits of a narrowed text, as edits of the original `text`; `first` are added where no edit covers them."""
    placed = [edit for edit in edits if isinstance(edit.where, int)]
    spans = [(int(edit.where), int(edit.where) + len(edit.before)) for edit in placed]
    own = [edit._replace(before=text[start:end]) for edit, (start, end) in zip(placed, spans, strict=True)]
    free = [edit for edit in first if not any(start <= int(edit.where) < end for start, end in spans)]
    merged = sorted((*own, *free), key=lambda edit: (int(edit.where), bool(edit.before)))
    return (*merged, *(edit for edit in edits if not isinstance(edit.where, int)))
