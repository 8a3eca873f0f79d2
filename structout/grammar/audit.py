"""The audit of a schema: which keywords the mask enforces, and which only validation checks."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from structout import pages
from structout.grammar.compile import Grammar, Level, compile  # noqa: A004
from structout.grammar.python_checks import NOT_IN_JSON_SCHEMA
from structout.grammar.vocabulary import Vocabulary
from structout.issue import pointer
from structout.schema import Schema
from structout.schema.closing import closed
from structout.schema.keywords import DESCRIBING, RESTRICTING, is_own, spelled_like
from structout.surfaces import line as shown

Enforced = Literal[
    "mask",  # the mask excludes every token that breaks the keyword
    "narrower",  # the mask enforces the keyword, but excludes some documents that the schema allows
    "afterwards",  # only validation of the document, and the search for a way out, check the keyword
    "python",  # only the Pydantic type checks it: JSON Schema cannot express it
    "ignored",  # nothing checks it: it is not a keyword of JSON Schema
]
_HOLDING_MANY = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_HOLDING_LIST = ("allOf", "anyOf", "oneOf", "prefixItems")
_HOLDING_ONE = ("additionalProperties", "items", "contains", "not", "if", "then", "else", "propertyNames")
_STRING_LIMITS = ("maxLength", "enum", "const", "format", "pattern")


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One keyword at one place of the schema: how it is enforced, and if not by the mask, why."""

    pointer: str
    keyword: str
    enforced: Enforced
    why: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Audit:
    """The audit of one schema.

    `grammar_size` is the size of the engine's grammar in characters. `shortest` is the text of the shortest document
    that was found, and `shortest_tokens` its number of tokens; both are None without a vocabulary or if no document was
    found. Answers are complete within `max_tokens` if `max_tokens` is at least `shortest_tokens`.
    """

    name: str
    level: Level
    lines: tuple[AuditLine, ...]
    compile_seconds: float
    grammar_size: int
    shortest_tokens: int | None
    shortest: str | None
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The audit as a JSON object."""
        return asdict(self)

    def __repr__(self) -> str:
        held = sum(line.enforced == "mask" for line in self.lines)
        return f"Audit({self.name!r}, {self.level}, {held} of {len(self.lines)} keywords enforced by the mask)"

    def _repr_html_(self) -> str:
        """The audit in a notebook."""
        return pages.drawn(self)

    def __rich__(self) -> RenderableType:
        colour = {"exact": "green", "relaxed": "yellow", "json": "red"}[self.level]
        head = Text.assemble(
            (shown(self.name), "bold"), " ", (self.level, colour),
            f"  compiled in {self.compile_seconds * 1000:.0f} ms, grammar of {self.grammar_size:,} characters",
        )  # fmt: skip
        parts: list[RenderableType] = [head]
        if self.shortest_tokens is not None:
            parts.append(Text(shown(f"shortest document: {self.shortest_tokens} tokens  {(self.shortest or '')[:80]}")))
        open_lines = [line for line in self.lines if line.enforced != "mask"]
        parts.append(Text(f"{len(self.lines) - len(open_lines)} of {len(self.lines)} keywords enforced by the mask"))
        if open_lines:
            table = Table("where", "keyword", "enforced", "why", box=None, pad_edge=False)
            for line in open_lines:
                cells = (line.pointer or "(schema)", line.keyword, line.enforced, line.why)
                table.add_row(*(Text(shown(cell)) for cell in cells))
            parts.append(table)
        parts += [Text(shown(f"- {text}")) for text in self.advice]
        return Group(*parts)


def audit(schema: Any, vocabulary: Vocabulary | None = None) -> Audit:
    """Audit a schema for constrained decoding: which keywords the mask enforces, and which only validation checks.

    `schema` is any source that `Schema.of` takes. With a vocabulary, such as the `vocabulary` of a local model, the
    audit also holds the number of tokens of the shortest document. Raises `SchemaError` if no document can satisfy the
    schema, and `MissingExtraError`.
    """
    schema = Schema.of(schema)
    grammar = compile(schema)
    gaps = {(gap.pointer, gap.keyword): gap for gap in grammar.gaps}
    lines = [
        AuditLine(where, keyword, _by(gap.narrower) if gap else _without_gap(grammar.level), gap.why if gap else "")
        for where, keyword in _keywords(schema.json_schema)
        for gap in [gaps.pop((where, keyword), None)]
        if keyword in RESTRICTING
    ]
    lines += _ignored(schema.json_schema)
    for gap in gaps.values():
        enforced: Enforced = "python" if gap.why.endswith(NOT_IN_JSON_SCHEMA) else _by(gap.narrower)
        lines.append(AuditLine(gap.pointer, gap.keyword, enforced, gap.why))
    shortest = grammar.shortest(vocabulary) if vocabulary else None
    return Audit(
        name=schema.shown,
        level=grammar.level,
        lines=tuple(lines),
        compile_seconds=grammar.seconds,
        grammar_size=len(grammar.source),
        shortest_tokens=None if shortest is None else len(shortest),
        shortest=None if shortest is None or vocabulary is None else vocabulary.decode(shortest),
        advice=(*_missing(grammar), *_advice(closed(schema.json_schema))),
    )


def _missing(grammar: Grammar) -> Iterator[str]:
    if grammar.schema.language is None and not grammar.documents:
        yield "no document was found that complies: if there is one, its answer may be cut off"


def _by(narrower: bool) -> Enforced:
    return "narrower" if narrower else "afterwards"


def _without_gap(level: Level) -> Enforced:
    return "afterwards" if level == "json" else "mask"


def _nodes(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """Every subschema with its path."""
    stack: list[tuple[tuple[str | int, ...], Any]] = [(path, node)]
    while stack:
        where, current = stack.pop()
        if not isinstance(current, Mapping):
            continue
        yield where, current
        inner: list[tuple[tuple[str | int, ...], Any]] = []
        for key, value in current.items():
            if key in _HOLDING_MANY and isinstance(value, Mapping):
                inner += [((*where, key, name), item) for name, item in value.items()]
            elif key in _HOLDING_LIST and isinstance(value, list):
                inner += [((*where, key, i), item) for i, item in enumerate(value)]
            elif key in _HOLDING_ONE:
                inner.append(((*where, key), value))
        stack += reversed(inner)


def _keywords(json_schema: Any) -> Iterator[tuple[str, str]]:
    for path, node in _nodes(json_schema):
        for keyword in node:
            if keyword != "$ref" and keyword not in DESCRIBING and not is_own(keyword):
                yield pointer(path), keyword


def _ignored(json_schema: Any) -> Iterator[AuditLine]:
    """The names that are no keywords: nothing enforces them."""
    for where, keyword in _keywords(json_schema):
        if keyword not in RESTRICTING:
            meant = spelled_like(keyword)
            why = f"not a keyword: perhaps {meant} is meant" if meant else "not a keyword of JSON Schema"
            yield AuditLine(where, keyword, "ignored", why)


def _advice(json_schema: Any) -> Iterator[str]:
    strings, lists, objects = [], [], []
    for path, node in _nodes(json_schema):
        where = pointer(path) or "the document"
        kinds = node.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds or []
        if "string" in kinds and not any(key in node for key in _STRING_LIMITS):
            strings.append(where)
        if "array" in kinds and "maxItems" not in node and "prefixItems" not in node:
            lists.append(where)
        if "object" in kinds and node.get("additionalProperties", True) is not False and "maxProperties" not in node:
            objects.append(where)
    for places, text in (
        (strings, "add maxLength, or the model may use up the token limit"),
        (lists, "add maxItems"),
        (objects, "add additionalProperties: false (extra='forbid'), or the model may add keys"),
    ):
        if places:
            more = f" and {len(places) - 4} more" if len(places) > 4 else ""
            yield f"{', '.join(places[:4])}{more}: {text}"
