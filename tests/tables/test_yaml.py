"""Documents in YAML: what they say in YAML 1.2, and what is refused because it has two readings or none in JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from structout import Schema, SpecError, validate
from structout.tables.documents import Document, read_documents
from structout.tables.place import places

yaml = pytest.importorskip("yaml")
ANY = Schema.of({"type": "object"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def read(folder: Path, content: str | bytes, schema: Schema[Any] = ANY, name: str = "a.yaml") -> list[Document]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_documents(str(path), schema))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ("'~'", "~"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("12:30:45", "12:30:45"),
        ("-12", -12),
        ("+12", 12),
        ("012", "012"),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        (".5e1", 5.0),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("!!str 12", "12"),
        ("|\n  a\n  b", "a\nb\n"),
        ("<<", "<<"),
    ],
)
def test_a_scalar_is_read_by_the_core_schema(text: str, value: Any, tmp_path: Path) -> None:
    (found,) = read(tmp_path, f"a: {text}\n")
    assert found == Document(1, None, {"a": value})
    assert type(found.parsed["a"]) is type(value)  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("a: 1\na: 2", "duplicate_key", "line 2: the key 'a' is given twice"),
        ("a: 1\n? b\n: 1\n? [c]\n: 2", "not_json", "line 4: the key '?' is not text"),
        ("1: a", "not_json", "the key '1' is not text: quote it"),
        ("true: a", "not_json", "the key 'true' is not text"),
        ("a: &x 1\nb: *x", "not_json", "line 2: the alias *x is not read"),
        ("a: !!python/object/apply:os.system [exit]", "not_json", "the tag 'tag:yaml.org,2002:python/object/apply"),
        ("a: !!int '1'", "not_json", "the tag 'tag:yaml.org,2002:int' is not read"),
        ("a: !own {}", "not_json", "the tag '!own' is not read"),
        ("a: .inf", "non_finite", "JSON has no number .inf"),
        ("a: -.NaN", "", ""),
        ("a: .nan", "non_finite", "JSON has no number .nan"),
        ("a: 1e999", "non_finite", "a number is too large to hold"),
        (f"a: {'9' * 5000}", "non_finite", "JSON has no number 999"),
        ("a: [1", "not_json", "it is not YAML"),
        ('a: "\\uD800"', "not_json", ""),
        ("a: " + "[" * 201, "not_json", "nested more than 200 levels deep"),
        ("%YAML 1.1\n---\na: 1", "not_json", "only YAML 1.2"),
        ("%TAG ! tag:x,2000:\n---\na: 1", "not_json", "only YAML 1.2 without %TAG"),
        ("a: \x07", "not_json", "it is not YAML"),
    ],
)
def test_what_json_cannot_say_is_a_problem_of_its_document(text: str, kind: str, said: str, tmp_path: Path) -> None:
    found = read(tmp_path, f"{text}\n---\na: 1\n")
    assert found[-1].parsed == {"a": 1}
    assert len(found) == 2
    assert (bool(found[0].wrong), found[0].kind if kind else "") == (bool(kind), kind)
    assert said in found[0].wrong


def test_aliases_multiply_nothing(tmp_path: Path) -> None:
    lines = ["a0: &a0 x"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (found,) = read(tmp_path, "\n".join(lines))
    assert "the alias *a0 is not read" in found.wrong


def test_documents_are_divided_and_have_their_lines(tmp_path: Path) -> None:
    content = b"# a\n%YAML 1.2\n---\na: 1\n--- {a: 2}\n---\n- a: 3\n-\n  a: 4\n...\n# end\n...\n---\na: \xe9\n---\n"
    found = read(tmp_path, content, name="a.yml")
    assert [one.parsed for one in found if not one.wrong] == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}, None]
    assert [one.line for one in found] == [1, 5, 7, 9, 13, 15]
    assert "not UTF-8" in found[4].wrong
    assert read(tmp_path, "# nothing\n\n") == []
    (whole,) = read(tmp_path, "- 1\n- 2\n", Schema.of({"type": "array"}))
    assert whole.parsed == [1, 2]


@given(JSON)
def test_what_pyyaml_writes_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    # PyYAML writes YAML 1.1, where 0E0 is a text without quotes; in YAML 1.2 it is a number.
    assume(not re.search(r'"[-+]?[0-9]+[eE][-+]?[0-9]+"', json.dumps(value)))
    # YAML 1.1 writes floats without a dot before the exponent in no other way than YAML 1.2 reads them.
    written = yaml.safe_dump({"a": value}, allow_unicode=False, default_style='"' if isinstance(value, str) else None)
    (found,) = read(tmp_path_factory.mktemp("y"), written)
    if not found.wrong:
        assert found.parsed == {"a": value}
    else:
        assert "*id" in found.wrong or "key" in found.wrong or "YAML" in found.wrong


def test_the_gate_reads_yaml_by_its_suffix_or_format(tmp_path: Path) -> None:
    schema = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    (tmp_path / "a.yaml").write_text("a: 1\n---\na: no\n---\na: *x\n")
    (tmp_path / "b.txt").write_text("a: 1\n")
    findings = validate(tmp_path / "a.yaml", schema)
    assert (findings.total, findings.valid) == (3, 1)
    assert [issue.kind for one in findings.sample for issue in one.issues] == ["type", "not_json"]
    assert validate(tmp_path / "b.txt", schema, format="yaml").passed
    assert [place.file for place in places(str(tmp_path), documents=True)] == [
        str(tmp_path / "a.yaml"), str(tmp_path / "b.txt")
    ]  # fmt: skip
    assert [place.file for place in places(str(tmp_path))] == [str(tmp_path / "b.txt")]
    with pytest.raises(SpecError, match="--column is for tables"):
        read_documents(str(tmp_path / "a.yaml"), ANY, column="a")
