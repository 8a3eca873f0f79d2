"""Values that comply with a schema and still look wrong."""

import re
from typing import Final

from structout.document import Json, leaves
from structout.issue import Issue
from structout.parsing.digits import long_numbers, may_be_long
from structout.parsing.syntax.escapes import may_be_suspicious, suspicious

# A tool call in XML whose parameter did not end: the value holds the parameters behind it.
_NEXT_PARAMETER: Final = re.compile(r"</[\w:.-]{1,80}>\s{0,9}<(?:antml:)?parameter(?:=|\s+name=)[\"']?([\w.$-]{1,80})")


def may_have_notices(data: bytes) -> bool:
    """Whether valid JSON in UTF-8 may hold values that look wrong: a cheap look, for documents in bulk."""
    return b"\\" in data or may_be_long(data)


def notices(text: str, document: Json) -> tuple[Issue, ...]:
    """The values of a document that look wrong, as issues of the kinds `suspicious_escape`, `leaked_parameter` and
    `lost_digits`.

    `text` is the text that the document was read from. A notice changes nothing: a valid document stays valid.
    """
    escapes, parameters = may_be_suspicious(text), "parameter" in text and "</" in text
    numbers = long_numbers(text)
    if not escapes and not parameters and not numbers:
        return ()
    found = []
    for place, value in leaves(document).items():
        if isinstance(value, float) and value in numbers:
            found.append(
                Issue(place, "lost_digits", f"{numbers[value]:.60} is read as {value!r}: a float has 17 digits")
            )
        if not isinstance(value, str):
            continue
        if escapes and (meant := suspicious(value)):
            message = f"{value!r} holds a control character in a word: perhaps it means {meant!r}"
            found.append(Issue(place, "suspicious_escape", message))
        if parameters and (behind := _NEXT_PARAMETER.search(value)):
            message = f"the text holds the tags of another parameter, {behind[1]!r}: perhaps it swallowed the parameter"
            found.append(Issue(place, "leaked_parameter", message))
    return tuple(found)
