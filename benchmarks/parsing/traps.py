"""Texts without a right answer: whatever valid value comes of them was guessed, dropped, rounded or made up."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.parsing.coercion import leaves, pick, put
from structout.schema import Schema

Trap = Callable[[Random, Any, Schema[Any]], "str | None"]


def fraction_for_integer(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: type(value) is int)
    if not place or schema.check(put(document, place[0], str(place[1] + 0.7))).ok:
        return None
    return json.dumps(put(document, place[0], place[1] + 0.7))


def decimal_comma(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(
        rng, document, lambda value: isinstance(value, float) and re.fullmatch(r"\d+\.\d+", repr(value)) is not None
    )
    return json.dumps(put(document, place[0], repr(place[1]).replace(".", ","))) if place else None


def thousands_comma(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: type(value) is int and 1000 <= value < 1_000_000)
    return json.dumps(put(document, place[0], f"{place[1]:,}")) if place else None


def sentence_for_boolean(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: isinstance(value, bool))
    return json.dumps(put(document, place[0], f"this is not {str(place[1]).lower()}")) if place else None


def sentence_for_name(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    names = set(re.findall(r'"enum": \[([^\]]*)\]', json.dumps(schema.json_schema)))
    place = pick(
        rng, document, lambda value: isinstance(value, str) and any(json.dumps(value) in name for name in names)
    )
    return json.dumps(put(document, place[0], f"definitely not {place[1]}")) if place else None


def refusal(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    return rng.choice(
        [
            "I'm sorry, but I can't find that information in the text: it names no record.",
            "Unfortunately, the text is empty. Please provide {the text} again.",
            "There is nothing to extract here [see the instructions].",
        ]
    )


def only_an_example(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    return f"I can't read the text. For example, a valid answer would look like this: {json.dumps(document)}"


def two_answers(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    other = json.loads(json.dumps(document))
    places = [
        (path, value)
        for path, value in leaves(other)
        if path and isinstance(value, str | int) and not isinstance(value, bool)
    ]
    for path, value in places:
        other = put(other, path, value + 1 if isinstance(value, int) else value + " b")
    if not places or not schema.check(other).ok:
        return None
    return f"```json\n{json.dumps(document)}\n```\n\n```json\n{json.dumps(other)}\n```"


def elided(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    """The model wrote `...` for part of a list."""
    place = pick(rng, document, lambda value: isinstance(value, list) and len(value) > 2)
    if not place:
        return None
    text = json.dumps(put(document, place[0], [place[1][0], "@@@", place[1][-1]]))
    return text.replace('"@@@"', "...")


def misfit_item(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(
        rng, document, lambda value: isinstance(value, list) and len(value) > 1 and all(type(v) is int for v in value)
    )
    return json.dumps(put(document, place[0], [*place[1], "x"])) if place else None


def unexpected_key(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    if not isinstance(document, dict):
        return None
    return json.dumps({**document, "remark_of_the_model": "seems fine"})


def unreadable_optional(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    node = schema.json_schema
    if not isinstance(document, dict) or not isinstance(node, dict):
        return None
    places = [key for key, value in document.items() if key not in node.get("required", []) and type(value) is int]
    return json.dumps({**document, rng.choice(places): "about a dozen"}) if places else None


def missing_value(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    node = schema.json_schema
    required = node.get("required") if isinstance(node, dict) else None
    if not isinstance(document, dict) or not isinstance(required, list) or not required:
        return None
    document.pop(rng.choice(required), None)
    return json.dumps(document)


def not_a_number(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: type(value) in (int, float))
    return json.dumps(put(document, place[0], float("nan"))) if place else None


KINDS: dict[str, Trap] = {
    kind.__name__: kind
    for kind in (
        fraction_for_integer, decimal_comma, thousands_comma, sentence_for_boolean, sentence_for_name, refusal,
        only_an_example, two_answers, elided, misfit_item, unexpected_key, unreadable_optional, missing_value,
        not_a_number,
    )
}  # fmt: skip
