"""A third set of kinds, written without a look at the parser and run blind before it was changed again.

README.md beside this file gives that run's figures.
"""

import json
import re
from random import Random
from typing import Any

from benchmarks.parsing.coercion import leaves, pick, put, rename
from benchmarks.parsing.extraction import cut
from benchmarks.parsing.syntax import is_string, strings, tokens
from structout.schema import Schema

# Syntax.


def commas_at_line_ends_gone(rng: Random, text: str) -> str | None:
    made = re.sub(r",(?=\n)", "", json.dumps(json.loads(text), indent=2, ensure_ascii=False))
    return made if made != text and "," in text and "\n" in made else None


def entities(rng: Random, text: str) -> str | None:
    """The quotes went through HTML."""
    return text.replace('"', "&quot;") if '"' in text and not re.search(r"[&<>\\]", text) else None


def markdown_escapes(rng: Random, text: str) -> str | None:
    r"""`part\_number`, as Markdown wants it."""
    made = re.sub(r"(?<!\\)_", r"\\_", text)
    return made if made != text else None


def angle_quotes(rng: Random, text: str) -> str | None:
    if re.search("[«»]", text):
        return None
    made = "".join(f"«{part[1:-1]}»" if is_string(part) else part for part in tokens(text))
    return made if made != text and text.lstrip()[0] in "{[" else None


def broken_line(rng: Random, text: str) -> str | None:
    """A long string is put together of two, with `+`."""
    parts = tokens(text)
    places = [i for i in strings(parts, keys=False) if re.fullmatch(r'"[\w ,.]{6,}"', parts[i])]
    if not places or text.lstrip()[0] not in "{[":
        return None
    at = rng.choice(places)
    middle = len(parts[at]) // 2
    parts[at] = f'{parts[at][:middle]}" + "{parts[at][middle:]}'
    return "".join(parts)


