"""What a constrained decoder makes of a model's words: a document that complies with the schema, near to them."""

import json
import re
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from structout.grammar.samples import word

_UUID = "12345678-1234-4678-9234-567812345678"
_FORMATS = {  # a pattern, and an example
    "date": (r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8]|29|30|31)", "2024-01-31"),
    "time": (r"\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "12:00:00Z"),
    "date-time": (r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", "2024-01-31T12:00:00Z"),
    "duration": (r"P(?=.)(\d+[YMWD])*(T(\d+(\.\d+)?[HMS])+)?", "P1D"),
    "email": (r"[^@\s]+@[^@\s]+\.\w+", "a@example.com"),
    "hostname": (r"[\w.-]+", "example.com"),
    "ipv4": (r"(\d{1,2}\.){3}\d{1,3}", "192.168.0.1"),
    "ipv6": (r"[0-9a-fA-F:]+:[0-9a-fA-F:]*", "::1"),
    "uuid": (r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", _UUID),
    "uri": (r"[a-z][a-z0-9+.-]*:\S+", "https://example.com"),
}
_NOTHING = object()  # a value that the model did not write


def held(schema: Any, text: str) -> str:
    """The text that a model writes if a decoder holds it to the schema: its own words if they comply."""
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = text
    return json.dumps(fitted(wanted, schema), ensure_ascii=False)


def fitted(wanted: Any, schema: Any) -> Any:
    """The document of a schema that is nearest to what a model wants to say."""
    return _fit(wanted, schema, schema, 0)


def _fit(wanted: Any, schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, dict):
        return None if wanted is _NOTHING else wanted
    schema = _merged(schema, root)
    for key in ("anyOf", "oneOf"):
        if branches := schema.get(key):
            rest = {name: value for name, value in schema.items() if name != key}
            ways = [_merged({**rest, "allOf": [branch]}, root) for branch in branches]
            return _fit(wanted, max(ways, key=lambda way: _likeness(wanted, way, root, depth)), root, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return wanted if any(_same(wanted, one) for one in schema["enum"]) else schema["enum"][0]
    kinds = _kinds(schema)
    if not kinds:
        return None if wanted is _NOTHING else wanted
    kind = next((kind for kind in kinds if _is(wanted, kind)), None)
    if kind is None:
        kind = "null" if "null" in kinds and not isinstance(wanted, (dict, list)) else kinds[0]
    match kind:
        case "object":
            return _object(wanted, schema, root, depth)
        case "array":
            return _array(wanted, schema, root, depth)
        case "string":
            return _string(wanted, schema)
        case "integer" | "number":
            return _number(wanted, schema, whole=kind == "integer")
        case "boolean":
            return wanted is True
    return None


def _merged(schema: dict[str, Any], root: Any) -> dict[str, Any]:
    """The schema with its reference and its `allOf` folded in."""
    for _ in range(50):
        if isinstance(reference := schema.get("$ref"), str):
            target = _at(root, reference)
            schema = {
                **(target if isinstance(target, dict) else {}),
                **{k: v for k, v in schema.items() if k != "$ref"},
            }
        elif parts := schema.get("allOf"):
            whole = {key: value for key, value in schema.items() if key != "allOf"}
            for part in parts:
                part = _merged(part, root) if isinstance(part, dict) else {}
                both = {**whole.get("properties", {}), **part.get("properties", {})}
                need = [*whole.get("required", ()), *part.get("required", ())]
                whole |= part | ({"properties": both} if both else {}) | ({"required": need} if need else {})
            schema = whole
        else:
            break
    return schema


def _at(root: Any, reference: str) -> Any:
    found = root
    for step in reference.lstrip("#").split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = found[int(step)] if isinstance(found, list) else found.get(step, {})
    return found


def _kinds(schema: dict[str, Any]) -> list[str]:
    stated = schema.get("type")
    if stated is None:
        return ["object"] if "properties" in schema else ["array"] if "items" in schema else []
    return list(stated) if isinstance(stated, list) else [stated]


def _is(value: Any, kind: str) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "integer": whole or (isinstance(value, float) and value.is_integer()),
        "number": whole or isinstance(value, float),
        "boolean": isinstance(value, bool),
        "null": value is None,
    }.get(kind, False)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _likeness(wanted: Any, schema: dict[str, Any], root: Any, depth: int) -> float:
    """How near a branch is to the wish: it admits it, has its type, has its keys."""
    if wanted is _NOTHING:
        return float("null" in _kinds(schema)) - depth * ("$ref" in json.dumps(schema))
    try:
        if _admits(json.dumps(schema), json.dumps(_definitions(root)), json.dumps(wanted)):
            return 10
    except RecursionError:
        return 0
    if "object" in _kinds(schema) and (only := _wrapper(wanted, schema)) is not None:
        inner = schema["properties"][only]
        return 0.5 + _likeness(wanted, _merged(inner, root), root, depth + 1) / 20 if isinstance(inner, dict) else 0.5
    if not any(_is(wanted, kind) for kind in _kinds(schema)):
        return 0
    if not isinstance(wanted, dict):
        return 1
    named = schema.get("properties", {})
    fixed = [(k, v) for k, v in named.items() if isinstance(v, dict) and ("const" in v or "enum" in v) and k in wanted]
    agree = sum(wanted[k] in (v["enum"] if "enum" in v else [v["const"]]) for k, v in fixed)
    return 1 + len(named.keys() & wanted.keys()) / (1 + len(named)) + 2 * agree - 2 * (len(fixed) - agree)


def _definitions(root: Any) -> dict[str, Any]:
    return {key: root[key] for key in ("$defs", "definitions") if isinstance(root, dict) and key in root}


@lru_cache(maxsize=4096)
def _admits(schema: str, definitions: str, wanted: str) -> bool:
    try:
        return bool(
            Draft202012Validator({**json.loads(definitions), **json.loads(schema)}).is_valid(json.loads(wanted))
        )
    except Exception:  # a reference to the root, which is not here
        return False


def _object(wanted: Any, schema: dict[str, Any], root: Any, depth: int) -> dict[str, Any]:
    named = schema.get("properties", {})
    if wanted is not _NOTHING and (only := _wrapper(wanted, schema)) is not None:
        return {name: _fit(wanted if name == only else _NOTHING, one, root, depth + 1) for name, one in named.items()}
    if isinstance(wanted, list) and len(wanted) == len(named):
        wanted = dict(zip(named, wanted, strict=True))  # positions that became keys
    given = wanted if isinstance(wanted, dict) else {}
    document = {}
    for name, inner in named.items():
        if name in given or name in schema.get("required", ()):
            document[name] = _fit(given.get(name, _NOTHING), inner, root, depth + 1)
    others, patterns = schema.get("additionalProperties", True), schema.get("patternProperties", {})
    for name, value in given.items():
        if name in named or not _key_fits(name, schema.get("propertyNames"), root):
            continue
        inner = next((inner for pattern, inner in patterns.items() if re.search(pattern, name)), others)
        if inner is not False:
            document[name] = _fit(value, inner, root, depth + 1)
    return document


def _wrapper(wanted: Any, schema: dict[str, Any]) -> str | None:
    """The key of an object that is the only place for what the model wants to say, next to keys with one value."""
    free = [name for name, one in schema.get("properties", {}).items() if not _is_fixed(one)]
    if len(free) != 1:
        return None
    is_elsewhere = not isinstance(wanted, dict) or (free[0] not in wanted and free[0] in schema.get("required", ()))
    return free[0] if is_elsewhere else None


def _is_fixed(schema: Any) -> bool:
    return isinstance(schema, dict) and ("const" in schema or len(schema.get("enum", ())) == 1)


def _key_fits(name: str, names: Any, root: Any) -> bool:
    return names is None or _admits(json.dumps(names), json.dumps(_definitions(root)), json.dumps(name))


def _array(wanted: Any, schema: dict[str, Any], root: Any, depth: int) -> list[Any]:
    items, first = schema.get("items", True), schema.get("prefixItems", [])
    if isinstance(wanted, dict) and isinstance(items, dict):
        pair = list(_merged(items, root).get("properties", {}))
        wanted = [dict(zip(pair, one, strict=True)) for one in wanted.items()] if len(pair) == 2 else []
    given = wanted if isinstance(wanted, list) else []
    most = schema.get("maxItems", len(first) if items is False else 10_000)
    least = schema.get("minItems", 0)
    given = [*given, *[_NOTHING] * (least - len(given))][:most]
    found = []
    for number, value in enumerate(given):
        found.append(_fit(value, first[number] if number < len(first) else items, root, depth + 1))
    if schema.get("uniqueItems"):
        texts = [json.dumps(one) for one in found]
        found = [one for number, one in enumerate(found) if texts[number] not in texts[:number]]
    return found


def _string(wanted: Any, schema: dict[str, Any]) -> str:
    text = wanted if isinstance(wanted, str) else "unknown" if wanted is _NOTHING else json.dumps(wanted)
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if (form := schema.get("format")) in _FORMATS:
        shape, example = _FORMATS[form]
        return text if re.fullmatch(shape, text) else example
    if isinstance(pattern := schema.get("pattern"), str):
        fits = re.search(pattern, text) and len(text) >= least and (most is None or len(text) <= most)
        return text if fits else word((pattern,), (), least, most)
    return text.ljust(least, "x")[:most]


def _number(wanted: Any, schema: dict[str, Any], *, whole: bool) -> int | float:
    value: int | float = wanted if _is(wanted, "number") else 0
    if whole:
        value = int(value)
    step = schema.get("multipleOf", 1 if whole else 0.5)
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and value < low:
        value = low if low % step == 0 else (low // step + 1) * step
    if above is not None and value <= above:
        value = (above // step + 1) * step
    if high is not None and value > high:
        value = high // step * step
    if below is not None and value >= below:
        value = (-(-below // step) - 1) * step
    if "multipleOf" in schema and value % step:
        value = value // step * step
    return int(value) if whole else value
