"""BAML's schema-aligned parsing as a peer: JSON Schemas as BAML types, as far as they go."""

import json
import re
import types
from typing import Any

from pydantic import BaseModel, ConfigDict

_CLIENT = """client<llm> Nobody {
  provider openai
  options {
    model "none"
    api_key "none"
  }
}
"""
_SCALARS = {"string": "string", "integer": "int", "number": "float", "boolean": "bool", "null": "null"}
_IGNORED = frozenset(
    [
        "$schema",
        "$id",
        "id",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "$ref",
        "definitions",
        "$defs",
        "additionalProperties",
        "format",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "multipleOf",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "discriminator",
        "$comment",
        "readOnly",
        "deprecated",
        "minProperties",
    ]
)


class UnsupportedError(Exception):
    """BAML has no type for this part of a schema."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Writer:
    """Writes one schema as classes, `prefix` before each name."""

    def __init__(self, prefix: str, root: Any) -> None:
        self.prefix = prefix
        self.root = root
        self.classes: list[str] = []
        self.named: dict[str, str] = {}
        self.keys: dict[str, str] = {}  # the fields of all classes, each of another name, and their keys

    def type_of(self, node: Any, depth: int = 0) -> str:
        if not isinstance(node, dict) or depth > 12 or node.keys() - _IGNORED:
            raise UnsupportedError
        if "$ref" in node:
            return self._reference(node["$ref"], depth)
        if "const" in node:
            return self._literals([node["const"]])
        if "enum" in node:
            return self._literals(node["enum"])
        for word in ("anyOf", "oneOf"):
            if word in node:
                if "properties" in node:
                    raise UnsupportedError
                return "(" + " | ".join(self.type_of(branch, depth + 1) for branch in node[word]) + ")"
        names = node.get("type")
        if isinstance(names, list):
            return "(" + " | ".join(self.type_of({**node, "type": name}, depth + 1) for name in names) + ")"
        if names in _SCALARS:
            return _SCALARS[names]
        if names == "array":
            return f"({self.type_of(node.get('items'), depth + 1)})[]"
        if names == "object" or "properties" in node:
            return self._object(node, depth)
        raise UnsupportedError

    def _reference(self, reference: str, depth: int) -> str:
        if reference in self.named:
            return self.named[reference]
        node = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        if not isinstance(node, dict) or not reference.startswith("#/") or depth > 10:
            raise UnsupportedError
        if "properties" in node:
            self.named[reference] = f"{self.prefix}{len(self.named) + 500}"
            return self._object(node, depth, self.named[reference])
        return self.type_of(node, depth + 1)

    @staticmethod
    def _literals(values: list[Any]) -> str:
        if not all(isinstance(value, str | bool | int) or value is None for value in values) or len(values) > 80:
            raise UnsupportedError
        if any(isinstance(value, str) and re.search(r'["\\\n{]', value) for value in values):
            raise UnsupportedError
        return "(" + " | ".join(json.dumps(value, ensure_ascii=False) for value in values) + ")"

    def _object(self, node: dict[str, Any], depth: int, name: str | None = None) -> str:
        properties = node.get("properties") or {}
        if not properties:
            other = node.get("additionalProperties")
            if isinstance(other, dict) and other:
                return f"map<string, {self.type_of(other, depth + 1)}>"
            raise UnsupportedError
        name = name or f"{self.prefix}{len(self.classes)}x{depth}"
        self.classes.append("")
        place = len(self.classes) - 1
        lines, required = [], set(node.get("required") or ())
        for index, (key, inner) in enumerate(properties.items()):
            if re.search(r'["\\\n{}]', key):
                raise UnsupportedError
            optional = "" if key in required else "?"
            self.keys[f"f{name}x{index}"] = key
            lines.append(
                f"  f{name}x{index} {self.type_of(inner, depth + 1)}{optional}"
                f" @alias({json.dumps(key, ensure_ascii=False)})"
            )
        self.classes[place] = f"class {name} {{\n" + "\n".join(lines) + "\n}\n"
        return name


class Baml:
    """The peer: made of many schemas at once, since a runtime takes long to build."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        from baml_py import BamlRuntime

        self.functions: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        source = [_CLIENT]
        for index, (name, schema) in enumerate(schemas.items()):
            writer = _Writer(f"T{index}N", schema)
            try:
                result = writer.type_of(schema)
            except UnsupportedError:
                continue
            piece = "".join(writer.classes) + (
                f"function F{index}(t: string) -> {result} {{\n  client Nobody\n"
                '  prompt #"{{ t }} {{ ctx.output_format }}"#\n}\n'
            )
            try:  # alone first, so that one schema which BAML refuses does not take the others with it
                BamlRuntime.from_files("baml_src", {"baml_src/main.baml": _CLIENT + piece}, {})
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                continue
            source.append(piece)
            self.functions[name] = f"F{index}"
            self._keys |= writer.keys
        self._runtime = BamlRuntime.from_files("baml_src", {"baml_src/main.baml": "".join(source)}, {})
        self._context = self._runtime.create_context_manager()
        self._enums = types.ModuleType("enums")

    def parse(self, name: str, text: str) -> Any:
        """What BAML makes of a text; raises what it raises."""
        found = self._runtime.parse_llm_response(
            self.functions[name], text, self._enums, _RECORDS, _RECORDS, False, self._context, None, None, {}
        )
        return self._plain(found)

    def _plain(self, value: Any) -> Any:
        """Plain JSON with its own keys; an absent optional, which BAML fills in with None, is left out."""
        if isinstance(value, BaseModel):
            value = value.__pydantic_extra__ or {}
            return {self._keys.get(key, key): self._plain(item) for key, item in value.items() if item is not None}
        if isinstance(value, dict):
            mine = any(key in self._keys for key in value)
            return {
                self._keys.get(key, key): self._plain(item)
                for key, item in value.items()
                if item is not None or not mine
            }
        if isinstance(value, list | tuple):
            return [self._plain(item) for item in value]
        return value


class _Records(types.ModuleType):
    """The module that BAML looks its classes up in: all of them are a record of anything."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return _Record


_RECORDS = _Records("records")
