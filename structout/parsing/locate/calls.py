"""Records in other forms than JSON and YAML: calls of tools in the dialects of models, XML, field markers."""

import ast
import datetime
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any, Final, NamedTuple

from structout.document import Json, parse_json
from structout.parsing.allowance import Allowance
from structout.parsing.edits import Edit, EditKind, edit_text
from structout.parsing.fit.shape import Shape, plain_key
from structout.parsing.syntax.reader import Reading

_LONGEST_CALL: Final = 20_000  # characters of a call in Python's syntax
_PER_STEP: Final = 50  # characters that one step of the allowance searches
_MOST: Final = 20  # records of one dialect
_PARAMETER: Final = re.compile(
    r"""<(?:antml:)?parameter(?:=|\s+name=)["']?([\w.$-]{1,80})["']?\s*>(.*?)</(?:antml:)?parameter>""", re.DOTALL
)
_CHILD: Final = re.compile(r"<([A-Za-z_][\w.-]{0,60})>(.*?)</\1>", re.DOTALL)
_ENTITY: Final = re.compile(r"&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});")
_DEEPEST: Final = 50
_CDATA: Final = re.compile(r"\s*<!\[CDATA\[(.*?)\]\]>\s*", re.DOTALL)
_MARKER: Final = re.compile(r"^\[\[ ## ([\w.-]{1,80}) ## \]\][ \t]*\n?", re.MULTILINE)
_PYTHON_CALL: Final = re.compile(r"\[?\s*([A-Za-z_][\w.]{0,80})\((?=\s*(?:[A-Za-z_]\w*\s*=|\)))")


# Marks of calls in JSON by Hermes and Qwen, Mistral, Llama, DeepSeek and OpenAI.
_CALL_MARKS: Final = (
    "<tool_call", "[TOOL_CALLS]", "<|python_tag|>", "tool▁call", "<|tool_call",
    '"type": "function"', '"type":"function"',
)  # fmt: skip
_CALL: Final = frozenset({"name", "arguments", "parameters", "args", "id"})
_OPENAI: Final = frozenset({"type", "function", "id", "index"})


class Dialect(NamedTuple):
    """One way to write a record: the pattern of the record, and a function that reads its body."""

    name: EditKind
    cue: str  # every such record contains this text
    pattern: re.Pattern[str]
    read: Callable[[str], dict[str, Json] | None]


def _parameters(body: str) -> dict[str, Json] | None:
    pairs = _PARAMETER.findall(body)
    found = {name: value.strip("\n") for name, value in pairs}
    if len(found) < len(pairs):
        return None  # which value counts?
    rest = _PARAMETER.sub("", body).strip()
    return dict(found) if found and not rest else None


def _children(body: str, depth: int = 0) -> dict[str, Json] | None:
    """The elements of a record in XML; an element that occurs again makes a list."""
    if depth > _DEEPEST:
        return None
    found: dict[str, Json] = {}
    lists: set[str] = set()
    for name, inner in _CHILD.findall(body):
        value: Json = _children(inner, depth + 1) if _CHILD.search(inner) else _content(inner)
        if value is None:
            return None
        if name in found:
            known = found[name] if name in lists else [found[name]]
            lists.add(name)
            found[name] = [*known, value] if isinstance(known, list) else [value]
        else:
            found[name] = value
    return found if found and not _CHILD.sub("", body).strip() else None


def _content(inner: str) -> str | None:
    """The text of an element, without its section of CDATA or with the entities of XML read; None for a mixture."""
    section = _CDATA.fullmatch(inner)
    if section is None and "<![CDATA[" in inner:
        return None
    return section[1] if section else _ENTITY.sub(lambda found: unescape(found[0]), inner.strip())


# JSON inside tags needs no dialect: its brackets are enough to find it.
DIALECTS: Final = (
    # Qwen3-Coder
    Dialect(
        "tool_call",
        "<function=",
        re.compile(r"(?:<tool_call>\s*)?<function=[\w.-]{1,80}>(.*?)</function>(?:\s*</tool_call>)?", re.DOTALL),
        _parameters,
    ),
    # Claude
    Dialect(
        "tool_call",
        "invoke",
        re.compile(
            r"""(?:<(?:antml:)?function_calls>\s*)?<(?:antml:)?invoke\s+name=["'][\w.-]{1,80}["']>(.*?)</(?:antml:)?invoke>"""
            r"(?:\s*</(?:antml:)?function_calls>)?",
            re.DOTALL,
        ),
        lambda body: _parameters(body) or _children(body),
    ),
    # A record in XML: one element with an element for each field
    Dialect(
        "xml",
        "</",
        re.compile(r"<(?!(?:tool_call|function|think)\b)([A-Za-z_][\w.-]{0,60})>\s*(<.*?>)\s*</\1>", re.DOTALL),
        _children,
    ),
)


