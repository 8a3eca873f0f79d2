"""Grammar engines behind one small face, each to be run in a process of its own that may be killed."""

import json
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# structout's objects are open here, as the others' are; "structout closed" is what it does by default.
ENGINES = ("structout", "structout closed", "llguidance", "llguidance lenient", "xgrammar", "outlines_core")
LIMIT = 10  # seconds of CPU time for compiling one schema, and as many again for its documents
_MEMORY = 8 * 1024**3  # bytes that an engine may ask for
_MOST_STEPS = 2_000  # of trying out orders of keys, for one document
SPARE = 256  # tokens of a limit, besides twice the document's
_MASKED = 40  # tokens of one document whose masks are timed


@dataclass
class Verdict:
    """What one engine made of one schema: `taken` says for each document whether the mask lets it through, and `held`
    whether the mask did and the budget of tokens did not.
    """

    error: str = ""
    level: str = ""
    compile_ms: float = 0.0
    taken: list[bool] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    mask_us: list[float] = field(default_factory=list)


def _spent() -> float:
    """Seconds of CPU time of this process and of the children that it waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _allow(seconds: int) -> None:
    """Let this process have so much more CPU time before it is killed."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(own.ru_utime + own.ru_stime) + 1 + seconds, hard))


class _Engine(Protocol):
    def judge(self, json_schema: Any, documents: Sequence[Any]) -> Verdict: ...


class Llguidance:
    """llguidance as it comes, in structout's layout; `structout` compiles first, and hands over its grammar."""

    def __init__(self, tokenizer: Any, kind: str) -> None:
        from structout.grammar import Vocabulary

        self.vocabulary = Vocabulary.of(tokenizer)
        self.kind = kind

    def judge(self, json_schema: Any, documents: Sequence[Any]) -> Verdict:
        from llguidance import LLMatcher

        from structout.errors import SchemaError
        from structout.grammar import compile as compile_schema
        from structout.schema import Schema

        began = _spent()
        level, grammar = "", None
        if self.kind.startswith("structout"):
            try:
                # A Pydantic type is named, so that its validators and its reading of formats count.
                source_type = (
                    _types()[json_schema["case"]]
                    if isinstance(json_schema, dict) and set(json_schema) == {"case"}
                    else json_schema
                )
                grammar = compile_schema(Schema.of(source_type), open_objects=self.kind == "structout")
            except SchemaError as error:
                return Verdict(error=str(error)[:200])
            source, level = grammar.source, grammar.level
        else:
            options = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
            lenient = {"lenient": True} if self.kind.endswith("lenient") else {}
            text = json.dumps(json_schema if isinstance(json_schema, dict) else {"allOf": [json_schema]})
            source = LLMatcher.grammar_from_json_schema(text, overrides=options | lenient)
        matcher = LLMatcher(self.vocabulary.engine, source, log_level=0)
        if matcher.is_error():
            return Verdict(error=matcher.get_error()[:200])
        verdict = Verdict("", level, (_spent() - began) * 1000)
        _allow(LIMIT)
        for document in documents:
            found = spelled(matcher, document, self.vocabulary.encode)
            held = found is not None and grammar is not None and not self._within_budget(grammar, found)
            verdict.held.append(held)
            verdict.taken.append(found is not None and not held)
        for document in documents[:1]:
            position = matcher.deep_copy()
            for token in self.vocabulary.encode(json.dumps(document, ensure_ascii=False))[:_MASKED]:
                began = time.thread_time()
                position.compute_bitmask()
                verdict.mask_us.append((time.thread_time() - began) * 1e6)
                if not position.try_consume_tokens([token]):
                    break
        return verdict

    def _within_budget(self, grammar: Any, text: str) -> bool:
        """Whether a text that the mask lets through can be written within a generous limit, as decoding writes it."""
        tokens = self.vocabulary.encode(text)
        limit = 2 * (len(tokens) + len(grammar.shortest(self.vocabulary) or ())) + SPARE
        matcher = grammar.matcher(self.vocabulary, limit)
        return bool(matcher.try_advance(tokens) == len(tokens) and matcher.may_stop)


def _types() -> dict[str, Any]:
    from benchmarks.pydantic_models import CASES

    return {case.name: case.type for case in CASES}


def dumped(value: Any) -> str:
    """A scalar as JSON."""
    return json.dumps(value, ensure_ascii=False)


