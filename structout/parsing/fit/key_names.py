"""Checks for keys that a document spells differently from the schema."""

from typing import Final

from structout.document import Json
from structout.parsing.fit.shape import Shape, plain_key

_DEEPEST: Final = 60


def is_misspelt(value: Json, shape: Shape, depth: int) -> bool:
    """Whether an object, or an object inside it, has an undeclared key that is another spelling of a declared key."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, list):
        return shape.items is not None and any(is_misspelt(item, shape.items, depth + 1) for item in value)
    if not isinstance(value, dict) or shape.branches:
        return False
    for key, item in value.items():
        inner = shape.properties.get(key)
        if inner is None:
            meant = shape.spellings.get(plain_key(key))
            if meant is not None and meant not in value:
                return True
            inner = shape.undeclared(key)
        if inner is not None and isinstance(item, dict | list) and is_misspelt(item, inner, depth + 1):
            return True
    return False


def shouted(value: Json, shape: Shape | None, depth: int = 0) -> str:
    """The first key in capitals that the schema does not declare; "" if every such key is declared."""
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        inner = shape.items if shape else None
        return next((key for item in value if (key := shouted(item, inner, depth + 1))), "")
    if not isinstance(value, dict):
        return ""
    for key, item in value.items():
        if key.isupper() and not (shape and any(key in one.properties for one in (shape, *shape.branches))):
            return key
        found = shouted(item, shape.under(key) if shape else None, depth + 1)
        if found:
            return found
    return ""


def all_shouted(value: Json, depth: int = 0) -> bool:
    """Whether all keys of a document that have letters are in capitals."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, list):
        return all(all_shouted(item, depth + 1) for item in value)
    if not isinstance(value, dict):
        return True
    return all((key.isupper() or key.lower() == key.upper()) and all_shouted(value[key], depth + 1) for key in value)