def read_calls(text: str, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """The records in one of the dialects whose names the schema declares."""
    if "object" not in shape.types or not shape.properties:
        return
    for dialect in DIALECTS:
        if dialect.cue not in text:
            continue
        allowance.spend(len(text) + text.count("<") * len(text) // _PER_STEP)  # each tag may be searched to the end
        for count, found in enumerate(dialect.pattern.finditer(text)):
            if count >= _MOST:
                break
            document = dialect.read(found.group(found.lastindex or 0))
            if document is not None and _are_known(document, shape):
                yield _reading(dialect.name, text, found.start(), found.end(), document)
    allowance.spend(text.count("<") * len(text) // _PER_STEP)
    yield from _elements(text, shape)
    yield from _marked(text, shape)
    yield from _called(text, shape, allowance)


def is_marked(text: str) -> bool:
    """Whether a text marks its document as a call of a tool."""
    return any(mark in text for mark in _CALL_MARKS)


def without_call(reading: Reading, text: str, shape: Shape) -> Reading:
    """The reading, reduced to the arguments if its document is a marked call: the schema describes the arguments."""
    document = reading.document
    if not isinstance(document, dict) or not is_marked(text):
        return reading
    if document.keys() == {"tool_calls"} and isinstance(calls := document["tool_calls"], list) and len(calls) == 1:
        document = calls[0] if isinstance(calls[0], dict) else document
    call = document.get("function") if document.keys() <= _OPENAI and "function" in document else document
    if not isinstance(call, dict) or not call.keys() <= _CALL or not isinstance(call.get("name"), str):
        return reading
    inner = call.get("arguments", call.get("parameters", call.get("args")))
    if isinstance(inner, str):
        inner = parse_json(inner)[0]
    if not isinstance(inner, dict) or {"name", "arguments"} <= shape.properties.keys():
        return reading
    edit = Edit("unwrapped", "lossless", "", edit_text(document), edit_text(inner))
    return reading._replace(document=inner, edits=(*reading.edits, edit))


def _elements(text: str, shape: Shape) -> Iterator[Reading]:
    """A record in XML without its outer element: `<name>Ann</name><age>3</age>`."""
    start, end = text.find("<"), text.rfind(">") + 1
    if start < 0 or "</" not in text[start:end]:
        return
    document = _children(text[start:end])
    if document and len(document) > 1 and _are_known(document, shape):
        yield _reading("xml", text, start, end, document)


def _marked(text: str, shape: Shape) -> Iterator[Reading]:
    """Fields after markers, as DSPy has a model write them: `[[ ## name ## ]]`."""
    marks = list(_MARKER.finditer(text))
    document: dict[str, Json] = {}
    for mark, after in zip(marks, [*marks[1:], None], strict=False):
        if mark[1] in document:
            return
        if mark[1] != "completed":
            document[mark[1]] = text[mark.end() : after.start() if after else len(text)].strip()
    if document and _are_known(document, shape):
        yield _reading("markers", text, marks[0].start(), len(text.rstrip()), document)


def _called(text: str, shape: Shape, allowance: Allowance) -> Iterator[Reading]:
    """A call in Python's syntax, such as the text of a Pydantic model: `Record(a=1, b='x')`."""
    stripped = text.strip().strip("`").strip()
    for token in ("<|python_start|>", "<|python_tag|>", "<|python_end|>", "<|eom_id|>", "<|eot_id|>"):
        stripped = stripped.replace(token, "").strip()
    if len(stripped) > _LONGEST_CALL or not _PYTHON_CALL.match(stripped):
        return
    allowance.spend(4 * len(stripped))
    try:
        node: Any = ast.parse(stripped, mode="eval").body
        calls: list[Any] = node.elts if isinstance(node, ast.List) else [node]
        if any(not isinstance(call, ast.Call) or call.args for call in calls):
            return
        for call in calls:
            names = [word.arg for word in call.keywords]
            if all(names) and len(set(names)) == len(names):
                document = {str(word.arg): _value(word.value) for word in call.keywords}
                if document and _are_known(document, shape):
                    start = text.find(stripped)
                    yield _reading("call", text, max(0, start), max(0, start) + len(stripped), document)
    except (SyntaxError, ValueError, TypeError, OverflowError, RecursionError, MemoryError):
        return


def _value(node: ast.AST) -> Any:
    """The JSON of an expression in Python: a literal, a date, or a record written as a call. Raises `ValueError`."""
    match node:
        case ast.Constant(str() | int() | float() | None as value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
            return -value
        case ast.List(items) | ast.Tuple(items) | ast.Set(items):
            return [_value(item) for item in items]
        case ast.Dict(keys, values):
            return {_key(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.Call(ast.Name("date" | "datetime") | ast.Attribute(attr="date" | "datetime"), [_, *_] as numbers, []):
            kind = datetime.datetime if len(numbers) > 3 else datetime.date
            return kind(*map(_value, numbers)).isoformat()
        case ast.Call(ast.Name(name) | ast.Attribute(attr=name), [argument], []) if name[0].isupper():
            return _value(argument)  # Decimal('1.5'), UUID('...')
        case ast.Call(ast.Name(name) | ast.Attribute(attr=name), [], words) if all(word.arg for word in words):
            names = [str(word.arg) for word in words]
            if (name == "dict" or name[0].isupper()) and len(set(names)) == len(names):
                return {str(word.arg): _value(word.value) for word in words}
    raise ValueError(ast.dump(node)[:80])


def _key(node: ast.AST | None) -> str:
    key = _value(node) if node is not None else None
    if not isinstance(key, str):
        raise ValueError(key)
    return key


def _are_known(document: dict[str, Json], shape: Shape) -> bool:
    return all(plain_key(name) in shape.spellings for name in document)


def _reading(kind: EditKind, text: str, start: int, end: int, document: Json) -> Reading:
    return Reading(document, start, end, (Edit(kind, "lossless", start, text[start:end], edit_text(document)),))
