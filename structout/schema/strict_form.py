"""The strict form of a schema: the form that the strict modes of providers take, with the way back.

Strict modes (OpenAI's structured outputs, and others after it) want an object at the root, closed objects, every key
required, no defaults, and few other keywords. An answer in strict form means a document of the schema:

- null for an optional key whose value cannot be null means that the document has no such key;
- an object with keys of any name becomes a list of pairs, a tuple an object with a key for each position;
- a value that strict modes cannot describe becomes a string that holds JSON;
- a schema whose root is not an object becomes an object with the key `value`.

Keywords that strict modes do not take are left out: the document is validated afterwards.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain, count
from typing import Any, Final

import jsonschema_rs

from structout.document import Json, read_json
from structout.errors import SchemaError
from structout.schema.keywords import with_exclusive_bounds
from structout.schema.merged import BESIDE, JUDGED, LEFT_OUT, QUIET, merged
from structout.schema.references import local, place_of, refuse, target
from structout.schema.strict_parts import (
    AsJson,
    Choice,
    Items,
    Member,
    Members,
    Pairs,
    Part,
    Plain,
    Reference,
    Row,
    ambiguous,
    closed,
    resolved,
    same,
)
from structout.schema.walk import kind_of, kinds_of

_FORMATS: Final = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_KEYWORDS: Final = {  # keywords that tell the type of the values that they are meant for
    "object": ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("pattern", "format", "minLength", "maxLength"),
    "number": _NUMBERS,
}
_COMBINED: Final = ("$ref", "allOf", "anyOf", "oneOf")
_ON_KEYS: Final = ("properties", "patternProperties", "propertyNames", *JUDGED)  # what judges a key and its value
_NULL: Final = Plain({"type": "null"}, "null")


@dataclass(frozen=True)
class StrictForm:
    """A schema in strict form: `schema` is sent to a provider, `document` reads what comes back."""

    schema: dict[str, Any]
    part: Part
    is_wrapped: bool

    def document(self, answer: Json) -> Json:
        """The document that an answer means. Raises `ValueError` for an answer in another form."""
        try:
            if not self.is_wrapped:
                return self.part.document(answer)
            if not isinstance(answer, dict) or answer.keys() != {"value"}:
                raise ValueError("an answer needs the key value, and no other key")
            return self.part.document(answer["value"])
        except RecursionError as error:
            raise ValueError("nested too deep") from error

    def answer(self, document: Json) -> Json:
        """The answer that means a document. Raises `ValueError` for a document that the form cannot express."""
        try:
            made = self.part.answer(document)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
        return {"value": made} if self.is_wrapped else made

    def text(self, answer: str) -> str:
        """An answer's text as the text of its document; the same text if it has another form, or needs no change."""
        try:
            read = read_json(answer)
            found = json.loads(answer, parse_float=_Number)
            document = self.document(found)
        except ValueError:
            return answer
        return answer if same(read, document) else _text(document)


def strictified(schema: Any) -> StrictForm:
    """The strict form of a JSON Schema. Raises `SchemaError` for a schema that is nested too deep.

    >>> form = strictified({"type": "object", "additionalProperties": {"type": "integer"}})
    >>> form.text('{"value": [{"key": "a", "value": 1}]}')
    '{"a": 1}'
    """
    try:
        return _Builder(local(schema)).form()
    except RecursionError as error:
        raise SchemaError("the schema is nested too deep for a strict form", hint="nest it less") from error


