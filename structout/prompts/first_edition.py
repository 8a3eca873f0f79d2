"""The rendering of structout 0.1: a run or an adapter that began with it goes on with it.

The module shares no code with `typescript`: a later change there must not alter a prompt of 0.1.
"""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from structout.schema.references import resolve

_TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "null": "null"}
_BOUNDS = {
    "minimum": ">= {}",
    "maximum": "<= {}",
    "exclusiveMinimum": "> {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": ">= {} characters",
    "maxLength": "<= {} characters",
    "minItems": ">= {} items",
    "maxItems": "<= {} items",
    "pattern": "matches {}",
    "format": "{}",
}


class TypeScript:
    """Writes one schema: definitions that are used once in place, other definitions by name."""

    def __init__(self, root: dict[str, Any] | bool) -> None:
        self._root = root
        self._uses = Counter(_references(root))
        self._named: dict[str, str] = {}
        self._open: set[str] = set()

    def text(self) -> str:
        """The whole schema."""
        body = self._type(self._root)
        about = _description(self._root)
        named = [f"type {_name(ref)} = {text}" for ref, text in self._named.items()]
        return "\n".join([*([f"// {about}"] if about else []), *named, body])

    def _type(self, node: Any) -> str:
        if not isinstance(node, dict):
            return "any" if node else "never"
        if "$ref" in node:
            return self._reference(node["$ref"])
        if "const" in node:
            return json.dumps(node["const"], ensure_ascii=False)
        if "enum" in node:
            return " | ".join(json.dumps(value, ensure_ascii=False) for value in node["enum"])
        for key, sign in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
            if node.get(key):
                return sign.join(dict.fromkeys(self._type(branch) for branch in node[key]))
        kind = node.get("type", "object" if "properties" in node else "array" if "items" in node else None)
        if isinstance(kind, list):
            return " | ".join(self._type({**node, "type": one}) for one in kind)
        if kind == "array":
            return self._array(node)
        if kind == "object":
            return self._object(node)
        return _TYPES.get(kind or "", "any")

    def _reference(self, ref: str) -> str:
        if ref in self._named:
            return _name(ref)
        if ref == "#" or ref in self._open:
            return _name(ref)  # recursive: it is written where it began
        self._open.add(ref)
        text = self._type(resolve(self._root, ref))
        self._open.discard(ref)
        if self._uses[ref] > 1 or _name(ref) in text:
            self._named[ref] = text
            return _name(ref)
        return text

    def _array(self, node: dict[str, Any]) -> str:
        if node.get("prefixItems"):
            return "[" + ", ".join(self._type(item) for item in node["prefixItems"]) + "]"
        item = self._type(node.get("items", True))
        return f"({item})[]" if " | " in item and not item.startswith("{") else f"{item}[]"

    def _object(self, node: dict[str, Any]) -> str:
        required = set(node.get("required", []))
        lines = []
        for key, value in node.get("properties", {}).items():
            name = key if key.isidentifier() else json.dumps(key, ensure_ascii=False)
            note = self._note(value)
            optional = "" if key in required else "?"
            lines.append(f"{name}{optional}: {self._type(value)}{'  // ' + note if note else ''}")
        extra = node.get("additionalProperties")
        if isinstance(extra, dict) or (not lines and extra is not False):
            lines.append(f"[key: string]: {self._type(extra if isinstance(extra, dict) else True)}")
        inner = "\n".join("  " + line for text in lines for line in text.split("\n"))
        return f"{{\n{inner}\n}}" if lines else "{}"

    def _note(self, node: Any) -> str:
        branches = node.get("anyOf", []) if isinstance(node, dict) else []
        bounds = [text for one in (node, *branches) for text in self._bounds(one)]
        return "; ".join([*([_description(node)] if _description(node) else []), *dict.fromkeys(bounds)])

    def _bounds(self, node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, text in _BOUNDS.items():
                if node.get("minLength") == 1 and key == "minLength":
                    yield "not empty"
                elif key in node:
                    yield text.format(node[key])


def _description(node: Any) -> str:
    return " ".join(str(node.get("description", "")).split()) if isinstance(node, dict) else ""


def _name(ref: str) -> str:
    return ref.rsplit("/", 1)[-1] if ref != "#" else "Document"


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
