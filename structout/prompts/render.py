"""Schemas as models read them: as JSON Schema, as a compact TypeScript-like type, or as an example."""

import json
from typing import Any, Literal

from structout import defaults
from structout.document import Json
from structout.errors import SchemaError
from structout.prompts import first_edition, typescript
from structout.schema import Schema
from structout.schema.references import resolve

Show = Literal["json_schema", "typescript", "example", "none", "brief"]
_MOST_VALUES = 10_000  # in an example


def render(schema: Schema[Any], show: Show, edition: int = defaults.EDITION) -> str:
    """The schema as text for a model, in the form `show`; `none` and `brief` give an empty text.

    `edition` is the edition of the prompt. Raises `SchemaError` for a schema that
    cannot be shown in this form.
    """
    try:
        if show == "json_schema":
            return json.dumps(schema.json_schema, ensure_ascii=False)
        if show == "typescript":
            writer = first_edition.TypeScript if edition == 1 else typescript.TypeScript
            return writer(schema.json_schema).text()
        if show == "example":
            return json.dumps(_Example(schema.json_schema).value(schema.json_schema), ensure_ascii=False)
    except RecursionError as error:
        problem = f"{schema.name} is too deep to be shown as {show}"
        raise SchemaError(problem, hint="use show='json_schema', which writes any schema") from error
    return ""


class _Example:
    """Makes an example document for one schema; each text is a placeholder that describes its content."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._values = 0

    def value(self, node: Any, seen: tuple[str, ...] = ()) -> Json:
        """The example for a subschema; `seen` are the references that led to it."""
        self._values += 1
        if self._values > _MOST_VALUES:
            problem = f"an example of the schema has more than {_MOST_VALUES:,} values"
            raise SchemaError(problem, hint="use show='typescript' or 'json_schema', which write each definition once")
        if not isinstance(node, dict):
            return None
        if "$ref" in node:
            ref = node["$ref"]
            return None if ref in seen else self.value(resolve(self._root, ref), (*seen, ref))
        for key in ("examples", "enum"):
            if node.get(key):
                return node[key][0]  # type: ignore[no-any-return]
        if "const" in node:
            return node["const"]  # type: ignore[no-any-return]
        for key in ("anyOf", "oneOf", "allOf"):
            if node.get(key):
                return self.value(node[key][0], seen)
        kind = node.get("type", "object" if "properties" in node else None)
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {key: self.value(value, seen) for key, value in node.get("properties", {}).items()}
        if kind == "array":
            items = node.get("prefixItems") or [node.get("items", True)]
            return [self.value(item, seen) for item in items]
        if kind == "string":
            return node.get("format") or f"<{typescript.description(node) or 'text'}>"
        return {"integer": 0, "number": 0.0, "boolean": False}.get(kind or "")
