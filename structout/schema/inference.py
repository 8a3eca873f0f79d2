"""A Pydantic model inferred from labels, as the text of a module for people to read and change.

The names and values in labels are untrusted: they become identifiers by a strict rule, or literals by `repr`, and reach
the text in no other way.
"""

import datetime
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from structout.document import Json

NAME: Final = "Record"
_DEEPEST = 8  # levels of nested objects and lists; a deeper value may be any JSON
_WIDEST = 100  # keys of a nested object; an object with more keys is a map
_CHOICES = 12  # values of a closed list
_REPEATS = 3  # times that a value of a closed list must occur on average
_LONGEST_CHOICE = 60  # characters
_LONGEST_NAME = 60
_LINE = 110
_EXACT = 2**53  # whole numbers up to here are exact as floats
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# What a field may not be called: it would hide a name that the module or the base class uses.
_TAKEN: Final = frozenset(
    (*dir(BaseModel), NAME, "Any", "BaseModel", "Field", "Literal", "bool", "dict", "dt", "float", "int", "list", "str")
)


@dataclass(frozen=True)
class Inferred:
    """The text of a module with the model `Record`, and the keys whose values became a closed list."""

    source: str
    closed: tuple[str, ...]


def infer(labels: Sequence[Mapping[str, Json]]) -> Inferred:
    """The model that all `labels` comply with, with types as narrow as the labels justify: text, whole number, number,
    date, boolean, a closed list where a few values repeat, lists and nested objects. A field that is empty in a label
    takes null, and a field that is missing in a label has the default null.

    The text depends on the labels alone. The labels hold JSON, whose texts are Unicode.
    """
    writer = _Writer({_identifier(key) for one in labels for key in _keys(one)})
    writer.write_class(NAME, labels, "One record: what a model extracts from one text.", 0)
    body = "\n\n\n".join(reversed(writer.classes))
    used = {name: name in set(re.findall(r"\w+", _code(body))) for name in ("Any", "Literal", "Field", "dt")}
    typed = ", ".join(name for name in ("Any", "Literal") if used[name])
    lines = [
        '"""The schema of the records, inferred from a sample by `structout init`: read it, and change it."""',
        "",
        *(["import datetime as dt"] if used["dt"] else []),
        *([f"from typing import {typed}"] if typed else []),
        *([""] if used["dt"] or typed else []),
        f"from pydantic import BaseModel{', Field' if used['Field'] else ''}",
        "",
        f'__all__ = ["{NAME}"]',
        "",
        "",
        body,
    ]
    return Inferred("\n".join(lines) + "\n", tuple(dict.fromkeys(writer.closed)))


def _code(body: str) -> str:
    """The text without its string literals, which may hold any word."""
    return re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', "", body)


