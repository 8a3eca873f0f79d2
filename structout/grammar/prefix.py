"""The beginning of a JSON text: what of it stands for good."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import jiter

from structout.document import Json
from structout.issue import Steps

# A number or a literal is complete only if something follows it.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+(?=[\s\],}])|"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The part of an unfinished JSON text that stands for good.

    `document` has every value that is complete, within the containers that are still open; `open` holds the paths of
    these containers. `is_lost` says that no document can begin so: an object names a key twice, or a number is too
    large to hold.
    """

    document: Json
    open: frozenset[Steps]
    is_lost: bool


def read_prefix(text: bytes) -> Prefix:
    """Read the beginning of a valid JSON text (RFC 8259). A string, number or key that is not complete is left out."""
    root: list[Json] = []
    stack: list[tuple[Json, str | int | None]] = [(root, 0)]  # each open container, and where its next value goes
    is_lost = False

    def put(value: Json) -> None:
        holder, place = stack[-1]
        if isinstance(holder, list):
            holder.append(value)
        elif isinstance(holder, dict) and isinstance(place, str):
            holder[place] = value

    # Bytes that are not UTF-8 become U+FFFD, as in the document itself.
    for found in _TOKEN.finditer(text.decode(errors="replace").encode()):
        token, (holder, place) = found[0], stack[-1]
        if token == b'"':
            break  # a string that is not complete
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
    """Other ends of a JSON text that begins so and could go on with `end`. Each adds a member or an item of a `likely`
    document to the same container, or all members that are missing. The innermost containers come first.
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
    """Where in `end` each container is closed that is open at the end of `beginning`."""
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
    """What stands at a path, or at the like one in a shorter list."""
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and document:
            document = document[min(step, len(document) - 1)]
        else:
            return None
    return document


def _children(container: Json, holder: Json) -> list[str]:
    """The items of a container, or those of its members whose keys `holder` lacks, as JSON."""
    if isinstance(container, dict):
        kept = holder if isinstance(holder, dict) else {}
        return [
            f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in container.items()
            if key not in kept
        ]
    return [json.dumps(item, ensure_ascii=False) for item in container] if isinstance(container, list) else []
