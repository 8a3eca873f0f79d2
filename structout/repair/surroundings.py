"""The text around a document: taken away, and said so."""

from structout.repair.edits import Edit

_LANGUAGES = frozenset({"", "json", "JSON", "yaml", "yml"})


def with_surroundings(text: str, start: int, end: int, edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits of the document `text[start:end]`, with those that take away what stands before and behind it."""
    before, after = text[:start], text[end:]
    if before and not before.isspace():
        edits = (Edit(_kind(before), "lossless", 0, before, ""), *edits)
    if after and not after.isspace():
        syntax = [edit for edit in edits if isinstance(edit.where, int)]
        data = [edit for edit in edits if isinstance(edit.where, str)]
        edits = (*syntax, Edit(_kind(after), "lossless", end, after, ""), *data)
    return edits


def _kind(text: str) -> str:
    return "fence" if text.strip().strip("`~").strip() in _LANGUAGES else "prose"
