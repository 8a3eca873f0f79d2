"""Edits: the changes that repair makes, and their grades."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

Grade = Literal["lossless", "lossy", "invented"]
GRADES: Final[Mapping[str, str]] = {  # what each grade means
    "lossless": "only syntax or spelling changed: the data is the same",
    "lossy": "something was dropped or rounded",
    "invented": "a value was added that the text did not hold",
}
EditKind = Literal[
    # around the document
    "fence", "prose", "other_document", "spaces", "full stop", "yaml", "toml", "call", "markers", "tool_call",
    "xml", "table", "encoded", "joined",
    # syntax
    "quotes", "string", "quoted_line", "concatenated", "braces", "closer", "unclosed", "comma", "colon", "comment",
    "whitespace", "ellipsis", "elided", "junk", "literal", "tuple", "non_finite", "missing_value", "duplicate_key",
    # data
    "key", "extra_key", "dropped", "default", "null", "boolean", "boolean_number", "number", "unit", "magnitude",
    "rounded", "whole", "text", "date", "enum", "validator", "trimmed", "unwrapped", "wrapped", "moved",
    "flattened", "listed", "unlisted", "pairs",
    # after the answer
    "withheld",
    # while decoding
    "steered",
]  # fmt: skip
EDITS: Final[Mapping[str, str]] = {  # what each kind means
    # around the document
    "fence": "a code fence was removed",
    "prose": "text before or after the document was removed",
    "other_document": "text with another document was removed: an equal one, or one that the text itself corrects",
    "spaces": "spaces around a bare answer were removed",
    "full stop": "the full stop after a bare answer was removed",
    "yaml": "a document in YAML was read",
    "toml": "a document in TOML was read",
    "call": "a call such as `Record(a=1)` or a tool call in JSON was read",
    "markers": "fields behind markers were read, as DSPy writes them",
    "tool_call": "a tool call in XML was read",
    "xml": "a record in plain XML was read",
    "table": "a table in Markdown was read",
    "encoded": "JSON inside a string was read",
    "joined": "several documents became the items of a list",
    # syntax
    "quotes": "quotes were added, replaced or removed",
    "string": "characters or escapes in a string were written as JSON",
    "quoted_line": "the mark `>` of a quoted line was removed",
    "concatenated": "strings joined by `+` became one",
    "braces": "braces around members were added",
    "closer": "a bracket was replaced, added or removed within the document",
    "unclosed": "brackets were added at the end",
    "comma": "a comma was added or removed",
    "colon": "a colon was added or replaced",
    "comment": "a comment was removed",
    "whitespace": "characters that JSON does not take for space were removed",
    "ellipsis": "dots between items were removed",
    "elided": "a comment that says that items were left out was removed",
    "junk": "stray words between members were removed",
    "literal": "a literal of another language was written as JSON, as True or 0x1F",
    "tuple": "a tuple became a list",
    "non_finite": "NaN or an infinity became null",
    "missing_value": "a key without a value got null",
    "duplicate_key": "of several members with one key, one was kept",
    # data
    "key": "a key was spelled as the schema does",
    "extra_key": "a member that the schema does not have was removed",
    "dropped": "a value that fits nowhere was removed",
    "default": "a required member that was absent got its default",
    "null": 'a word for "nothing" became null, or an optional member without a value was removed',
    "boolean": "a word became true or false",
    "boolean_number": "1 or 0 became true or false",
    "number": "text became a number",
    "unit": "the unit of a number was removed",
    "magnitude": "a word or letter for a magnitude was applied: `1.2M`",
    "rounded": "a number was rounded: to an integer, or to the digits that a float keeps",
    "whole": "a float without a fraction became an integer",
    "text": "a number or a boolean became text",
    "date": "a date or a time was written as ISO 8601",
    "enum": "a value was spelled as one of the allowed values",
    "validator": "a validator of your own read a text",
    "trimmed": "spaces around a text were removed",
    "unwrapped": "a wrapper around the value was removed",
    "wrapped": "the value was put under the only key",
    "moved": "members were moved out of an object that lacked its closer",
    "flattened": "a dotted key became an object",
    "listed": "a value became a list, or a text was split",
    "unlisted": "the only item of a list took its place",
    "pairs": "a list of pairs became an object",
    # after the answer
    "withheld": "a value that a verifier doubts became null",
    # while decoding
    "steered": "the token limit put text there against the model's own choice",
}
Policy = Literal["lossless", "lossy", "any"]
Decimal = Literal[".", ","]  # the decimal sign of numbers written as text
# What a caller can do about a number with two readings. A model, which reads the same message, is not told.
DECIMAL_OPTION: Final = ", or give the decimal sign (decimal='.' or decimal=',')"

_RANK: dict[Grade, int] = {"lossless": 0, "lossy": 1, "invented": 2}
_ALLOWED: dict[Policy, int] = {"lossless": 0, "lossy": 1, "any": 2}


class Edit(NamedTuple):
    """One change: its kind, its grade, its place, and the text before and after. A tuple, because texts take hundreds.

    `where` of a syntax edit is an offset in characters, and `before` is exactly the text at the offset: `apply` makes
    syntax edits in a text. `where` of a data edit is a JSON Pointer into the repaired document, and `before` and
    `after` are JSON. An edit of the kind `steered` is already part of the answer, as `after` at its offset: the token
    limit put it there against the model's own choice.
    """

    kind: EditKind
    grade: Grade
    where: int | str
    before: str
    after: str

    def __str__(self) -> str:
        place = f"character {self.where}" if isinstance(self.where, int) else self.where or "(document)"
        return f"{place}: {self.change}"

    @property
    def change(self) -> str:
        """The change in a few words: before, after, kind and grade."""
        before, after = _short(self.before) or "nothing", _short(self.after) or "nothing"
        return f"{before} -> {after} ({self.kind}, {self.grade})"


def worst(edits: Iterable[Edit]) -> int:
    """The rank of the worst grade among `edits`: 0 lossless, 1 lossy, 2 invented."""
    return max((_RANK[edit.grade] for edit in edits), default=0)


def allows(policy: Policy, edit: Edit) -> bool:
    """Whether a policy accepts an edit."""
    return _RANK[edit.grade] <= _ALLOWED[policy]


def apply(text: str, edits: Iterable[Edit], start: int = 0, end: int | None = None) -> str:
    """Make the syntax edits in `text[start:end]`; the edits must be in the order of their offsets."""
    pieces: list[str] = []
    place = start
    for edit in edits:
        if isinstance(edit.where, int):
            pieces += (text[place : edit.where], edit.after)
            place = edit.where + len(edit.before)
    pieces.append(text[place:end])
    return "".join(pieces)


def edit_text(value: Any) -> str:
    """A value as the JSON text of data edits and messages."""
    return json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= 40 else text[:39] + "…"
