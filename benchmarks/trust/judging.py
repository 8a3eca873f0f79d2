"""Nothing invalid is returned: our judge of documents against others, and masks against our judge."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice, permutations, product
from random import Random
from typing import Any, Literal

import numpy as np

from benchmarks.trust.drafts import DRAFTS, Maker, near
from benchmarks.trust.trial import Trial, Tried
from structout import Schema
from structout.document import with_whole_numbers
from structout.errors import SchemaError
from structout.schema.strict_form import strictified
from structout.schema.walk import kind_of

Compile = Callable[[Schema[Any]], Any]
_MOST = 8  # cases that a report shows
_ORDERS = 200
# Of this draft, the package jsonschema overlooks `additionalProperties` beside `unevaluatedProperties`, and fails on
# `items: true` beside `unevaluatedItems`.
_MISREAD = "2019"


def cases(count: int, seed: int) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """The name of a draft, a schema of it, and a document; each schema comes with four documents."""
    for number in range(count // 4):
        rng = Random(f"{seed} {number}")
        draft = list(DRAFTS)[number % len(DRAFTS)]
        schema = Maker(rng, draft).root()
        for _ in range(4):
            yield draft, schema, near(rng, schema, schema)


def _made(schema: Any) -> Schema[Any] | None:
    try:
        return Schema.of(schema)
    except SchemaError:
        return None


def verdicts(count: int, seed: int, check: Callable[[Schema[Any], Any], bool] | None = None) -> Tried:
    """Our verdict against that of the Python package jsonschema, for each draft."""
    from jsonschema import validators

    ours = check or (lambda schema, document: schema.check(document).ok)
    times, broken = 0, list[str]()
    for draft, source, document in cases(count, seed):
        schema = _made(source)
        if schema is None:
            broken.append(f"a schema of draft {draft} was refused: {json.dumps(source)}")
            continue
        if draft == _MISREAD and '"unevaluated' in json.dumps(source):
            continue
        try:
            theirs = validators.validator_for(source)(source).is_valid(document)
        except TypeError:  # jsonschema 4.26 counts the items of `items: true` beside `additionalItems`
            continue
        times += 1
        if ours(schema, document) != theirs:
            said = "valid" if not theirs else "invalid"
            broken.append(f"draft {draft}: {json.dumps(document)} is {said} for us alone: {json.dumps(source)}")
        text = json.dumps(document)
        if schema.check_text(text).ok != schema.complies(text.encode()):
            broken.append(f"check_text and complies differ on {text}: {json.dumps(source)}")
    return Tried(times, tuple(broken[:_MOST]))


@cache
def vocabulary() -> Any:
    """The vocabulary of the embedded model."""
    from transformers import AutoTokenizer

    from structout.grammar import Vocabulary
    from structout.models.embedded import embedded_folder

    return Vocabulary.of(AutoTokenizer.from_pretrained(embedded_folder()))


def walks(count: int, seed: int, compiled: Compile | None = None) -> Tried:
    """Random walks through masks: a document that an exact mask lets end must comply; so must what a gap does not
    excuse.
    """
    from structout.grammar import compile as plain

    make = compiled or plain
    times, broken = 0, list[str]()
    for number in range(count):
        rng = Random(f"walk {seed} {number}")
        draft = list(DRAFTS)[number % len(DRAFTS)]
        source = Maker(rng, draft).root()
        try:
            schema = Schema.of(source)
            grammar = make(schema)
        except SchemaError:
            continue
        limit = rng.choice([16, 40])
        text, stuck = _walk(grammar.matcher(vocabulary(), limit), rng, limit)
        times += 1
        if stuck:
            broken.append(f"the mask is empty after {text!r}: {json.dumps(source)}")
        elif text is not None and grammar.level == "exact" and not _open(grammar) and not schema.check_text(text).ok:
            broken.append(f"an exact mask lets {text!r} end: {json.dumps(source)}")
    return Tried(times, tuple(broken[:_MOST]))


def _open(grammar: Any) -> list[Any]:
    return [gap for gap in grammar.gaps if not gap.narrower]


def _walk(matcher: Any, rng: Random, limit: int) -> tuple[str | None, bool]:
    """A text whose every token was chosen at random among those of the mask, None unless it may end, and whether the
    mask became empty.
    """
    words, written = vocabulary(), list[int]()
    while not matcher.must_stop and len(written) < limit:
        allowed = np.flatnonzero(matcher.mask())
        if not len(allowed):
            return words.decode(written), True
        some = [int(allowed[rng.randrange(len(allowed))]) for _ in range(4)]
        token = min(some, key=lambda one: len(words.pieces[one])) if rng.random() < 0.5 else some[0]
        if rng.random() < 0.2 and len(allowed) > 1000:  # within a text: else it would seldom end
            token = next((one for one in words.encode('"') if one in allowed), token)
        taken = matcher.try_advance([token])
        if taken and words.is_end(token):
            break
        written += [token] * taken
    return (words.decode(written) if matcher.may_stop else None), False


def masks(count: int, seed: int, compiled: Compile | None = None) -> Tried:
    """Documents through masks: what an exact mask takes must comply, and what complies must be taken, unless the audit
    names a gap.
    """
    from structout.grammar import compile as plain

    make = compiled or plain
    times, broken, last, grammar = 0, list[str](), None, None
    for _, source, document in cases(count, seed):
        schema = _made(source)
        if schema is None:
            continue
        if source is not last:
            last, grammar = source, None
            try:
                grammar = make(schema)
            except SchemaError:
                continue
        if grammar is None:
            continue
        text = json.dumps(document, ensure_ascii=False)
        spellings = [text, json.dumps(with_whole_numbers(document), ensure_ascii=False)]
        taken = [one for one in dict.fromkeys(spellings) if _takes(grammar, one)]
        times += 1
        if grammar.level != "exact":
            continue
        if not _open(grammar):
            wrong = [one for one in taken if not schema.check_text(one).ok]
            broken += [f"an exact mask takes {one}: {json.dumps(source)}" for one in wrong]
        if grammar.gaps or taken or not schema.check_text(text).ok:
            continue
        others = (json.dumps(with_whole_numbers(one), ensure_ascii=False) for one in islice(_orders(document), _ORDERS))
        if not any(_takes(grammar, one) for one in others):  # a mask knows one order of keys
            broken.append(f"an exact mask without gaps refuses {text}: {json.dumps(source)}")
    return Tried(times, tuple(broken[:_MOST]))


def _takes(grammar: Any, text: str) -> bool:
    tokens = vocabulary().encode(text)
    matcher = grammar.matcher(vocabulary())
    return bool(matcher.try_advance(tokens) == len(tokens) and matcher.may_stop)


def _orders(document: Any) -> Iterator[Any]:
    """The document with the keys of its objects in every order."""
    if isinstance(document, dict):
        for values in product(*(list(_orders(value)) for value in document.values())):
            yield from (dict(pairs) for pairs in permutations(zip(document, values, strict=True)))
    elif isinstance(document, list):
        yield from (list(items) for items in product(*(list(_orders(item)) for item in document)))
    else:
        yield document


def strict_forms(count: int, seed: int) -> Tried:
    """Strict forms there and back: a document that complies becomes an answer that the strict schema takes, and comes
    back as it was, and complies.
    """
    import jsonschema_rs

    times, broken = 0, list[str]()
    for _, source, document in cases(count, seed):
        schema = _made(source)
        if schema is None or not schema.check(document).ok:
            continue
        times += 1
        try:
            form = strictified(schema.json_schema)
            answer = form.answer(document)
        except (SchemaError, ValueError):
            continue
        if not jsonschema_rs.validator_for(form.schema).is_valid(answer):
            broken.append(f"the strict schema refuses the answer of {json.dumps(document)}: {json.dumps(source)}")
        back = json.loads(form.text(json.dumps(answer)))
        if not schema.check(back).ok or not _same(back, document):
            broken.append(f"{json.dumps(document)} came back as {json.dumps(back)}: {json.dumps(source)}")
    return Tried(times, tuple(broken[:_MOST]))


def _same(back: Any, document: Any) -> bool:
    """Whether a document came back, but for keys that were absent and may be null: in a strict form, they are null."""
    if isinstance(document, dict) and isinstance(back, dict):
        return document.keys() <= back.keys() and all(
            _same(value, document[key]) if key in document else value is None for key, value in back.items()
        )
    if isinstance(document, list) and isinstance(back, list):
        return len(back) == len(document) and all(map(_same, back, document))
    return kind_of(back) == kind_of(document) and back == document


def models(count: int, seed: int) -> Tried:
    """Our verdict against Pydantic's, for random models: Pydantic takes what we take, and we take what its strict mode
    takes.
    """
    from pydantic import TypeAdapter, ValidationError

    times, broken = 0, list[str]()
    for number in range(count // 4):
        rng = Random(f"model {seed} {number}")
        model = _model(rng, 2)
        schema, adapter = Schema.of(model), TypeAdapter[Any](model)
        for _ in range(4):
            document = near(rng, schema.json_schema, schema.json_schema)
            text, theirs = json.dumps(document), dict[bool, bool]()
            for strict in (True, False):
                try:
                    adapter.validate_json(text, strict=strict)
                    theirs[strict] = True
                except ValidationError:
                    theirs[strict] = False
            times += 1
            ours = schema.check_text(text).ok
            if ours and not theirs[False]:
                broken.append(f"Pydantic refuses {text}: {json.dumps(schema.json_schema)}")
            if theirs[True] and not ours:
                broken.append(f"Pydantic's strict mode takes {text}: {json.dumps(schema.json_schema)}")
    return Tried(times, tuple(broken[:_MOST]))


def _model(rng: Random, depth: int) -> Any:
    from pydantic import ConfigDict, create_model

    extras: list[Literal["ignore", "forbid", "allow"]] = ["ignore", "forbid", "allow"]
    extra = rng.choice(extras)
    fields: dict[str, Any] = {}
    for name in rng.sample(["a", "b", "c", "d"], rng.randrange(1, 4)):
        kind = _type(rng, depth - 1)
        fields[name] = rng.choice([(kind, ...), (kind, ...), (kind | None, None)])
    return create_model(f"M{rng.randrange(10**9)}", __config__=ConfigDict(extra=extra), **fields)


def _type(rng: Random, depth: int) -> Any:
    from datetime import date
    from decimal import Decimal
    from typing import Annotated
    from uuid import UUID

    from pydantic import Field

    kind = rng.randrange(14 if depth > 0 else 10)
    if kind == 0:
        return Annotated[int, Field(ge=rng.choice([0, 1, -1]), lt=rng.choice([3, 10]))]
    if kind == 1:
        return Annotated[float, Field(gt=rng.choice([0, 0.5]), multiple_of=0.5)]
    if kind == 2:
        return Annotated[str, Field(min_length=rng.randrange(2), max_length=rng.randrange(2, 4))]
    if kind == 3:
        return Annotated[str, Field(pattern=rng.choice(["^a+b?$", "^[0-9]{2}$", "a"]))]
    if kind == 4:
        return Literal["a", "ab", 7]  # Pydantic takes true for 1, which is another JSON value
    if kind == 5:
        return bool
    if kind == 6:
        return rng.choice([date, UUID, Decimal])
    if kind == 7:
        return int | str
    if kind < 10:
        return rng.choice([int, float, str])
    if kind == 10:
        return list[_type(rng, depth - 1)]  # type: ignore[misc]
    if kind == 11:
        return dict[str, _type(rng, depth - 1)]  # type: ignore[misc]
    if kind == 12:
        return tuple[int, _type(rng, depth - 1)]  # type: ignore[misc]
    return _model(rng, depth)


TRIALS = (
    Trial("our judge against the package jsonschema: random schemas of five drafts, and documents that nearly fit",
          1_200, 400_000, verdicts),
    Trial("random walks through masks: a document that an exact mask lets end must comply", 60, 20_000, walks),
    Trial("documents through masks against our judge, both ways, five drafts", 300, 60_000, masks),
    Trial("strict forms of schemas there and back", 1_500, 400_000, strict_forms),
    Trial("our judge against Pydantic's: random models", 400, 80_000, models),
)  # fmt: skip
