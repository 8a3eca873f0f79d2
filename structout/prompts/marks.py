"""The mark between which data stands, chosen so that nothing in the data can be taken for its end."""

import re
import unicodedata
from itertools import chain, count

_OPENS = re.compile("[<﹤＜]")  # all that NFKC makes a less-than sign
# What Unicode lets a reader leave out (Default_Ignorable_Code_Point) beside format characters (Cf).
_IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8]")
_LEFT_OUT = ("\U000e0000", "\U000e0fff")  # these are, all of them


class _Seen(dict[int, str]):
    """What is seen of a character, by its number: its compatibility form in small letters, or nothing.

    Character by character, for to normalize a text as a whole takes time quadratic in a run of accents, and what is
    made of several characters is no part of a tag.
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
    """The name, or the name with the first number from 2 on, whose closing tag nothing in these texts looks like.

    Texts are read as a model may read them: compatibility forms as plain ones (NFKC), capitals as small letters, any
    dash as a hyphen, without what is not seen, and with any white space around the slash. Takes time linear in their
    length.
    """
    tag = re.compile(rf"<(?:(\s*/\s*){name}\s*(-)?\s*([0-9]*)|{name}(-[0-9]+)?>)")
    taken: set[str] = set()
    for text in texts:
        if not _OPENS.search(text):
            continue
        for closing, dash, digits, opened in tag.findall(text.translate(_SEEN)):
            if closing:  # and the start of a closing tag is enough
                taken.update(["", *(dash + digits[:size] for size in range(1, min(len(digits), 12) + 1))])
            else:
                taken.add(opened)
    return next(name + end for end in chain([""], map("-{}".format, count(2))) if end not in taken)
