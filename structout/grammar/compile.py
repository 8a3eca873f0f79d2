"""The compiler from a schema to the tightest grammar that the engine supports, and the grammar's level."""

import json
import time
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from structout.document import Json
from structout.errors import MissingExtraError, SchemaError
from structout.grammar.closing import Closer, examples, required_names
from structout.grammar.exponents import Exponents
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
from structout.schema.closing import closed

if TYPE_CHECKING:
    from llguidance import LLMatcher

Level = Literal[
    "exact",  # the mask enforces the whole schema
    "relaxed",  # the mask enforces part of the schema; validation checks the rest
    "json",  # the mask enforces JSON; validation checks the schema
]
# Whitespace is fixed, as `json.dumps` writes it: forced runs are long, and no token is spent on layout. \\u escapes are
# excluded: a key written with them would escape the mask.
_LAYOUT = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "json_allowed_escapes": 'nrbtf\\"',
}

_LONGEST_DOCUMENT = 16_000  # tokens, the limit in the search for the shortest document
# The limit on the work of the engine's lexer over its lifetime, about a second. The engine's default is a fiftieth of
# it, and one document with patterns such as `^(?:\S+\s+){0,50}\S+$` uses up the default.
_LEXER_FUEL = 50_000_000


@dataclass(frozen=True, eq=False)
class Grammar:
    """A compiled schema. `source` is the engine's grammar, and `seconds` the time that compiling took.

    `gaps` are the keywords that the mask leaves to validation (none at level `exact`), or enforces more narrowly.
    """

    schema: Schema[Any]
    mask: Any
    level: Level
    source: str
    seconds: float
    gaps: tuple[Gap, ...] = ()
    _starts: "WeakKeyDictionary[Vocabulary, _Start]" = field(default_factory=WeakKeyDictionary, repr=False)

    def matcher(self, vocabulary: Vocabulary, max_tokens: int | None = None) -> Matcher:
        """A new matcher at the beginning of a document.

        With `max_tokens` the matcher allows only tokens after which a valid document can still be completed within the
        limit. If the shortest document that was found (`shortest`) exceeds the limit, the answer may be cut off.
        """
        start = self._start(vocabulary)
        matcher = start.template.deep_copy()
        matcher.compute_logit_bias()
        if matcher.is_error():  # matchers share the engine's lexer, which has reached its limit
            start = self._starts[vocabulary] = replace(start, template=self._template(vocabulary))
            matcher = start.template.deep_copy()
        engine = EngineMatcher(matcher, vocabulary, None if self.schema.language else Exponents.of(vocabulary))
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

    def doubt(self, vocabulary: Vocabulary, max_tokens: int) -> str:
        """Why answers may be cut off at the limit, in a few words; "" if every answer ends in time."""
        out = self._start(vocabulary).out
        if out is None:
            return "no document was found that complies"
        return "" if len(out) <= max_tokens else f"the shortest document that was found takes {len(out)} tokens"

    def shortest(self, vocabulary: Vocabulary) -> list[int] | None:
        """The tokens of the shortest document that was found; None if no document was found."""
        out = self._start(vocabulary).out
        return None if out is None else list(out)

    @cached_property
    def documents(self) -> tuple[str, ...]:
        """A few short documents that comply with the schema, the shortest first; empty if no document was found."""
        if self.schema.language is not None:
            return samples(self.schema.language)
        pydantic = self.schema.adapter is not None
        masks = [tightened(self.schema)[0], self.mask] if self.mask == self.schema.json_schema else [self.mask]
        for mask in masks if pydantic else [self.mask]:
            found = Witness(mask, pydantic=pydantic).documents()
            if kept := tuple(text for text in found if PrefixValidator(self.schema).accepts(text)):
                return kept
        return ()

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
            # Validated at `exact` too: an open object may repeat a key.
            found = closer.shortest(template, _LONGEST_DOCUMENT, PrefixValidator(self.schema).accepts, self.documents)
            closer, out = found or (closer, None)
            self._starts[vocabulary] = _Start(template, closer, None if out is None else tuple(out))
        return self._starts[vocabulary]

    def _template(self, vocabulary: Vocabulary) -> "LLMatcher":
        """A new engine matcher. Raises `SchemaError` if the engine rejects the grammar."""
        from llguidance import LLMatcher, LLParserLimits

        limits = LLParserLimits(initial_lexer_fuel=_LEXER_FUEL, verbose_errors=False)
        template = LLMatcher(vocabulary.engine, self.source, log_level=0, limits=limits)
        if template.is_error():
            reason = template.get_error().split("\n")[0]
            raise SchemaError(f"cannot compile {self.schema.name}: {reason}", hint="simplify the schema")
        return template


