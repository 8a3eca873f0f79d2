"""Tag names for fencing data, chosen so that nothing in the data looks like the closing tag."""

import re
import unicodedata
from itertools import chain, count

_OPENS = re.compile("[<﹤＜]")  # all characters that NFKC maps to a less-than sign
# Characters that Unicode lets a reader ignore (Default_Ignorable_Code_Point), except format characters (Cf).
_IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8]")
_LEFT_OUT = ("\U000e0000", "\U000e0fff")  # the whole range is ignorable


class _Seen(dict[int, str]):
    """The visible form of a character, by its code point: its compatibility form in lower case, or nothing.

    The mapping works character by character, since normalizing a whole text takes time quadratic in a run of accents,
    and a composed character is never part of a tag.
    """

    def __missing__(self, code: int) -> str:
        char = chr(code)
        unseen = unicodedata.category(char) in ("Cf", "Cc") and not char.isspace()
        if unseen or _IGNORED.match(char) or _LEFT_OUT[0] <= char <= _LEFT_OUT[1]:
            found = ""
        elif unicodedata.category(char) == "Pd" or char == "\u2212":  # dashes, and the minus sign
            found = "-"
        else:
            found = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
        self[code] = found
        return found


_SEEN = _Seen()


def mark(*texts: str, name: str = "record") -> str:
    """The first of `name`, `name-2`, `name-3` and so on whose closing tag nothing in these texts looks like.

    Texts are read as a model may read them: compatibility forms as plain characters (NFKC), in lower case, any dash as
    a hyphen, without invisible characters, and with any white space around the slash. The time is linear in their
    length.
    """
    tag = re.compile(rf"<(?:(\s*/\s*){name}\s*(-)?\s*([0-9]*)|{name}(-[0-9]+)?>)")
    taken: set[str] = set()
    for text in texts:
        if not _OPENS.search(text):
            continue
        for closing, dash, digits, opened in tag.findall(text.translate(_SEEN)):
            if closing:  # the start of a closing tag is enough
                taken.update(["", *(dash + digits[:size] for size in range(1, min(len(digits), 12) + 1))])
            else:
                taken.add(opened)
    return next(name + end for end in chain([""], map("-{}".format, count(2))) if end not in taken)
