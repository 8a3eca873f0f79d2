"""Quoted texts: the fields whose texts are copied from records, and schemas that constrain them to quotations."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from structout.document import leaves
from structout.grammar.tightening import tightened
from structout.result import Example
from structout.schema import Schema
from structout.schema.references import resolve
from structout.verifiers.grounded import field_of
from structout.words import PIECE

_MOST = 2000  # pieces in an expression; long records get shorter quotations, but at least _LEAST pieces
_LEAST = 8
# A schema with one of these keywords already restricts the text.
_SAID = ("enum", "const", "format", "pattern", "allOf", "anyOf", "oneOf", "not")
_QUOTATION = "StructoutQuotation"  # a definition, so that the schema holds the expression once
_QUOTE = {"$ref": f"#/$defs/{_QUOTATION}"}
_DEEPEST = 40  # alternatives and references within one field

Steps = tuple[str, ...]


def quoted_fields(examples: Iterable[Example], least: float = 0.99) -> frozenset[str]:
    """The fields, as JSON Pointers with `*` for the index of an item, whose texts are quoted from the record.

    At least the share `least` of a field's texts must be literal copies of whole words.
    """
    seen: Counter[str] = Counter()
    quoted: Counter[str] = Counter()
    for example in examples:
        texts = {place: value for place, value in leaves(example.document).items() if isinstance(value, str)}
        pieces = _pieces(example.text)
        for place, value in texts.items():
            seen[field_of(place)] += 1
            quoted[field_of(place)] += _stands(value, example.text, pieces)
    return frozenset(field for field in seen if quoted[field] >= least * seen[field])


def quoting(schema: Schema[Any], fields: Collection[str], text: str) -> Any:
    """A mask that limits the texts of these fields to quotations from `text`; None if it would limit no text.

    Fields that the schema itself restricts, by an enum, a format or a pattern, stay unchanged; so do texts under names
    that the schema does not list.
    """
    if not fields or schema.language is not None or not PIECE.search(text):
        return None
    root, _ = tightened(schema)
    paths = [tuple(step.replace("~1", "/").replace("~0", "~") for step in field.split("/")[1:]) for field in fields]
    held = _held(root, sorted(paths), root, 0)
    if held == root:
        return None
    parts = {**root.get("$defs", {}), _QUOTATION: {"type": "string", "pattern": quotation(text)}}
    return {**held, "$defs": parts}


def _pieces(text: str) -> list[tuple[int, int]]:
    return [piece.span() for piece in PIECE.finditer(text)]


def _longest(pieces: int) -> int:
    """The largest number of pieces in a quotation."""
    return max(_LEAST, _MOST // max(1, pieces))


def _stands(value: str, text: str, pieces: list[tuple[int, int]]) -> bool:
    """Whether a value is a quotation from a text: equivalent to a match of `quotation`, without the expression."""
    starts = {start: place for place, (start, _) in enumerate(pieces)}
    ends = {end: place for place, (_, end) in enumerate(pieces)}
    at = text.find(value)
    while value and at >= 0:
        first, last = starts.get(at), ends.get(at + len(value))
        if first is not None and last is not None and last - first < _longest(len(pieces)):
            return True
        at = text.find(value, at + 1)
    return False


@lru_cache(maxsize=64)
def quotation(text: str) -> str:
    """A regular expression for all spans of a text that begin and end with a whole word or sign."""
    pieces = _pieces(text)
    longest = _longest(len(pieces))
    found: dict[str, None] = {}  # in order, each once
    for first, (start, end) in enumerate(pieces):
        rest = ""
        for place in range(min(len(pieces), first + longest) - 1, first, -1):
            rest = f"(?:{_escaped(text[pieces[place - 1][1] : pieces[place][1]])}{rest})?"
        found[_escaped(text[start:end]) + rest] = None
    return f"^(?:{'|'.join(found)})$"


def _escaped(text: str) -> str:
    """A text as a regular expression in ECMA's dialect, which allows escapes for special characters only."""
    return re.sub(r"[\\^$.|?*+()\[\]{}/]", r"\\\g<0>", text)


def _held(node: Any, paths: list[Steps], root: Any, depth: int) -> Any:
    """A subschema with the texts at these paths constrained to quotations; references on the way are inlined."""
    if not isinstance(node, dict) or not paths or depth > _DEEPEST:
        return node
    if "$ref" in node and isinstance(target := resolve(root, node["$ref"]), dict):
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _held({**target, **beside}, paths, root, depth + 1)
    held = dict(node)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in node:
            held[key] = [_held(branch, paths, root, depth + 1) for branch in node[key]]
    kinds = node["type"] if isinstance(node.get("type"), list) else [node.get("type")]
    if () in paths and "string" in kinds and not set(_SAID) & set(node):
        limits = {key: node[key] for key in ("minLength", "maxLength") if key in node}
        quote = {"allOf": [_QUOTE, limits]} if limits else _QUOTE
        others = [kind for kind in kinds if kind != "string"]
        return {"anyOf": [quote, {**node, "type": others}]} if others else quote

    def below(step: str, inner: Any) -> Any:
        return _held(inner, [path[1:] for path in paths if path[:1] == (step,)], root, 0)

    if "properties" in node:
        held["properties"] = {key: below(key, inner) for key, inner in node["properties"].items()}
    if "items" in node:
        held["items"] = below("*", node["items"])
    return held
