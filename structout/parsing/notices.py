"""Values that comply with a schema and still look wrong."""

from structout.document import Json, leaves
from structout.issue import Issue
from structout.parsing.syntax.escapes import may_be_suspicious, suspicious


def notices(text: str, document: Json) -> tuple[Issue, ...]:
    """The values of a document that look wrong, as issues of the kind `suspicious_escape`.

    `text` is the JSON that the document was read from. A notice changes nothing: a valid document stays valid.
    """
    if not may_be_suspicious(text):
        return ()
    found = ((place, value, suspicious(value)) for place, value in leaves(document).items() if isinstance(value, str))
    return tuple(
        Issue(place, "suspicious_escape", f"{value!r} holds a control character in a word: perhaps it means {meant!r}")
        for place, value, meant in found
        if meant
    )
