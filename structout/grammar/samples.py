"""Short texts that match one or several regular expressions, as a schema's patterns require."""

import re
from functools import lru_cache

_LONGEST = 400  # bytes of a word
_TRIED = 15_000  # bytes that are tried for one word
_LARGEST = 5_000  # characters of an expression
_THOUSANDS = re.compile(r"\{(?:\d*,)?\d{4,}")
_WIDEST = 40  # beginnings in the beam
# Among bytes with the same effect, the most readable byte comes first.
_ORDER = sorted(range(256), key=lambda byte: (not 97 <= byte <= 122, not 48 <= byte <= 57, byte < 32, byte))


@lru_cache(maxsize=4096)
def word(matching: tuple[str, ...], against: tuple[str, ...] = (), least: int = 0, most: int | None = None) -> str:
    """A short text of `least` to `most` characters that matches all patterns of `matching` and no pattern of `against`.

    A pattern may match anywhere in the text, as in JSON Schema; look-around is ignored. Returns "" if the search finds
    no text.
    """
    length = f"/(?s:.{{{max(least, 1)},{'' if most is None or most > 999 else most}}})/"
    other = [f"~/{_anywhere(pattern)}/" for pattern in against]
    plain = [_shrunk(pattern, least=False) for pattern in matching]
    if len(matching) == 1 and (found := _search([f"/{_whole(_shrunk(matching[0]))}/", *other, length], "")):
        return found
    several = plain + list(against) if len(plain) + len(against) > 1 else []
    letters = re.sub(r"\\[a-zA-Z]|\[[^]]*\]|\{[^}]*\}|[^\w\s]", "", "".join(several))
    return _search([*(f"/{_anywhere(pattern)}/" for pattern in plain), *other, length], letters)


def _search(terms: list[str], letters: str) -> str:
    """A shortest text that matches all terms, which are written in the engine's Lark syntax; "" if none is found.

    The engine shows the allowed next bytes, but not its state. So this is a beam search by length, which treats
    beginnings as equal if they allow the same next bytes and contain the same letters of `letters`.
    """
    from llguidance import LLMatcher, LLTokenizer

    if any(len(term) > _LARGEST or _THOUSANDS.search(term) for term in terms):
        return ""  # large expressions can crash the engine
    source = LLMatcher.grammar_from_lark("start: TEXT\nTEXT: " + " & ".join(terms))
    matcher = LLMatcher(LLTokenizer("byte"), source, log_level=0)
    if matcher.is_error():
        return ""
    named = frozenset(letters.encode())
    order = [byte for byte in _ORDER if byte in named] + [byte for byte in _ORDER if byte not in named]
    beam = [(b"", matcher)]
    tried = 0
    for _ in range(_LONGEST):
        following: dict[tuple[int, frozenset[int]], tuple[bytes, LLMatcher]] = {}
        for text, position in beam:
            mask = position.compute_logit_bias()
            for byte in order:
                if not mask[byte]:
                    continue
                after = position.deep_copy()
                longer = text + bytes([byte])
                tried += 1
                if not after.consume_token(byte):
                    continue
                if after.is_accepting() and (found := _decoded(longer)):
                    return found
                following.setdefault((hash(after.compute_logit_bias()), named.intersection(longer)), (longer, after))
            if tried > _TRIED:
                return ""
        beam = [following[key] for key in sorted(following, key=lambda key: -len(key[1]))[:_WIDEST]]
    return ""


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return ""


def _whole(pattern: str) -> str:
    """A pattern in the engine's syntax that matches a whole text."""
    from llguidance import regex_to_lark

    ends = pattern.endswith("$") and not pattern.endswith("\\$")
    inner = pattern.removeprefix("^")
    return str(regex_to_lark(f"(?:{inner[:-1] if ends else inner})", "dw"))


def _anywhere(pattern: str) -> str:
    """A pattern in the engine's syntax that matches every text with a part that matches `pattern`."""
    before = "" if pattern.startswith("^") else "(?s:.*)"
    ends = pattern.endswith("$") and not pattern.endswith("\\$")
    return f"{before}{_whole(pattern)}{'' if ends else '(?s:.*)'}"


_PIECE = re.compile(
    r"(?P<kept>\\.|\[\^?\]?(?:\\.|[^]\\])*\]|\(\?(?::|P?<\w+>))|(?P<look>\(\?<?[=!])|(?P<open>\()|(?P<close>\))"
    r"|(?P<many>[*?]\??)|(?P<one>\+\??)|\{(?P<least>\d+)(?:,\d*)?\}\??|.",
    re.DOTALL,
)


def _shrunk(pattern: str, *, least: bool = True) -> str:
    """The pattern without look-around; with `least` each repetition has its minimum length."""
    written: list[str] = []
    depth = skipped = 0  # the depth of groups; within look-around, the depth at which it began
    for piece in _PIECE.finditer(pattern):
        text = piece[0]
        depth += text.startswith("(")
        skipped = skipped or (depth if piece["look"] else 0)
        if not skipped:
            if least and piece["many"]:
                text = "{0}"
            elif least and piece["one"]:
                text = ""
            elif least and piece["least"]:
                text = f"{{{piece['least']}}}"
            written.append(text)
        if piece["close"]:
            skipped = 0 if depth == skipped else skipped
            depth -= 1
    return "".join(written)
