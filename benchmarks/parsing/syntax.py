"""Corruptions of the syntax: a document in, text that is no JSON out, the data unharmed."""

import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

Corrupt = Callable[[Random, str], "str | None"]

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\s+')


def tokens(text: str) -> list[str]:
    """The tokens of a JSON text, white space included."""
    return TOKEN.findall(text)


def is_string(token: str) -> bool:
    return token.startswith('"')


def is_key(parts: list[str], index: int) -> bool:
    """Whether the token is an object's key."""
    after = next((part for part in parts[index + 1 :] if not part.isspace()), "")
    return is_string(parts[index]) and after == ":"


def strings(parts: list[str], *, keys: bool) -> list[int]:
    """The indexes of the strings that are keys, or that are values."""
    return [i for i, part in enumerate(parts) if is_string(part) and is_key(parts, i) == keys]


def decoded(token: str) -> str:
    return str(json.loads(token))


def trailing_comma(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part in "}]" and _before(parts, i) not in ("{", "[")]
    return _insert(parts, rng.choice(places), ",") if places else None


def missing_comma(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part == ","]
    if not places:
        return None
    at = rng.choice(places)
    spaced = at + 1 < len(parts) and parts[at + 1].isspace()
    return _replace(parts, at, "" if spaced else " ")


def missing_colon(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part == ":"]
    return _replace(parts, rng.choice(places), " ") if places else None


def single_quotes(rng: Random, text: str) -> str | None:
    """As Python writes it, but for the literals."""
    parts = tokens(text)
    if not any(map(is_string, parts)):
        return None
    return "".join(repr(decoded(part)) if is_string(part) else part for part in parts)


def python_repr(rng: Random, text: str) -> str | None:
    document = json.loads(text)
    return repr(document) if isinstance(document, dict | list) else None


