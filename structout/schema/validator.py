"""The validator: checks documents against a JSON Schema, and names their issues."""

import json
import re
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
from structout.schema.keywords import remedy
from structout.schema.messages import not_of_type, not_one_of, said
from structout.schema.patterns import with_unicode_patterns
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
_MOST_WORK = 100_000  # the most pairs of a value and a subschema that are checked without remembering verdicts
_MANY = 500  # subschemas that apply to one value
_MOST_ERRORS = 500_000  # the most errors for a document: each error holds a copy of a value
_ADDRESS = "structout:/schema"
_REMEMBERED = "x-remembered"  # the keyword that replaces $ref if verdicts are remembered
_OLD = ("draft-04", "draft-06", "draft-07")  # drafts that ignore all keywords beside a $ref
_LOST = re.compile("(?:Resource|Pointer|Anchor) '([^']*)'")  # what the validator says of a reference that leads nowhere
_REFERENCE = "let each $ref point into the schema itself"
_NOTHING = jsonschema_rs.Registry([("urn:nothing", {})])  # with a resource inside, a registry fetches nothing
Formats = dict[str, Callable[[str], bool]]
# Patterns run on a linear-time engine. Only look-around needs the backtracking engine, with a low limit.
_LINEAR = jsonschema_rs.RegexOptions()
_BACKTRACKING = jsonschema_rs.FancyRegexOptions(backtrack_limit=20_000)


Errors = list[jsonschema_rs.ValidationError]


