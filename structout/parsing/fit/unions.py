"""The alternatives of a union that a value may be meant for."""

from typing import Final

from structout.document import Json
from structout.parsing.fit.shape import Shape, plain_key

_MOST_BRANCHES: Final = 64


def alternatives(value: Json, shape: Shape) -> tuple[Shape, ...]:
    """What a shape comes down to: itself, if it is no union."""
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
    """The alternatives whose fixed members (a discriminator) the value has; all of them if that tells nothing."""
    if not isinstance(value, dict):
        return branches
    written = {plain_key(key): item for key, item in value.items()}
    chosen = []
    for branch in branches:
        tags = {key: inner.values for key, inner in branch.properties.items() if len(inner.values) == 1}
        told = [(written[plain_key(key)], values[0]) for key, values in tags.items() if plain_key(key) in written]
        if told and all(plain_key(str(item)) == plain_key(str(tag)) for item, tag in told):
            chosen.append(branch)
    return tuple(chosen) or branches
