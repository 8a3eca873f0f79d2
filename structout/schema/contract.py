"""The contract for documents, made of a Pydantic type, a JSON Schema or a language."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from traceback import walk_tb
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from structout.document import Json, load_json, parse_json, read_json
from structout.errors import SchemaError
from structout.issue import Issue, pointer
from structout.language import Choice, Language, Lark, Regex, Sql
from structout.schema.aliases import CHOICES, with_first_choices
from structout.schema.closing import closed
from structout.schema.complexity import check_form, is_written
from structout.schema.fields import notebook
from structout.schema.ignored import Ignored
from structout.schema.keywords import wrapped
from structout.schema.messages import shown
from structout.schema.references import DATA, NAMED, local
from structout.schema.refusals import refusal
from structout.schema.validator import Validator, short
from structout.schema.writer import Writer
from structout.schema.written import Restored
from structout.source import import_object

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# structout's own keyword for how evaluation compares a value. It does not restrict documents, and no model sees it.
MARK = "x-compare"


class Checked(NamedTuple, Generic[T]):
    """The verdict on one text or document. `value` counts only if there are no issues.

    `document` is the JSON that was read, even if it does not comply, with the first name of a key that has several. If
    it complies, the keys that a Pydantic type ignores are left out. (A tuple, because creating verdicts is a large
    part of the cost of small documents.)
    """

    value: T | None
    document: Json
    issues: tuple[Issue, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are no issues."""
        return not self.issues


class Read(Protocol[T_co]):
    """What was read from a text: a verdict, a repair, or a result."""

    @property
    def value(self) -> T_co | None:
        """The value, if the document complies."""

    @property
    def document(self) -> Json:
        """The JSON document."""


