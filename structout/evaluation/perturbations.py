"""Perturbations: random changes of a task that keep its meaning."""

import random
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from structout.document import Json, leaves
from structout.evaluation.transliteration import transliterated
from structout.prompts import wording
from structout.result import Example, Task
from structout.schema import Schema
from structout.words import WORD, caseless, is_unspaced

# A function from a task, its expected document and a random source to the changed task, or None if it does not apply.
Perturbation = Callable[[Task[Any], Json, random.Random], Task[Any] | None]

_WORD = re.compile(r"\S+")
_PLAIN = re.compile(r"[^\W\d_]+")
_WIDTH = re.compile(r"[0-9A-Za-z]+(?:[.,:/-][0-9A-Za-z]+)*|[０-９Ａ-Ｚａ-ｚ]+(?:[．，：／－][０-９Ａ-Ｚａ-ｚ]+)*")
_TO_FULL_WIDTH = {code: code + 0xFEE0 for code in range(ord("!"), ord("~") + 1)}
_SENTENCE = re.compile(r"(?<=[a-zäöüß]{3}[.!])\s+(?=[A-ZÄÖÜ])")  # not after Dr. and No.
_LEANING = re.compile(
    r"(?:it|its|this|that|these|those|they|them|he|she|his|her|then|and|but|so|or|also|however|therefore|instead|"
    r"first|next|second|finally|otherwise|still|yes|no)\b",
    re.IGNORECASE,
)
_LABELLED = re.compile(r"\s*[^\W\d][\w ]{0,30}:\s*\S")
_SEPARATOR = re.compile(r"(\n|\s*[;|]\s*)")
_ABBREVIATIONS = {
    "and": "&", "with": "w/", "without": "w/o", "number": "no.", "pieces": "pcs", "quantity": "qty",
    "approximately": "approx.", "please": "pls", "street": "St.", "maximum": "max.", "minimum": "min.",
    "including": "incl.", "about": "abt.", "minutes": "min", "hours": "hrs", "monday": "Mon", "tuesday": "Tue",
    "wednesday": "Wed", "thursday": "Thu", "friday": "Fri", "saturday": "Sat", "sunday": "Sun", "january": "Jan",
    "february": "Feb", "august": "Aug", "september": "Sept", "october": "Oct", "november": "Nov", "december": "Dec",
    "tablespoons": "tbsp", "tablespoon": "tbsp", "teaspoons": "tsp", "teaspoon": "tsp",
    "diameter": "dia", "between": "betw.", "because": "bc", "you": "u", "are": "r",
}  # fmt: skip


