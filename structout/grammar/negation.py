"""Schemas of the values that a subschema rejects, since the engine has no negation."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from structout.grammar.disjoint import TYPES
from structout.grammar.strings import unlike
from structout.schema.keywords import with_exclusive_bounds

# Keywords that the engine does not take.
UNSUPPORTED: Final = (
    "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef",
)  # fmt: skip


class Rewriting(Protocol):
    """Rewrites the schema that the subschemas belong to."""

    def resolve(self, node: Any) -> Any:
        """The target of a `$ref`."""

    def visit(self, node: Any, path: tuple[str | int, ...]) -> Any:
        """A subschema, rewritten."""

    def doubt(self, keyword: str, why: str) -> None:
        """Note that the mask may not enforce a keyword somewhere."""


def negated(node: Any, rewriter: Rewriting, depth: int = 0) -> Any | None:
    """A schema of the values that a subschema rejects; None if the engine cannot express it."""
    node = rewriter.resolve(node)
    if node is True or node == {}:
        return False
    if node is False:
        return True
    if not isinstance(node, Mapping) or depth > 6 or "$ref" in node:
        return None
    alternatives: list[Any] = []
    for key, value in with_exclusive_bounds(node).items():
        against = _without(key, value, rewriter, depth)
        if against is None:
            return None
        alternatives += against
    if not alternatives:
        return False
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _without(key: str, value: Any, rewriter: Rewriting, depth: int) -> list[Any] | None:
    """Alternatives for the values that one keyword rejects; None if the engine cannot express them."""
    if key in ("title", "description", "$comment", "default", "examples", "$defs", "definitions"):
        return []
    if key == "not":
        says_more = isinstance(value, Mapping) and any(word in value for word in UNSUPPORTED)
        return None if says_more else [rewriter.visit(value, ())]
    if key == "type":
        types = [value] if isinstance(value, str) else list(value)
        if "integer" in types and "number" not in types:
            return None
        others = [name for name in TYPES if name not in types]
        return [{"type": others}] if others else []
    if key in ("enum", "const"):
        values = value if key == "enum" else [value]
        words = [word for word in values if isinstance(word, str)]
        if not all(isinstance(word, str | bool) or word is None for word in values):
            return None
        found: list[Any] = [{"type": ["number", "array", "object"]}]
        found.append({"type": "string", "pattern": unlike(words)} if words else {"type": "string"})
        if words:  # the engine may let an excluded word through beside an alternative that allows the word
            rewriter.doubt("not", "the engine may ignore excluded words among alternatives")
        found += [{"const": word} for word in (True, False, None) if not any(word is other for other in values)]
        return found
    if key == "required":
        return [{"type": "object", "properties": {name: False}} for name in value]
    if key == "properties":
        found = []
        for name, schema in value.items():
            against = negated(schema, rewriter, depth + 1)
            if against is None:
                return None
            if against is not False:
                found.append({"type": "object", "properties": {name: against}, "required": [name]})
        return found
    if key in ("anyOf", "allOf"):
        inner = [negated(branch, rewriter, depth + 1) for branch in value]
        if any(branch is None for branch in inner):
            return None
        return [{"allOf": inner}] if key == "anyOf" else inner
    turned = {
        "minimum": "exclusiveMaximum", "maximum": "exclusiveMinimum",
        "exclusiveMinimum": "maximum", "exclusiveMaximum": "minimum",
    }  # fmt: skip
    if key in turned:
        return [{"type": "number", turned[key]: value}]
    for name, kind in (("Length", "string"), ("Items", "array")):
        if key == f"min{name}":
            return [{"type": kind, f"max{name}": value - 1}] if value > 0 else []
        if key == f"max{name}":
            return [{"type": kind, f"min{name}": value + 1}]
    return None
