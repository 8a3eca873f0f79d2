"""Steering by the token limit, as edits of the answer."""

import re

from structout.completion import Completion
from structout.parsing import Edit, Grade

_QUOTES = re.compile(r'\\.|(")', re.DOTALL)  # the group holds unescaped quotes


def steered_edits(completion: Completion) -> tuple[Edit, ...]:
    """The spans of an answer that the token limit forced, each as an edit at its place.

    A span that only closes open brackets and quotes drops what the model would have written next: it is `lossy`. Any
    other span contains a key or a value that the model did not choose: it is `invented`.
    """
    edits = []
    for start, end in completion.steered:
        written = completion.text[start:end]
        grade: Grade = "lossy" if _only_closes(completion.text[:start], written) else "invented"
        edits.append(Edit("steered", grade, start, "", written))
    return tuple(edits)


def _only_closes(before: str, written: str) -> bool:
    in_string = sum(map(bool, _QUOTES.findall(before))) % 2 == 1
    return re.fullmatch(r'"[]}, ]*"?|' if in_string else r'[]}, ]*"?', written) is not None