def case(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Change the case of one letter in some words that are part of no value."""

    def flip(word: str) -> str:
        at = draw.randrange(len(word))
        return word[:at] + word[at].swapcase() + word[at + 1 :]

    return _words(task, expected, draw, flip, shortest=2)


def typos(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Swap two letters inside some words that are part of no value."""

    def swap(word: str) -> str:
        places = [i for i in range(1, len(word) - 2) if word[i] != word[i + 1]]
        if word.isupper() or not places:
            return word
        at = draw.choice(places)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _words(task, expected, draw, swap, shortest=5)


def abbreviations(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Abbreviate common words."""
    return _words(task, expected, draw, lambda word: _ABBREVIATIONS.get(word.lower(), word), shortest=3, share=1.0)


def whitespace(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Add white space between some words and at both ends."""
    protected, text = _protected(expected), task.text
    gaps = [
        found.start()
        for found in re.finditer(r"(?<=\S) (?=\S)(?!(?<=\d )\d)", text)  # not within 1 234,56
        if not {_bare(text[: found.start()].split()[-1]), _bare(text[found.end() :].split()[0])} & protected
    ]
    for at in sorted(draw.sample(gaps, min(len(gaps), max(1, len(gaps) // 5))), reverse=True):
        text = text[:at] + " " * draw.choice([1, 2]) + text[at:]
    return replace(task, text=" " + text + "\n")


def sentences(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Swap two neighbouring sentences, if neither refers to an earlier sentence and no list has several items."""
    found = _SENTENCE.split(task.text)
    free = [i for i in range(len(found) - 1) if not any("?" in s or _LEANING.match(s) for s in found[i : i + 3])]
    if not free or "\n" in task.text.strip() or _has_order(expected):
        return None
    at = draw.choice(free)
    found[at], found[at + 1] = found[at + 1], found[at]
    return replace(task, text=" ".join(found))


def fields(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Swap two neighbouring entries such as `size: 6`, if no list has several items."""
    parts = _SEPARATOR.split(task.text)
    free = [i for i in range(0, len(parts) - 2, 2) if _LABELLED.match(parts[i]) and _LABELLED.match(parts[i + 2])]
    if not free or _has_order(expected):
        return None
    at = draw.choice(free)
    parts[at], parts[at + 2] = parts[at + 2], parts[at]
    return replace(task, text="".join(parts))


def field_order(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Reorder the fields of the schema and of the examples."""
    names = list(dict.fromkeys(_property_names(task.schema.json_schema)))
    mixed = draw.sample(names, len(names))
    if mixed == names:
        return None
    rank = {name: place for place, name in enumerate(mixed)}
    schema = _changed(task.schema, lambda node: _sorted_properties(node, rank))
    shown = tuple(Example(one.text, _sorted_keys(one.document, rank)) for one in task.examples)
    return replace(task, schema=schema, examples=shown)


def schema_wording(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Reword the schema's descriptions."""
    form = draw.choice(wording.DESCRIPTIONS)

    def reword(node: dict[str, Any]) -> dict[str, Any]:
        text = node.get("description")
        return {**node, "description": form.format(description=text)} if isinstance(text, str) else node

    schema = _changed(task.schema, reword)
    return None if schema == task.schema else replace(task, schema=schema)


def prompt_wording(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Reword the instructions."""
    return replace(task, wording=draw.randrange(1, len(wording.EXTRACT_AGAIN) + 1))


def normalization(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Encode accents otherwise (NFC or NFD), and in East Asian texts write digits and Latin letters in another width.

    Both keep the meaning; what values are copied from stays as it is.
    """

    def encode(found: str) -> str:
        composed = unicodedata.normalize("NFC", found)
        return composed if composed != found else unicodedata.normalize("NFD", found)

    def widen(found: str) -> str:
        plain = unicodedata.normalize("NFKC", found)
        return plain if plain != found else found.translate(_TO_FULL_WIDTH)

    text = _outside(task.text, expected, WORD, encode, 1.0, draw)
    if is_unspaced(text):
        text = _outside(text, expected, _WIDTH, widen, 0.5, draw)
    return None if text == task.text else replace(task, text=text)


def transliteration(task: Task[Any], expected: Json, draw: random.Random) -> Task[Any] | None:
    """Write some words that are part of no value in Latin letters without accents."""

    def spell(word: str) -> str:
        if word.isascii() or any(char.isdigit() for char in word) or (is_unspaced(word) and len(word) < 2):
            return word
        return transliterated(word) or word

    text = _outside(task.text, expected, WORD, spell, 0.5, draw)
    return None if text == task.text else replace(task, text=text)


PERTURBATIONS: Mapping[str, Perturbation] = {
    "case": case,
    "whitespace": whitespace,
    "typos": typos,
    "abbreviations": abbreviations,
    "normalization": normalization,
    "transliteration": transliteration,
    "sentences": sentences,
    "fields": fields,
    "field order": field_order,
    "schema wording": schema_wording,
    "prompt wording": prompt_wording,
}
SHARED = ("field order", "schema wording", "prompt wording")  # the same change for all records


def _words(
    task: Task[Any],
    expected: Json,
    draw: random.Random,
    change: Callable[[str], str],
    *,
    shortest: int,
    share: float = 0.15,
) -> Task[Any] | None:
    """Change some of the words that have no digit and are part of no value of the expected document."""
    protected = _protected(expected)
    places = []
    for token in _WORD.finditer(task.text):
        words = [] if re.search(r"[\d@/\\]", token[0]) else list(_PLAIN.finditer(token[0]))
        # Without spaces, a word may end within a value.
        if len(words) != 1 or is_unspaced(words[0][0]):
            continue
        if len(words[0][0]) >= shortest and words[0][0].lower() not in protected:
            places.append((token.start() + words[0].start(), words[0][0]))
    chosen = draw.sample(places, min(len(places), max(1, round(share * len(places)))))
    text = task.text
    for at, word in sorted(chosen, reverse=True):
        text = text[:at] + change(word) + text[at + len(word) :]
    return None if text == task.text else replace(task, text=text)


def _outside(
    text: str,
    expected: Json,
    pattern: re.Pattern[str],
    change: Callable[[str], str],
    share: float,
    draw: random.Random,
) -> str:
    """The text with a share of the matches changed that the change applies to and that are part of no copied text."""
    copied = {value for value in leaves(expected).values() if isinstance(value, str) and value in text}
    held = [found.span() for value in copied for found in re.finditer(re.escape(value), text)]
    words = {caseless(word) for value in copied for word in WORD.findall(value) if not is_unspaced(word)}
    places = []
    for found in pattern.finditer(text):
        free = not any(found.start() < end and start < found.end() for start, end in held)
        if free and words.isdisjoint(map(caseless, WORD.findall(found[0]))) and change(found[0]) != found[0]:
            places.append(found.span())
    for start, end in sorted(draw.sample(places, min(len(places), max(1, round(share * len(places))))), reverse=True):
        text = text[:start] + change(text[start:end]) + text[end:]
    return text


def _protected(expected: Json) -> set[str]:
    values = [str(value) for value in leaves(expected).values()]
    words = {word.lower() for value in values for word in re.findall(r"\w+", value)}
    return words | {_bare(token) for value in values for token in value.split()}  # `\w+` cuts words of Hindi


def _bare(token: str) -> str:
    return token.strip(".,;:()'\"!?").lower()


def _has_order(document: Json) -> bool:
    if isinstance(document, list):
        return len(document) > 1 or any(map(_has_order, document))
    return isinstance(document, dict) and any(map(_has_order, document.values()))


def _changed(schema: Schema[Any], change: Callable[[dict[str, Any]], dict[str, Any]]) -> Schema[Any]:
    def walk(node: Any, data: bool = False) -> Any:
        if isinstance(node, list):
            return [walk(item) for item in node]
        if not isinstance(node, dict):
            return node
        inner = {
            key: {name: walk(one) for name, one in value.items()}
            if key in ("properties", "$defs", "definitions", "patternProperties") and isinstance(value, dict)
            else value
            if key in ("default", "const", "enum", "examples", "required")
            else walk(value)
            for key, value in node.items()
        }
        return change(inner)

    if isinstance(schema.marked, bool) or schema.language is not None:
        return schema
    return Schema(schema.name, walk(schema.marked), schema.adapter, schema.language)


def _property_names(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _property_names(item)]
    if not isinstance(node, dict):
        return []
    own = list(node["properties"]) if isinstance(node.get("properties"), dict) else []
    return own + [name for value in node.values() for name in _property_names(value)]


def _sorted_properties(node: dict[str, Any], rank: Mapping[str, int]) -> dict[str, Any]:
    properties = node.get("properties")
    if not isinstance(properties, dict):
        return node
    return {**node, "properties": dict(sorted(properties.items(), key=lambda one: rank.get(one[0], -1)))}


def _sorted_keys(document: Json, rank: Mapping[str, int]) -> Json:
    if isinstance(document, list):
        return [_sorted_keys(item, rank) for item in document]
    if isinstance(document, dict):
        ordered = sorted(document.items(), key=lambda one: rank.get(one[0], -1))
        return {key: _sorted_keys(value, rank) for key, value in ordered}
    return document