class Validator:
    """Checks documents against one JSON Schema, in time bounded by the sizes of the document and the schema.

    Usually, a document is checked against the target of every reference. If this could take too many steps (see
    `Complexity`), the verdict for each pair of a value and a reference is remembered. `pydantic` says that a Pydantic
    type wrote the schema. `check_form` must have accepted the schema. Raises `SchemaError` for an invalid JSON Schema.
    """

    def __init__(self, json_schema: Any, *, pydantic: bool) -> None:
        self._schema = with_unicode_patterns(json_schema) if pydantic else json_schema
        self._complexity = Complexity(self._schema)
        self._steep = self._complexity.is_steep()
        self._whole, self._formats = _checked(self._schema, pydantic=pydantic)

    def is_valid(self, document: Json) -> bool:
        """Whether a document complies; False too if it is too deep to check, or holds an unpaired surrogate."""
        try:
            if self._is_light(document, ""):
                return bool(self._whole.is_valid(document))
            return self._remembering is not None and self._remembering.is_valid(document, "")
        except UnicodeEncodeError:
            return False

    def part(self, place: str) -> Callable[[Json], bool] | None:
        """The check of a value against the part of the schema at a JSON Pointer.

        None if the part cannot be checked by itself.
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
        """The errors of a document; nothing if listing them could take too long."""
        is_cheap = self._is_light(document, "") and not self._says_much(document)
        return self._whole.iter_errors(document) if is_cheap else ()

    def _says_much(self, document: Json) -> bool:
        """Whether a document may have too many errors to hold in memory."""
        at_once = self._complexity.at_once
        return at_once > _MANY and at_once * depth_and_size(document, DEEPEST)[1] > _MOST_ERRORS

    def issues(self, document: Json) -> tuple[Issue, ...]:
        """The issues of a document that does not comply, at most `_MOST_ISSUES`."""
        found: Iterable[Issue] = ()
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return (Issue("", "not_json", "a text holds an unpaired surrogate"),)
        if self._says_much(document):
            return (Issue("", "constraint", "fits none of the alternatives, which are too many to list"),)
        if self._is_light(document, ""):
            found = (issue for error in self._whole.iter_errors(document) for issue in _explain(error))
        elif self._remembering is not None:
            found = self._remembering.issues(document)
        message = "the document is too deep to check: the references of the schema multiply with each level"
        return tuple(islice(found, _MOST_ISSUES)) or (Issue("", "constraint", message),)

    def _is_light(self, document: Json, place: str) -> bool:
        """Whether checking a document against the part at a place is cheap without remembering."""
        if not self._steep:
            return True
        depth, size = depth_and_size(document, DEEPEST)
        return self._complexity.cost(depth, target(self._schema, place)) * size <= _MOST_WORK

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        """The registry that holds the schema, where its parts find their references. Made once: copying takes time."""
        root, addresses = self._schema, [_ADDRESS]
        if isinstance(root, dict):
            addresses += [root[name] for name in ("$id", "id") if isinstance(root.get(name), str)]
            root = {key: value for key, value in root.items() if key not in ("$id", "id") or not isinstance(value, str)}
        return jsonschema_rs.Registry([(address, root) for address in addresses], retriever=refuse)

    @cached_property
    def _remembering(self) -> "_Remembering | None":
        return _Remembering(self._schema, self._formats) if self._complexity.is_local else None


class _Known(threading.local):
    """The verdicts on the values of the document that this thread checks."""

    def __init__(self) -> None:
        self.fits: dict[tuple[str, bytes], bool] = {}
        self.is_lost = False  # the document was too deep for one of the checks


class _Remembering:
    """A validator that checks each pair of a value and a reference only once.

    Each reference becomes a keyword that looks its verdict up here. All references must be JSON Pointers.
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
        """Whether a value complies with the part at a place; False too for a value that is too deep to check."""
        self._known.fits, self._known.is_lost = {}, False
        return bool(self._validator(place).is_valid(document)) and not self._known.is_lost

    def issues(self, document: Json) -> Iterator[Issue]:
        """The issues of a document that does not comply; nothing if it is too deep to check."""
        if self.is_valid(document, "") or self._known.is_lost:
            return
        waiting: list[tuple[str, str, Json]] = [("", "", document)]
        seen = set()
        for place, above, value in waiting:  # `refer` appends to the list on the way
            if (place, above) in seen:
                continue
            seen.add((place, above))

            def refer(error: jsonschema_rs.ValidationError, above: str = above) -> None:
                waiting.append((error.message, above + pointer(error.instance_path), cast("Json", error.instance)))

            for error in self._validator(place).iter_errors(value):
                for issue in _explain(error, refer, self._seen_through):
                    yield Issue(above + issue.pointer, issue.kind, issue.message)

    def _seen_through(self, error: jsonschema_rs.ValidationError) -> Errors:
        """The errors at the target of a reference."""
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
    """A schema with each reference replaced by the keyword; `named` says that the keys of the node are names."""
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
        reason = reason.replace('a "regex"', "a regular expression").partition(" under any of the schemas")[0]
        hint = remedy(
            list(getattr(error, "instance_path", [])),
            getattr(error, "instance", None),
            has_draft=isinstance(json_schema, dict) and "$schema" in json_schema,
        )
        hint = hint or "see json-schema.org for the keywords"
        if lost := _LOST.search(reason):
            reason, hint = f"a $ref leads to {lost[1]!r}, which is not in the schema", _REFERENCE
        raise SchemaError(f"invalid JSON Schema{' at ' + where if where else ''}: {reason}", hint=hint) from error


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
    """The issues for an error. For a union, they are the issues of the closest alternative.

    An error at a remembered reference goes to `refer`; `seen_through` returns the errors at the target.
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
                options = _constants(inner, [branches[place] for place in fitting])
                if len(options) > 1:
                    yield Issue(pointer(inner.instance_path), "enum", short(not_one_of(inner.instance, options)))
                else:
                    yield from _explain(inner, refer, seen_through)
            return
        types = [name for _, wrong in weighed for name in wrong]
        if types:
            yield Issue(pointer(error.instance_path), "type", short(not_of_type(error.instance, types)))
            return
    yield Issue(pointer(error.instance_path), _KINDS.get(kind, "constraint"), short(said(error)))


def _constants(error: jsonschema_rs.ValidationError, branches: list[Errors]) -> list[Any]:
    """The constants that all alternatives want where the error wants one, as of a discriminator."""
    kinds = jsonschema_rs.ValidationErrorKind
    if not isinstance(error.kind, kinds.Constant):
        return []
    found = [one for branch in branches for one in branch if one.instance_path == error.instance_path]
    return [one.kind.expected_value for one in found if isinstance(one.kind, kinds.Constant)]


def _weighed(
    branch: Errors, place: list[str | int], seen_through: Callable[[jsonschema_rs.ValidationError], Errors] | None
) -> tuple[int, list[str]]:
    """The number of errors of an alternative, and the types it wants if the value at `place` has another type."""
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
    """A message, cut to a readable length."""
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"
