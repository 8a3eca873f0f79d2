"""Order confirmations and statements of any length, with every line known.

`document(kind, lines, seed)` is always the same text. It has page breaks, column titles on every page, wrapped lines,
subtotals, a count of its lines, a total, noise, and now and then two equal lines. `read` reads any part of such a text
without an error: it knows the form of a line, and nothing of the document around it.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

Kind = Literal["order", "statement", "markdown", "csv"]
KINDS: Final[tuple[Kind, ...]] = ("order", "statement", "markdown", "csv")
_THINGS = ("Hex bolt", "Washer", "Flange nut", "Threaded rod", "Dowel pin", "Circlip", "Set screw", "Spring pin")
_FORMS = ("zinc plated", "stainless A2", "stainless A4", "black oxide", "brass", "plain")
_MORE = ("delivered in two lots", "certificate 3.1 enclosed", "packed in boxes of 100", "replaces the former article")
_PARTIES = ("Miller Ltd", "Sato KK", "Olsen AS", "Rossi SpA", "Dupont SA", "Nowak Sp", "Garcia SL", "Weber GmbH")
_NOISE = (
    "Please note our general terms of business.",
    "Goods remain our property until payment in full.",
    "Questions? Call our office on working days.",
)
_EQUAL = 0.03  # the share of lines that repeat the line before
_WRAPPED = 0.15
_PAGE = 40  # lines


@dataclass(frozen=True)
class Document:
    """A text, and the record that it says."""

    text: str
    truth: dict[str, Any]


SCHEMA: Final[dict[str, Any]] = {
    "title": "Document",
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "total": {"type": "number"},
        "lines": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "text": {"type": "string"},
                    "quantity": {"type": "integer"},
                    "amount": {"type": "number"},
                },
                "required": ["code", "text", "quantity", "amount"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["number", "total", "lines"],
    "additionalProperties": False,
}


def document(kind: Kind, lines: int, seed: int = 0) -> Document:
    """A document with a number of lines. The same arguments give the same document."""
    chance = random.Random(f"{kind} {lines} {seed}")
    rows = list(_rows(chance, lines))
    number = f"{kind[:2].upper()}-{chance.randrange(10**5, 10**6)}"
    total = sum((amount for *_, amount in rows), Decimal(0))
    made = [
        {"code": code, "text": text, "quantity": quantity, "amount": float(amount)}
        for code, text, quantity, amount in rows
    ]
    truth = {"number": number, "total": float(total), "lines": made}
    body = {"markdown": _markdown, "csv": _csv}.get(kind)
    end = f"Number of lines: {lines}\nGrand total: {total}\n"
    if body is not None:
        return Document(f"Document number: {number}\n\n{body(rows)}\n{end}", truth)
    return Document("".join(_paged(kind, rows, number, chance)) + end, truth)


Row = tuple[str, str, int, Decimal]


def _rows(chance: random.Random, lines: int) -> Iterator[Row]:
    last: Row | None = None
    for _ in range(lines):
        if last is None or chance.random() >= _EQUAL:
            thing = f"{chance.choice(_THINGS)} M{chance.choice((3, 4, 5, 6, 8, 10, 12))}x{chance.randrange(8, 90)}"
            text = f"{thing} {chance.choice(_FORMS)}"
            if chance.random() < _WRAPPED:
                text += f" {chance.choice(_MORE)}"
            quantity = chance.randrange(1, 500)
            amount = (Decimal(quantity * chance.randrange(3, 900)) / 100).quantize(Decimal("0.01"))
            last = (f"{chance.choice('ABCDE')}{chance.randrange(10**4, 10**5)}", text, quantity, amount)
        yield last


def _paged(kind: Kind, rows: list[Row], number: str, chance: random.Random) -> Iterator[str]:
    """The pages of an order confirmation or a statement."""
    name = "ORDER CONFIRMATION" if kind == "order" else "ACCOUNT STATEMENT"
    party = chance.choice(_PARTIES)
    yield f"{name}\n{party}\n\nDocument number: {number}\n\nDear customer, thank you. This is what we have noted.\n\n"
    titles = f"{'Article':<10}{'Description':<44}{'Qty':>8}{'Amount':>14}\n{'-' * 76}\n"
    yield titles
    subtotal = Decimal(0)
    for at, (code, text, quantity, amount) in enumerate(rows):
        if at and at % _PAGE == 0:
            yield f"{'Subtotal':<62}{subtotal:>14}\n\nPage {at // _PAGE}\n\f{name}  {party}\n{titles}"
        first, rest = _wrapped(text)
        yield f"{code:<10}{first:<44}{quantity:>8}{amount:>14}\n"
        yield "".join(f"{'':<12}{one}\n" for one in rest)
        subtotal += amount
        if chance.random() < 0.02:
            yield f"{chance.choice(_NOISE)}\n"
    yield f"{'-' * 76}\n"


def _wrapped(text: str) -> tuple[str, list[str]]:
    """The first line of a description, and the lines that continue it."""
    words, lines = text.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 40:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines[0], lines[1:]


def _markdown(rows: list[Row]) -> str:
    body = "".join(f"| {code} | {text} | {quantity} | {amount} |\n" for code, text, quantity, amount in rows)
    return f"| Article | Description | Qty | Amount |\n|---|---|---:|---:|\n{body}"


def _csv(rows: list[Row]) -> str:
    body = "".join(f"{code};{text};{quantity};{amount}\n" for code, text, quantity, amount in rows)
    return f"Article;Description;Qty;Amount\n{body}"


_FIXED = re.compile(r"(?P<code>[A-E]\d{5}) {2,}(?P<text>\S.*?) {2,}(?P<quantity>\d+) {2,}(?P<amount>[\d.]+)$")
_CELLS = re.compile(
    r"(?:\| )?(?P<code>[A-E]\d{5})(?: \| |;)(?P<text>[^|;]+?)(?: \| |;)(?P<quantity>\d+)(?: \| |;)(?P<amount>[\d.]+)"
)


def read(text: str) -> dict[str, Any]:
    """What a part of a document says, read perfectly: null for what stands elsewhere.

    A reader needs the titles of the columns: without them, it does not know what a row means, and finds no rows.
    """
    number = re.search(r"^Document number: (\S+)$", text, re.MULTILINE)
    total = re.search(r"^Grand total: (\S+)$", text, re.MULTILINE)
    lines: list[dict[str, Any]] = []
    is_open = knows_titles = False
    for line in re.split(r"[\n\f]", text):
        knows_titles = knows_titles or "Description" in line
        row = _FIXED.match(line) or _CELLS.match(line)
        if row and knows_titles:
            quantity, amount = int(row["quantity"]), float(row["amount"])
            lines.append({"code": row["code"], "text": row["text"], "quantity": quantity, "amount": amount})
            is_open = bool(_FIXED.match(line))
        elif is_open and re.match(r" {12}\S", line):
            lines[-1]["text"] += f" {line.strip()}"
        else:
            is_open = False
    return {"number": number and number[1], "total": total and float(total[1]), "lines": lines}
