"""Removal of the text around a document."""

from structout.parsing.edits import Edit, EditKind

_LANGUAGES = frozenset({"", "json", "JSON", "yaml", "yml"})


def with_surroundings(
    text: str, start: int, end: int, edits: tuple[Edit, ...], *, others: tuple[bool, bool] = (False, False)
) -> tuple[Edit, ...]:
    """The edits of the document `text[start:end]`, and the edits that remove the text before and after it.

    `others` says whether the text before and after holds another document.
    """
    before, after = text[:start], text[end:]
    if before and not before.isspace():
        edits = (Edit("other_document" if others[0] else _kind(before), "lossless", 0, before, ""), *edits)
    if after and not after.isspace():
        trailing = Edit("other_document" if others[1] else _kind(after), "lossless", end, after, "")
        data = len(edits)
        while data and isinstance(edits[data - 1].where, str):
            data -= 1
        edits = (*edits[:data], trailing, *edits[data:])
    return edits


def in_doubt(edits: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """The edits of a document that is perhaps not the answer: it is a loss to remove another document, read or not."""
    return tuple(
        edit._replace(grade="lossy")
        if edit.kind == "other_document" or (edit.kind == "prose" and ("{" in edit.before or "[" in edit.before))
        else edit
        for edit in edits
    )


def _kind(text: str) -> EditKind:
    return "fence" if text.strip().strip("`~").strip() in _LANGUAGES else "prose"
