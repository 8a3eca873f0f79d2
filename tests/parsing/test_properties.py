"""What holds for every text: valid documents are left alone, repair is idempotent, and nothing ever raises."""

import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from structout.errors import StructoutWarning
from structout.parsing import engine, repair, view
from structout.parsing.fit.coercer import same
from structout.schema import Schema
from tests.nesting import nested

ANY: Schema[Any] = Schema.of(True)
SCHEMAS: list[Schema[Any]] = [
    ANY,
    Schema.of(
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y z"]}}, "required": ["a"]}
    ),
    Schema.of({"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "object", "required": ["k"]}]}}),
    Schema.of({"type": "string"}),
    Schema.of({"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"t": {"$ref": "#/$defs/t"}}}}}),
]
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3))
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
DOCUMENTS = nested(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
CONTAINERS = DOCUMENTS.filter(lambda document: isinstance(document, dict | list))
PLAIN = st.text("abcdefgh XYZ", min_size=1, max_size=8).map(str.strip).filter(lambda text: len(text) > 1)
NAMED = st.dictionaries(PLAIN, PLAIN | st.integers(0, 999) | st.lists(PLAIN, max_size=3), min_size=1, max_size=4)
SIGNS = r"""{ } [ ] , : " ' ` “ \ a 1 -0 .5 1e999 true None NaN ... // /* */ # ``` <think> \u 0x $ref 007 "a":"""
PIECES = st.lists(
    st.sampled_from(
        [
            *SIGNS.split(),
            "</think>",
            "\n",
            "\t",
            " ",
            "b: ",
            "k",
            "- ",
            "```json\n",
            "\ud83d",
            "\x00",
            "|\n  x",
            "\ufeff",
        ]
    ),
    max_size=40,
).map("".join)


@given(DOCUMENTS)
def test_a_valid_document_is_left_alone(document: Any) -> None:
    found = repair(json.dumps(document), ANY)
    assert found.ok
    assert found.edits == ()
    assert same(found.document, document)


@given(CONTAINERS, st.sampled_from([None, 2]), st.booleans())
def test_prose_and_fences_take_nothing_away(document: Any, indent: int | None, fenced: bool) -> None:
    body = json.dumps(document, indent=indent)
    text = f"Here it is:\n```json\n{body}\n```\nBye." if fenced else f"Result:\n{body}\n"
    found = repair(text, ANY)
    assert found.ok
    assert same(found.document, document)


QUIET = st.text("abc é':,.{}[]#-", max_size=8)
PYTHON = nested(
    st.none() | st.booleans() | NUMBERS | QUIET,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(QUIET, inner, max_size=4),
    max_leaves=10,
).filter(lambda document: isinstance(document, dict | list))


@given(PYTHON)
def test_python_notation_is_the_same_document(document: Any) -> None:
    found = repair(repr(document), ANY)
    assert found.ok, found.issues
    assert same(found.document, document)


@given(NAMED, st.sampled_from(["comma", "quotes", "keys", "missing", "comment"]))
def test_lossless_corruption_is_undone(document: dict[str, Any], how: str) -> None:
    text = json.dumps(document)
    if how == "comma":
        text = text[:-1] + ",}"
    elif how == "quotes":
        text = text.replace('"', "'")
    elif how == "keys":
        text = "{" + ", ".join(f"{key.replace(' ', '_')}: {json.dumps(value)}" for key, value in document.items()) + "}"
        document = {key.replace(" ", "_"): value for key, value in document.items()}
    elif how == "missing":
        text = text.replace(', "', ' "')
    else:
        text = text.replace("{", '{ /* note: it\'s "odd" */', 1)
    found = repair(text, ANY)
    assert found.ok, (text, found.issues)
    assert found.document == document
    assert all(edit.grade == "lossless" for edit in found.edits)


@given(PIECES | st.text(max_size=60), st.sampled_from(SCHEMAS), st.sampled_from(["lossless", "any"]), st.booleans())
@settings(max_examples=400)
def test_no_text_raises_and_what_comes_out_complies(
    text: str, schema: Schema[Any], policy: Any, complete: bool
) -> None:
    found = repair(text, schema, policy, complete=complete)
    assert isinstance(view(text, found), str)
    if found.ok:
        assert schema.check(found.document).ok
        again = repair(json.dumps(found.document), schema)
        assert again.ok
        assert again.edits == ()
        assert policy == "any" or all(edit.grade == "lossless" for edit in found.edits)


SLIPS = [
    "", *"{}[],:\"'`“”«» \n\t\\u+-.01eE#/*<>_a", "True", "None", "...", "//x\n", "/*c*/", "```", "\u00a0", "&quot;",
    '", "', "', '", "},{", "]]", "{{", 'u"', "For example: ", "</think>", "Note: ", "\n> ",
]  # fmt: skip
SURROUNDINGS = [
    ("", ""), ("", ""), ("Sure: ", ""), ("Here:\n```json\n", "\n```"), ("", "\nBye."), ("<think>a {b}</think>\n", ""),
    ("For example: ", ""), ("a: ", ""),
]  # fmt: skip


@st.composite
def corrupted(draw: st.DrawFn) -> str:
    """A document as JSON or in Python's notation, with up to three slips, in prose or not."""
    document = draw(CONTAINERS)
    text = draw(st.sampled_from([json.dumps(document), json.dumps(document, indent=1), repr(document)]))
    for _ in range(draw(st.integers(0, 3))):
        at, lost = draw(st.integers(0, len(text))), draw(st.sampled_from([0, 0, 1, 1, 2, 5]))
        text = text[:at] + draw(st.sampled_from(SLIPS)) + text[at + lost :]
    before, after = draw(st.sampled_from(SURROUNDINGS))
    return before + text + after


@given(corrupted(), st.sampled_from(SCHEMAS), st.booleans())
@settings(max_examples=300)
def test_the_short_way_comes_to_what_the_search_comes_to(text: str, schema: Schema[Any], complete: bool) -> None:
    short = repair(text, schema, complete=complete)
    with mock.patch.object(engine, "single", return_value=None):
        assert repair(text, schema, complete=complete) == short


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace"), data.decode("utf-8", "surrogateescape")):
        repair(text, SCHEMAS[1])


@given(NAMED, st.data())
def test_a_cut_is_always_told(document: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(document)
    found = repair(text[: data.draw(st.integers(1, len(text) - 1))], ANY)
    assert found.truncated


HOSTILE = [
    "[",
    '{"a":',
    "{",
    '"',
    "\\",
    '{"',
    "[[]",
    "<think>",
    "```\n",
    "/*",
    "{'a': ",
    "a: ",
    "- ",
    "[1 ",
    '{"a": "b, ',
    "\t",
    "}",
]


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("start", ["", '{"a": "', "["])
def test_hostile_texts_neither_raise_nor_overflow(piece: str, start: str) -> None:
    for schema in SCHEMAS:
        repair(start + piece * 3000, schema)


@pytest.mark.parametrize(
    "text",
    [
        '[-01]', '[1.]', '[.1e]', '[0x]', '[1e]', '[+]', '[--1]', '[1,', '[,1]', '["a",,]', '["\x00"]', '["\\u00A"]',
        '["\\uD800\\u"]', '{,}', '{:1}', '{"a"}', '{"a":1,,}', '{"a"::1}', '{1:1}', '{null:1}', '[tru]', '[nul]',
        '[1]x', '\ufeff[1]', '[\u20601]', '[1\x0c]', '<null>', '[<null>]', '[a', '["a', '["\\', '[*]', ']', '}',
        '[}', '{]', '[{}', '{"a":"b"}#', '{"a":/*x*/1}', '[1]\n[2]', '\\u0041', '[1e400]', '[-Infinity]', '[NaN]',
        '\xe9', '["\u2028"]', '2.e3', '[0.1.2]', '[1 000.0]', "[']", '["x"', 'abc', '{"b":1:2}', '[1,\n1\n,1',
        "{'a':0}", '{"a":"a" 123}', '["a\\a"]',
    ],
)  # fmt: skip
def test_odd_json_is_read_or_refused(text: str) -> None:
    found = repair(text, ANY)
    assert found.ok or found.issues


@pytest.mark.parametrize(
    "text",
    [
        '{name:,name:[},"',
        '{"a":1,"a":2,}{"',
        '{"a":1,"a":NaN}',
        '{"a":1,"a":1e999}',
        '{"a":1,"a":"\\ud800"}',
        '{"a":1,"a":' + "9" * 5_000 + "}",
        "{a:1,a:[}]",
        "{a:,a:{]",
    ],
)
@pytest.mark.parametrize("format", [None, "json", "yaml"])
def test_keys_named_twice_among_other_faults_end_in_an_answer(text: str, format: Any) -> None:  # noqa: A002
    for policy in ("lossless", "lossy", "any"):
        found = engine.attempt(text, ANY, policy, format=format)
        assert found.issues or json.loads(json.dumps(found.document, allow_nan=False)) == found.document


@given(PIECES, st.sampled_from(SCHEMAS), st.sampled_from(["lossless", "lossy", "any"]), st.sampled_from([None, "json"]))
@settings(max_examples=300, deadline=None)
def test_repair_itself_has_no_fault(pieces: list[str], schema: Schema[Any], policy: Any, format: Any) -> None:  # noqa: A002
    found = engine.attempt("".join(pieces), schema, policy, format=format)
    assert found.issues or schema.check(found.document).ok


def test_a_fault_of_repair_is_an_issue_and_a_warning() -> None:
    with (
        mock.patch.object(engine, "attempt", side_effect=KeyError("x")),
        pytest.warns(StructoutWarning, match="fault of structout: KeyError"),
    ):
        found = repair("{", ANY)
    assert found.value is None
    assert [issue.kind for issue in found.issues] == ["not_json"]
