"""Schema to grammar: the tightest mask that can be had, and a level that says what it enforces."""

import json
import time
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from structout.document import Json
from structout.errors import MissingExtraError, SchemaError
from structout.grammar.closing import Closer, examples, required_names
from structout.grammar.languages import samples, source_of
from structout.grammar.matcher import EngineMatcher, Matcher
from structout.grammar.prefix_validator import PrefixValidator
from structout.grammar.python_checks import python_checks
from structout.grammar.rewrite import Gap, Rewriter, uncounted
from structout.grammar.tightening import tightened
from structout.grammar.token_limit import Guarded
from structout.grammar.trial import trial
from structout.grammar.vocabulary import Vocabulary
from structout.grammar.witness import Witness
from structout.schema import Schema

if TYPE_CHECKING:
    from llguidance import LLMatcher

Level = Literal[
    "exact",  # the mask enforces the whole schema
    "relaxed",  # the mask enforces part of the schema; the document is verified afterwards
    "json",  # the mask enforces JSON; the document is verified afterwards
]
# One spelling of whitespace: long forced runs, and no tokens lost on layout; it is what `json.dumps` writes. No \\u
# escapes: with them a key could be spelled so that the mask does not know it.
_LAYOUT = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nrbtf\\"',
}

_LONGEST_DOCUMENT = 16_000  # tokens within which the shortest document is looked for
# What the engine's lexer may spend on expressions, as long as it lives: about a second (by default a fiftieth of it,
# which one document under patterns such as `^(?:\S+\s+){0,50}\S+$` uses up).
_LEXER_FUEL = 50_000_000


@dataclass(frozen=True, eq=False)
class Grammar:
    """What a schema compiles to: `source` is the engine's grammar, `seconds` what compiling took.

    `gaps` are the keywords that the mask leaves to verification (`exact` has none), or enforces more narrowly.
    """

    schema: Schema[Any]
    mask: Any
    level: Level
    source: str
    seconds: float
    gaps: tuple[Gap, ...] = ()
    _starts: "WeakKeyDictionary[Vocabulary, _Start]" = field(default_factory=WeakKeyDictionary, repr=False)

    def matcher(self, vocabulary: Vocabulary, max_tokens: int | None = None) -> Matcher:
        """A fresh matcher at the beginning.

        With `max_tokens` every token that it admits can still become a valid document in time; that holds if the
        shortest document that could be found (`shortest`) fits, otherwise the answer may be cut off.
        """
        start = self._start(vocabulary)
        matcher = start.template.deep_copy()
        matcher.compute_logit_bias()
        if matcher.is_error():  # matchers share the engine's lexer, and it has reached its limit
            start = self._starts[vocabulary] = replace(start, template=self._template(vocabulary))
            matcher = start.template.deep_copy()
        engine = EngineMatcher(matcher, vocabulary)
        if max_tokens is None or start.out is None or len(start.out) > max_tokens:
            return engine
        return Guarded(
            engine=engine,
            vocabulary=vocabulary,
            closer=start.closer,
            out=start.out,
            max_tokens=max_tokens,
            judge=PrefixValidator(self.schema),
            likely=self._likely,
        )

    def shortest(self, vocabulary: Vocabulary) -> list[int] | None:
        """The shortest document that was found, in tokens; None if none was."""
        out = self._start(vocabulary).out
        return None if out is None else list(out)

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """A few short texts that the schema admits, the shortest first; none if none was found."""
        if self.schema.language is not None:
            return samples(self.schema.language)
        found = Witness(self.mask, pydantic=self.schema.adapter is not None).documents()
        return tuple(text for text in found if PrefixValidator(self.schema).accepts(text))

    @cached_property
    def _likely(self) -> tuple[Json, ...]:
        return tuple(json.loads(text) for text in self.documents) if self.schema.language is None else ()

    def _start(self, vocabulary: Vocabulary) -> "_Start":
        if vocabulary not in self._starts:
            template = self._template(vocabulary)
            closer = Closer(vocabulary, is_json=False)
            if self.schema.language is None:
                names, words = required_names(self.mask), examples(self.mask, vocabulary)
                closer = Closer(vocabulary, preferred=names, words=words)
            # At `exact` too: an open object may repeat a key, and a proof is better than a promise.
            found = closer.shortest(template, _LONGEST_DOCUMENT, PrefixValidator(self.schema).accepts, self.documents)
            closer, out = found or (closer, None)
            self._starts[vocabulary] = _Start(template, closer, None if out is None else tuple(out))
        return self._starts[vocabulary]

    def _template(self, vocabulary: Vocabulary) -> "LLMatcher":
        """An unused matcher. Raises `SchemaError` where the engine makes none."""
        from llguidance import LLMatcher, LLParserLimits

        limits = LLParserLimits(initial_lexer_fuel=_LEXER_FUEL, verbose_errors=False)
        template = LLMatcher(vocabulary.engine, self.source, log_level=0, limits=limits)
        if template.is_error():
            reason = template.get_error().split("\n")[0]
            raise SchemaError(f"{self.schema.name} has no grammar: {reason}", hint="simplify the schema")
        return template


