"""Languages other than JSON: a bare choice, a regular expression, a grammar, a SQL query."""

import re
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import jsonschema_rs

from structout.errors import MissingExtraError, SchemaError


class Language(Protocol):
    """A set of texts. Where possible, membership is checked without a grammar engine."""

    @property
    def name(self) -> str:
        """The name of one text of the language, such as "query"."""

    @property
    def hint(self) -> str:
        """The sentence that tells a model what it may write."""

    def problem(self, text: str) -> str:
        """Why a text is not in the language; "" if it is."""


@dataclass(frozen=True)
class Choice:
    """One of a few texts, without quotation marks. `Schema.of(Literal[...])` makes a `Choice` of strings."""

    values: tuple[str, ...]
    name: str = "choice"

    def __post_init__(self) -> None:
        if not self.values or "" in self.values:
            raise SchemaError("invalid choice: expected one or more non-empty texts", hint="list the possible answers")

    @property
    def hint(self) -> str:
        """The choices, as a model is shown them."""
        return "one of: " + ", ".join(self.values)

    def problem(self, text: str) -> str:
        """Why a text is not one of the choices; "" if it is."""
        return "" if text in self.values else f"not one of {', '.join(self.values)}"


@dataclass(frozen=True)
class Regex:
    """Text that a regular expression matches from end to end.

    The expression may not use look-around, and runs in linear time. Raises `SchemaError` for an invalid expression.
    """

    pattern: str
    name: str = "text"

    def __post_init__(self) -> None:
        try:
            _ = self._validator
        except jsonschema_rs.ValidationError as error:
            hint = "use no look-around and no back-references"
            raise SchemaError(f"invalid regular expression {self.pattern!r}: {error.message}", hint=hint) from error

    @cached_property
    def _validator(self) -> Any:
        schema = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions())

    @property
    def hint(self) -> str:
        """The expression, as a model is shown it."""
        return f"a text that matches the regular expression {self.pattern}"

    def problem(self, text: str) -> str:
        """Why a text does not match; "" if it does."""
        return "" if self._validator.is_valid(text) else f"does not match {self.pattern}"


@dataclass(frozen=True)
class Lark:
    """Text that a grammar derives from its rule `start`, in the dialect of Lark that llguidance reads.

    No other parser reads this dialect, so the engine also checks the texts. Raises `SchemaError` for an invalid
    grammar, and `MissingExtraError`.
    """

    grammar: str
    name: str = "text"

    def __post_init__(self) -> None:
        from_engine, _ = _engine()
        reason = from_engine.validate_grammar(from_engine.grammar_from_lark(self.grammar))
        if reason and not reason.startswith("WARNING"):
            raise SchemaError(f"invalid grammar: {reason.splitlines()[0]}", hint="see the Lark syntax of llguidance")

    @property
    def hint(self) -> str:
        """The grammar, as a model is shown it."""
        return f"a text that this Lark grammar derives:\n{self.grammar}"

    def problem(self, text: str) -> str:
        """Why the grammar does not derive a text; "" if it does."""
        matcher_type, tokenizer = _engine()
        matcher = matcher_type(tokenizer, matcher_type.grammar_from_lark(self.grammar), log_level=0)
        tokens = tokenizer.tokenize_str(text)
        taken = matcher.try_consume_tokens(tokens)
        if taken < len(tokens):
            return f"the grammar does not go on after {text.encode()[:taken].decode('utf-8', 'ignore')[-40:]!r}"
        return "" if matcher.is_accepting() else "the grammar wants more"


def _engine() -> tuple[Any, Any]:
    try:
        import llguidance
    except ImportError as error:
        raise MissingExtraError("llguidance", "masks") from error
    return llguidance.LLMatcher, llguidance.LLTokenizer("byte")


@dataclass(frozen=True)
class Sql:
    """One SELECT statement over the tables that `ddl` creates, checked by preparing it against an empty database.

    The statement is compiled and never executed, with an authorizer that only allows reading. Raises `SchemaError` for
    a `ddl` that SQLite rejects or that creates no table.
    """

    ddl: str
    name: str = "query"

    def __post_init__(self) -> None:
        if not self.tables:
            raise SchemaError("invalid ddl: it creates no table", hint="give CREATE TABLE statements")

    @cached_property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """The columns of each table, in order."""
        with Database(self.ddl) as database:
            names = [
                row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            ]
            return {
                name: tuple(row[1] for row in database.execute(f"PRAGMA table_info({quoted(name)})"))
                for name in names
                if not name.startswith("sqlite_")
            }

    @property
    def hint(self) -> str:
        """The tables, as a model is shown them."""
        return f"one SQLite SELECT statement over these tables:\n{self.ddl}"

    def problem(self, text: str) -> str:
        """Why a text is not a valid SELECT statement; "" if it is."""
        if not re.match(r"\s*(?:SELECT|WITH)\b", text, re.IGNORECASE):
            return "not a SELECT statement"
        with Database(self.ddl) as database:
            database.set_authorizer(only_read)
            try:
                database.execute(f"EXPLAIN {text}").close()
            except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
                return str(error)
        return ""


class Database:
    """A context manager for a new SQLite database in memory. Raises `SchemaError` for a `ddl` that SQLite rejects."""

    def __init__(self, ddl: str) -> None:
        self._ddl = ddl

    def __enter__(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(":memory:")
        self._connection.set_authorizer(no_files)
        try:
            self._connection.executescript(self._ddl)
        except sqlite3.Error as error:
            self._connection.close()
            raise SchemaError(f"invalid ddl: {error}", hint="give CREATE TABLE statements") from error
        self._connection.set_authorizer(None)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def no_files(action: int, *_: object) -> int:
    """An SQLite authorizer for scripts that fill a database: it denies attaching databases and changing settings."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_PRAGMA) else sqlite3.SQLITE_OK


def only_read(action: int, table: str | None, function: str | None, *_: object) -> int:
    """An SQLite authorizer for queries: it allows reading the query's own tables and nothing else."""
    if action == sqlite3.SQLITE_READ and table is not None and table.startswith("sqlite_"):
        return sqlite3.SQLITE_DENY
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading and function != "load_extension" else sqlite3.SQLITE_DENY


def quoted(name: str) -> str:
    """A name quoted for SQL, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'