class _Builder:
    """Builds the parts of one schema."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._parts: dict[str, Part] = {}  # by place
        self._names: dict[str, str] = {}  # by place
        self.definitions: dict[str, Any] = {}

    def form(self) -> StrictForm:
        part = self._part(self._root)
        while isinstance(part, Reference):
            part = self._parts[part.place]
        is_wrapped = part.schema.get("type") != "object"
        schema = closed({"value": part.schema}) if is_wrapped else part.schema
        used = _reached(schema, self.definitions)
        return StrictForm({**schema, **({"$defs": used} if used else {})}, part, is_wrapped)

    def _part(self, node: Any) -> Part:
        if not isinstance(node, Mapping) or LEFT_OUT.issuperset(node):
            return AsJson()
        node = with_exclusive_bounds(node)
        if any(key in node for key in _COMBINED):
            return self._combined(node)
        if "const" in node or "enum" in node:
            return self._values(node["enum"] if "enum" in node else [node["const"]])
        types = node.get("type")
        if isinstance(types, list):
            return self._choice([{**node, "type": one} for one in types])
        kind = types or next((kind for kind, keys in _KEYWORDS.items() if any(key in node for key in keys)), "")
        if kind == "object":
            return self._object(node)
        if kind == "array":
            return self._array(node)
        if kind in ("string", "number", "integer", "boolean", "null"):
            return Plain(_plain(node, kind), "number" if kind == "integer" else kind)
        return AsJson()

    def _combined(self, node: Mapping[str, Any]) -> Part:
        """A part for a schema that refers to others, or combines them."""
        own = {key: value for key, value in node.items() if key not in QUIET}
        if own.keys() == {"$ref"}:
            return self._reference(node["$ref"])
        if own.keys() <= {"anyOf"} or own.keys() <= {"oneOf"}:
            return self._choice(next(iter(own.values())), is_exclusive="oneOf" in own)
        if own.keys() == {"allOf"} and len(own["allOf"]) == 1:
            return self._part(own["allOf"][0])
        return self._defined(f"merged {json.dumps(own, sort_keys=True)}", "merged", lambda: self._together(node))

    def _together(self, node: Mapping[str, Any]) -> Part:
        """A part for values that have several schemas."""
        made = merged([node], self._root)
        if made is None:
            return AsJson()
        branches = made.pop("anyOf", None)
        if branches is None:
            return self._part(made)
        together = [merged([made, branch], self._root) for branch in branches]
        return AsJson() if None in together else self._choice(together, is_exclusive="oneOf" in node)

    def _reference(self, reference: Any) -> Part:
        place = place_of(reference) if isinstance(reference, str) and reference[:1] == "#" else None
        node = target(self._root, place) if place is not None else None
        if place is None or node is None:
            return AsJson()
        seen = {place}
        while isinstance(node, Mapping) and node.keys() - QUIET == {"$ref"}:
            place = place_of(node["$ref"])
            if place in seen:
                return AsJson()
            seen.add(place)
            node = target(self._root, place)
        return self._defined(place, place.rpartition("/")[2], lambda: self._part(node))

    def _defined(self, place: str, name: str, build: Callable[[], Part]) -> Part:
        """A reference to a part that is built once, also if it contains itself."""
        if place not in self._names:
            named = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:60] or "document"
            self._names[place] = _free(named, self._names.values())
            part = build()
            end: Part | None = part
            while isinstance(end, Reference) and end.place != place:
                end = self._parts.get(end.place)
            part = AsJson() if isinstance(end, Reference) else part  # a schema that only refers to itself says nothing
            self._parts[place] = part
            self.definitions[self._names[place]] = part.schema
        return Reference(self._names[place], place, self._parts)

    def _choice(self, branches: Iterable[Any], *, is_exclusive: bool = False) -> Part:
        parts = [self._part(branch) for branch in branches if branch is not False]
        if is_exclusive and sum(map(self._takes_null, parts)) > 1:  # null would have two branches, which oneOf rejects
            parts = [one for part in parts if (one := self._without_null(part)) is not None]
        if not parts or (len(parts) > 1 and ambiguous(parts)):
            return AsJson()
        return parts[0] if len(parts) == 1 else Choice(parts, self.definitions)

    def _without_null(self, part: Part) -> Part | None:
        """The part for all values but null; None if no value is left."""
        found = resolved(part)
        if isinstance(found, Choice):
            parts = [one for inner in found.parts if (one := self._without_null(inner)) is not None]
            return Choice(parts, self.definitions) if parts else None
        return None if found is not None and found.schema == _NULL.schema else part

    def _values(self, values: list[Json]) -> Part:
        """A part for a list of values: one enumeration for each type."""
        kinds = list(dict.fromkeys("integer" if _is_whole(value) else kind_of(value) for value in values))
        if not values or any(kind in ("object", "array") for kind in kinds):
            return AsJson(values)
        parts: list[Part] = []
        for kind in kinds:
            these = [one for one in values if ("integer" if _is_whole(one) else kind_of(one)) == kind]
            told = {"type": kind} if kind == "null" else {"type": kind, "enum": these}
            parts.append(Plain(told, "number" if kind == "integer" else kind))
        return parts[0] if len(parts) == 1 else Choice(parts, self.definitions)

    def _array(self, node: Mapping[str, Any]) -> Part:
        first, others = node.get("prefixItems"), node.get("items", True)
        if first is None and isinstance(others, list):  # before draft 2020-12
            first, others = others, node.get("additionalItems", True)
        least, most = node.get("minItems", 0), node.get("maxItems")
        bounds = {key: node[key] for key in ("minItems", "maxItems") if key in node}
        if not first:
            return Items(self._part(others), bounds)
        if least < len(first):
            return AsJson()
        further = None if others is False or most == len(first) else Items(self._part(others), {})
        return Row([self._part(one) for one in first], further)

    def _object(self, node: Mapping[str, Any]) -> Part:
        declared = {key: one for key, one in node.get("properties", {}).items() if one is not False}
        required = set(node.get("required", ()))
        others, patterns = node.get("additionalProperties"), node.get("patternProperties", {})
        for key in sorted(required - node.get("properties", {}).keys()):
            declared[key] = next((one for one in (others,) if isinstance(one, Mapping)), True)
        if not declared:
            if others is False and not patterns:
                return Members({})
            return self._pairs(node, {} if others is None else others, patterns)
        may_be_null = self._null_judge(node)
        members = {
            key: self._member(one, key, is_required=key in required, may_be_null=may_be_null)
            for key, one in declared.items()
        }
        if (others is None or others is False) and not patterns:
            return Members(members)
        return Members(members, self._pairs({}, others, patterns), _free("other_keys", members))

    def _null_judge(self, node: Mapping[str, Any]) -> Callable[[str], bool]:
        """Tells whether null is a value of a key whose types include null: not where the null, but not the absent key,
        breaks another keyword. Where `maxProperties` counts the keys, null always means that the key is absent.
        """
        if "maxProperties" in node:
            return lambda key: False

        @cache
        def judge() -> jsonschema_rs.Validator | None:
            definitions = {key: self._root[key] for key in ("$schema", "$defs", "definitions") if key in self._root}
            own = {key: node[key] for key in _ON_KEYS if key in node}
            beside = {"allOf": node[BESIDE]} if BESIDE in node else {}
            try:
                return jsonschema_rs.validator_for({**definitions, **own, **beside}, retriever=refuse)
            except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
                return None

        def is_value(key: str) -> bool:
            one = None if _says_types_alone(node, key) else judge()
            return one is None or one.is_valid({key: None}) or not one.is_valid({})

        return is_value

    def _member(self, node: Any, key: str, *, is_required: bool, may_be_null: Callable[[str], bool]) -> Member:
        part = self._part(node)
        takes_null = (
            not is_required and "null" in kinds_of(node, self._root) and self._takes_null(part) and may_be_null(key)
        )
        default = node.get("default") if isinstance(node, Mapping) else None
        return Member(part, is_required, not is_required and not takes_null, default)

    def _takes_null(self, part: Part) -> bool:
        """Whether null may be an answer; true for a part that is still being built."""
        while isinstance(part, Reference):
            if part.place not in self._parts:
                return True
            part = self._parts[part.place]
        if isinstance(part, Choice):
            return any(map(self._takes_null, part.parts))
        return bool(part.schema["type"] == "null")

    def _pairs(self, node: Mapping[str, Any], others: Any, patterns: Mapping[str, Any]) -> Pairs:
        values = [*patterns.values(), *([others] if not (patterns and others is None) and others is not False else [])]
        values = list({json.dumps(one, sort_keys=True): one for one in values}.values())
        key: dict[str, Any] = {"type": "string"}
        if len(patterns) == 1 and others in (None, False):
            key = _plain({"pattern": next(iter(patterns))}, "string")
        elif isinstance(node.get("propertyNames"), Mapping):
            named = self._part(node["propertyNames"])
            text = self._parts.get(named.place) if isinstance(named, Reference) else named
            key = named.schema if isinstance(text, Plain) and text.kind == "string" else key
        names = {"minProperties": "minItems", "maxProperties": "maxItems"}
        bounds = {short: node[name] for name, short in names.items() if name in node}
        return Pairs(key, self._choice(values), bounds, tuple(patterns) if others is None else ())


def _says_types_alone(node: Mapping[str, Any], key: str) -> bool:
    """Whether a key has types alone, such as Pydantic's `int | None`. Its null then needs no validator."""
    declared = node.get("properties", {}).get(key)
    if not isinstance(declared, Mapping) or any(one in node for one in (*_ON_KEYS[1:], BESIDE)):
        return False
    own = declared.keys() - {"title", "description", "default", "examples"}
    return own == {"type"} or (own == {"anyOf"} and {"type": "null"} in declared["anyOf"])