@dataclass(frozen=True)
class _Start:
    """A grammar over one vocabulary: an unused matcher, and the shortest way from it to a document."""

    template: "LLMatcher"
    closer: Closer
    out: tuple[int, ...] | None


def compile(schema: Schema[Any], mask: Any = None) -> Grammar:  # noqa: A001
    """Compile a schema for constrained decoding, at the tightest level that the engine manages.

    `mask` is a JSON Schema that admits fewer documents, to be enforced in its place. The grammar is remembered by the
    fingerprint of both and the Pydantic type. Raises `SchemaError` if no document can satisfy the
    schema, and `MissingExtraError`.
    """
    key = schema.fingerprint(mask), id(schema.adapter.core_schema) if schema.adapter else 0
    return _compile(_Asked(schema, mask, key))


@dataclass(frozen=True)
class _Asked:
    """What is compiled. The type of a schema is a part of the key: its validators are not in the fingerprint."""

    schema: Schema[Any] = field(compare=False)
    mask: Any = field(compare=False)
    key: tuple[str, int]


@lru_cache(maxsize=256)
def _compile(asked: "_Asked") -> Grammar:
    schema = asked.schema
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise MissingExtraError("llguidance", "local") from error
    began = time.perf_counter()
    mask = schema.json_schema if asked.mask is None else asked.mask
    if schema.language is not None:
        source = source_of(schema.language)
        reason = trial(source)
        if reason:
            raise SchemaError(f"{schema.name} has no grammar: {reason}"[:300], hint="simplify the language")
        return Grammar(schema, mask, "exact", source, time.perf_counter() - began)
    try:
        tight, said = tightened(schema, asked.mask)
        rewriter = Rewriter(tight, schema.adapter is not None)
        rewritten = rewriter.rewrite()
        gaps = [*rewriter.gaps, *python_checks(schema, said)]
    except RecursionError:
        rewritten, gaps = {}, [Gap("", "$ref", "nested too deeply")]
    whole: Level = "exact" if all(gap.narrower for gap in gaps) else "relaxed"
    attempts: list[tuple[Level, Any, dict[str, Any]]] = [
        (whole, rewritten, {}),
        ("relaxed", rewritten, {"lenient": True}),
        ("relaxed", mask, {"lenient": True}),
        ("json", {}, {}),
    ]
    reasons: list[str] = []
    for level, json_schema, options in attempts:
        try:
            told = uncounted(json_schema) if options else json_schema
            text = json.dumps(told if isinstance(told, dict) else {"allOf": [told]})
            source = LLMatcher.grammar_from_json_schema(text, overrides=_LAYOUT | options)
        except (RecursionError, ValueError):  # the engine reads fewer levels than a schema may have
            reasons.append("nested too deeply")
            continue
        reason = trial(source)
        if not reason:
            if reasons:
                gaps.append(Gap("", "", reasons[0].split("\n")[0]))
            return Grammar(schema, mask, level, source, time.perf_counter() - began, tuple(gaps))
        if reason.startswith("Unsatisfiable"):
            break
        reasons.append(reason)
    raise SchemaError(f"{schema.name} has no grammar: {reason}"[:300], hint="no document satisfies it; mend the schema")