class Schema(Generic[T]):
    """A contract for documents, made by `Schema.of`.

    `name` is the name of one document, and `shown` the name in reports: of a schema without a title, the name of its
    file or folder. `json_schema` is the JSON Schema that models see and documents are checked by,
    with references in the form of `references.local`; `marked` is the same schema with the marks of
    `evaluation.scoring.comparison`. `adapter` is the Pydantic type, None for a plain JSON Schema. With a `language`,
    documents are texts of the language instead of JSON, and each text is its own value.
    """

    def __init__(
        self,
        name: str,
        json_schema: Mapping[str, Any] | bool,
        adapter: TypeAdapter[T] | None = None,
        language: Language | None = None,
    ) -> None:
        self.name = self.shown = name
        self.language = language
        written: dict[str, Any] | bool = json_schema if isinstance(json_schema, bool) else dict(json_schema)
        check_form(written)
        named: dict[str, Any] | bool = local(written)
        self._choices = named if adapter is not None and CHOICES in json.dumps(named) else None
        self.marked: dict[str, Any] | bool = _without(named, CHOICES) if self._choices else named
        self.json_schema: dict[str, Any] | bool = _without(self.marked, MARK)
        self.adapter = adapter
        self.validator = Validator(self.json_schema, pydantic=adapter is not None)

    @classmethod
    def of(cls, source: Any) -> "Schema[Any]":
        """Make a schema of any supported source.

        A source is a Pydantic model or any type that a `TypeAdapter` takes; a `Literal` of strings (a bare choice); a
        `Regex`, `Lark` or `Sql` (see `structout.language`); a JSON Schema as a dict or as the path of a `.json` file;
        or the text `path/to/schema.py:Name` or `package.module:Name`. A folder stands for the `schema.py` or
        `schema.json` in it (not both), and a `.py` file without a name for the only name in its `__all__`.

        Raises `SchemaError` for any other source, and `CodeError` for code where code is refused.
        """
        if isinstance(source, Schema):
            return source
        if isinstance(source, str | Path):
            return cls._read(str(source))
        if get_origin(source) is Literal and all(isinstance(value, str) for value in get_args(source)):
            source = Choice(get_args(source))
        if isinstance(source, Choice | Regex | Lark | Sql):
            described: dict[str, Any] = {"type": "string", "description": source.hint}
            if isinstance(source, Choice):
                described["enum"] = list(source.values)
            return cls(source.name, described, None, source)
        if isinstance(source, Mapping | bool):
            if isinstance(source, Mapping) and (instead := wrapped(source)):
                raise SchemaError("invalid JSON Schema: this is not a schema", hint=instead)
            title = source.get("title") if isinstance(source, Mapping) else None
            return cls(title if isinstance(title, str) else "document", cast("Mapping[str, Any]", source))
        try:
            adapter: TypeAdapter[Any] = source if isinstance(source, TypeAdapter) else TypeAdapter(source)
            # Examples and `json_schema_extra` may hold dates and the like.
            json_schema = to_jsonable_python(adapter.json_schema(schema_generator=Writer))
        except Exception as error:  # a type may run functions of the user
            reason, hint = refusal(source, error)
            raise SchemaError(f"invalid schema {_called(source)}: {reason}", hint=hint) from error
        name = json_schema.get("title") or getattr(source, "__name__", None) or "document"
        return cls(str(name), json_schema, adapter)

    @classmethod
    def _read(cls, source: str) -> "Schema[Any]":
        path = Path(source)
        if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
            found = [path / name for name in ("schema.py", "schema.json") if (path / name).is_file()]
            if not found:
                raise SchemaError(f"no schema in {source}", hint="put a schema.py or schema.json into the folder")
            if len(found) > 1:  # the caller may have meant the data, so run no code
                hint = f"name one of them: {found[1]}, or {found[0]}, which runs as code"
                raise SchemaError(f"{source} holds both schema.py and schema.json", hint=hint)
            path = found[0]
        if path.suffix == ".json":
            try:
                document = load_json(path.read_text(encoding="utf-8"))
            except OSError as error:
                raise SchemaError(f"cannot read {source}: {error.strerror}", hint="check the path") from error
            except ValueError as error:
                raise SchemaError(f"cannot read {source}: not JSON: {error}", hint="fix the file") from error
            if not isinstance(document, dict | bool):
                raise SchemaError(
                    f"invalid schema {source}: expected a JSON object", hint="write the schema as an object"
                )
            made = cls.of(document)
            if not isinstance(document, dict) or not isinstance(document.get("title"), str):
                made.shown = Path(source).absolute().stem
            return made
        return cls.of(import_object(str(path) if os.path.isfile(path) else source, "schema"))

    def check_text(self, text: str) -> Checked[T]:
        """Check a text strictly: it must be one JSON document (RFC 8259) that complies without coercion.

        With a language, the text must match the language exactly.
        """
        if self.language is not None:
            return self.check(text)
        document, issue = parse_json(text)
        if issue:
            return Checked(None, None, (issue,))
        return self.check(document, text)

    def complies(self, data: bytes) -> bool:
        """Whether `check_text` would accept a text in UTF-8. False for every language. Faster than `check_text`."""
        if self.language is not None:
            return False
        try:
            document = read_json(data)
            if not self.validator.is_valid(document):
                return self._choices is not None and self.check_text(data.decode()).ok
            if self.adapter is not None:
                self._value(self.adapter, data)
        except Exception:  # `check_text` reports the error
            return False
        return True

    def check(self, document: Json, text: str | None = None) -> Checked[T]:
        """Check a parsed document strictly: first by the JSON Schema, then by the Pydantic type in strict mode.

        `text` is the JSON text of the document, if the caller has it; otherwise it is written again. Any error that a
        user's validator or serializer raises becomes an issue of the document.
        """
        if self.language is not None:
            problem = self.language.problem(document) if isinstance(document, str) else "not a text"
            issues = (Issue("", "value", short(problem)),) if problem else ()
            return Checked(None if issues else cast("T", document), document, issues)
        document = self._with_first_choices(document)
        if not self.validator.is_valid(document):
            return Checked(None, document, self.validator.issues(document))
        if self.adapter is None:
            return Checked(cast("T", document), document)
        try:
            value = self._value(self.adapter, json.dumps(document) if text is None else text)
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False)
            return Checked(None, document, tuple(Issue(pointer(d["loc"]), "value", short(_told(d))) for d in details))
        except Exception as error:
            return Checked(None, document, (_raised(error),))
        return Checked(value, self._without_ignored(document))

    def check_briefly(self, document: Json) -> Checked[T] | None:
        """The verdict of `check` for a document that complies; None, without reasons, for any other document."""
        if self.language is not None:
            return None
        document = self._with_first_choices(document)
        if not self.validator.is_valid(document):
            return None
        if self.adapter is None:
            return Checked(cast("T", document), document)
        try:
            value = self._value(self.adapter, json.dumps(document))
        except Exception:
            return None
        return Checked(value, self._without_ignored(document))

    def _with_first_choices(self, document: Json) -> Json:
        return with_first_choices(document, self._choices) if self._choices else document

    def _without_ignored(self, document: Json) -> Json:
        """The document without the keys that the Pydantic type ignores. Where functions read it, none is ignored."""
        return document if self._is_read_by_functions else self._ignored.without(document)

    @cached_property
    def closed(self) -> Any:
        """The JSON Schema with closed objects, for masks (see `closing.closed`)."""
        return closed(self.json_schema)

    @cached_property
    def _ignored(self) -> Ignored:
        return Ignored(self.json_schema, self.closed, self.validator)

    def _value(self, adapter: TypeAdapter[T], text: str | bytes) -> T:
        """The value of a JSON text. Raises if the text does not comply, or if the value cannot be written again.

        JSON is read strictly. Pydantic hands what a function has read on to the types beneath it as Python, where
        strict mode knows no dates or sets, so there Pydantic's own mode decides.
        """
        try:
            value = adapter.validate_json(text, strict=True)
        except ValidationError as error:
            if not self._is_read_by_functions:
                raise
            if any(one["type"] == "int_type" and isinstance(one["input"], float) for one in error.errors()):
                raise  # 1.0 is not an integer
            value = adapter.validate_json(text)
        if self._is_written_by_functions:
            adapter.dump_python(value, mode="json", by_alias=True, warnings=False)
        return value

    @cached_property
    def _is_written_by_functions(self) -> bool:
        """Whether user functions take part in writing a value: they may fail for a value that complies."""
        return any(
            node.get("computed_fields") or str((node.get("serialization") or {}).get("type")).startswith("function-")
            for node in self._nodes()
        )

    @cached_property
    def _is_read_by_functions(self) -> bool:
        """Whether functions read a value before Pydantic does."""
        return any(node.get("type") in ("function-before", "function-wrap") for node in self._nodes())

    def _nodes(self) -> Iterator[Mapping[str, Any]]:
        """The nodes of the Pydantic type."""
        stack: list[Any] = [self.adapter.core_schema if self.adapter is not None else None]
        while stack:
            node = stack.pop()
            if isinstance(node, list | tuple):
                stack.extend(node)
            elif isinstance(node, Mapping):
                yield node
                stack.extend(value for key, value in node.items() if key not in ("metadata", "cls"))

    def dump(self, value: T) -> Json:
        """Write a value as its JSON document, with defaults filled in, and the members of sets sorted.

        Raises `SchemaError` if the value cannot be written; only a validator or a default can make such a value.
        """
        if self.adapter is None:
            return cast("Json", value)
        try:
            dumped = cast("Json", self.adapter.dump_python(value, mode="json", by_alias=True))
        except Exception as error:
            hint = "fix the validator or default that makes the value, or add a serializer"
            reason = _raised(error).message
            raise SchemaError(f"a value of {self.name} cannot be written as JSON: {reason}", hint=hint) from error
        return self._restored.ordered(dumped) if self._has_sets else dumped

    @cached_property
    def _has_sets(self) -> bool:
        return '"uniqueItems": true' in json.dumps(self.json_schema)

    def serialization(self) -> "Schema[Any]":
        """The schema of what `dump` writes; the schema itself without a Pydantic type."""
        if self.adapter is None:
            return self
        written = self.adapter.json_schema(schema_generator=Writer, mode="serialization")
        return Schema(self.name, closed(local(to_jsonable_python(written))))

    def written(self, read: "Read[T]") -> Json:
        """The document of a result or verdict with its static defaults, as it is scored and written.

        Secrets and excluded fields stay what the document says; computed fields and ignored keys are left out. Raises
        `SchemaError` as `dump` does.
        """
        if self.adapter is None:
            return read.document
        dumped = self.dump(cast("T", read.value))
        made = self._restored.of(read.document, dumped)
        if not is_written(made):
            hint = "fix the validator that makes the value, or bound the number"
            raise SchemaError(f"a value of {self.name} cannot be written as JSON: a number is too large", hint=hint)
        return made if made == read.document or self.validator.is_valid(made) else read.document

    @cached_property
    def _restored(self) -> Restored:
        return Restored(self.json_schema)

    def fingerprint(self, mask: Any = None) -> str:
        """A short hash of the contract for caches and logs. It covers the name, the JSON Schema in its key order, and
        the mask, if there is one: a JSON Schema that admits fewer documents.
        """
        return self._fingerprint if mask is None else self._hash(mask)

    @cached_property
    def _fingerprint(self) -> str:
        return self._hash()

    def _hash(self, *more: Any) -> str:
        parts = [self.name, self.adapter is not None, self.json_schema]
        if self.language is not None:
            parts.append(repr(self.language))
        content = json.dumps([*parts, *more], ensure_ascii=False)
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @cached_property
    def judge(self) -> str:
        """All that decides a verdict and the written document, as a text; "" if code of the user takes part, or may."""
        parts = [self.fingerprint(), version("pydantic"), version("jsonschema-rs")]
        for node in self._nodes():
            if any(node.get(name) for name in ("computed_fields", "post_init", "custom_init")):
                return ""
            rest = {key: value for key, value in node.items() if key not in ("metadata", "cls", "ref", "schema_ref")}
            if any(map(callable, rest.values())):
                return ""
            parts.append(repr([one for one in rest.items() if not _holds_nodes(one[1])]))
        text = "\n".join(parts)
        return "" if " at 0x" in text else text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._fingerprint == other._fingerprint

    def __hash__(self) -> int:
        return hash(self._fingerprint)

    def __repr__(self) -> str:
        return f"Schema({self.name!r}, {self._fingerprint})"

    def _repr_html_(self) -> str:
        """The schema in a notebook: its fields and the JSON Schema."""
        return notebook(self.name, self.json_schema)


