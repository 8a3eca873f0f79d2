"""The inputs of the gate: files, folders, patterns and tables, or documents of a program."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import PurePath
from typing import Any

from structout.errors import SpecError
from structout.schema import Schema
from structout.tables.documents import Document, read_documents
from structout.tables.kept_columns import KeptColumns
from structout.tables.partial import warn_of_partial
from structout.tables.place import DocumentFormat, Names, Place, places
from structout.tables.streams import check_readable

_HINT = "give a list of documents, or the name or Path of a file, a folder or a pattern"


@dataclass(frozen=True)
class Inputs:
    """The places of documents, in order; none if a program gives documents. `format` overrules suffixes of files."""

    places: tuple[Place, ...]
    format: DocumentFormat | None

    @classmethod
    def of(cls, names: Names, format: DocumentFormat | None = None, delimiter: str = "") -> "Inputs":  # noqa: A002
        """The inputs with some names: folders and patterns stand for their files. Warns of partial outputs. Raises
        `DataError` if one cannot be read, and `SpecError`.
        """
        found = tuple(places(names, format, delimiter, documents=True))
        warn_of_partial(found)
        for place in found:
            check_readable(place)
        return cls(found, format)

    @property
    def are_several(self) -> bool:
        """Whether there is more than one."""
        return len(self.places) > 1

    @property
    def shown(self) -> str:
        """The name of the first, and the number of the others; "" for none."""
        first, more = self.places[0].shown if self.places else "", len(self.places) - 1
        return f"{first} and {more:,} other input{'s' if more > 1 else ''}" if more > 0 else first

    @property
    def counters(self) -> dict[str, Counter[str]]:
        """A counter for each, if there are several, as `Findings.sources` takes them."""
        return {one.shown: Counter() for one in self.places} if self.are_several else {}

    @property
    def by_purpose(self) -> dict[str, str]:
        """The names by what they are for, as `check_distinct` takes them."""
        return {f"INPUT {one.shown}": one.name for one in self.places}

    def documents(
        self, schema: Schema[Any], column: str | None, keep: KeptColumns | None, blank: Callable[[], None]
    ) -> Iterator[tuple[Document, str]]:
        """Each document with the name of its input (see `read_documents`)."""
        for one in self.places:
            found = read_documents(one, schema, column=column, format=self.format, keep=keep, blank=blank)
            yield from ((document, one.shown) for document in found)


def divided(documents: Any, schema: Schema[Any]) -> tuple[list[str], Iterator[Any]]:
    """What a program gives the gate: the names of inputs, or documents. One of both is empty.

    A text and a `Path` name an input, and so do Paths in a list; texts in a list are documents. Raises `SpecError` for
    anything else, such as a document that is not in a list.
    """
    is_json = isinstance(documents, str) and documents.lstrip()[:1] in ("{", "[", '"')
    if is_json or isinstance(documents, bytes | Mapping) or not isinstance(documents, Iterable | PurePath):
        raise SpecError(f"invalid documents: got {documents!r:.80}", hint=_HINT)
    if isinstance(documents, str | PurePath):
        return [str(documents)], iter(())
    rest = iter(documents)
    first = list(islice(rest, 1))
    one = first[0] if first else None
    if isinstance(one, PurePath):
        names = [one, *rest]
        if other := [name for name in names if not isinstance(name, str | PurePath)]:
            raise SpecError(f"invalid input beside Paths: got {other[0]!r:.80}", hint=_HINT)
        return list(map(str, names)), iter(())
    if isinstance(one, str) and schema.language is None and Place.of(one).format and os.path.isfile(one):
        raise SpecError(f"{one!r:.80} in a list is a document, and names a file", hint=f"give [Path({one!r:.80})]")
    return [], _without_paths(chain(first, rest))


def _without_paths(documents: Iterable[Any]) -> Iterator[Any]:
    for number, one in enumerate(documents, 1):
        if isinstance(one, PurePath):
            raise SpecError(f"document {number} is a Path: {str(one)!r:.80}", hint="give Paths alone, as inputs")
        yield one
