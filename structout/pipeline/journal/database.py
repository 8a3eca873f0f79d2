"""The database file of a journal: atomic creation, a lock for one process, and the repair of damage."""

import os
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from structout import records
from structout.errors import DamagedError, DataError, JournalError, OtherRunError, StructoutWarning
from structout.pipeline.journal.damage import Damage, is_whole, rescue
from structout.pipeline.journal.tables import ADDED, TABLES, UNSEALED, VERSION, connect, create, loaded, migrate

ANEW = (
    "start again with --fresh, which reuses paid answers (a budget counts what is spent already); in a program, name "
    "another journal"
)
IN_MEMORY = ":memory:"
_AGAIN = "run the same command again: it keeps the readable parts"
_ELSEWHERE = "name another journal, or move this file away"
_WINDOWS = os.name == "nt"
_FOLDER = "choose a folder that only you can read"
_SMALLEST, _MAGIC = 512, b"SQLite format 3\0"  # SQLite takes a shorter file for a new database


def opened(path: Path, *, fresh: bool, private: bool, repair: bool) -> tuple[sqlite3.Connection, Damage | None, str]:
    """The database of a journal, its damage (None: undamaged), and the name of the damaged file, which is kept.

    A damaged journal is rewritten from its readable parts, unless `repair` is off. A journal that does not show its run
    is only rewritten for a `fresh` run. Raises `JournalError`, `sqlite3.Error`.
    """
    if str(path) == IN_MEMORY:
        db = connect(IN_MEMORY)
        create(db)
        return db, None, ""
    file = Path(os.path.realpath(path))
    if file.exists() and not file.is_file():
        raise OtherRunError(f"{path} is not a file", hint=_ELSEWHERE)
    try:
        if file.exists() and file.stat().st_size < _SMALLEST and _MAGIC.startswith(file.read_bytes()[: len(_MAGIC)]):
            if not fresh:
                raise DamagedError(f"{path} is empty or cut off: its content is lost", hint=ANEW)
            _put_aside(file)
        if not file.exists():
            _make(file, 0o600 if private else 0o666)
        if private:
            if _WINDOWS:
                warnings.warn(f"Windows does not make {path} private: {_FOLDER}", StructoutWarning, stacklevel=2)
            for one in (file, Path(f"{file}-wal")):
                if one.exists():
                    one.chmod(0o600)
        if not os.access(file, os.W_OK):
            raise JournalError(f"{path} cannot be written: Permission denied", hint="check the permissions of the file")
        db, version = _held(path, file)
        for left in file.parent.glob(f".{escape(file.name)}.[0-9]*.part*"):  # left by a killed run
            left.unlink(missing_ok=True)
        try:
            if version is not None and is_whole(db):
                return db, None, ""
        except BaseException as error:
            if not _tells_damage(error):
                db.close()
                raise
        return _repaired(path, file, db, fresh=fresh, repair=repair)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}", hint="check the folder") from error


@dataclass(frozen=True)
class OpenFile:
    """The file of an open journal, and what tells it from another file of its name."""

    path: Path
    file: Path
    stat: os.stat_result

    @classmethod
    def of(cls, path: Path) -> "OpenFile | None":
        """The file of a journal that was just opened; None for a journal in memory."""
        if str(path) == IN_MEMORY:
            return None
        file = Path(os.path.realpath(path))  # the working directory may change
        return cls(path, file, file.stat())

    @property
    def is_there(self) -> bool:
        """Whether the file still has its name. Raises `OtherRunError` if another file has it."""
        try:
            found = self.file.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # the system does not tell
            return True
        if not os.path.samestat(found, self.stat):
            raise OtherRunError(f"{self.path} was replaced by another file while it was in use", hint=_ELSEWHERE)
        return True

    def put_back(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """The content of a file that was removed, alone or with its folder, in a new file of its name.

        Raises `JournalError`, `sqlite3.Error`.
        """
        part = _beside(self.file)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.stat.st_mode & 0o666))
            with closing(connect(str(part))) as new:
                db.backup(new)
            _named(part, self.file)
        except OSError as error:
            problem = f"{self.path} was removed while it was in use, and cannot be put back: {error.strerror}"
            hint = "make room for it, and run the same command again: it asks for every row again"
            raise JournalError(problem, hint=hint) from error
        finally:
            with suppress(OSError):
                part.unlink()
        db.close()  # which removes the log of the old file: the new file has none yet
        return _held(self.path, self.file)[0]


