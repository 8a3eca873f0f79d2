"""Numbers that comply with the JSON Schema of a Pydantic type and not with the type: 5.0 for an int, "1,234" for a
Decimal.
"""

from typing import Any, Final

from structout.document import Json
from structout.issue import Issue, pointer
from structout.parsing.edits import DECIMAL_OPTION, Decimal, Edit, EditKind, edit_text
from structout.parsing.fit.literals import names_unit, plain_numbers, split_unit
from structout.parsing.fit.shape import Shape

_NO_DECIMAL: Final = "Input should be a valid decimal"  # Pydantic, of any other text


def decimals(
    document: Any, issues: tuple[Issue, ...], shape: Shape, decimal: Decimal | None
) -> tuple[Json, tuple[Edit, ...], tuple[Issue, ...]]:
    """Replace "1,234.50" by "1234.50" at the places of `issues`, where a Pydantic type wants a Decimal.

    A Decimal takes what a float takes, with all its digits. A text that can mean two numbers gives an issue.
    """
    edits: list[Edit] = []
    doubts: list[Issue] = []
    for issue in issues:
        steps, value = _walk(document, issue.pointer)
        if issue.message != _NO_DECIMAL or not isinstance(value, str):
            continue
        kind: EditKind = "number"
        found = plain_numbers(value, decimal)
        if not found and steps and (parts := split_unit(value)) and _is_named(parts[1], document, steps, shape):
            kind, found = "unit", plain_numbers(parts[0], decimal)
        if len(found) > 1:
            message = f"{value!r} may be {' or '.join(found)}: write it without a thousands sign{DECIMAL_OPTION}"
            doubts.append(Issue(pointer(steps), "ambiguous", message))
        elif found:
            edits.append(Edit(kind, "lossless", pointer(steps), edit_text(value), edit_text(found[0])))
            document = _put(document, steps, found[0])
    return document, tuple(edits), tuple(doubts)


def _is_named(unit: str, document: Any, steps: list[str | int], shape: Shape) -> bool:
    """Whether the context of a place names the unit of its number."""
    about: Shape | None = shape
    for step in steps:
        about = about.under(step) if about else None
    for step in steps[:-1]:
        document = document[step]
    beside = tuple(one for one in document.values() if isinstance(one, str)) if isinstance(document, dict) else ()
    return names_unit(unit, str(steps[-1]), about.about if about else "", beside)


def whole_numbers(document: Any, issues: tuple[Issue, ...]) -> tuple[Json, tuple[Edit, ...]]:
    """Replace 5.0 by 5 at the places of `issues`, where a Pydantic type wants an integer."""
    edits = []
    for issue in issues:
        steps, value = _walk(document, issue.pointer)
        if isinstance(value, float) and value.is_integer():
            edits.append(Edit("whole", "lossless", pointer(steps), str(value), str(int(value))))
            document = _put(document, steps, int(value))
    return document, tuple(edits)


def _walk(document: Any, place: str) -> tuple[list[str | int], Any]:
    """Follow a JSON Pointer from Pydantic, and skip its steps that name alternatives of unions."""
    steps: list[str | int] = []
    for step in place.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            steps.append(key)
            document = document[key]
        elif isinstance(document, list) and key.isdigit() and int(key) < len(document):
            steps.append(int(key))
            document = document[int(key)]
    return steps, document


def _put(document: Any, steps: list[str | int], value: Any) -> Any:
    """A copy of the document with another value at a path; the original stays unchanged."""
    if not steps:
        return value
    copy: Any = dict(document) if isinstance(document, dict) else list(document)
    copy[steps[0]] = _put(copy[steps[0]], steps[1:], value)
    return copy
