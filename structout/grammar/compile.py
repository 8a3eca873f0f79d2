"""Schema to grammar: the tightest mask that can be had, and a level that says what it enforces."""

import json
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from structout.errors import MissingExtraError, SchemaError
from structout.grammar.matcher import Engine, Matcher
from structout.grammar.vocabulary import Vocabulary
from structout.schema import Schema

if TYPE_CHECKING:
    from llguidance import LLMatcher

Level = Literal[
    "exact",  # the mask enforces the whole schema
    "relaxed",  # the mask enforces part of the schema; the document is verified afterwards
    "json",  # the mask enforces JSON; the document is verified afterwards
]
# One spelling of whitespace: long forced runs, and no tokens lost on layout. It is what `json.dumps` writes.
_LAYOUT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


@dataclass(frozen=True, eq=False)
class Grammar:
    """What a schema compiles to: `source` is the engine's grammar, `seconds` what compiling took."""

    schema: Schema[Any]
    level: Level
    source: str
    seconds: float
    _templates: "WeakKeyDictionary[Vocabulary, LLMatcher]" = field(default_factory=WeakKeyDictionary, repr=False)

    def matcher(self, vocabulary: Vocabulary, max_tokens: int | None = None) -> Matcher:
        """A fresh matcher at the beginning; with `max_tokens` it sees to it that the document ends in time."""
        from llguidance import LLMatcher

        if vocabulary not in self._templates:
            template = LLMatcher(vocabulary.engine, self.source, log_level=0)
            if template.is_error():
                reason = template.get_error().split("\n")[0]
                raise SchemaError(f"{self.schema.name} has no grammar: {reason}", hint="simplify the schema")
            self._templates[vocabulary] = template
        return Engine(self._templates[vocabulary].deep_copy(), vocabulary)


@lru_cache(maxsize=256)
def compile(schema: Schema[Any]) -> Grammar:  # noqa: A001
    """Compile a schema for constrained decoding, at the tightest level that the engine manages.

    Remembered by the schema's fingerprint. Raises `SchemaError` if no document can satisfy the schema, and
    `MissingExtraError`.
    """
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise MissingExtraError("llguidance", "local") from error
    began = time.perf_counter()
    attempts: list[tuple[Level, Any, dict[str, Any]]] = [
        ("exact", schema.json_schema, {}),
        ("relaxed", schema.json_schema, {"lenient": True}),
        ("json", {}, {}),
    ]
    reason = ""
    for level, json_schema, options in attempts:
        text = json.dumps(json_schema if isinstance(json_schema, dict) else {"allOf": [json_schema]})
        source = LLMatcher.grammar_from_json_schema(text, overrides=_LAYOUT | options)
        reason = LLMatcher.validate_grammar(source)
        if not reason or reason.startswith("WARNING"):
            return Grammar(schema, level, source, time.perf_counter() - began)
    raise SchemaError(f"{schema.name} has no grammar: {reason}", hint="simplify the schema")
