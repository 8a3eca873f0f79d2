r"""Patterns of Pydantic types for an engine of JSON Schema: what Pydantic's engine means by them.

Pydantic takes `\w` and `\d` as letters and digits of any script, JSON Schema (ECMA 262) takes them as ASCII. Python's
engine also knows `\A` and `\Z`.
"""

import re
from typing import Any, Final

from structout.schema.references import DATA, NAMED

_WORD: Final = r"\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}"
_OUTSIDE: Final = {"w": f"[{_WORD}]", "W": f"[^{_WORD}]", "d": r"\p{Nd}", "D": r"\P{Nd}", "A": "^", "Z": "$", "z": "$"}
_INSIDE: Final = {"w": _WORD, "d": r"\p{Nd}", "D": r"\P{Nd}"}
_PART: Final = re.compile(r"\\(.)|\[\^?\]?|\]", re.DOTALL)


def unicode_pattern(pattern: str) -> str:
    """The pattern with `\\w`, `\\d`, `\\A` and `\\Z` written so that an engine of JSON Schema means the same."""
    inside = False

    def written(found: re.Match[str]) -> str:
        nonlocal inside
        if found[1] is not None:
            return (_INSIDE if inside else _OUTSIDE).get(found[1], found[0])
        if found[0] == "]":
            inside = False
        elif not inside:
            inside = True
        return found[0]

    return _PART.sub(written, pattern) if "\\" in pattern else pattern


def shown_pattern(pattern: str) -> str:
    """A pattern of `unicode_pattern` as people write it."""
    short = pattern.replace(f"[{_WORD}]", r"\w").replace(f"[^{_WORD}]", r"\W").replace(_WORD, r"\w")
    return short.replace(r"\p{Nd}", r"\d").replace(r"\P{Nd}", r"\D")


def with_unicode_patterns(node: Any, *, named: bool = False) -> Any:
    """A JSON Schema of a Pydantic type with its patterns written by `unicode_pattern`; `named`: its keys are names."""
    if isinstance(node, list):
        return [with_unicode_patterns(one) for one in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "pattern" and isinstance(value, str) and not named:
            made[key] = unicode_pattern(value)
        elif key == "patternProperties" and isinstance(value, dict) and not named:
            made[key] = {unicode_pattern(name): with_unicode_patterns(one) for name, one in value.items()}
        elif key in DATA and not named:
            made[key] = value
        else:
            made[key] = with_unicode_patterns(value, named=not named and key in NAMED)
    return made
