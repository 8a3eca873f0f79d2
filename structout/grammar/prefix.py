"""The values that are final in an unfinished JSON text, and alternative ends for the text."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import jiter

from structout.document import Json
from structout.issue import Steps

# A number or a literal is complete only if another character follows it.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+(?=[\s\],}])|"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The final part of an unfinished JSON text.

    `document` has every complete value, within the containers that are still open; `open` holds the paths of the open
    containers. `is_lost` says that no valid document can begin with the text, because an object repeats a key or a
    number is too large for a float.
    """

    document: Json
    open: frozenset[Steps]
    is_lost: bool


def read_prefix(text: bytes) -> Prefix:
    """Read the beginning of a valid JSON text (RFC 8259). An incomplete string, number or key is left out."""
    root: list[Json] = []
    stack: list[tuple[Json, str | int | None]] = [(root, 0)]  # each open container, with the place of its next value
    is_lost = False

    def put(value: Json) -> None:
        holder, place = stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif isinstance(holder, dict) and isinstance(place, str):
            holder[place] = value

    # Bytes that are not UTF-8 become U+FFFD, as in the final document.
    for found in _TOKEN.finditer(text.decode(errors="replace").encode()):
        token, (holder, place) = found[0], stack[-1]
        if token == b'"':
            break  # an incomplete string
        if token in (b"{", b"["):
            opened: Json = {} if token == b"{" else []
            put(opened)
            stack.append((opened, None if token == b"{" else 0))
        elif token in (b"}", b"]"):
            stack.pop()
        elif token == b",":
            stack[-1] = (holder, place + 1 if isinstance(place, int) else None)
        elif token != b":":
            value: Json = jiter.from_json(token)
            is_lost = is_lost or (isinstance(value, float) and not math.isfinite(value))
            if isinstance(holder, dict) and place is None:
                is_lost = is_lost or value in holder
                stack[-1] = (holder, str(value))
            else:
                put(value)
    path = tuple(place for _, place in stack[1:-1] if place is not None)
    return Prefix(root[0] if root else None, frozenset(path[:n] for n in range(len(stack) - 1)), is_lost)


def additions(beginning: bytes, end: str, likely: Sequence[Json]) -> list[str]:
    """Alternatives to `end`, which completes the JSON text that starts with `beginning`. Each alternative adds a member
    or an item of a `likely` document, or all missing members, to a container. The innermost container comes first.
    """
    path = max(read_prefix(beginning).open, key=len, default=())
    found: list[str] = []
    for place in _closings(beginning, end):
        before, after = end[:place], end[place:]
        bare = (beginning + before.encode()).rstrip()[-1:] in (b"{", b"[")
        holder = _at(read_prefix(beginning + end[: place + 1].encode()).document, path)
        for document in likely:
            children = _children(_at(document, path), holder)
            every = [", ".join(children)] if len(children) > 1 else []
            found += [f"{before}{'' if bare else ', '}{child}{after}" for child in [*children, *every]]
        if not path:
            break
        path = path[:-1]
    return list(dict.fromkeys(found))


def _closings(beginning: bytes, end: str) -> list[int]:
    """The places in `end` that close the containers that are open at the end of `beginning`."""
    start = len(beginning)
    text = beginning + end.encode()
    found, depth = [], 0
    for token in re.finditer(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', text, re.DOTALL):
        if token.start() < start:
            continue
        if token[0] in (b"}", b"]"):
            if depth == 0:
                found.append(len(text[start : token.start()].decode("utf-8", "replace")))
            depth = max(depth - 1, 0)
        elif token[0] in (b"{", b"["):
            depth += 1
    return found


def _at(document: Json, path: Steps) -> Json:
    """The value at a path; in a list that is too short, the last item stands in. None without a value."""
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and document:
            document = document[min(step, len(document) - 1)]
        else:
            return None
    return document


def _children(container: Json, holder: Json) -> list[str]:
    """The items of a list, or the members of an object whose keys `holder` lacks, as JSON."""
    if isinstance(container, dict):
        kept = holder if isinstance(holder, dict) else {}
        return [
            f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in container.items()
            if key not in kept
        ]
    return [json.dumps(item, ensure_ascii=False) for item in container] if isinstance(container, list) else []
