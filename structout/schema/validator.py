"""What judges documents by a JSON Schema, and says what is wrong with them."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import Any, cast
from urllib.parse import unquote

import jsonschema_rs

from structout.document import DEEPEST, Json, depth_and_size
from structout.errors import SchemaError
from structout.issue import Issue, IssueKind, pointer
from structout.schema.complexity import Complexity
from structout.schema.formats import formats_for
from structout.schema.references import DATA, NAMED, fragment_of, refuse, target

_KINDS: dict[str, IssueKind] = {
    "required": "missing",
    "dependentRequired": "missing",
    "additionalProperties": "unexpected",
    "unevaluatedProperties": "unexpected",
    "propertyNames": "unexpected",
    "additionalItems": "unexpected",
    "unevaluatedItems": "unexpected",
    "falseSchema": "unexpected",
    "type": "type",
    "enum": "enum",
    "const": "enum",
    "minimum": "range",
    "maximum": "range",
    "exclusiveMinimum": "range",
    "exclusiveMaximum": "range",
    "multipleOf": "range",
    "minLength": "length",
    "maxLength": "length",
    "minItems": "length",
    "maxItems": "length",
    "minProperties": "length",
    "maxProperties": "length",
    "pattern": "pattern",
    "format": "format",
    "anyOf": "union",
    "oneOf": "union",
}
_LONGEST_MESSAGE = 200
_MOST_ISSUES = 1_000
_MOST_WORK = 100_000  # subschemas that all values of a document together may be held against one by one
_MANY = 500  # subschemas that one value is held against
_MOST_ERRORS = 500_000  # copies of values in the errors of a document, each of which holds a value
_ADDRESS = "structout:/schema"
_REMEMBERED = "x-remembered"  # the keyword that stands for a $ref where verdicts are remembered
_OLD = ("draft-04", "draft-06", "draft-07")  # in which nothing beside a $ref counts
_NOTHING = jsonschema_rs.Registry([("urn:nothing", {})])  # a registry that holds something fetches nothing
Formats = dict[str, Callable[[str], bool]]
# Patterns run on a linear-time engine; only those with look-around need the backtracking one, on a short leash.
_LINEAR = jsonschema_rs.RegexOptions()
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000)


Errors = list[jsonschema_rs.ValidationError]


class Validator:
    """Judges documents by one JSON Schema, in a time that is bounded by their size and the schema's.

    The common way holds a document against each subschema that a reference leads to. Where that could take too many
    steps (see `Complexity`), what was found for a value and a reference is remembered instead. `pydantic` says that a
    Pydantic type wrote the schema. Raises `SchemaError` for what is no JSON Schema; `check_form` must have passed it.
    """

    def __init__(self, json_schema: Any, *, pydantic: bool) -> None:
        self._schema = json_schema
        self._complexity = Complexity(json_schema)
        self._steep = self._complexity.is_steep()
        self._whole, self._formats = _checked(json_schema, pydantic=pydantic)

    def is_valid(self, document: Json) -> bool:
        """Whether a document complies; False as well if it is too deep to tell, or a text in it is not Unicode."""
        try:
            if self._is_light(document, ""):
                return bool(self._whole.is_valid(document))
            return self._remembering is not None and self._remembering.is_valid(document, "")
        except UnicodeEncodeError:
            return False

    def part(self, place: str) -> Callable[[Json], bool] | None:
        """What tells whether a value complies with the part of the schema at a JSON Pointer; None if that part cannot
        be judged by itself.
        """
        if self._complexity.is_large and (remembering := self._remembering):
            return lambda value: remembering.is_valid(value, place)
        reference = {"$ref": _ADDRESS + fragment_of(place)}
        if isinstance(self._schema, dict) and isinstance(self._schema.get("$schema"), str):
            reference["$schema"] = self._schema["$schema"]
        try:
            plain = jsonschema_rs.validator_for(
                reference, validate_formats=True, formats=self._formats, registry=self._registry
            ).is_valid
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
            return None
        if not self._steep:
            return plain

        def is_valid(value: Json) -> bool:
            if self._is_light(value, place):
                return plain(value)
            return self._remembering is not None and self._remembering.is_valid(value, place)

        return is_valid

    def errors(self, document: Json) -> Iterable[jsonschema_rs.ValidationError]:
        """What the schema says against a document, error by error; nothing where that could take too long."""
        is_cheap = self._is_light(document, "") and not self._says_much(document)
        return self._whole.iter_errors(document) if is_cheap else ()

    def _says_much(self, document: Json) -> bool:
        """Whether the errors of a document could be too many to hold."""
        at_once = self._complexity.at_once
        return at_once > _MANY and at_once * depth_and_size(document, DEEPEST)[1] > _MOST_ERRORS

    def issues(self, document: Json) -> tuple[Issue, ...]:
        """What is wrong with a document that does not comply: as many issues as are of use."""
        found: Iterable[Issue] = ()
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return (Issue("", "not_json", "a text holds an unpaired surrogate"),)
        if self._says_much(document):
            return (Issue("", "constraint", "fits none of the alternatives, which are too many to say more"),)
        if self._is_light(document, ""):
            found = (issue for error in self._whole.iter_errors(document) for issue in _explain(error))
        elif self._remembering is not None:
            found = self._remembering.issues(document)
        message = "the references of the schema multiply, and the document is too deep to be held against all of them"
        return tuple(islice(found, _MOST_ISSUES)) or (Issue("", "constraint", message),)

    def _is_light(self, document: Json, place: str) -> bool:
        """Whether a document can be held against all that the part at a place leads to."""
        if not self._steep:
            return True
        depth, size = depth_and_size(document, DEEPEST)
        return self._complexity.cost(depth, target(self._schema, place)) * size <= _MOST_WORK

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        """The schema where parts of it find what they refer to; made once, since to copy it takes time."""
        root, addresses = self._schema, [_ADDRESS]
        if isinstance(root, dict):
            addresses += [root[name] for name in ("$id", "id") if isinstance(root.get(name), str)]
            root = {key: value for key, value in root.items() if key not in ("$id", "id") or not isinstance(value, str)}
        return jsonschema_rs.Registry([(address, root) for address in addresses], retriever=refuse)

    @cached_property
    def _remembering(self) -> "_Remembering | None":
        return _Remembering(self._schema, self._formats) if self._complexity.is_local else None


class _Known(threading.local):
    """What is known of the values of the document that this thread judges."""

    def __init__(self) -> None:
        self.fits: dict[tuple[str, bytes], bool] = {}
        self.is_lost = False  # the document was too deep for one of the verdicts


class _Remembering:
    """Judges the parts of a schema that references lead to, each for each value once.

    A reference becomes a keyword of ours, which asks here. All references must be JSON Pointers into the schema.
    """

    def __init__(self, schema: dict[str, Any], formats: Formats) -> None:
        self._schema = schema
        self._formats = formats
        self._dialect = {"$schema": schema["$schema"]} if isinstance(schema.get("$schema"), str) else {}
        self._validators: dict[str, jsonschema_rs.Validator] = {}
        self._known = _Known()
        remembering = self

        class Remembered:
            def __init__(self, _parent: Any, reference: str, _path: Any) -> None:
                self._place = reference

            def validate(self, value: Json) -> None:
                if not remembering._fits(value, self._place):
                    raise ValueError(self._place)

        self._keywords = {_REMEMBERED: Remembered}

    def is_valid(self, document: Json, place: str) -> bool:
        """Whether a value complies with the part at a place; False as well of one that is too deep to tell."""
        self._known.fits, self._known.is_lost = {}, False
        return bool(self._validator(place).is_valid(document)) and not self._known.is_lost

    def issues(self, document: Json) -> Iterator[Issue]:
        """What is wrong with a document that does not comply; nothing if it is too deep to tell."""
        if self.is_valid(document, "") or self._known.is_lost:
            return
        waiting: list[tuple[str, str, Json]] = [("", "", document)]
        seen = set()
        for place, above, value in waiting:  # which grows on the way
            if (place, above) in seen:
                continue
            seen.add((place, above))

            def refer(error: jsonschema_rs.ValidationError, above: str = above) -> None:
                waiting.append((error.message, above + pointer(error.instance_path), cast("Json", error.instance)))

            for error in self._validator(place).iter_errors(value):
                for issue in _explain(error, refer, self._seen_through):
                    yield Issue(above + issue.pointer, issue.kind, issue.message)

    def _seen_through(self, error: jsonschema_rs.ValidationError) -> Errors:
        """The errors that a reference stands for."""
        return list(self._validator(error.message).iter_errors(error.instance))

    def _fits(self, value: Json, place: str) -> bool:
        known = self._known
        key = place, blake2b(json.dumps(value).encode(), digest_size=16).digest()
        try:
            if key not in known.fits:
                known.fits[key] = self._validator(place).is_valid(value)
            return known.fits[key]
        except RecursionError:
            known.is_lost = True
            return False

    def _validator(self, place: str) -> jsonschema_rs.Validator:
        if place not in self._validators:
            part = _opened(target(self._schema, place), old=any(name in str(self._dialect) for name in _OLD))
            if isinstance(part, dict):
                part = {key: one for key, one in part.items() if key not in ("$id", "id", "$defs", "definitions")}
                part |= self._dialect
            self._validators[place] = _built(part, self._formats, keywords=self._keywords)
        return self._validators[place]


def _opened(node: Any, *, old: bool, named: bool = False) -> Any:
    """A schema with our keyword in place of each reference; `named` says that the keys are names."""
    if isinstance(node, list):
        return [_opened(one, old=old) for one in node]
    if not isinstance(node, dict):
        return node
    reference = None if named else node.get("$ref")
    if isinstance(reference, str):
        beside = {} if old else {key: value for key, value in node.items() if key != "$ref"}
        return {**_opened(beside, old=old), _REMEMBERED: unquote(reference[1:])}
    return {
        key: value if key in DATA and not named else _opened(value, old=old, named=not named and key in NAMED)
        for key, value in node.items()
    }


def _checked(json_schema: Any, *, pydantic: bool) -> tuple[jsonschema_rs.Validator, Formats]:
    try:
        jsonschema_rs.meta.validate(json_schema, _NOTHING)
        formats = formats_for(json_schema, pydantic=pydantic)
        return _built(json_schema, formats), formats
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        where = pointer(getattr(error, "instance_path", []))
        reason = short(getattr(error, "message", str(error)))
        raise SchemaError(
            f"not a JSON Schema{' at ' + where if where else ''}: {reason}",
            hint="a $ref must point into the schema itself; see json-schema.org for the keywords",
        ) from error


def _built(json_schema: Any, formats: Formats, keywords: dict[str, Any] | None = None) -> jsonschema_rs.Validator:
    def build(patterns: Any) -> jsonschema_rs.Validator:
        return jsonschema_rs.validator_for(
            json_schema,
            validate_formats=True,
            formats=formats,
            retriever=refuse,
            pattern_options=patterns,
            keywords=keywords or {},
        )

    try:
        return build(_LINEAR)
    except jsonschema_rs.ValidationError:
        return build(_BACKTRACKING)


def _explain(
    error: jsonschema_rs.ValidationError,
    refer: Callable[[jsonschema_rs.ValidationError], None] | None = None,
    seen_through: Callable[[jsonschema_rs.ValidationError], Errors] | None = None,
) -> Iterator[Issue]:
    """Name what is wrong; of a union's alternatives, tell of the one that the document comes closest to.

    An error that stands for those of another part is given to `refer`, and `seen_through` tells what these are.
    """
    kind = error.kind.name
    if kind == _REMEMBERED and refer:
        refer(error)
        return
    if kind == "anyOf" or isinstance(error.kind, jsonschema_rs.ValidationErrorKind.OneOfNotValid):
        branches = [list(branch) for branch in getattr(error.kind, "context", [])]
        weighed = [_weighed(branch, error.instance_path, seen_through) for branch in branches]
        fitting = [place for place, (_, wrong) in enumerate(weighed) if not wrong]
        if fitting:
            for inner in branches[min(fitting, key=lambda place: weighed[place][0])]:
                yield from _explain(inner, refer, seen_through)
            return
        types = [name for _, wrong in weighed for name in wrong]
        if types:
            message = f"{json.dumps(error.instance)} is not of type {' or '.join(dict.fromkeys(types))}"
            yield Issue(pointer(error.instance_path), "type", short(message))
            return
    yield Issue(pointer(error.instance_path), _KINDS.get(kind, "constraint"), short(error.message))


def _weighed(
    branch: Errors, place: list[str | int], seen_through: Callable[[jsonschema_rs.ValidationError], Errors] | None
) -> tuple[int, list[str]]:
    """How many errors a union's alternative has, and the types it wants, if the value at `place` is of another type."""
    count, wrong = 0, list[str]()
    for error in branch:
        if seen_through and error.kind.name == _REMEMBERED and error.instance_path == place:
            more, types = _weighed(seen_through(error), [], None)
            count, wrong = count + more, wrong + types
            continue
        count += 1
        if error.instance_path == place and isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Type):
            wrong += error.kind.types
    return count, wrong


def short(message: str) -> str:
    """A message of a length that can be read."""
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
