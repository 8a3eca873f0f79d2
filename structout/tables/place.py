"""The place of a table: a file, a table of a database or a query, with its format."""

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote

from structout.errors import DataError, SpecError

Format = Literal["jsonl", "csv", "tsv", "parquet", "json", "text"]
Packing = Literal["", "gz", "bz2", "xz", "zst"]
_SUFFIXES: Final[dict[str, Format]] = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
    "json": "json",
    "txt": "text",
}
_PACKINGS: Final[tuple[Packing, ...]] = ("gz", "bz2", "xz", "zst")
_TABLE: Final = re.compile(r"(?P<file>.+\.(?:duckdb|db))#(?P<table>.*)", re.IGNORECASE | re.DOTALL)
_NAME: Final = re.compile(r'"(?:[^"]|"")*"|[^."]+')
_NAMES: Final = re.compile(rf"(?:{_NAME.pattern})(?:\.(?:{_NAME.pattern})){{1,2}}")
_STORES: Final = ("s3", "gs", "az", "https", "http")
_DATABASES: Final = ("postgresql", "postgres")
_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
# A password that should have been percent-encoded may hold any character: up to the last @, rather too much is hidden.
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:?#]*):(?:\S*|[^/@]*)(?=@)|(?<=[?&]password=)[^&#]*")
_QUERY: Final = re.compile(r"\s*(?:SELECT|WITH|VALUES|TABLE)[\s(*].*", re.IGNORECASE | re.DOTALL)
_PARTITION: Final = re.compile(r"([^=]+)=(.*)", re.DOTALL)
KINDS: Final = (
    "JSONL (.jsonl), CSV (.csv, .tsv), JSON (.json), text (.txt), each with .gz, .bz2, .xz or .zst, Parquet "
    "(.parquet), a folder or a pattern of such files, NAME.duckdb#TABLE, .sql, sql:QUERY, postgresql://...#TABLE or -"
)


@dataclass(frozen=True)
class Place:
    """Where a table is. `format` is None if only the content tells; `table` is the name of a table of a database,
    perhaps with its schema, or a query of PostgreSQL; `file` is then the address of the database; `partition` holds the
    columns that the names of folders state (`year=2026/`).
    """

    name: str
    file: str
    format: Format | None = None
    packing: Packing = ""
    table: str = ""
    partition: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, name: str, format: Format | None = None) -> "Place":  # noqa: A002
        """The place with a name. `format` overrules the suffix of a file, whose case does not matter."""
        scheme = _scheme(name)
        if scheme in _DATABASES:
            address, _, table = name.partition("#")
            return cls(name, address, None, "", table)
        if not scheme and (found := _TABLE.fullmatch(name)):
            return cls(name, found["file"], None, "", found["table"])
        if name == "-" or name.startswith("sql:"):
            return cls(name, name, format)
        rest = name.lower()
        packing: Packing = next((one for one in _PACKINGS if rest.endswith(f".{one}")), "")
        return cls(name, name, format or _SUFFIXES.get(_suffix(name, packing)), packing)

    @property
    def scheme(self) -> str:
        """The scheme of a URL, in lower case; "" for anything else."""
        return _scheme(self.name)

    @property
    def is_remote(self) -> bool:
        """Whether the place is in an object store or at a web server."""
        return self.scheme in _STORES

    @property
    def is_database(self) -> bool:
        """Whether a driver of ADBC reads and writes the place."""
        return self.scheme in _DATABASES

    @property
    def shown(self) -> str:
        """The name, for messages: without a password."""
        return _PASSWORD.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", self.name)

    @property
    def query(self) -> str:
        """The query of a database that the place is, as SQL; "" if the place is a table or a file."""
        return self.table if self.is_database and _QUERY.fullmatch(self.table) else ""

    @property
    def is_table(self) -> bool:
        """Whether the place is a table of DuckDB."""
        return not self.scheme and bool(_TABLE.fullmatch(self.name))

    @property
    def is_query(self) -> bool:
        """Whether DuckDB reads the place: a query or a table."""
        is_file = self.name.lower().endswith(".sql") and not self.is_database
        return self.name.startswith("sql:") or is_file or self.is_table

    @property
    def is_counted(self) -> bool:
        """Whether the place can be read twice: a regular file. A pipe loses what was read to count it."""
        return self.name != "-" and not self.is_query and Path(self.file).is_file()

    @property
    def is_known(self) -> bool:
        """Whether the format is known, or may be found in the content: a name without a suffix."""
        return (
            self.format is not None or self.name == "-" or not _suffix(self.name, self.packing) or not self.is_ordinary
        )

    @property
    def is_ordinary(self) -> bool:
        """Whether the place is a file, or nothing yet, but not a pipe or a device."""
        return Path(self.file).is_file() or not Path(self.file).exists()

    @property
    def parts(self) -> list[str]:
        """The table's name with its schema: `raw.parts` has two parts, and `"raw.parts"` is one name."""
        if not _NAMES.fullmatch(self.table):
            return [_unquoted(self.table)]
        return [_unquoted(part) for part in _NAME.findall(self.table)]

    @property
    def identity(self) -> tuple[str, str]:
        """What two names of one place have in common: the real path of the file, and the table. DuckDB ignores the case
        of names, `main` is its usual schema, and a database may be named after its file. PostgreSQL's usual schema is
        `public`, and an address says who asks.
        """
        if self.is_database:
            return self.file.partition("://")[2].rpartition("@")[2], "\0".join(self.parts).removeprefix("public\0")
        path = os.path.realpath(self.file)
        if sys.platform == "darwin":  # its file systems ignore case; paths of Windows do so themselves
            path = path.casefold()
        parts = [part.casefold() for part in self.parts] if self.is_table else []
        if len(parts) == 3 and parts[0] == Path(self.file).stem.casefold():
            parts = parts[1:]
        parts = parts[1:] if len(parts) == 2 and parts[0] == "main" else parts
        return path, "\0".join(parts)


