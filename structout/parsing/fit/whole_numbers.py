"""Integers written as floats: JSON Schema accepts 5.0 as an integer, Pydantic does not."""

from typing import Any

from structout.document import Json
from structout.issue import Issue, pointer
from structout.parsing.edits import Edit


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
