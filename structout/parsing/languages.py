"""Texts other than JSON, such as a choice or a statement, freed of the wrapping that models add."""

import re
from collections.abc import Callable, Iterator, Sequence

from structout.parsing.edits import Edit, EditKind

_FENCE = re.compile(r"```[^\n`]*\n([^`]*)```")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "«": "»", "**": "**"}


def bare(text: str, choices: Sequence[str] = ()) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Readings of `text`, each with the edits that lead to it.

    The edits remove spaces, one code fence, one pair of quotes or a full stop. A last reading is the one of `choices`
    that differs from the text only in case. All edits are lossless: they change only wrapping and case. Surrounding
    prose is not searched.
    """
    edits: tuple[Edit, ...] = ()
    fences = _FENCE.findall(text)
    if len(fences) == 1:
        edits = (Edit("fence", "lossless", 0, text, fences[0]),)
        text = fences[0]
    steps: tuple[tuple[EditKind, Callable[[str], str]], ...] = (
        ("spaces", str.strip),
        ("quotes", _unquoted),
        ("full stop", lambda t: t.removesuffix(".")),
        ("quotes", _unquoted),
    )
    for kind, step in steps:
        after = step(text)
        if after != text:
            edits, text = (*edits, Edit(kind, "lossless", 0, text, after)), after
        yield text, edits
    alike = [choice for choice in choices if choice.casefold() == text.casefold()]
    if len(alike) == 1:
        yield alike[0], (*edits, Edit("enum", "lossless", 0, text, alike[0]))


def _unquoted(text: str) -> str:
    for opening, closing in _QUOTES.items():
        inner = text.removeprefix(opening).removesuffix(closing)
        if len(inner) == len(text) - len(opening) - len(closing) and opening not in inner:
            return inner
    return text
