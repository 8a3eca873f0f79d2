"""The issues that a model's answer can have."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

IssueKind = Literal[
    "not_json", "duplicate_key", "non_finite", "unreadable", "unanswered", "truncated", "stuck", "missing",
    "unexpected", "type", "enum", "range", "length", "pattern", "format", "union", "constraint", "value",
    "ambiguous", "refused_edit", "rejected", "conflict", "suspicious_escape", "lost_digits", "leaked_parameter",
]  # fmt: skip
ISSUES: Final[Mapping[str, str]] = {  # what each kind means
    "not_json": "the text is not one JSON document",
    "duplicate_key": "an object names a key twice",
    "non_finite": "NaN, Infinity or a number too large to hold",
    "unreadable": "the record is blank, or it or its row cannot be read: no model was asked",
    "unanswered": "the model could not take the prompt, or gave no answer",
    "truncated": "the answer ends in the middle, as where a token limit cuts it off",
    "stuck": "the grammar allowed no token before the document was complete",
    "missing": "a required key is absent: a key that may be null has to be written too",
    "unexpected": "a key or an item that the schema forbids",
    "type": "a JSON type that the schema does not allow",
    "enum": "not one of the allowed values",
    "range": "a number out of bounds, or not a multiple",
    "length": "too short or too long: text, list or object",
    "pattern": "text that does not match its pattern",
    "format": "text that does not match its format",
    "union": "fits no alternative, or more than one",
    "constraint": "any other JSON Schema keyword",
    "value": "rejected by the Pydantic type: by a validator, or by a rule that JSON Schema lacks",
    "ambiguous": "two readings fit equally well: repair does not guess",
    "refused_edit": "readable only with an edit that the repair policy does not allow",
    "rejected": "rejected by a verifier",
    "conflict": "two windows of a long text, or two parts of an answer, contradict each other",
    "suspicious_escape": "a notice: a control character inside a word, as of LaTeX with single backslashes",
    "lost_digits": "a notice: a number written with more digits than a float keeps",
    "leaked_parameter": "a notice: text that holds the tags of another parameter of a tool call",
}


MISSING: Final = "the key {} is missing"  # the message for an absent key, as JSON
Steps = tuple[str | int, ...]  # the keys and indexes from the root of a document to a place in it


@dataclass(frozen=True, slots=True)
class Issue:
    """One problem. `pointer` is a JSON Pointer (RFC 6901) into the document, "" for the whole document."""

    pointer: str
    kind: IssueKind
    message: str

    def __str__(self) -> str:
        return f"{self.pointer or '(document)'}: {self.message}"

    @property
    def key(self) -> str | None:
        """The key that is absent, if the kind is `missing`; otherwise None."""
        start, end = MISSING.split("{}")
        if self.kind != "missing" or not (self.message.startswith(start) and self.message.endswith(end)):
            return None
        try:
            return str(json.loads(self.message[len(start) : -len(end)]))
        except ValueError:
            return None

    @property
    def place(self) -> str:
        """The pointer, for an absent key the pointer that the key would have."""
        return self.pointer if self.key is None else self.pointer + pointer([self.key])


def pointer(path: "list[str | int] | Steps") -> str:
    """Write a path of keys and indexes as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
