"""The engine's grammars for languages: choices, regular expressions, Lark and SQL."""

import json
import re
from itertools import permutations

from structout.errors import SchemaError
from structout.language import Choice, Language, Lark, Regex, Sql, quoted

_MOST_JOINED = 12  # tables up to which a grammar has joins: it lists every pair


def source_of(language: Language) -> str:
    """The engine's grammar for a language. Raises `SchemaError` for an unknown language."""
    from llguidance import LLMatcher, regex_to_lark

    if isinstance(language, Regex):
        return str(LLMatcher.grammar_from_regex(regex_to_lark(language.pattern, "dw")))
    return str(LLMatcher.grammar_from_lark(lark_of(language)))


def lark_of(language: Language) -> str:
    """The grammar of a `Choice`, `Lark` or `Sql` language, in llguidance's dialect of Lark.

    Raises `SchemaError` for any other language.
    """
    if isinstance(language, Choice):
        return "start: " + " | ".join(json.dumps(value) for value in language.values)
    if isinstance(language, Lark):
        return language.grammar
    if isinstance(language, Sql):
        return _select(language)
    raise SchemaError(f"invalid language: got {language!r}", hint="give Choice, Regex, Lark or Sql")


def samples(language: Language) -> tuple[str, ...]:
    """Short texts of a language with a large grammar, from which the search for the shortest text starts."""
    if not isinstance(language, Sql):
        return ()
    return tuple(
        f"SELECT {_name(language, table, column)} FROM {_table(language, table)}"
        for table, columns in language.tables.items()
        for column in columns[:4]
    )


def _select(language: Sql) -> str:
    """A grammar of SELECT over one table, or over two joined tables, with their columns only. SQLite can prepare every
    text of the grammar.

    The engine's lexer takes the longest match and never backtracks. So a literal must not be a prefix of another
    literal in the same place: not " FROM a" beside " FROM a JOIN b ON ", nor "COUNT" beside "COUNT(*)".
    """
    tables = list(language.tables)
    rules = [
        "start: " + " | ".join(f"one{i}" for i in range(len(tables))),
        'COMPARE: " = " | " <> " | " < " | " > " | " <= " | " >= "',
        r"NUMBER: /-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?/",
        r"TEXT: /'(?:[^'\x00-\x1f]|''){0,80}'/",
        "value: NUMBER | TEXT",
        'FUNCTION: "SUM" | "AVG" | "MIN" | "MAX"',
        'direction: " ASC" | " DESC"',
        r'limit: " LIMIT " /[1-9][0-9]{0,5}/',
    ]
    for i, table in enumerate(tables):
        columns = [_name(language, table, column) for column in language.tables[table]]
        source = f'" FROM " {json.dumps(_table(language, table))}'
        rules += _statement(f"one{i}", columns, source, len(tables))
        rules.append(f'sub{i}: "SELECT " col_one{i} {source} (" WHERE " cond_one{i})?')
    if 2 <= len(tables) <= _MOST_JOINED:
        pairs = list(permutations(range(len(tables)), 2))
        rules[0] += " | " + " | ".join(f"two{i}_{j}" for i, j in pairs)
        for i, j in pairs:
            left, right = _table(language, tables[i]), _table(language, tables[j])
            sides = [
                [f"{side}.{_name(language, tables[k], column)}" for column in language.tables[tables[k]]]
                for k, side in ((i, left), (j, right))
            ]
            rule = f"two{i}_{j}"
            source = f'" FROM " {json.dumps(left)} " JOIN " {json.dumps(right)} " ON "'
            rules += _statement(rule, sides[0] + sides[1], source, len(tables), join=True)
            rules.append(f'on_{rule}: ({_either(sides[0])}) " = " ({_either(sides[1])})')
    return "\n".join(rules)


def _statement(rule: str, columns: list[str], source: str, tables: int, *, join: bool = False) -> list[str]:
    c = f"col_{rule}"
    joined = f" on_{rule}" if join else ""
    subqueries = "" if join else "".join(f' | {c} (" IN (" | " NOT IN (") sub{k} ")"' for k in range(tables))
    return [
        f'{rule}: "SELECT " "DISTINCT "? items_{rule} {source}{joined} (" WHERE " cond_{rule})? '
        f'(" GROUP BY " {c} (" HAVING " agg_{rule} COMPARE NUMBER)?)? '
        f'(" ORDER BY " (agg_{rule} | {c}) direction?)? limit?',
        f'items_{rule}: "*" | item_{rule} (", " item_{rule})*',
        f"item_{rule}: {c} | agg_{rule}",
        f'agg_{rule}: "COUNT" "(" ("*" | "DISTINCT "? {c}) ")" | FUNCTION "(" "DISTINCT "? {c} ")"',
        f'cond_{rule}: test_{rule} ((" AND " | " OR ") test_{rule})*',
        f'test_{rule}: {c} COMPARE value | {c} COMPARE {c} | {c} " IS NULL" | {c} " IS NOT NULL" '
        f'| {c} (" LIKE " | " NOT LIKE ") TEXT | {c} " BETWEEN " value " AND " value '
        f'| {c} " IN (" value (", " value)* ")"{subqueries}',
        f"{c}: {_either(columns)}",
    ]


def _either(texts: list[str]) -> str:
    return " | ".join(json.dumps(text) for text in texts)


def _table(language: Sql, table: str) -> str:
    return table if _plain(language.ddl, f"SELECT 1 FROM {table}", table) else quoted(table)


def _name(language: Sql, table: str, column: str) -> str:
    return column if _plain(language.ddl, f"SELECT {column} FROM {quoted(table)}", column) else quoted(column)


def _plain(ddl: str, query: str, name: str) -> bool:
    """Whether a name needs no quotation marks: it is an identifier, but not a keyword of SQLite."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None and not Sql(ddl).problem(query)
