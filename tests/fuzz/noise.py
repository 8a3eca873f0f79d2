"""Texts and documents that programs stumble over, and ways to spoil good ones."""

import json
from random import Random
from typing import Any

WORDS = [
    "name", "a", "b", "kind", "size_mm", "note", "x y", "items", "0", "", "type", "$ref", "M6 bolt", "12,5", "hex",
    "null",
    "true", "NaN", "yes", "~", "-", "2024-02-30", "http://h/#/a", "key: value", "a\nb", "tab\there", "\r", "\0",
    "\x1b[31m",
    "\n::set-output name=x::y", "</record>", "<|im_end|>", "`|`", "'", '"', "\\", "\\u0000", "{", "}", "[", "]",
    ",", ":",
    "#", "//", "/*", "```", "${x}", "%s", "\u200b", "\u00ad", "\ufeff", "\u202e", "\u2028", "é", "ﬁ", "😀",
    "\ud800", "１２",
    "＜/record＞", "ß", "İ", "\U000e0041",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "1", "-1", "1.0", "0.1", "1e3", "1E+2", "1e400", "-1e400", "1e-400", "0.0000001", "9007199254740993",
    "1" * 30, "9" * 400, "1" * 5000, "00", "+1", ".5", "5.", "1,200", "0x10", "NaN", "-Infinity", "1_000", "1e", "--1",
]  # fmt: skip
PIECES = [
    *"{}[]\"',:\\/#\n\r\t -_<>`~!&*|%@?=+", "null", "true", "None", "{{", "}}", "[[", "]]", '""', "''", "...", "/*",
    "*/",
    "//", "```json\n", "```", "<think>", "</think>", "---\n", "- ", ": ", "&a ", "*a", "!!int ", "\\u", "\\ud800",
    "\\x",
    '":', '",', "{name:,", "[},", "undefined", "“", "”", "，", "：",
]  # fmt: skip


def word(rng: Random) -> str:
    """A key or a text."""
    kind = rng.random()
    if kind < 0.8:
        return rng.choice(WORDS)
    if kind < 0.9:
        return "".join(rng.choice(WORDS) for _ in range(rng.randrange(4)))
    if kind < 0.98:
        return "".join(
            chr(rng.choice([rng.randrange(128), rng.randrange(0xD800), rng.randrange(0x10000)])) for _ in "abc"
        )
    return rng.choice(WORDS) * rng.choice([100, 3000])


def number(rng: Random) -> str:
    """A number as somebody writes one."""
    return rng.choice(NUMBERS) if rng.random() < 0.7 else str(rng.uniform(-1000, 1000))


def document(rng: Random, depth: int = 3) -> Any:
    """A JSON document."""
    kind = rng.randrange(9 if depth > 0 else 6)
    if kind < 2:
        return word(rng)
    if kind < 4:
        return rng.choice([0, 1, -1, 2.5, 1e300, 10**20, rng.randrange(-100, 100)])
    if kind < 6:
        return rng.choice([None, True, False])
    size = rng.choice([0, 1, 2, 3, 3, 5])
    if kind < 7:
        return [document(rng, depth - 1) for _ in range(size)]
    return {word(rng): document(rng, depth - 1) for _ in range(size)}


def nested(rng: Random, most: int = 100_000) -> list[tuple[str, int]]:
    """Something inside something, and so on, as a text in pieces."""
    deep = rng.choice([50, 199, 201, 1000, 5000, most])
    before, after = rng.choice([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("(", ")"), ("- ", ""), ('{"a":[', "")])
    return [(before, deep), (rng.choice(["1", '"x"', ""]), 1), (after, rng.choice([deep, deep, deep - 1, 0]))]


def spoiled(rng: Random, text: str, times: int | None = None) -> str:
    """A text with something cut, doubled, moved or put in."""
    for _ in range(rng.choice([0, 1, 1, 2, 3, 8]) if times is None else times):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 1, 2, 5, 20, len(text)]))
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:start] + text[end:]
        elif kind == 1:
            text = text[:start] + text[start:end] * rng.choice([2, 2, 3, 50]) + text[end:]
        elif kind == 2:
            text = text[:start] + word(rng) + text[start:]
        elif kind == 3:
            text = text[:start] + number(rng) + text[end:]
        elif kind == 4:
            text = text[:start]
        else:
            text = text[:start] + rng.choice(PIECES) * rng.choice([1, 1, 1, 2, 30]) + text[end:]
        text = text[:200_000]
    return text


def damaged(rng: Random, data: bytes, times: int) -> bytes:
    """Bytes of which some are others, or missing, or there twice."""
    whole = bytearray(data)
    for _ in range(times):
        start = rng.randrange(len(whole) + 1)
        size = rng.choice([1, 1, 2, 16, 512])
        kind = rng.randrange(6)
        if kind == 0:
            del whole[start : start + size]
        elif kind == 1:
            whole[start : start + size] = bytes(min(size, len(whole) - start))
        elif kind == 2:
            whole[start:start] = whole[start : start + size]
        elif kind == 3:
            del whole[start:]
        elif start < len(whole):
            whole[start] ^= 1 << rng.randrange(8)
    return bytes(whole)


def replaced(rng: Random, node: Any, odd: list[Any]) -> Any:
    """A document in which a part, chosen at random, is something else."""
    if isinstance(node, dict) and node and rng.random() < 0.85:
        key = rng.choice(list(node))
        if rng.random() < 0.1:
            return {name: value for name, value in node.items() if name != key}
        return {**node, key: replaced(rng, node[key], odd)}
    if isinstance(node, list) and node and rng.random() < 0.85:
        place = rng.randrange(len(node))
        return [*node[:place], replaced(rng, node[place], odd), *node[place + rng.choice([0, 1, 1, 1]) :]]
    return rng.choice(odd) if rng.random() < 0.7 else document(rng, 2)


def written(rng: Random, value: Any) -> str:
    """A document as JSON, with white space or without, in ASCII or not."""
    return json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, None, 1, 4]))