@contextmanager
def reading(path: str | Path, *, locks: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, and leaves no files behind. Raises `sqlite3.Error`, also for a journal in use.

    A journal without a log is read without a lock, unless `locks` asks for one: then a journal in use raises, too.
    """
    file = Path(os.path.realpath(path))
    index = Path(f"{file}-shm")  # SQLite makes it to read the log that a killed run left; a run needs none
    was_there = index.exists()
    still = "" if locks or Path(f"{file}-wal").exists() else "&immutable=1"
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro{still}", uri=True, timeout=0)) as db:
            yield db
    finally:
        if not was_there:
            with suppress(OSError):
                index.unlink(missing_ok=True)


def identity_in(path: str | Path) -> dict[str, str]:
    """The identity of the run in a journal, which is only read; empty without a journal that can be read."""
    if not Path(path).is_file():
        return {}
    try:
        with reading(path) as db:
            row = db.execute("SELECT value FROM about WHERE name = 'identity'").fetchone()
        found = loaded(row[0]) if row else {}
    except (sqlite3.Error, DataError, TypeError, UnicodeDecodeError):  # whoever opens the journal says what is wrong
        return {}
    return found if isinstance(found, dict) else {}


def _held(path: Path, file: Path) -> tuple[sqlite3.Connection, int | None]:
    """A connection that locks out other processes, and the version of the file (None: unreadable pages)."""
    db = connect(str(file))
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            new = not db.execute("SELECT 1 FROM sqlite_master").fetchone() and not _numbered(db)
            found = VERSION if new else _version(path, db)  # checked before any write: the file may be someone else's
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("BEGIN IMMEDIATE")
            if new:
                create(db)
            else:
                _check_codec(path, db)
                if found < VERSION:
                    migrate(db, found)
            db.execute("COMMIT")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if not _tells_damage(error):
                raise
            if db.in_transaction:
                db.execute("ROLLBACK")
            return db, None
    except BaseException:
        db.close()
        raise
    return db, found


def _version(path: Path, db: sqlite3.Connection) -> int:
    """The version of a journal. Raises `OtherRunError` if this code cannot read it."""
    found = _numbered(db)
    if not UNSEALED <= found <= VERSION:
        raise OtherRunError(
            f"{path} is a journal of version {found}; this structout writes version {VERSION}",
            hint="use the structout that wrote it, or name another journal",
        )
    parts = list(db.execute("SELECT type, name FROM sqlite_master"))
    needed = TABLES.keys() - (ADDED if found == UNSEALED else ())
    if not needed <= {name for kind, name in parts if kind == "table"}:
        raise OtherRunError(f"{path} is not a journal: it lacks tables", hint=_ELSEWHERE)
    if others := [name for kind, name in parts if kind not in ("table", "index")]:  # SQLite would run them
        raise OtherRunError(f"{path} is not a journal: it holds {others[0]!r}", hint=_ELSEWHERE)
    return found


def _check_codec(path: Path, db: sqlite3.Connection) -> None:
    """Raise `OtherRunError` if a later structout wrote the rows of the journal."""
    row = db.execute("SELECT value FROM about WHERE name = 'codec'").fetchone()
    with suppress(DataError, TypeError, KeyError, ValueError):
        if row and int(loaded(row[0])["version"]) > records.VERSION:
            hint = "use the structout that wrote it, or name another journal"
            raise OtherRunError(f"{path} was written by a later version of structout", hint=hint)


def _numbered(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def explained(path: Path, error: Exception) -> JournalError:
    """An error of the database as an error for the user."""
    if isinstance(error, UnicodeDecodeError):
        return DamagedError(f"{path} is damaged: a text is not UTF-8", hint=_AGAIN)
    code, reason = getattr(error, "sqlite_errorcode", 0) & 0xFF, str(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(f"{path} is in use by another run", hint="wait for that run, or name another journal")
    if code == sqlite3.SQLITE_NOTADB:
        return OtherRunError(f"{path} is not a journal, or its first bytes are damaged: {reason}", hint=_ELSEWHERE)
    if code == sqlite3.SQLITE_CORRUPT:
        return DamagedError(f"{path} is damaged: {reason}", hint=_AGAIN)
    hint = {
        sqlite3.SQLITE_FULL: "make room and run the same command again: the journal is kept",
        sqlite3.SQLITE_IOERR: "check the disk and run the same command again: the journal is kept",
    }.get(code, "check the folder and its permissions")
    return JournalError(f"{path} cannot be written: {reason}", hint=hint)


def _tells_damage(error: BaseException) -> bool:
    """Whether the error shows a damaged file. A missing table or column does, because every journal has them all."""
    if isinstance(error, UnicodeDecodeError):  # in a name, a text, or SQLite's message about one
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def _repaired(
    path: Path, file: Path, db: sqlite3.Connection, *, fresh: bool, repair: bool
) -> tuple[sqlite3.Connection, Damage, str]:
    """Replace a damaged journal by a repaired file, and keep the damaged file beside it. Returns what `opened` does."""
    part, mode = _beside(file), file.stat().st_mode & 0o666
    size = sum(Path(f"{file}{end}").stat().st_size for end in ("", "-wal") if Path(f"{file}{end}").exists())
    try:
        with closing(db):
            db.execute("PRAGMA writable_schema = ON")  # otherwise SQLite reads nothing of a truncated file
            version = _version(path, db)
            if repair:
                os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            with closing(connect(str(part) if repair else IN_MEMORY)) as new:
                damage = rescue(db, new, size, version)
                identity = new.execute("SELECT 1 FROM about WHERE name = 'identity'").fetchone()
            if not repair:
                hint = "start the run itself: it keeps the rest"
                raise DamagedError(f"{path} is damaged; lost: {str(damage) or 'nothing'}", hint=hint)
            if not identity and not fresh:
                raise DamagedError(f"{path} is damaged and no longer says which run it belongs to", hint=ANEW)
            with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
                db.execute("PRAGMA journal_mode = DELETE")  # so that no -wal file is left for the new journal
            if _WINDOWS:
                db.close()  # Windows replaces closed files only
            aside = _put_aside(file, keep=True)
            os.replace(part, file)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not _tells_damage(error):
            raise
        if not (fresh and repair):
            raise DamagedError(f"{path} is damaged and unreadable ({error})", hint=ANEW) from error
        damage, aside = Damage([(0, None)], True, ["spent"]), _put_aside(file)
        _make(file, mode)
    finally:
        part.unlink(missing_ok=True)
    anew, _ = _held(path, file)
    return anew, damage, aside


def _make(file: Path, mode: int) -> None:
    """Make an empty journal atomically."""
    part = _beside(file)
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        with closing(connect(str(part))) as db:
            db.execute("BEGIN")
            create(db)
            db.execute("COMMIT")
        with suppress(FileExistsError):  # another run made it first
            _named(part, file)
    finally:
        part.unlink(missing_ok=True)


def _named(part: Path, file: Path) -> None:
    """Give a file its name. Raises `FileExistsError` if there is a file of this name, as far as the system can tell."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise
    except OSError:  # the file system has no links
        part.rename(file)


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}{threading.get_ident()}.part")


def _put_aside(file: Path, *, keep: bool = False) -> str:
    """Move a damaged file and its log to a free name, which is returned. With `keep`, the file also keeps its first
    name until another file replaces it.
    """
    number = 1
    while (aside := file.with_name(f"{file.name}.damaged{number if number > 1 else ''}")).exists():
        number += 1
    try:
        os.link(file, aside)
        if not keep:
            file.unlink()
    except OSError:  # the file system has no links
        file.rename(aside)
    log = Path(f"{file}-wal")
    if log.exists():
        log.rename(f"{aside}-wal")
    return aside.name
