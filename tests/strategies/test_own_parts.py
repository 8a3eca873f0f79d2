"""Strategies and verifiers of the user's own: written in expressions, kept in journals, seen through by preview."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from structout import (
    CodeError,
    Completion,
    Constrained,
    JournalError,
    On,
    Prompted,
    SchemaError,
    Scripted,
    SpecError,
    Strategy,
    Verify,
    extract,
    extract_many,
    load_strategy,
    preview,
    spec,
)
from structout.strategies.parts import models_of, parts
from structout.verifiers import AllOf, Grounded
from tests.bolt import Bolt
from tests.conftest import Shell

CODE = """
from dataclasses import dataclass
from pathlib import Path
from structout import Issue, Strategy, Verdict

@dataclass(frozen=True)
class Twice:
    inner: Strategy
    loud: bool = False

    def run(self, tasks, model):
        self.inner.run(tasks, model)
        return self.inner.run(tasks, model)

@dataclass(frozen=True)
class Listed:
    file: str

    def files(self):
        return [self.file]

    def check(self, tasks, results, model):
        known = Path(self.file).read_text().split()
        bad = Verdict("reject", 0.0, (Issue("", "rejected", "unknown kind"),))
        return [Verdict("accept", 1.0) if one.value.kind in known else bad for one in results]

ready = Twice
not_a_part = 3


def holds(value):
    return True
"""
RIGHT = '{"kind": "hex", "size_mm": 6}'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own parts").mkdir()
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "kinds.txt").write_text("hex\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "mine.py:Twice(Prompted())",
        "mine.py:Twice(Repair(Prompted()), loud=True)",
        "Reask(mine.py:Twice(mine.py:Twice(Prompted())), limit=2)",
        "Cascade(Prompted(), mine.py:Twice(Constrained()))",
        "Verify(Prompted(), mine.py:Listed('kinds.txt'))",
        "Verify(Prompted(), AllOf(Grounded(), mine.py:Listed('kinds.txt')))",
        "tests.strategies.test_own_parts:Plain(Prompted())",
        "Verify(Prompted(), Rule('mine.py:Twice'))",
    ],
)
def test_an_expression_names_parts_by_the_place_of_their_code(text: str) -> None:
    assert spec(load_strategy(text)) == text
    assert spec(load_strategy(spec(load_strategy(text)))) == text


def test_a_part_of_ones_own_works_within_others() -> None:
    model = Scripted(RIGHT)
    way = "Verify(mine.py:Twice(Prompted()), mine.py:Listed('kinds.txt'))"
    assert extract("hex bolt", Bolt, model, way).value == Bolt(kind="hex", size_mm=6)
    assert model.calls == 2
    Path("kinds.txt").write_text("flange\n")
    assert extract("hex bolt", Bolt, model, way).status == "rejected"


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("nowhere.py:Twice(Prompted())", SchemaError, "no file nowhere.py"),
        ("mine.py:Thrice(Prompted())", SchemaError, "has no 'Thrice'"),
        ("mine.py:Twice(Prompted(), louder=True)", SpecError, r"did you mean loud\?"),
        ("mine.py:Twice(Prompted(), loud=3)", SpecError, "invalid loud: got 3"),
        ("mine.py:Twice()", SpecError, "inner"),
        ("mine.py:not_a_part", SpecError, "neither a strategy nor a verifier"),
        ("Verify(Prompted(), mine.py:not_a_part)", SpecError, "neither a strategy nor a verifier"),
        ("Verify(Prompted(), Rule(mine.py:holds))", SpecError, r"quote its name: 'mine.py:holds'"),
        ("mine.py:Listed('kinds.txt')", SpecError, r"has no run\(tasks, model\)"),
        ("Reask(mine.py:Listed('kinds.txt'))", SpecError, "invalid inner: got"),
        ("no.such.module:Twice(Prompted())", SchemaError, "cannot be imported"),
    ],
)
def test_what_cannot_be_made_is_one_line_with_a_hint(text: str, error: type[Any], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        load_strategy(text)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["mine.py:Twice(Prompted())", "Verify(Prompted(), Rule('mine.py:Twice'))", "On('py:mine.py:Twice', Prompted())"],
)
def test_a_file_that_names_code_is_refused_unless_it_is_allowed(text: str, shell: Shell) -> None:
    Path("way.strategy").write_text(text)
    with pytest.raises(CodeError, match=r"way\.strategy names code: .*mine\.py:Twice") as caught:
        load_strategy("way.strategy")
    assert "--allow-code" in caught.value.hint
    assert load_strategy(text), "typed by the caller, it is read"
    Path("m.json").write_text(json.dumps(RIGHT))
    Path("s.json").write_text("{}")
    words = ["preview", "-s", "s.json", "--strategy", "way.strategy"]
    refused, allowed = shell(*words), shell(*words, "--allow-code")
    assert (refused.returncode, "names code" in refused.stderr) == (2, True)
    assert allowed.returncode == 0, allowed.stderr
    assert shell(*words, "--allow-code", "--no-code").returncode == 2


def run(way: str | Strategy) -> list[Any]:
    return list(extract_many(["hex bolt"], Bolt, Scripted(RIGHT), way, journal="run.journal"))


def test_a_journal_knows_the_files_that_a_part_depends_on() -> None:
    way = "Verify(mine.py:Twice(Prompted()), mine.py:Listed('kinds.txt'))"
    assert run(way)[0].ok
    assert run(way)[0].ok
    Path("kinds.txt").write_text("flange\n")
    with pytest.raises(JournalError, match="another strategy file"):
        run(way)
    Path("kinds.txt").write_text("hex\n")
    Path("mine.py").write_text(CODE + "\n# another way\n")
    with pytest.raises(JournalError, match="another strategy file"):
        run(way)


def test_a_version_stands_for_the_code() -> None:
    Path("mine.py").write_text(CODE.replace("    loud: bool = False\n", "    version = '1'\n"))
    way = "mine.py:Twice(Prompted())"
    run(way)
    Path("mine.py").write_text(CODE.replace("    loud: bool = False\n", "    version = '1'\n") + "\n# a comment\n")
    assert run(way)[0].ok
    Path("mine.py").write_text(CODE.replace("    loud: bool = False\n", "    version = '2'\n"))
    with pytest.raises(JournalError, match="another strategy file"):
        run(way)


class Unasked:
    """A model that must not be asked."""

    name = "unasked"

    def complete(self, prompts: Any) -> list[Completion]:
        raise AssertionError("preview asked a model")


@dataclass(frozen=True)
class Around:
    """A strategy of someone's own around another one, which catches whatever goes wrong within."""

    parts: tuple[Strategy, ...]

    def run(self, tasks: Any, model: Any) -> Any:
        for part in self.parts:
            try:
                return part.run(tasks, model)
            except Exception:
                continue
        return Unasked().complete([])