def _holds_nodes(value: object) -> bool:
    """Whether a part of a Pydantic type has parts of its own."""
    return isinstance(value, Mapping) or (isinstance(value, list | tuple) and any(map(_holds_nodes, value)))


def _called(source: object) -> str:
    try:
        return repr(source)
    except Exception:
        return f"a {type(source).__name__}"


def _without(schema: Any, mark: str) -> Any:
    """A copy of a schema without a keyword, at every depth. A property with the name of the keyword stays."""
    top = [schema]
    rest: list[tuple[Any, Any, bool]] = [(top, 0, False)]  # the place of a node, and whether its keys are names
    while rest:
        holder, place, named = rest.pop()
        node = holder[place]
        if isinstance(node, list | tuple):
            holder[place] = kept = list(node)
            rest += [(kept, index, False) for index in range(len(kept))]
        elif isinstance(node, dict):
            holder[place] = shorn = {key: value for key, value in node.items() if named or key != mark}
            rest += [(shorn, key, not named and key in NAMED) for key in shorn if named or key not in DATA]
    return top[0]


def _told(detail: Any) -> str:
    """Pydantic's message for an error, with the number that a bound refuses."""
    is_bound = detail["type"].startswith(("greater_than", "less_than", "multiple_of", "decimal_max", "decimal_whole"))
    is_told = is_bound and isinstance(detail["input"], str | int | float)
    return f"{shown(detail['input'])}: {detail['msg']}" if is_told else str(detail["msg"])


def _raised(error: Exception) -> Issue:
    """The issue for an error in a user's function. It names the function if the traceback shows it."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    own = [
        one for one in frames if str(one.f_globals.get("__name__")).partition(".")[0] not in ("structout", "pydantic")
    ]
    who = f"{own[0].f_code.co_qualname} raised " if own else ""
    return Issue("", "value", short(f"{who}{type(error).__name__}: {error}".split("\n")[0]))
