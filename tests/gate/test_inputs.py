"""A program names inputs as the command does, and a Path is never judged as a document."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from structout import DataError, Schema, SpecError, Thresholds, validate
from structout.language import Regex
from tests.bolt import Bolt

GOOD, BAD = '{"kind": "hex", "size_mm": 6}', '{"kind": "hex"}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(f"{GOOD}\n{BAD}\n")
    (tmp_path / "in" / "b.jsonl").write_text(f"{GOOD}\n{GOOD}\n")
    return tmp_path / "in"


@pytest.mark.parametrize(
    "named",
    [
        lambda: Path("in"),
        lambda: "in",
        lambda: Path("in/*.jsonl"),
        lambda: "in/*.jsonl",
        lambda: [Path("in")],
        lambda: [Path("in/a.jsonl"), Path("in/b.jsonl")],
        lambda: (Path("in/a.jsonl"), "in/b.jsonl"),
        lambda: (Path("in") / name for name in ("a.jsonl", "b.jsonl")),
    ],
)
def test_a_program_names_inputs_as_the_command_does(folder: Path, named: Callable[[], Any]) -> None:
    found = validate(named(), Bolt)
    assert (found.total, found.valid, found.invalid) == (4, 3, 1)
    assert (found.source, str(found.sample[0])) == (
        "in/a.jsonl and 1 other input", 'in/a.jsonl:2: (document): the key "size_mm" is missing'
    )  # fmt: skip
    assert {name: counts["valid"] for name, counts in found.sources.items()} == {"in/a.jsonl": 1, "in/b.jsonl": 2}


def test_rejected_rows_of_several_inputs_name_their_input(folder: Path) -> None:
    rejected: list[Any] = []
    validate([folder], Bolt, rejects=rejected.append)
    assert rejected[0]["source"] == str(folder / "a.jsonl")
    with pytest.raises(SpecError, match="the same file"):
        validate(folder, Bolt, output=folder / "a.jsonl")


def test_a_path_is_never_a_document(folder: Path) -> None:
    file = folder / "a.jsonl"
    with pytest.raises(SpecError, match="document 2 is a Path"):
        validate([GOOD, file], Bolt)
    with pytest.raises(SpecError, match="document 2 is a Path"):
        validate([{"raw": GOOD}, file], Bolt, column="raw")
    with pytest.raises(SpecError, match="invalid input beside Paths"):
        validate([file, {"kind": "hex"}], Bolt)
    with pytest.raises(SpecError, match="in a list is a document, and names a file"):
        validate([os.fspath(file)], Bolt)
    assert validate(["a"], Schema.of(Regex("[a-z]+"))).valid == 1


def test_what_is_no_input_is_told(folder: Path) -> None:
    for nothing in ("none.jsonl", Path("in/*.csv"), [Path("none")]):
        with pytest.raises(DataError):
            validate(nothing, Bolt)
    documents: Any
    for documents in (GOOD, b"{}", {}, 7, f" [{GOOD}]"):
        with pytest.raises(SpecError, match="invalid documents: got"):
            validate(documents, Bolt)


def test_a_delimiter_is_the_one_of_csv(folder: Path) -> None:
    (folder / "a.csv").write_text("kind;size_mm\nhex;6\n")
    assert validate(folder / "a.csv", Bolt, delimiter=";").valid == 1


def test_an_unknown_level_or_field_is_told() -> None:
    found = validate([GOOD, BAD], Bolt, thresholds=Thresholds(warn_valid=0.9))
    assert [check.told for check in found.missed("warning")] == [
        "the share of valid documents is 50 % (1 of 2), expected at least 90 %"
    ]
    with pytest.raises(SpecError, match="invalid level: got 'warn'"):
        found.missed("warn")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="invalid min_valid: got '97%', expected a share"):
        Thresholds(min_valid="97%")  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="invalid min_valid: got 97, expected a share"):
        Thresholds(min_valid=97)
    with pytest.raises(SpecError, match="unknown field 'knid' in thresholds"):
        validate([GOOD], Bolt, thresholds=Thresholds(min_field={"knid": 0.9}))


def test_the_columns_of_a_folder_are_read_too(folder: Path) -> None:
    for name, text in (("a", GOOD), ("b", BAD)):
        (folder / f"{name}.jsonl").write_text(json.dumps({"id": name, "raw": text}))
    found = validate(folder, Bolt, column="raw", keep="id")
    assert str(found.sample[0]) == f'{folder}/b.jsonl:1 (id=b): (document): the key "size_mm" is missing'


def test_an_input_that_alone_misses_a_threshold_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bolt = {"properties": {"size": {"type": "integer"}}, "required": ["size"]}
    Path("a.jsonl").write_text('{"size": 1}\n' * 18)
    Path("c.jsonl").write_text("")
    Path("b.jsonl").write_text('{"size": 1}\n{"size": "x"}\n')
    names = ("html", "md", "github", "junit", "json")
    limits = Thresholds(min_valid=0.9, warn_field={"size": 0.9})
    files = [Path("a.jsonl"), Path("b.jsonl"), Path("c.jsonl")]
    found = validate(files, bolt, thresholds=limits, report=[f"{name}={name}.out" for name in names])
    assert found.passed
    assert {source: [one.name for one in checks] for source, checks in found.missed_alone().items()} == {
        "b.jsonl": ["valid >= 90 %", "size valid >= 90 %"]
    }
    told = "Alone, 1 of 3 inputs misses a threshold: b.jsonl (the share of valid documents is 50 % (1 of 2), expected"
    text = {name: Path(f"{name}.out").read_text() for name in names}
    assert told in text["md"].replace("\\", "")
    assert told in text["html"]
    assert told in text["junit"]
    assert "::warning title=structout::The gate passes. Alone, 1 of 3 inputs" in text["github"]
    assert [one["missed"] for one in json.loads(text["json"])["sources"]] == [
        [],
        ["valid >= 90 %", "size valid >= 90 %"],
        [],
    ]
    assert "| `b.jsonl` | 50 % | **valid >= 90 %, size valid >= 90 %** | 2 | 1 | 0 | 1 |" in text["md"]
    assert validate([Path("a.jsonl")], bolt).missed_alone() == {}