Names = str | Sequence[str | Place]


def places(names: Names, format: Format | None = None) -> list[Place]:  # noqa: A002
    """The places of some inputs, in order. An input may be a place already. The files of a folder and of a pattern
    (`*.jsonl`) are sorted by name.

    A folder holds all files with a known suffix, also in its subfolders; names that begin with `_` or `.` are skipped.
    Raises `DataError` if a folder or a pattern has no file, and `SpecError` if a name is given twice.
    """
    found: list[Place] = []
    for name in [names] if isinstance(names, str) else names:
        if isinstance(name, Place):
            found.append(name)
            continue
        if not name:
            raise SpecError("the name of an input is empty", hint="give a name, or - for stdin")
        found += _expanded(name, format)
    twice, count = Counter(one.name for one in found).most_common(1)[0] if found else ("", 0)
    if count > 1:
        raise SpecError(f"the input {Place.of(twice).shown} is given twice", hint="give it once")
    return found


def local_stem(output: str) -> str:
    """The name, in a folder of this machine, from which the files beside an output have theirs: of a URL, its last part
    and its table, since a journal cannot be remote.
    """
    if output == "-":
        return "structout"
    place = Place.of(output)
    if not (place.is_remote or place.is_database):
        return output.replace("#", ".")
    address, _, table = place.name.partition("#")
    path = address.partition("://")[2].partition("?")[0].partition("/")[2]  # not the part that may hold a password
    last = path.rstrip("/").rpartition("/")[2] or place.scheme
    return ".".join(filter(None, (last, table)))


def _expanded(name: str, format: Format | None) -> Iterable[Place]:  # noqa: A002
    place = Place.of(name, format)
    if name == "-" or place.is_query or place.is_database or Path(name).is_file():
        return [place]
    if Path(name).is_dir():
        found = list(_files(Path(name), format))
        if not found:
            raise DataError(f"the folder {name} holds no files to read", hint=f"give {KINDS}")
        return found
    if glob.has_magic(name) and not Path(name).exists():
        matched = sorted(one for one in glob.glob(name, recursive=True) if not Path(one).is_dir())
        if not matched:
            raise DataError(f"no file matches {name}", hint="check the pattern, and quote it for the shell")
        return [_checked(Place.of(one, format)) for one in matched]
    return [place]


def _files(folder: Path, format: Format | None) -> Iterator[Place]:  # noqa: A002
    for file in sorted(_entries(folder, frozenset())):
        place = Place.of(str(file), format)
        if place.format is not None:
            _checked(place)
            stated = [one for part in file.relative_to(folder).parts[:-1] if (one := _PARTITION.fullmatch(part))]
            partition = tuple((one[1], unquote(one[2])) for one in stated)
            yield Place(place.name, place.file, place.format, place.packing, "", partition)


def _entries(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    """What is in a folder and its subfolders, linked ones too; not a folder that leads back to itself."""
    here = os.path.realpath(folder)
    for entry in folder.iterdir() if here not in above else ():
        if not entry.name.startswith(("_", ".")):
            if entry.is_dir():
                yield from _entries(entry, above | {here})
            else:
                yield entry


def _checked(place: Place) -> Place:
    """A place among others. Raises `DataError` for a broken link, a pipe and the like, which would be left out."""
    if not Path(place.file).is_file():
        raise DataError(f"cannot read {place.file}: it is not a file", hint="remove it, or name the files one by one")
    return place


def _scheme(name: str) -> str:
    found = _URL.fullmatch(name)
    return found["scheme"].lower() if found else ""


def _suffix(name: str, packing: Packing) -> str:
    bare = name.lower().removesuffix(f".{packing}") if packing else name.lower()
    found = re.search(r"[^/\\.]\.([a-z0-9]{1,12})$", bare)
    return found[1] if found else ""


def _unquoted(name: str) -> str:
    is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
    return name[1:-1].replace('""', '"') if is_quoted else name
