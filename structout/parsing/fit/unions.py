"""Selection of the alternatives of a union that a value may belong to."""

from typing import Final

from structout.document import Json
from structout.parsing.fit.shape import Shape, plain_key

_MOST_BRANCHES: Final = 64


def alternatives(value: Json, shape: Shape) -> tuple[Shape, ...]:
    """The alternatives of a shape that a value may belong to; the shape itself if it is not a union."""
    if not shape.branches:
        return (shape,)
    found: list[Shape] = []
    stack = list(reversed(_tagged(value, shape.branches)))
    while stack and len(found) < _MOST_BRANCHES:
        branch = stack.pop()
        if branch.branches:
            stack += reversed(_tagged(value, branch.branches))
        else:
            found.append(branch)
    return tuple(found)


def _tagged(value: Json, branches: tuple[Shape, ...]) -> tuple[Shape, ...]:
    """The alternatives whose discriminator (a member with one allowed value) the value has; all if none matches."""
    if not isinstance(value, dict):
        return branches
    written = {plain_key(key): item for key, item in value.items()}
    chosen = []
    for branch in branches:
        tags = {key: inner.values for key, inner in branch.properties.items() if len(inner.values) == 1}
        pairs = [(written[plain_key(key)], values[0]) for key, values in tags.items() if plain_key(key) in written]
        if pairs and all(plain_key(str(item)) == plain_key(str(tag)) for item, tag in pairs):
            chosen.append(branch)
    return tuple(chosen) or branches
