"""The place of a table: a file, a table of a database or a query, with its format."""

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import unquote

from structout.errors import DataError, SpecError
from structout.surfaces import is_utf8

Format = Literal["jsonl", "csv", "tsv", "parquet", "json", "text"]  # of rows
DocumentFormat = Literal[Format, "yaml", "openai-batch", "anthropic-batch", "google-batch"]
BATCHES: Final = ("openai-batch", "anthropic-batch", "google-batch")  # what batch APIs of providers give back
Packing = Literal["", "gz", "bz2", "xz", "zst"]
_SUFFIXES: Final[dict[str, DocumentFormat]] = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "parquet": "parquet",
    "json": "json",
    "txt": "text",
    "yaml": "yaml",
    "yml": "yaml",
}
_PACKINGS: Final[tuple[Packing, ...]] = ("gz", "bz2", "xz", "zst")
_TABLE: Final = re.compile(r"(?P<file>.+\.(?:duckdb|db))#(?P<table>.*)", re.IGNORECASE | re.DOTALL)
_NAME: Final = re.compile(r'"(?:[^"]|"")*"|[^."]+')
_NAMES: Final = re.compile(rf"(?:{_NAME.pattern})(?:\.(?:{_NAME.pattern})){{1,2}}")
_STORES: Final = ("s3", "gs", "az", "https", "http")
_WEB: Final = ("https", "http")
_DATABASES: Final = ("postgresql", "postgres")
_URL: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
# A password that should have been percent-encoded may hold any character: up to the last @, rather too much is hidden.
_PASSWORD: Final = re.compile(r"(?<=://)([^/@:?#]*):(?:\S*|[^/@]*)(?=@)|(?<=[?&]password=)[^&#]*")
_QUERY: Final = re.compile(r"\s*(?:SELECT|WITH|VALUES|TABLE)[\s(*].*", re.IGNORECASE | re.DOTALL)
_SECRETS: Final = r"auth|code|cred|key|pass|policy|secret|session|sig|token"
_SIGNED: Final = re.compile(rf"(?<=://)[^/?#]*(?=@)|(?<=[?&])([^=&#]*(?:{_SECRETS})[^=&#]*)=[^&#]*", re.IGNORECASE)
_PARTITION: Final = re.compile(r"([^=]+)=(.*)", re.DOTALL)
KINDS: Final = (
    "JSONL (.jsonl), CSV (.csv, .tsv), JSON (.json), text (.txt), each with .gz, .bz2, .xz or .zst, Parquet "
    "(.parquet), a folder or a pattern of such files, also at s3://, gs://, az:// or https://, NAME.duckdb#TABLE, "
    ".sql, sql:QUERY, postgresql://...#TABLE or -"
)


@dataclass(frozen=True)
class Place:
    """Where a table is. `format` is None if only the content tells; `table` is the name of a table of a database,
    perhaps with its schema, or a query of PostgreSQL; `file` is then the address of the database; `partition` holds the
    columns that the names of folders state (`year=2026/`). `delimiter` is the one of CSV, if it is not the one of its
    format.
    """

    name: str
    file: str
    format: DocumentFormat | None = None
    packing: Packing = ""
    table: str = ""
    partition: tuple[tuple[str, str], ...] = ()
    delimiter: str = ""

    @classmethod
    def of(cls, name: str, format: DocumentFormat | None = None) -> "Place":  # noqa: A002
        """The place with a name. `format` overrules the suffix of a file, whose case does not matter."""
        scheme = _scheme(name)
        if scheme in _DATABASES:
            address, _, table = name.partition("#")
            return cls(name, address, None, "", table)
        if scheme in ("", *_STORES) and (found := _TABLE.fullmatch(name)):
            return cls(name, found["file"], None, "", found["table"])
        if name == "-" or name.startswith("sql:"):
            return cls(name, name, format)
        rest = _path(name)
        packing: Packing = next((one for one in _PACKINGS if rest.endswith(f".{one}")), "")
        return cls(name, name, format or _SUFFIXES.get(_suffix(rest, packing)), packing)

    @property
    def scheme(self) -> str:
        """The scheme of a URL, in lower case; "" for anything else."""
        return _scheme(self.name)

    @property
    def is_remote(self) -> bool:
        """Whether the place is in an object store or at a web server."""
        return self.scheme in _STORES

    @property
    def is_web(self) -> bool:
        """Whether the place is at a web server, which only reads."""
        return self.scheme in _WEB

    @property
    def is_database(self) -> bool:
        """Whether a driver of ADBC reads and writes the place."""
        return self.scheme in _DATABASES

    @property
    def shown(self) -> str:
        """The name, for messages: without a password, and without the values that sign the query of a URL."""
        if self.is_web:
            return _SIGNED.sub(lambda found: "***" if found[1] is None else f"{found[1]}=***", self.name)
        return _PASSWORD.sub(lambda found: f"{found[1]}:***" if found[1] is not None else "***", self.name)

    @property
    def separator(self) -> str:
        """The character between the cells of CSV."""
        return self.delimiter or ("\t" if self.format == "tsv" else ",")

    @property
    def query(self) -> str:
        """The query of a database that the place is, as SQL; "" if the place is a table or a file."""
        return self.table if self.is_database and _QUERY.fullmatch(self.table) else ""

    @property
    def is_table(self) -> bool:
        """Whether the place is a table of DuckDB."""
        return self.scheme in ("", *_STORES) and bool(_TABLE.fullmatch(self.name))

    @property
    def is_query(self) -> bool:
        """Whether DuckDB reads the place: a query or a table."""
        is_file = self.name.lower().endswith(".sql") and not self.is_database
        return self.name.startswith("sql:") or is_file or self.is_table

    @property
    def is_counted(self) -> bool:
        """Whether the place can be read twice: a regular file, or the end of a remote Parquet file, which tells.
        A pipe loses what was read to count it.
        """
        if self.is_remote:
            return self.format == "parquet"
        return self.name != "-" and not self.is_query and Path(self.file).is_file()

    @property
    def is_known(self) -> bool:
        """Whether the format is known, or may be found in the content: a name without a suffix."""
        return (
            self.format is not None
            or self.name == "-"
            or not _suffix(_path(self.name), self.packing)
            or not self.is_ordinary
        )

    @property
    def is_of_rows(self) -> bool:
        """Whether the format is one of rows, or unknown."""
        return self.format is None or self.format in get_args(Format)

    @property
    def is_ordinary(self) -> bool:
        """Whether the place is a file, or nothing yet, but not a pipe or a device."""
        return self.is_remote or Path(self.file).is_file() or not Path(self.file).exists()

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
        if self.is_remote:
            return f"{self.scheme}://{self.name.partition('://')[2]}", ""
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