def smart_quotes(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    if not any(map(is_string, parts)) or any(sign in text for sign in "“”"):
        return None
    return "".join(f"“{part[1:-1]}”" if is_string(part) else part for part in parts)


def backtick_quotes(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    if not any(map(is_string, parts)) or "`" in text:
        return None
    return "".join(f"`{part[1:-1]}`" if is_string(part) else part for part in parts)


def unquoted_keys(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    keys = [i for i in strings(parts, keys=True) if re.fullmatch(r'"[A-Za-z_]\w*"', parts[i])]
    if not keys:
        return None
    for i in keys:
        parts[i] = parts[i][1:-1]
    return "".join(parts)


def unquoted_value(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    known = {"true", "false", "null", "none", "nan", "inf", "infinity", "undefined", "nil"}
    places = [
        i
        for i in strings(parts, keys=False)
        if re.fullmatch(r'"[A-Za-z][A-Za-z ]*[A-Za-z]"', parts[i]) and parts[i][1:-1].lower() not in known
    ]
    if not places or text.lstrip()[0] not in "{[":
        return None
    at = rng.choice(places)
    return _replace(parts, at, parts[at][1:-1])


def python_literals(rng: Random, text: str) -> str | None:
    names = {"true": "True", "false": "False", "null": "None"}
    parts = tokens(text)
    if not any(part in names for part in parts):
        return None
    return "".join(names.get(part, part) for part in parts)


def line_comment(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part in ",{"]
    if not places:
        return None
    remark = rng.choice(["// as stated in the text", "# see the manual", '// TODO: check, "maybe"'])
    return _insert(parts, rng.choice(places) + 1, f" {remark}\n")


def block_comment(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part in ",:{["]
    return _insert(parts, rng.choice(places) + 1, "/* from the catalogue */") if places else None


def inner_quotes(rng: Random, text: str) -> str | None:
    """A word in a string is quoted, and the quotes are not escaped: the document says so too."""
    parts = tokens(text)
    places = [i for i in strings(parts, keys=False) if '\\"' in parts[i]]
    if not places:
        return None
    at = rng.choice(places)
    return _replace(parts, at, parts[at].replace('\\"', '"'))


def raw_newlines(rng: Random, text: str) -> str | None:
    """Line breaks and tabs stand in a string as they are."""
    parts = tokens(text)
    places = [i for i in strings(parts, keys=False) if "\\n" in parts[i] or "\\t" in parts[i]]
    if not places:
        return None
    for at in places:
        parts[at] = re.sub(
            r"(?<!\\)((?:\\\\)*)\\([nt])", lambda m: m.group(1) + {"n": "\n", "t": "\t"}[m.group(2)], parts[at]
        )
    return "".join(parts)


def missing_last_closers(rng: Random, text: str) -> str | None:
    """One or all of the closers at the very end were forgotten."""
    run = re.search(r"[\s}\]]*$", text)
    closers = run.group() if run else ""
    count = sum(char in "}]" for char in closers)
    if not count or text.lstrip()[0] not in "{[":
        return None
    keep = rng.choice([0, count - 1])
    head = text[: len(text) - len(closers)]
    for char in closers:
        if char in "}]":
            if not keep:
                break
            keep -= 1
        head += char
    return head.rstrip() if rng.random() < 0.5 else head


def wrong_closer(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part in "}]"]
    if not places:
        return None
    at = rng.choice(places)
    return _replace(parts, at, "]" if parts[at] == "}" else "}")


def extra_closer(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if part in "}]"]
    if not places:
        return None
    at = rng.choice(places)
    return _insert(parts, at + 1, parts[at])


def number_style(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i, part in enumerate(parts) if re.fullmatch(r"[1-9]\d*", part)]
    if not places:
        return None
    at = rng.choice(places)
    value = int(parts[at])
    styles = [f"+{value}", hex(value)] + ([f"{value:_}"] if value >= 1000 else [])
    return _replace(parts, at, rng.choice(styles))


def odd_escape(rng: Random, text: str) -> str | None:
    r"""An escape that JSON lacks: `\'` or `\x41`."""
    parts = tokens(text)
    places = [i for i in strings(parts, keys=False) if re.search(r"[A-Za-z']", parts[i]) and "\\" not in parts[i]]
    if not places:
        return None
    at = rng.choice(places)
    found = rng.choice(list(re.finditer(r"[A-Za-z']", parts[at])))
    written = "\\'" if found.group() == "'" else f"\\x{ord(found.group()):02x}"
    return _replace(parts, at, parts[at][: found.start()] + written + parts[at][found.end() :])


def missing_end_quote(rng: Random, text: str) -> str | None:
    parts = tokens(text)
    places = [i for i in strings(parts, keys=False) if re.fullmatch(r'"[\w ]+"', parts[i])]
    if not places or text.lstrip()[0] not in "{[":
        return None
    at = rng.choice(places)
    return _replace(parts, at, parts[at][:-1])


def double_encoded(rng: Random, text: str) -> str | None:
    return json.dumps(text) if text.lstrip()[0] in "{[" else None


def _before(parts: list[str], index: int) -> str:
    return next((part for part in reversed(parts[:index]) if not part.isspace()), "")


def _insert(parts: list[str], index: int, piece: str) -> str:
    return "".join((*parts[:index], piece, *parts[index:]))


def _replace(parts: list[str], index: int, piece: str) -> str:
    return "".join((*parts[:index], piece, *parts[index + 1 :]))


def seed_content(rng: Random, document: Any, kind: str) -> Any:
    """Give some string of the document quotes or line breaks to lose, for the kinds that need them."""
    if kind not in ("inner_quotes", "raw_newlines"):
        return document
    leaves = list(_leaves(document))
    if not leaves:
        return document
    document = json.loads(json.dumps(document))
    path = rng.choice(leaves)
    node = document
    for step in path[:-1]:
        node = node[step]
    text = node[path[-1]]
    words = text.split(" ")
    at = rng.randrange(len(words))
    if kind == "inner_quotes":
        words[at] = f'"{words[at]}"'
        node[path[-1]] = " ".join(words)
    else:
        node[path[-1]] = " ".join([*words[:at], words[at] + rng.choice(["\n", "\t", "\n\n"]), *words[at + 1 :]])
    return document


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, str) and " " in node and path:
        yield path
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from _leaves(item, (*path, index))


KINDS: dict[str, Corrupt] = {
    kind.__name__: kind
    for kind in (
        trailing_comma, missing_comma, missing_colon, single_quotes, python_repr, smart_quotes, backtick_quotes,
        unquoted_keys, unquoted_value, python_literals, line_comment, block_comment, inner_quotes, raw_newlines,
        missing_last_closers, wrong_closer, extra_closer, number_style, odd_escape, missing_end_quote, double_encoded,
    )
}  # fmt: skip
