"""What is known of an answer that the token limit cut off in a list: its complete items, and where the list is."""

import re
from dataclasses import dataclass
from typing import Any, Final

from structout.document import Json, read_json
from structout.result import Result

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++|"', re.DOTALL)
_CLOSES: Final = {"{": "}", "[": "]"}
_HALF: Final = "\ufffd"  # what a tokenizer writes for half of a character


@dataclass(frozen=True, slots=True)
class Known:
    """A document that ends with the last complete item of a list; `path` has the keys on the way to the list."""

    path: tuple[str, ...]
    document: Json

    @property
    def items(self) -> list[Any]:
        """The items of the list."""
        found: list[Any] = at(self.document, self.path)
        return found


def is_cut_off(result: Result[Any]) -> bool:
    """Whether the token limit ended the last answer, or forced text into it."""
    if not result.attempts or any(edit.kind == "steered" and edit.after.strip() for edit in result.edits):
        return bool(result.attempts)
    limited = result.attempts[-1].completion.finish_reason == "length"
    return result.status == "truncated" or (result.status == "repaired" and limited)


def begun(result: Result[Any]) -> str:
    """The last answer as far as the model itself wrote it."""
    completion = result.attempts[-1].completion
    steered = [start for start, end in completion.steered if completion.text[start:end].strip()]
    return completion.text[: min(steered, default=len(completion.text))].rstrip(_HALF)


def known(text: str) -> Known | None:
    """The complete items of the last list in the beginning of a JSON text; None if it has no complete item in a list.

    A list within an item of another list counts as a part of this item.
    """
    start = min((place for place in map(text.find, "{[") if place >= 0), default=len(text))
    opened, outer, begin, value = list[str](), 0, start, start  # `outer` is the depth of the outermost open list
    found = ""
    for one in _TOKEN.finditer(text, start):
        token, place = one[0], one.end()
        if token == '"':  # a text without an end
            break
        if token in "{[":
            opened.append(token)
            if token == "[" and not outer:
                outer, begin = len(opened), place
        elif token in "}]":
            # A number or a literal is complete only where something follows it.
            if value > begin and len(opened) == outer:
                found = text[start:value] + _ending(opened)
            if not opened or _CLOSES[opened.pop()] != token:
                return None
            outer, value = (0, value) if len(opened) < outer else (outer, place)
            if not opened:
                break
        elif token not in ",:":
            value = place
        if outer and len(opened) == outer and value > begin and (token in ",}]" or token[0] == '"'):
            found = text[start:value] + _ending(opened)
    return _read(found) if found else None


def at(document: Json, path: tuple[str, ...]) -> Any:
    """The node at the end of a path of keys; None for a path that the document lacks."""
    node: Any = document
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node


def _ending(opened: list[str]) -> str:
    return "".join(_CLOSES[one] for one in reversed(opened))


def _read(text: str) -> Known | None:
    try:
        document = read_json(text)
    except ValueError:
        return None
    path, node = list[str](), document
    while isinstance(node, dict):
        path.append(next(reversed(node)))
        node = node[path[-1]]
    return Known(tuple(path), document) if isinstance(node, list) and node else None