def places(
    names: Names,
    format: DocumentFormat | None = None,  # noqa: A002
    delimiter: str = "",
    *,
    documents: bool = False,
) -> list[Place]:
    """The places of some inputs, in order. An input may be a place already. The files of a folder and of a pattern
    (`*.jsonl`) are sorted by name. `delimiter` (see `delimiter_named`) is the one of all CSV among them.

    A folder holds all files with a known suffix, also in its subfolders; names that begin with `_` or `.` are skipped.
    Files of YAML count if `documents` are read, and not rows.
    Raises `DataError` if a folder or a pattern has no file, and `SpecError` if a name is given twice or if no input can
    have the delimiter.
    """
    found: list[Place] = []
    for name in [names] if isinstance(names, str) else names:
        if isinstance(name, Place):
            found.append(name)
            continue
        if not name:
            raise SpecError("the name of an input is empty", hint="give a name, or - for stdin")
        found += _expanded(name, format, documents)
    twice, count = Counter(one.name for one in found).most_common(1)[0] if found else ("", 0)
    if count > 1:
        raise SpecError(f"the input {Place.of(twice).shown} is given twice", hint="give it once")
    return _delimited(found, delimiter) if delimiter else found


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


def delimiter_named(text: str) -> str:
    """The delimiter of CSV that a user names: the character itself, or `tab`. Raises `SpecError`."""
    found = "\t" if text in ("tab", "\\t") else text
    if len(found) != 1 or found.isalnum() or found in "\"'\r\n\0" or not is_utf8(found):
        hint = "give one character, such as ';', '|' or tab: letters, digits, quotes and line ends delimit nothing"
        raise SpecError(f"invalid delimiter: got {text!r:.20}", hint=hint)
    return found


def _delimited(found: list[Place], delimiter: str) -> list[Place]:
    """The places with a delimiter for CSV. Content of an unknown format is CSV then."""
    delimiter = delimiter_named(delimiter)
    made = [
        replace(one, delimiter=delimiter, format=one.format or "csv")
        if one.format in ("csv", "tsv") or (one.format is None and not one.is_query and not one.is_database)
        else one
        for one in found
    ]
    if found and not any(one.delimiter for one in made):
        raise SpecError("--delimiter is for CSV, and no input is CSV", hint="leave it out, or add --format csv")
    return made


def _expanded(name: str, format: DocumentFormat | None, documents: bool) -> Iterable[Place]:  # noqa: A002
    place = Place.of(name, format)
    if place.is_remote:
        if place.is_query:
            hint = "download the file, or read it by a query of DuckDB: sql:SELECT ..."
            raise SpecError(f"cannot read {place.shown}: databases and queries are read on this machine", hint=hint)
        if place.is_web:
            return [place]
        from structout.tables.objects import listed

        return listed(place, format, documents=documents)
    if name == "-" or place.is_query or place.is_database or Path(name).is_file():
        return [place]
    if Path(name).is_dir():
        found = list(_files(Path(name), format, documents))
        if not found:
            raise DataError(f"the folder {name} holds no files to read", hint=f"give {KINDS}")
        return found
    if glob.has_magic(name) and not Path(name).exists():
        matched = sorted(one for one in glob.glob(name, recursive=True) if not Path(one).is_dir())
        if not matched:
            raise DataError(f"no file matches {name}", hint="check the pattern, and quote it for the shell")
        return [_checked(Place.of(one, format)) for one in matched]
    return [place]


def _files(folder: Path, format: DocumentFormat | None, documents: bool) -> Iterator[Place]:  # noqa: A002
    for file in sorted(_entries(folder, frozenset())):
        place = Place.of(str(file), format)
        if place.format is not None and (documents or place.is_of_rows):
            _checked(place)
            partition = partition_of(file.relative_to(folder).parts[:-1])
            yield Place(place.name, place.file, place.format, place.packing, "", partition)


def partition_of(folders: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The columns that the names of folders state: `year=2026`."""
    stated = [one for folder in folders if (one := _PARTITION.fullmatch(folder))]
    return tuple((one[1], unquote(one[2])) for one in stated)


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


def _path(name: str) -> str:
    """The part of a name that may end in a suffix, in lower case: of a web address, what stands before the query."""
    path = name.lower()
    return re.split("[?#]", path)[0] if path.startswith(("https://", "http://")) else path


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
