"""What the token limit had a model write, as edits of its answer."""

import re

from structout.completion import Completion
from structout.parsing import Edit, Grade

_QUOTES = re.compile(r'\\.|(")', re.DOTALL)  # a group for those that are not escaped


def steered_edits(completion: Completion) -> tuple[Edit, ...]:
    """What the token limit had written in an answer, each stretch as an edit at its place.

    One that only closes what stands open has dropped what the model would have gone on with: `lossy`. Any other holds
    a value or a key that the model did not choose: `invented`.
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