@dataclass(frozen=True)
class _Start:
    """A grammar over one vocabulary: an unused matcher, and the shortest document from there."""

    template: "LLMatcher"
    closer: Closer
    out: tuple[int, ...] | None


def compile(schema: Schema[Any], mask: Any = None, *, open_objects: bool = False) -> Grammar:  # noqa: A001
    """Compile a schema for constrained decoding, at the tightest level that the engine supports.

    `mask` is a JSON Schema that allows fewer documents; the grammar enforces the mask instead of the schema. Objects
    hold declared keys only, unless the schema speaks of others or `open_objects` is set. The result is cached by the
    fingerprint of both and the Pydantic type. Raises `SchemaError` if no document can satisfy the schema, and
    `MissingExtraError`.
    """
    key = schema.fingerprint(mask), id(schema.adapter.core_schema) if schema.adapter else 0, open_objects
    return _compile(_Asked(schema, mask, key))


@dataclass(frozen=True)
class _Asked:
    """What is compiled. The type of a schema is a part of the key: its validators are not in the fingerprint."""

    schema: Schema[Any] = field(compare=False)
    mask: Any = field(compare=False)
    key: tuple[str, int, bool]


@lru_cache(maxsize=256)
def _compile(asked: "_Asked") -> Grammar:
    schema = asked.schema
    try:
        from llguidance import LLMatcher
    except ImportError as error:
        raise MissingExtraError("llguidance", "masks") from error
    began = time.perf_counter()
    mask = schema.json_schema if asked.mask is None else asked.mask
    if schema.language is not None:
        source = source_of(schema.language)
        reason = trial(source)
        if reason:
            raise SchemaError(f"cannot compile {schema.name}: {reason}"[:300], hint="simplify the language")
        return Grammar(schema, mask, "exact", source, time.perf_counter() - began)
    closing = Gap("", "other keys", "the mask allows declared keys only, unless open_objects is set", True)
    try:
        tight, expressed = tightened(schema, asked.mask)
        whole_keys = tight
        if not asked.key[2]:
            tight = closed(tight)
        rewriter = Rewriter(tight, schema.adapter is not None)
        rewritten = rewriter.rewrite()
        gaps = [*rewriter.gaps, *python_checks(schema, expressed)]
        if tight is not whole_keys:
            gaps.append(closing)
    except RecursionError:
        rewritten, gaps = {}, [Gap("", "$ref", "nested too deeply")]
    whole: Level = "exact" if all(gap.narrower for gap in gaps) else "relaxed"
    attempts: list[tuple[Level, Any, dict[str, Any]]] = [
        (whole, rewritten, {}),
        ("relaxed", rewritten, {"lenient": True}),
        ("relaxed", mask if asked.key[2] else closed(mask), {"lenient": True}),
        ("json", {}, {}),
    ]
    reasons: list[str] = []
    for level, json_schema, options in attempts:
        try:
            given = uncounted(json_schema) if options else json_schema
            text = json.dumps(given if isinstance(given, dict) else {"allOf": [given]})
            source = LLMatcher.grammar_from_json_schema(text, overrides=_LAYOUT | options)
        except (RecursionError, ValueError):  # the engine's limit on nesting is lower than a schema's
            reasons.append("nested too deeply")
            continue
        reason = trial(source)
        if not reason:
            if level == "json":  # any JSON: nothing is closed
                gaps = [gap for gap in gaps if gap is not closing]
            if reasons:
                gaps.append(Gap("", "", reasons[0].split("\n")[0]))
            return Grammar(schema, mask, level, source, time.perf_counter() - began, tuple(gaps))
        if reason.startswith("Unsatisfiable"):
            break
        reasons.append(reason)
    hint = "fix the schema: no document satisfies it"
    raise SchemaError(f"cannot compile {schema.name}: {reason}"[:300], hint=hint)