def fixed_spaces(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    made = "".join(part + "\u00a0" if part in ":," else part for part in parts)
    return made if made != text else None


def prefixed_strings(rng: Random, text: str) -> str | None:
    """Python 2 wrote `u'...'`."""
    made = "".join("u" + repr(json.loads(part)) if is_string(part) else part for part in tokens(text))
    return made if made != text and text.lstrip()[0] in "{[" else None


def ruby_hash(rng: Random, text: str) -> str | None:
    made = "".join({":": " => ", "null": "nil"}.get(part, part) for part in tokens(text))
    return made if made != text else None


def shouted_literals(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    made = "".join(part.upper() if part in ("true", "false", "null") else part for part in parts)
    return made if made != text else None


def bare_points(rng: Random, text: str) -> str | None:
    """`.5`, `5.`"""
    parts = tokens(text)
    made = "".join(
        re.sub(r"^(-?)0(\.\d+)$", r"\1\2", f"{part}." if re.fullmatch(r"-?\d+", part) else part) for part in parts
    )
    return made if made != text and text.lstrip()[0] in "{[" else None


def missing_open_bracket(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [
        i for i, part in enumerate(parts) if part == "[" and "".join(parts[:i]).strip().endswith(":") and
        next((later for later in parts[i + 1 :] if not later.isspace()), "]") not in "]{["
    ]  # fmt: skip
    if not places:
        return None
    parts[rng.choice(places)] = ""
    return "".join(parts)


def two_slips(rng: Random, text: str) -> str | None:
    """A comma too many, and one quote too few at a key."""
    parts = tokens(text)
    keys = [i for i in strings(parts, keys=True) if re.fullmatch(r'"[A-Za-z]\w*"', parts[i])]
    closers = [i for i, part in enumerate(parts) if part in "}]" and not re.search(r"[{\[]\s*$", "".join(parts[:i]))]
    if not keys or not closers:
        return None
    at = rng.choice(keys)
    parts[at] = parts[at][:-1]
    at = rng.choice(closers)
    parts[at] = "," + parts[at]
    return "".join(parts)


# Extraction.


def chat_markers(rng: Random, text: str, draft: Any) -> str | None:
    return f"<|im_start|>assistant\n{text}<|im_end|>"


def tool_call(rng: Random, text: str, draft: Any) -> str | None:
    return f'<tool_call>\n{{"name": "extract", "arguments": {text}}}\n</tool_call>'


def indented(rng: Random, text: str, draft: Any) -> str | None:
    return "The record:\n\n" + "\n".join(f"    {line}" for line in text.split("\n")) + "\n\nThat is all."


def other_fences(rng: Random, text: str, draft: Any) -> str | None:
    return f"```bash\npip install [extras] {{name}}\n```\nand then\n````json\n{text}\n````\n"


def boxed(rng: Random, text: str, draft: Any) -> str | None:
    return f"The final answer is $\\boxed{{{text}}}$."


def offer_after(rng: Random, text: str, draft: Any) -> str | None:
    return f'{text}\n\nWould you like another format, such as {{"format": "csv"}}?'


def log_line(rng: Random, text: str, draft: Any) -> str | None:
    return f"2024-05-01 12:00:00,123 INFO [worker-1] result={text}"


def footnotes(rng: Random, text: str, draft: Any) -> str | None:
    return f"As the source says [^1]:\n\n{text}\n\n[^1]: see the [manual](https://example.org/a?b={{c}})"


def struck_out(rng: Random, text: str, draft: Any) -> str | None:
    return f"First attempt (discard): {json.dumps(draft)}\n---\nFinal answer: {text}"


def heading(rng: Random, text: str, draft: Any) -> str | None:
    return f"### Reasoning\n- name: 'as given'\n- size: {{see text}}\n\n### Answer\n{text}\n\n### Confidence\n0.9"


# Coercion.


def words_for_null(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: value is None)
    return put(document, place[0], rng.choice(["null", "None", "nil"])) if place else None


def quoted_key(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """A key with its quotes, or its colon, inside."""
    keys = [path for path, _ in leaves(document) if path and isinstance(path[-1], str) and path[-1]]
    if not keys:
        return None
    path = rng.choice(keys)
    return rename(document, path, rng.choice([f"'{path[-1]}'", f"{path[-1]}:", f" {path[-1]} ", f"`{path[-1]}`"]))


def on_and_off(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, bool))
    words = rng.choice([("on", "off"), ("T", "F"), ("1", "0"), ("✓", "✗")])
    return put(document, place[0], words[not place[1]]) if place else None


def scientific(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: type(value) is int and value >= 10 and value % 10 == 0)
    if not place:
        return None
    digits = str(place[1]).rstrip("0")
    return put(document, place[0], f"{digits}e{len(str(place[1])) - len(digits)}")


def spaced_number(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: type(value) is int and value >= 1000)
    return put(document, place[0], f"{place[1]:,}".replace(",", rng.choice([" ", "\u202f", "'"]))) if place else None


def dotted_keys(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """One object is flattened into the one around it."""
    places = [
        path for path, value in leaves(document)
        if path and isinstance(path[-1], str) and isinstance(value, dict) and value and "." not in path[-1]
    ]  # fmt: skip
    if not places or not isinstance(document, dict):
        return None
    path = rng.choice(places)
    node = document
    for step in path[:-1]:
        node = node[step]
    made: dict[str, Any] = {}
    for key, value in node.items():
        made.update({f"{key}.{inner}": item for inner, item in value.items()} if key == path[-1] else {key: value})
    node.clear()
    node.update(made)
    return document


def list_in_items(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, list) and len(value) > 0)
    return put(document, place[0], {"items": place[1]}) if place else None


def envelope(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    return {"status": "success", "error": None, rng.choice(["data", "payload"]): document}


def name_in_quotes(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    names = set(re.findall(r'"enum": \[([^\]]*)\]', json.dumps(schema.json_schema)))
    place = pick(rng, document, lambda v: isinstance(v, str) and any(json.dumps(v) in name for name in names))
    return put(document, place[0], rng.choice([f"'{place[1]}'", f"`{place[1]}`", f"**{place[1]}**"])) if place else None


# YAML.


def folded(rng: Random, document: Any) -> str | None:
    return _dump(document, width=30)


def remarks(rng: Random, document: Any) -> str | None:
    text = _dump(document)
    if text is None or "|" in text or ">" in text:
        return None
    return re.sub(r"^(\s*[\w.-]+: \w+)$", r"\1  # as in the text", text, flags=re.MULTILINE)


def in_lists_of_markdown(rng: Random, document: Any) -> str | None:
    """`- **key**: value` for the plain values of a flat object."""
    if not isinstance(document, dict) or not document:
        return None
    if not all(isinstance(value, int | float) or _plain(value) for value in document.values()):
        return None
    return "\n".join(f"- **{key}**: {value if _plain(value) else json.dumps(value)}" for key, value in document.items())


def tight_colon(rng: Random, document: Any) -> str | None:
    """One key without a space after its colon."""
    text = _dump(document)
    lines = list(re.finditer(r"^[A-Za-z]\w*: [A-Za-z]", text or "", flags=re.MULTILINE))
    if text is None or not lines:
        return None
    at = rng.choice(lines).end() - 2
    return text[:at] + text[at + 1 :]


def _plain(value: Any) -> bool:
    known = {"true", "false", "null", "none", "yes", "no", "on", "off"}
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w ]*", value) is not None and value.lower() not in known


def _dump(document: Any, width: int = 10_000) -> str | None:
    import yaml

    if not isinstance(document, dict) or not document:
        return None
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=width))


# Traps.


def bound(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: type(value) is int)
    if not place:
        return None
    value = place[1]
    written = rng.choice([f">{value}", f"<= {value}", f"{value} (or {value + 1})", f"{value} + 1", f"{value}?"])
    return json.dumps(put(document, place[0], written))


def placeholder(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    place = pick(rng, document, lambda value: type(value) in (int, float, bool))
    return json.dumps(put(document, place[0], rng.choice(["TBD", "<value>", "...", "-", ""]))) if place else None


def doubtful_name(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    names = set(re.findall(r'"enum": \[([^\]]*)\]', json.dumps(schema.json_schema)))
    place = pick(rng, document, lambda v: isinstance(v, str) and any(json.dumps(v) in name for name in names))
    return json.dumps(put(document, place[0], rng.choice([f"{place[1]}?", f"probably {place[1]}"]))) if place else None


def half_a_list(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    """The model names how many items it left out."""
    place = pick(rng, document, lambda value: isinstance(value, list) and len(value) > 2)
    if not place:
        return None
    text = json.dumps(put(document, place[0], [place[1][0], "@@@"]))
    return text.replace('"@@@"', f"/* {len(place[1]) - 1} more */ ...")


def keys_that_clash(rng: Random, document: Any, schema: Schema[Any]) -> str | None:
    """One key in two spellings, with two values."""
    if not isinstance(document, dict):
        return None
    keys = [key for key, value in document.items() if isinstance(value, str) and key.upper() not in document]
    if not keys:
        return None
    key = rng.choice(keys)
    return json.dumps({**document, key.upper(): document[key] + " (2)"}) if key.upper() != key else None


KINDS: dict[Any, dict[str, Any]] = {
    "syntax": {
        kind.__name__: kind
        for kind in (
            commas_at_line_ends_gone, entities, markdown_escapes, angle_quotes, broken_line, fixed_spaces,
            prefixed_strings, ruby_hash, shouted_literals, bare_points, missing_open_bracket, two_slips,
        )
    },
    "extraction": {
        kind.__name__: kind
        for kind in (
            chat_markers, tool_call, indented, other_fences, boxed, offer_after, log_line, footnotes, struck_out,
            heading,
        )
    },
    "coercion": {
        kind.__name__: kind
        for kind in (
            words_for_null, quoted_key, on_and_off, scientific, spaced_number, dotted_keys, list_in_items, envelope,
            name_in_quotes,
        )
    },
    "yaml": {kind.__name__: kind for kind in (folded, remarks, in_lists_of_markdown, tight_colon)},
    "truncation": {"cut": cut, "cut ": cut},
    "traps": {
        kind.__name__: kind for kind in (bound, placeholder, doubtful_name, half_a_list, keys_that_clash)
    },
}  # fmt: skip
