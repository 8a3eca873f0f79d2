"""The JSON Schema of a Pydantic type: by Pydantic's own writer, corrected where Pydantic reads something else."""

import enum
import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from structout.schema.aliases import CHOICES
from structout.schema.complexity import is_written
from structout.schema.references import resolve, subschemas

_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}


class Writer(GenerateJsonSchema):
    """Pydantic's JSON Schema writer, but with what Pydantic reads, and without what JSON cannot hold."""

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        """Write a type."""
        written = super().generate(schema, mode)
        _require_tags(written)
        return written

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Write a default, unless JSON cannot hold it: a default does not restrict documents."""
        written = super().default_schema(schema)
        if "default" in written and not is_written(written["default"]):
            del written["default"]
        return written

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Write a pattern with the flags of a compiled pattern."""
        written = super().str_schema(schema)
        pattern = schema.get("pattern")
        if isinstance(pattern, re.Pattern) and (
            flags := "".join(f for flag, f in _FLAGS.items() if pattern.flags & flag)
        ):
            written["pattern"] = f"(?{flags}){pattern.pattern}"
        return written

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """Write the members of an enumeration; of flags, the numbers that combine them."""
        written = super().enum_schema(schema)
        if issubclass(schema["cls"], enum.Flag) and "enum" in written:
            bits = [int(member.value) for member in schema["members"]]
            most = 0
            for bit in bits:
                most |= bit
            described = {key: value for key, value in written.items() if key in ("title", "description")}
            return {**described, "type": "integer", "minimum": 0, "maximum": most}
        return written

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Write a dict; keys are texts in JSON, whatever they are in Python."""
        written = super().dict_schema(schema)
        names = written.get("propertyNames")
        if isinstance(names, dict) and isinstance(names.get("$ref"), str):
            names = self.get_schema_from_definitions(names["$ref"])
        if isinstance(names, dict) and any(not isinstance(name, str) for name in names.get("enum", [])):
            texts = [name if isinstance(name, str) else json.dumps(to_jsonable_python(name)) for name in names["enum"]]
            written["propertyNames"] = {"enum": texts}
        return written

    def _named_required_fields_schema(self, named_required_fields: Sequence[tuple[str, bool, Any]]) -> JsonSchemaValue:
        config = self._config
        if self.mode == "validation" and config.validate_by_alias is False:  # Pydantic before 2.14 writes aliases here
            plain: Any = [
                (name, required, {key: value for key, value in field.items() if key != "validation_alias"})
                for name, required, field in named_required_fields
            ]
            return super()._named_required_fields_schema(plain)
        written = super()._named_required_fields_schema(named_required_fields)
        if self.mode != "validation":
            return written
        by_name = config.validate_by_name or config.populate_by_name
        choices: dict[str, str] = {}
        for name, required, field in named_required_fields:
            alias = field.get("validation_alias", name)
            paths = [[alias]] if isinstance(alias, str) else [alias] if isinstance(alias[0], str) else alias
            singles = [path[0] for path in paths if len(path) == 1 and isinstance(path[0], str)]
            if singles:
                others = [*singles[1:], *([name] if by_name else [])]
                choices |= {other: singles[0] for other in others if other != singles[0]}
            elif name in written["properties"] and all(isinstance(step, str) for step in paths[0]):
                _nest(written, name, paths[0], required=required)
        choices = {other: first for other, first in choices.items() if other not in written["properties"]}
        return {**written, CHOICES: choices} if choices else written


def _require_tags(written: JsonSchemaValue) -> None:
    """Require the tag of each member of a tagged union, even if the tag has a default: Pydantic reads the tag first.

    A definition that other places use too stays as it is, and the union gets a definition of its own.
    """
    nodes = [node for _, node in subschemas(written)]
    unions = [node for node in nodes if "oneOf" in node and isinstance(node.get("discriminator"), dict)]
    members = [(branch, node["discriminator"].get("propertyName")) for node in unions for branch in node["oneOf"]]
    uses = Counter(node["$ref"] for node in nodes if isinstance(node.get("$ref"), str))
    tagged = Counter((branch["$ref"], tag) for branch, tag in members if isinstance(branch.get("$ref"), str))
    for branch, tag in members:
        reference = branch.get("$ref")
        own = branch if reference is None else resolve(written, reference)
        if not isinstance(own, dict) or tag not in own.get("properties", {}) or tag in own.get("required", ()):
            continue
        names = [name for name in own["properties"] if name in {tag, *own.get("required", ())}]
        if reference is None or tagged[reference, tag] == uses[reference]:
            own["required"] = names
        else:
            branch["$ref"] = f"{reference}_with_{re.sub('[^a-zA-Z0-9]', '_', tag)}"
            written["$defs"][branch["$ref"].rpartition("/")[2]] = {**own, "required": names}


def _nest(written: dict[str, Any], name: str, path: list[str], *, required: bool) -> None:
    """Move a property to the end of the path that Pydantic reads it from."""
    inner = written["properties"].pop(name)
    if name in written.get("required", []):
        written["required"].remove(name)
    node = written
    for step in path[:-1]:
        node["properties"].setdefault(step, {"type": "object", "properties": {}})
        if required and step not in node.setdefault("required", []):
            node["required"].append(step)
        node = node["properties"][step]
        node.setdefault("properties", {})
    node["properties"][path[-1]] = inner
    if required and path[-1] not in node.setdefault("required", []):
        node["required"].append(path[-1])
    if not written.get("required", True):
        del written["required"]
