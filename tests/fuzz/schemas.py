"""Schemas: whatever is given as one is refused in words, or checks, renders and is audited within bounds."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, get_args

from structout import Schema
from structout.grammar import audit
from structout.prompts import Show, compose
from structout.result import Task
from tests.fuzz import noise
from tests.fuzz.target import Case, whole

_FORMATS = ["date", "date-time", "time", "email", "uuid", "ipv4", "uri", "regex", "duration", "json-pointer", "odd"]
_PATTERNS = [
    "^[a-f0-9]{32}$", "a+", "^(a|aa)+$", "(?=x)y", "(?<n>a)\\k<n>", "[", "\\d{1,1000}", "^.{0,5000}$", "\\p{L}",
    "(a{9}){9}{9}",
    "", "^$", "[^\\x00-\\x7f]", "\ud800", "(((((((((((x)))))))))))", "a{99999999}", "\\u{1F600}",
]  # fmt: skip
_LIMITS: list[Any] = [
    0,
    1,
    2,
    5,
    -1,
    0.5,
    1e308,
    float("inf"),
    float("nan"),
    10**30,
    10**400,
    10**4000,
    "1",
    None,
    True,
]
_NAMES = [f"d{n}" for n in range(6)]
_WEBS = ["anyOf", "oneOf", "allOf"]
_OTHER_WEBS = ["if", "dependentSchemas", "properties", "required", "$ref", "items", "not"]


def make(rng: Random) -> Case:
    documents = [noise.written(rng, noise.document(rng)) for _ in range(3)]
    return {"schema": _source(rng), "documents": [*documents, noise.nested(rng, 3000)]}


def _source(rng: Random) -> Any:
    kind = rng.random()
    if kind < 0.08:
        return _deep(rng)
    if kind < 0.3:
        levels, last = (
            rng.choice([3, 12, 20, 30, 200, 2000]),
            rng.choice([True, {"type": "string"}, {"$ref": "#"}, False]),
        )
        return {
            "web": rng.choice([*_WEBS, *_WEBS, *_OTHER_WEBS]),
            "levels": levels,
            "last": last,
            "back": rng.random() < 0.2,
        }
    text = json.dumps(schema(rng, 3))
    return noise.spoiled(rng, text) if kind > 0.9 else text


def _deep(rng: Random) -> list[tuple[str, int]]:
    """One keyword in another, many times."""
    before, after = rng.choice(
        [('{"allOf":[', "]}"), ('{"anyOf":[', "]}"), ('{"oneOf":[{"type":"null"},', "]}"), ('{"not":', "}"),
         ('{"properties":{"a":', "}}"), ('{"if":', "}"), ('{"additionalProperties":', "}"), ('{"$defs":{"a":', "}}"),
         ('{"default":[', "]}"), ('{"const":[', "]}"), ("[", "]"), ('{"prefixItems":[', "]}"), ('{"contains":', "}"),
         ('{"items":', "}")]
    )  # fmt: skip
    deep = rng.choice([20, 150, 1000, 10_000, 100_000])
    return [(before, deep), (rng.choice(["{}", "true", '{"type":"string"}', '{"$ref":"#"}']), 1), (after, deep)]


def _web(keyword: str, levels: int, last: Any, *, back: bool) -> Any:
    """References to references: each level names the next one twice, and some the first one, if they go `back`."""

    def level(n: int) -> Any:
        far = {"$ref": f"#/$defs/l{0 if back and n % 7 == 6 else n + 1}"}
        if keyword == "if":
            return {"if": far, "then": far, "else": far}
        if keyword == "dependentSchemas":
            return {"dependentSchemas": {"a": far, "b": far}}
        if keyword in ("properties", "required"):
            needed = ["a", "b"] if keyword == "required" else []
            return {"type": "object", "properties": {"a": far, "b": far}, "required": needed}
        if keyword == "items":
            return {"type": "array", "prefixItems": [far, far], "items": far}
        return far if keyword == "$ref" else {keyword: far if keyword == "not" else [far, far]}

    return {"$ref": "#/$defs/l0", "$defs": {**{f"l{n}": level(n) for n in range(levels)}, f"l{levels}": last}}


def schema(rng: Random, depth: int) -> Any:
    """A schema that may hold any keyword, with a value that mostly fits it."""
    if depth < 0 or rng.random() < 0.05:
        return rng.choice(
            [True, False, {}, {"$ref": f"#/$defs/{rng.choice(_NAMES)}"}, {"$ref": "#"}, {"type": "string"}]
        )
    node: dict[str, Any] = {}
    if rng.random() < 0.6:
        types = ["object", "array", "string", "number", "integer", "boolean", "null"]
        node["type"] = rng.choice([*types, "object", "object", ["string", "null"], [], "odd", types])
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5])):
        keyword, value = rng.choice(_KEYWORDS)
        node[keyword] = value(rng, depth - 1) if rng.random() < 0.95 else noise.document(rng, 2)
    if depth == 3 and rng.random() < 0.6:
        node["$defs"] = {name: schema(rng, 1) for name in _NAMES}
    return node


def _several(rng: Random, depth: int) -> Any:
    return [schema(rng, depth) for _ in range(rng.choice([1, 1, 2, 2, 3, 0]))]


def _named(rng: Random, depth: int) -> Any:
    return {noise.word(rng): schema(rng, depth) for _ in range(rng.choice([1, 2, 3, 0]))}


def _one_of(values: list[Any]) -> Callable[[Random, int], Any]:
    return lambda rng, depth: rng.choice(values)


def _reference(rng: Random, depth: int) -> Any:
    odd = [
        "#",
        "#/$defs/d0",
        "#/$defs/missing",
        "#/properties/a",
        "http://127.0.0.1:9/x.json",
        "file:///etc/passwd",
        "#a",
        "",
    ]
    return rng.choice([*odd, "#/$defs/d1/anyOf/0", "#/%24defs/d2", "#/$defs/~2", "\0"])


_KEYWORDS: list[tuple[str, Callable[[Random, int], Any]]] = [
    *(
        (name, schema)
        for name in ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
    ),
    *((name, schema) for name in ("unevaluatedProperties", "unevaluatedItems", "contentSchema")),
    *((name, _several) for name in (*_WEBS, "prefixItems")),
    *((name, _named) for name in ("properties", "properties", "properties", "patternProperties", "dependentSchemas")),
    *((name, _named) for name in ("$defs", "definitions")),
    *(
        (f"{end}{what}", _one_of(_LIMITS))
        for end in ("min", "max")
        for what in ("imum", "Length", "Items", "Properties")
    ),
    *((f"exclusive{end}imum", _one_of(_LIMITS)) for end in ("Min", "Max")),
    *((name, _one_of(_LIMITS)) for name in ("multipleOf", "minContains", "maxContains", "uniqueItems")),
    ("pattern", _one_of(_PATTERNS)),
    ("format", _one_of(_FORMATS)),
    ("enum", lambda rng, depth: [noise.document(rng, 1) for _ in range(rng.choice([1, 2, 5, 0, 300]))]),
    ("const", lambda rng, depth: rng.choice([noise.document(rng, 2), *_LIMITS])),
    ("required", lambda rng, depth: [noise.word(rng) for _ in range(rng.choice([1, 2, 3200]))]),
    ("default", lambda rng, depth: noise.document(rng, 2)),
    ("title", lambda rng, depth: noise.word(rng)),
    ("description", lambda rng, depth: noise.word(rng)),
    ("$ref", _reference),
    ("$dynamicRef", _reference),
    ("$id", _reference),
    ("$anchor", lambda rng, depth: noise.word(rng)),
    (
        "$schema",
        _one_of(["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema", "odd"]),
    ),
    ("dependentRequired", lambda rng, depth: {noise.word(rng): [noise.word(rng)]}),
    ("discriminator", lambda rng, depth: {"propertyName": "kind"}),
    ("nullable", _one_of([True, False])),
]


def check(case: Case, folder: Path) -> str:
    file = folder / "schema.json"
    given = case["schema"]
    if isinstance(given, dict):
        given = json.dumps(_web(given["web"], given["levels"], given["last"], back=given["back"]))
    file.write_text(whole(given), encoding="utf-8", errors="surrogatepass")
    contract = Schema.of(str(file))
    contract.fingerprint()
    for text in map(whole, case["documents"]):
        checked = contract.check_text(text)
        if checked.ok and contract.dump(checked.value) is None and text != "null":
            return "a value that is dumped as nothing"
        [str(issue) for issue in checked.issues]
    for show in get_args(Show):
        compose(Task("M6", contract), show=show)
    str(audit(contract).to_json())
    return ""
