"""Removal of the text around a document."""

from structout.parsing.edits import Edit, EditKind

_LANGUAGES = frozenset({"", "json", "JSON", "yaml", "yml"})


def with_surroundings(text: str, start: int, end: int, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits of the document `text[start:end]`, and the edits that remove the text before and after it."""
    before, after = text[:start], text[end:]
    if before and not before.isspace():
        edits = (Edit(_kind(before), "lossless", 0, before, ""), *edits)
    if after and not after.isspace():
        trailing = Edit(_kind(after), "lossless", end, after, "")
        data = len(edits)
        while data and isinstance(edits[data - 1].where, str):
            data -= 1
        edits = (*edits[:data], trailing, *edits[data:])
    return edits


def _kind(text: str) -> EditKind:
    return "fence" if text.strip().strip("`~").strip() in _LANGUAGES else "prose"
