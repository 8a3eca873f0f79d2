"""Texts that are no JSON: a bare choice, a regular expression, a grammar, a SQL query."""

import re
import sqlite3
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import jsonschema_rs

from structout.errors import MissingExtraError, SchemaError


class Language(Protocol):
    """A set of texts, told apart without a grammar engine where that can be done."""

    @property
    def name(self) -> str:
        """What one text is."""

    @property
    def hint(self) -> str:
        """What a model is told that it may write."""

    def problem(self, text: str) -> str:
        """Why a text is not of the language, "" if it is."""


@dataclass(frozen=True)
class Choice:
    """One of a few texts, without quotation marks: what `Schema.of(Literal[...])` makes of strings."""

    values: tuple[str, ...]
    name: str = "choice"

    def __post_init__(self) -> None:
        if not self.values or "" in self.values:
            raise SchemaError("a choice needs values, none of them empty", hint="name what may be answered")

    @property
    def hint(self) -> str:
        return "one of: " + ", ".join(self.values)

    def problem(self, text: str) -> str:
        return "" if text in self.values else f"not one of {', '.join(self.values)}"


@dataclass(frozen=True)
class Regex:
    """Text that a regular expression matches from end to end; it has no look-around, and runs in linear time."""

    pattern: str
    name: str = "text"

    def __post_init__(self) -> None:
        try:
            _ = self._validator
        except jsonschema_rs.ValidationError as error:
            hint = "use regular expressions without look-around and back-references"
            raise SchemaError(f"{self.pattern!r} is no regular expression: {error.message}", hint=hint) from error

    @cached_property
    def _validator(self) -> Any:
        schema = {"type": "string", "pattern": f"^(?:{self.pattern})$"}
        return jsonschema_rs.validator_for(schema, pattern_options=jsonschema_rs.RegexOptions())

    @property
    def hint(self) -> str:
        return f"a text that matches the regular expression {self.pattern}"

    def problem(self, text: str) -> str:
        return "" if self._validator.is_valid(text) else f"does not match {self.pattern}"


@dataclass(frozen=True)
class Lark:
    """Text that a grammar derives from its rule `start`, in the dialect of Lark that llguidance reads.

    There is no other parser of that dialect, so the engine verifies its own texts here. Raises `SchemaError`, and
    `MissingExtraError`.
    """

    grammar: str
    name: str = "text"

    def __post_init__(self) -> None:
        from_engine, _ = _engine()
        reason = from_engine.validate_grammar(from_engine.grammar_from_lark(self.grammar))
        if reason and not reason.startswith("WARNING"):
            raise SchemaError(f"not a grammar: {reason.splitlines()[0]}", hint="see the Lark syntax of llguidance")

    @property
    def hint(self) -> str:
        return f"a text that this Lark grammar derives:\n{self.grammar}"

    def problem(self, text: str) -> str:
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
        raise MissingExtraError("llguidance", "local") from error
    return llguidance.LLMatcher, llguidance.LLTokenizer("byte")


@dataclass(frozen=True)
class Sql:
    """One SELECT statement over the tables that `ddl` makes, verified by preparing it against an empty database.

    Nothing is executed: SQLite compiles the statement, with an authorizer that lets it read and nothing else. Raises
    `SchemaError` for a `ddl` that SQLite refuses or that makes no table.
    """

    ddl: str
    name: str = "query"

    def __post_init__(self) -> None:
        if not self.tables:
            raise SchemaError("the ddl makes no table", hint="give CREATE TABLE statements")

    @cached_property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Each table's columns, in order."""
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
        return f"one SQLite SELECT statement over these tables:\n{self.ddl}"

    def problem(self, text: str) -> str:
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
    """An empty SQLite database in memory, closed on leaving. Raises `SchemaError` for a `ddl` that SQLite refuses."""

    def __init__(self, ddl: str) -> None:
        self._ddl = ddl

    def __enter__(self) -> sqlite3.Connection:
        self._connection = sqlite3.connect(":memory:")
        self._connection.set_authorizer(no_files)
        try:
            self._connection.executescript(self._ddl)
        except sqlite3.Error as error:
            self._connection.close()
            raise SchemaError(f"SQLite refuses the ddl: {error}", hint="give CREATE TABLE statements") from error
        self._connection.set_authorizer(None)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def no_files(action: int, *_: object) -> int:
    """SQLite's authorizer of a script that fills a database: it opens no other, nor changes how SQLite works."""
    return sqlite3.SQLITE_DENY if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_PRAGMA) else sqlite3.SQLITE_OK


def only_read(action: int, table: str | None, function: str | None, *_: object) -> int:
    """SQLite's authorizer of a query: it may read its own tables, and nothing else."""
    if action == sqlite3.SQLITE_READ and table is not None and table.startswith("sqlite_"):
        return sqlite3.SQLITE_DENY
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in reading and function != "load_extension" else sqlite3.SQLITE_DENY


def quoted(name: str) -> str:
    """A name as SQL writes it in any case."""
    return '"' + name.replace('"', '""') + '"'