@dataclass
class _Writer:
    """Writes the classes, the outer ones last. `names` are identifiers that no class may be called."""

    names: set[str]
    classes: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def write_class(self, name: str, objects: Sequence[Mapping[str, Json]], told: str, depth: int) -> None:
        """Write the class that all objects comply with."""
        place = len(self.classes)
        lines = [f'class {name}(BaseModel, extra="forbid"):', f'    """{told}"""', ""]
        taken: set[str] = set()
        for key in dict.fromkeys(key for one in objects for key in one):
            given = [one[key] for one in objects if key in one]
            own = _unique(_identifier(key), taken, "_")
            annotation = self._annotation(key, given, depth, is_missing=len(given) < len(objects))
            lines.append(f"    {own}: {annotation}{_default(key, own, is_missing=len(given) < len(objects))}")
        self.classes.insert(place, "\n".join(lines).rstrip())

    def _annotation(self, key: str, values: Sequence[Json], depth: int, *, is_missing: bool) -> str:
        types = self._types(key, [one for one in values if one is not None], depth)
        empty = is_missing or any(one is None for one in values)
        whole = " | ".join([*(types or ["str"]), *(["None"] if empty else [])])
        return "Any" if "Any" in types else whole

    def _types(self, key: str, values: Sequence[Json], depth: int) -> list[str]:
        """The types of values, none of which is null."""
        texts = [one for one in values if isinstance(one, str)]
        lists = [one for one in values if isinstance(one, list)]
        objects = [one for one in values if isinstance(one, dict)]
        found = []
        if any(isinstance(one, bool) for one in values):
            found.append("bool")
        found += _numbers([one for one in values if isinstance(one, int | float) and not isinstance(one, bool)])
        if texts:
            found.append(self._text(key, texts))
        if (lists or objects) and depth >= _DEEPEST:
            return ["Any"]
        if lists:
            inner = [item for one in lists for item in one]
            found.append(f"list[{self._annotation(key, inner, depth + 1, is_missing=False)}]")
        if objects:
            found.append(self._object(key, objects, depth + 1))
        return found

    def _text(self, key: str, texts: Sequence[str]) -> str:
        if all(map(_is_date, texts)):
            return "dt.date"
        values = list(dict.fromkeys(texts))
        few = 2 <= len(values) <= min(_CHOICES, len(texts) // _REPEATS)
        if not few or any(len(one) > _LONGEST_CHOICE for one in values):
            return "str"
        self.closed.append(key)
        listed = ", ".join(map(_literal, values))
        if len(listed) + len(key) < _LINE - 20:
            return f"Literal[{listed}]"
        return "Literal[\n" + "".join(f"        {_literal(one)},\n" for one in values) + "    ]"

    def _object(self, key: str, objects: Sequence[dict[str, Json]], depth: int) -> str:
        if len({name for one in objects for name in one}) > _WIDEST:
            values = [value for one in objects for value in one.values()]
            return f"dict[str, {self._annotation(key, values, depth, is_missing=False)}]"
        words = re.findall("[A-Za-z0-9]+", key)
        name = "".join(word[0].upper() + word[1:] for word in words)[:_LONGEST_NAME]
        if not name.isidentifier() or keyword.iskeyword(name) or name in _TAKEN:
            name = f"Item{name}"
        name = _unique(name, self.names, "")
        self.write_class(name, objects, "A part of a record.", depth)
        return name


def _numbers(values: Sequence[int | float]) -> list[str]:
    whole, other = [one for one in values if isinstance(one, int)], [one for one in values if isinstance(one, float)]
    if not other:
        return ["int"] if whole else []
    return ["float"] if all(abs(one) <= _EXACT for one in whole) else ["int", "float"]


def _is_date(text: str) -> bool:
    """Whether a text is a date as ISO 8601 writes it."""
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _default(key: str, name: str, *, is_missing: bool) -> str:
    if name == key:
        return " = None" if is_missing else ""
    default = "default=None, " if is_missing else ""
    return f" = Field({default}alias={_literal(key)})"


def _literal(text: str) -> str:
    """A text as a literal of Python, in double quotes unless the text holds one."""
    written = repr(text)
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written


def _identifier(key: str) -> str:
    """The name of the field for a key: the key itself if it may be a name, else the nearest name."""
    name = _plain(key)
    if name != key:
        name = _plain(key.lower())  # it needs an alias anyway
    if not f"a{name}".isidentifier() or unicodedata.normalize("NFKC", name) != name:
        name = re.sub("[^A-Za-z0-9]+", "_", name).strip("_")
    if not name.isidentifier():
        name = f"field_{name}" if name else "field"
    if name.startswith(("model_validate", "model_dump")):  # Pydantic warns of these
        name = f"field_{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in _TAKEN else name


def _plain(key: str) -> str:
    return re.sub(r"\W+", "_", unicodedata.normalize("NFKC", key))[:_LONGEST_NAME].strip("_")


def _unique(name: str, taken: set[str], joint: str) -> str:
    """The name, with a number if it is taken; it is taken from then on."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}{joint}{number}"
    taken.add(found)
    return found


def _keys(document: Any) -> Iterable[str]:
    """The keys of a document, at every depth."""
    stack = [document]
    while stack:
        node = stack.pop()
        if isinstance(node, Mapping):
            yield from node
        stack += node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