def spelled(matcher: Any, document: Any, encode: Any, scalar: Callable[[Any], str] = dumped) -> str | None:
    """A text of a document that the grammar admits, in some order of its keys, as far as trying out a few thousand
    tells.
    """
    steps = 0

    def put(position: Any, text: str) -> Iterator[Any]:
        nonlocal steps
        steps += 1
        if steps > _MOST_STEPS:
            raise TimeoutError
        matcher, written = position
        after, tokens = matcher.deep_copy(), encode(text)
        if after.try_consume_tokens(tokens) == len(tokens):
            yield after, written + text

    def write(position: Any, value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for opened in put(position, "{"):
                yield from members(opened, list(value), value, "")
        elif isinstance(value, list):
            for opened in put(position, "["):
                yield from items(opened, value, 0)
        else:
            yield from put(position, scalar(value))

    def members(position: Any, keys: list[str], value: dict[str, Any], comma: str) -> Iterator[Any]:
        if not keys:
            yield from put(position, "}")
        for key in keys:
            for named in put(position, f"{comma}{json.dumps(key, ensure_ascii=False)}: "):
                for after in write(named, value[key]):
                    yield from members(after, [k for k in keys if k != key], value, ", ")

    def items(position: Any, values: list[Any], i: int) -> Iterator[Any]:
        if i == len(values):
            yield from put(position, "]")
            return
        for before in put(position, ", ") if i else iter([position]):
            for after in write(before, values[i]):
                yield from items(after, values, i + 1)

    try:
        return next((text for after, text in write((matcher, ""), document) if after.is_accepting()), None)
    except TimeoutError:
        return None


class Xgrammar:
    """xgrammar, not strict."""

    def __init__(self, tokenizer: Any) -> None:
        import xgrammar

        self.tokenizer = tokenizer
        self.info = xgrammar.TokenizerInfo.from_huggingface(tokenizer)
        self.compiler = xgrammar.GrammarCompiler(self.info, cache_enabled=False, max_threads=1)

    def judge(self, json_schema: Any, documents: Sequence[Any]) -> Verdict:
        import xgrammar

        began = _spent()
        try:
            compiled = self.compiler.compile_json_schema(json.dumps(json_schema), strict_mode=False)
        except Exception as error:  # it raises many kinds
            return Verdict(error=str(error)[:200])
        verdict = Verdict("", "", (_spent() - began) * 1000)
        _allow(LIMIT)
        for document in documents:
            taken = False
            for text in _spellings(document, json_schema):
                matcher = xgrammar.GrammarMatcher(compiled)
                taken = taken or (matcher.accept_string(text) and matcher.accept_token(self.tokenizer.eos_token_id))
            verdict.taken.append(taken)
        bits = xgrammar.allocate_token_bitmask(1, self.info.vocab_size)
        for document in documents[:1]:
            matcher = xgrammar.GrammarMatcher(compiled)
            for token in self.tokenizer.encode(json.dumps(document, ensure_ascii=False))[:_MASKED]:
                began = time.thread_time()
                matcher.fill_next_token_bitmask(bits)
                verdict.mask_us.append((time.thread_time() - began) * 1e6)
                if not matcher.accept_token(token):
                    break
        return verdict


class OutlinesCore:
    """outlines_core: a schema becomes a regular expression, and that an index over the vocabulary."""

    def __init__(self, tokenizer: Any) -> None:
        from outlines_core import Vocabulary

        from structout.grammar import Vocabulary as Own

        own = Own.of(tokenizer)
        self.encode = own.encode
        tokens: dict[bytes, list[int]] = {}
        for token, piece in enumerate(own.pieces):
            if piece and not own.is_end(token):
                tokens.setdefault(piece, []).append(token)
        self.vocabulary = Vocabulary(tokenizer.eos_token_id, tokens)

    def judge(self, json_schema: Any, documents: Sequence[Any]) -> Verdict:
        from outlines_core import Index
        from outlines_core.json_schema import build_regex_from_schema

        began = _spent()
        try:
            index = Index(build_regex_from_schema(json.dumps(json_schema)), self.vocabulary)
        except BaseException as error:  # it panics
            return Verdict(error=str(error)[:200])
        verdict = Verdict("", "", (_spent() - began) * 1000)
        _allow(LIMIT)
        for document in documents:
            verdict.taken.append(any(self._takes(index, text) for text in _spellings(document, json_schema)))
        for document in documents[:1]:
            state = index.get_initial_state()
            for token in self.encode(json.dumps(document, ensure_ascii=False))[:_MASKED]:
                began = time.thread_time()
                index.get_allowed_tokens(state)
                verdict.mask_us.append((time.thread_time() - began) * 1e6)
                state = index.get_next_state(state, token)
                if state is None:
                    break
        return verdict

    def _takes(self, index: Any, text: str) -> bool:
        state = index.get_initial_state()
        for token in self.encode(text):
            state = index.get_next_state(state, token)
            if state is None:
                return False
        return bool(index.is_final_state(state))


def _spellings(document: Any, json_schema: Any) -> list[str]:
    """A document as it is, and with its keys in the schema's order."""
    names: dict[str, int] = {}
    stack = [json_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for name in node.get("properties", {}) if isinstance(node.get("properties"), dict) else ():
                names.setdefault(name, len(names))
            stack.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            stack.extend(reversed(node))

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(value[key]) for key in sorted(value, key=lambda key: names.get(key, len(names)))}
        return [ordered(item) for item in value] if isinstance(value, list) else value

    return [json.dumps(value, ensure_ascii=False) for value in (document, ordered(document))]


def serve(name: str, tokenizer_folder: str, connection: Any) -> None:
    """Answer (schema, documents) with a `Verdict` until the other side hangs up; errors "too long" and "crashed" if the
    engine gives none."""
    from transformers import AutoTokenizer

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    engine: _Engine
    if name == "xgrammar":
        engine = Xgrammar(tokenizer)
    elif name == "outlines_core":
        engine = OutlinesCore(tokenizer)
    else:
        engine = Llguidance(tokenizer, name)
    connection.send("ready")
    while True:
        try:
            json_schema, documents = connection.recv()
        except EOFError:
            return
        child = os.fork()  # a process for each schema, with the tokenizer loaded already
        if not child:
            try:
                _allow(LIMIT)
                connection.send(engine.judge(json_schema, documents))
            except BaseException:
                os._exit(1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            connection.send(Verdict(error="too long" if status == -signal.SIGXCPU else "crashed"))