def _free(name: str, taken: Collection[str]) -> str:
    """The name, or the name with a number, that is not taken."""
    return next(one for one in chain([name], (f"{name}_{n}" for n in count(2))) if one not in taken)


def _plain(node: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The keywords that strict modes take of a schema for a string, a number, a boolean or null."""
    made: dict[str, Any] = {"type": kind}
    if isinstance(node.get("description"), str):
        made["description"] = node["description"]
    if kind == "string" and node.get("format") in _FORMATS:
        made["format"] = node["format"]
    if kind == "string" and isinstance(node.get("pattern"), str) and _is_anchored(node["pattern"]):
        made["pattern"] = node["pattern"]
    if kind in ("integer", "number"):
        made |= {key: node[key] for key in _NUMBERS if key in node}
    return made


def _is_anchored(pattern: str) -> bool:
    """Whether a pattern describes the whole text, without lookarounds: some strict modes take no other pattern, and
    some match every pattern with the whole text.
    """
    plain = re.sub(r"\\.|\[[^\]]*\]", "", pattern, flags=re.DOTALL)  # without escapes and classes
    if not (plain.startswith("^") and plain.endswith("$")) or "(?" in plain:
        return False
    while plain != (shorter := re.sub(r"\([^()]*\)", "", plain)):
        plain = shorter
    return "|" not in plain


def _is_whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _reached(schema: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions that a schema refers to, directly or by others."""
    found: dict[str, Any] = {}
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in found:
                found[name] = definitions[name]
                stack.append(definitions[name])
            stack += node.values()
        elif isinstance(node, list):
            stack += node
    return found


class _Number(float):
    """A number with its text, so that no digit is lost when it is written again."""

    def __new__(cls, text: str) -> "_Number":
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


def _text(document: Json) -> str:
    if isinstance(document, dict):
        return (
            "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {_text(document[key])}" for key in document) + "}"
        )
    if isinstance(document, list):
        return "[" + ", ".join(map(_text, document)) + "]"
    return document.text if isinstance(document, _Number) else json.dumps(document, ensure_ascii=False)