class Plain:
    """The same without a dataclass."""

    def __init__(self, inner: Strategy) -> None:
        self.inner = inner

    def run(self, tasks: Any, model: Any) -> Any:
        return self.inner.run(tasks, model)


@pytest.mark.parametrize(
    "way",
    [
        Around((On(Unasked(), Prompted()), Prompted())),
        Plain(On(Unasked(), Constrained())),
        Around((Plain(On(Unasked(), Prompted())),)),
        Verify(Plain(On("py:nowhere.py:Model", Prompted())), AllOf(Grounded())),
    ],
    ids=["a dataclass", "no dataclass", "both", "a name"],
)
def test_preview_asks_no_model_whatever_stands_around_it(way: Strategy) -> None:
    assert "hex bolt" in preview("hex bolt", Bolt, way, model=Unasked()).messages[-1].content


def test_one_walk_sees_all_parts() -> None:
    way = Verify(Plain(On(Unasked(), Around((Prompted(), On(Unasked(), Prompted()))))), AllOf(Grounded()))
    kinds = [type(one).__name__ for one in parts(way) if hasattr(one, "run") or hasattr(one, "check")]
    assert kinds == ["Verify", "Plain", "On", "Around", "Prompted", "On", "Prompted", "AllOf", "Grounded"]
    assert [one.name for one in models_of(way)] == ["unasked", "unasked"]
