"""The rewrites of a schema for a provider: looser, or in strict form; with what only validation checks afterwards."""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final

from structout.schema.closing import closed
from structout.schema.keywords import RESTRICTING
from structout.schema.provider_rules import nodes
from structout.schema.references import target
from structout.schema.strict_form import strictified
from structout.schema.strict_parts import AS_JSON

# Keywords that shape a document: a schema without one of them would mean other documents.
_SHAPING: Final = frozenset({
    "$ref", "type", "properties", "required", "items", "prefixItems", "additionalProperties", "additionalItems",
    "patternProperties", "enum", "const", "anyOf", "oneOf", "allOf",
})  # fmt: skip
_LIMITING: Final = RESTRICTING - _SHAPING
_RENAMED: Final = {"minProperties": "minItems", "maxProperties": "maxItems"}  # in the strict form of a map
_WITHIN: Final = ("not", "if", "then", "else", "dependentSchemas", "contains")  # what they hold is reported as a whole


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A rewrite of a schema: what changes, in words, and what only validation of the document checks afterwards.

    `only_validated` holds JSON Pointers into the schema before the rewrite, each with its keyword.
    """

    changes: tuple[str, ...]
    only_validated: tuple[tuple[str, str], ...]
    schema: dict[str, Any]

    def compared(self, before: Any, ignored: Iterable[tuple[str, str]]) -> "Rewrite":
        """The same rewrite with `only_validated`. `ignored` names places after the rewrite that are not enforced."""
        skipped = set(ignored)
        kept = {
            (keyword, json.dumps(value, sort_keys=True))
            for place, node in nodes(self.schema)
            for keyword, value in node.items()
            if (place, keyword) not in skipped
        }
        lost: list[tuple[str, str]] = []
        for place, node in nodes(before):
            if any(place.startswith(f"{at}/{keyword}") for at, keyword in lost if keyword in _WITHIN):
                continue
            for keyword, value in node.items():
                written = json.dumps(value, sort_keys=True)
                names = (keyword, _RENAMED.get(keyword, keyword))
                is_limit = keyword in _LIMITING and keyword != "propertyNames"
                if (is_limit or keyword == "oneOf") and not any((name, written) in kept for name in names):
                    lost.append((place, keyword))
        return replace(self, only_validated=tuple(lost))


def loosened(schema: Any, rejected: Iterable[tuple[str, str]]) -> Rewrite:
    """A schema that means the same kind of document, without what is rejected, as far as that is possible.

    `rejected` holds JSON Pointers, each with its keyword. Keywords that limit values are left out, objects are closed
    that say nothing of other keys, oneOf becomes anyOf, and a $ref moves away from the keywords beside it.
    """
    made, changes, left_out = deepcopy(schema), [], []
    refused = list(rejected)
    for place, keyword in refused:
        node = target(made, place)
        if not isinstance(node, dict) or keyword not in node:
            continue
        if keyword in _LIMITING or keyword == "default":
            del node[keyword]
            left_out.append(keyword)
        elif keyword == "oneOf" and "anyOf" not in node:
            node["anyOf"] = node.pop("oneOf")
            node.pop("discriminator", None)  # of OpenAPI, which knows it beside oneOf
            changes.append("oneOf becomes anyOf")
        elif keyword == "$ref" and len(node) > 1 and "anyOf" not in node:
            node["anyOf"] = [{"$ref": node.pop("$ref")}]
            changes.append("a $ref beside other keywords moves into anyOf")
    shut = closed(made) if any(keyword == "additionalProperties" for _, keyword in refused) else made
    if shut is not made:
        changes.append("objects are closed: additionalProperties is false")
    if left_out:
        changes.append(f"left out: {', '.join(dict.fromkeys(left_out))}")
    return Rewrite(tuple(dict.fromkeys(changes)), (), shut)


def restated(schema: Any) -> Rewrite:
    """The strict form of a schema (see `strict_form`): answers in it are read back as documents of the schema."""
    form = strictified(schema)
    changes = ["the document becomes the value of the key `value`"] if form.is_wrapped else []
    told = {
        "optional keys become required, and may be null": _has_optional,
        "objects with keys of any name become lists of pairs, key and value": _has_other_keys,
        "lists with a schema for each position become objects": lambda node: "prefixItems" in node,
        "defaults are left out": lambda node: "default" in node,
        "oneOf becomes anyOf": lambda node: "oneOf" in node,
    }
    found = [node for _, node in nodes(schema)]
    changes += [change for change, applies in told.items() if any(map(applies, found))]
    if any(node.items() >= AS_JSON.items() for _, node in nodes(form.schema)):
        changes.append("values that a strict form cannot describe become texts that hold JSON, and are only validated")
    return Rewrite((*changes, "objects are closed: additionalProperties is false"), (), form.schema)


def _has_optional(node: Mapping[str, Any]) -> bool:
    return not node.get("properties", {}).keys() <= set(node.get("required", ()))


def _has_other_keys(node: Mapping[str, Any]) -> bool:
    is_map = node.get("type") == "object" and "properties" not in node and node.get("additionalProperties") is not False
    return is_map or "patternProperties" in node or node.get("additionalProperties", False) not in (False, None)
