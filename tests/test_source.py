"""Code that is named by text: when it runs, and when it does not."""

import ast
import json
import os
import re
from pathlib import Path

import pytest

from structout import CodeError, ModelError, Schema, SchemaError, source
from structout.cli.commands import app
from structout.evaluation import Dataset
from structout.models import load_model
from structout.models.lazy import LazyModel
from structout.source import import_object
from structout.strategies import load_strategy
from tests.conftest import ROOT, Shell

RAN = "from pathlib import Path\nPath('ran').touch()\n"
SCHEMA = f"{RAN}from pydantic import BaseModel\nclass Part(BaseModel):\n    n: int\n__all__ = ['Part']\n"
MINE = (
    f"{RAN}from structout import Scripted\nmodel = Scripted('{{\"n\": 1}}', name='mine')\n"
    "def rule(value): return True\ndef metric(outcomes): raise ValueError\ndef sure(outcome): return 1.0\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with code that leaves a file `ran` behind, and data beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *os.sys.path])  # type: ignore[attr-defined]
    monkeypatch.setattr(source, "_refused", False)
    Path("schema.py").write_text(SCHEMA)
    Path("mine.py").write_text(MINE)
    Path("s.json").write_text('{"type": "object", "properties": {"n": {"type": "integer"}}}')
    Path("d.jsonl").write_text('{"n": 1}\n')
    Path("rows.jsonl").write_text('{"text": "x"}\n')
    Path("a.json").write_text('"{\\"n\\": 1}"')
    for name in ("both", "coded", "plain"):
        Path(name).mkdir()
        lines = [json.dumps({"text": f"x{n}", "expected": {"n": n}}) for n in range(8)]
        Path(name, "records.jsonl").write_text("\n".join(lines))
        if name != "plain":
            Path(name, "schema.py").write_text(SCHEMA)
        if name != "coded":
            Path(name, "schema.json").write_text(Path("s.json").read_text())
    Path("r.strategy").write_text("Verify(Prompted(), Rule('mine.py:rule'))")
    Path("x.toml").write_text(
        'dataset = "plain"\nstrategies = "Prompted()"\nmodels = "scripted:a.json"\nmetrics = "mine.py:metric"\n'
    )
    return tmp_path


def test_a_folder_with_both_schemas_is_refused(place: Path) -> None:
    for load in (Schema.of, Dataset.load):
        with pytest.raises(SchemaError, match=r"both schema\.py and schema\.json") as caught:
            load("both")
        assert "both/schema.json" in caught.value.hint
        assert "both/schema.py" in caught.value.hint
    assert not Path("ran").exists()
    assert Schema.of("both/schema.json").name == "document"
    assert len(Dataset.load("both", "both/schema.json")) == 8
    assert not Path("ran").exists()
    assert Schema.of("both/schema.py").name == "Part"
    assert Path("ran").exists()


@pytest.mark.parametrize(
    "name", ["schema", "schema.jsn", "schema.JSON", "s.json:Part", "schema.json:Part", "schema.yaml", "mine"]
)
def test_data_whose_name_is_misspelt_are_no_module(place: Path, name: str) -> None:
    Path("schema.json").write_text("{}")
    with pytest.raises(SchemaError):
        Schema.of(name)
    assert not Path("ran").exists()


def test_what_names_an_object_runs(place: Path) -> None:
    for name in ("schema.py:Part", "schema.py", "coded"):
        Path("ran").unlink(missing_ok=True)
        assert Schema.of(name).name == "Part"
        assert Path("ran").exists(), name
    assert import_object("json:dumps") is json.dumps
    with pytest.raises(SchemaError, match="unknown function 'dumps'"):
        import_object("dumps")


def test_a_data_set_of_the_hub_runs_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder may hold a schema.py that something else fetched."""
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **_: str(place / name.split("/")[1]))
    assert Dataset.load("hf:who/both").schema.name == "document"
    with pytest.raises(SchemaError):
        Dataset.load("hf:who/coded")
    assert not Path("ran").exists()


S, M = ["-s", "s.json"], ["--model", "scripted:a.json"]
BENCH = ["--strategy", "Prompted()", "--log", "log.jsonl", "--max-tokens", "9"]
ROWS = [*S, "-i", "rows.jsonl", "-o", "o.jsonl"]
RULE = ["--strategy", "Verify(Prompted(), Rule('mine.py:rule'))"]
WAYS: list[list[str]] = [
    ["validate", "d.jsonl", "-s", "schema.py"],
    ["validate", "d.jsonl", "-s", "schema.py:Part"],
    ["validate", "d.jsonl", "-s", "schema:Part"],
    ["validate", "d.jsonl", "-s", "coded"],
    ["repair", "d.jsonl", "-s", "coded"],
    ["audit", "coded"],
    ["audit", "s.json", "--model", "py:mine.py:model"],
    ["preview", "-s", "coded"],
    ["preview", *S, "--model", "py:mine:model"],
    ["preview", *S, "--strategy", "r.strategy"],
    ["extract", "rows.jsonl", "-s", "coded", *M],
    ["extract", "rows.jsonl", *S, "--model", "py:mine.py:model"],
    ["extract", "rows.jsonl", *S, *M, *RULE],
    ["extract", "rows.jsonl", *S, *M, "--strategy", "r.strategy"],
    ["extract", "rows.jsonl", *S, *M, "--strategy", "On('py:mine.py:model', Prompted())"],
    ["extract", "rows.jsonl", *S, *M, "--strategy", "Verify(Prompted(), Judge('py:mine.py:model'))"],
    ["extract", "rows.jsonl", *S, *M, "--strategy", "Verify(Prompted(), All(Rule('mine:rule'), Grounded()))"],
    ["run", *ROWS[2:], "-s", "coded", *M],
    ["run", *ROWS, "--model", "py:mine.py:model"],
    ["run", *ROWS, *M, *RULE],
    ["run", *ROWS, *M, *RULE, "--dry-run", "--probe", "0"],
    ["run", *ROWS, *M, *RULE, "--engine", "ray"],
    ["label", "rows.jsonl", "-o", "o.jsonl", "-s", "coded", *M],
    ["label", "rows.jsonl", "-o", "o.jsonl", *S, *M, *RULE],
    ["label", "rows.jsonl", "-o", "o.jsonl", *S, "--model", "py:mine.py:model"],
    ["bench", "coded", *M, *BENCH],
    ["bench", "plain", "--schema", "schema.py", *M, *BENCH],
    ["bench", "plain", *M, *BENCH, *RULE],
    ["bench", "plain", "--model", "py:mine.py:model", *BENCH],
    ["bench", "plain", *M, *BENCH, "--metric", "mine.py:metric"],
    ["bench", "x.toml"],
    ["recommend", "coded", "-t", "yield>=0.1", "--compliance-only", *M, *BENCH],
    ["recommend", "plain", "-t", "yield>=0.1", "--compliance-only", *M, *BENCH, *RULE],
    ["recommend", "plain", "-t", "yield>=0.1", "--compliance-only", "--model", "py:mine.py:model", *BENCH],
    ["certify", "coded", *M, *BENCH],
    ["certify", "plain", *M, *BENCH, "--confidence", "mine.py:sure"],
    ["certify", "plain", *M, *BENCH, *RULE],
    ["finetune", "coded", "--out", "tuned"],
    ["finetune", "plain", "--out", "tuned", "--model", "py:mine.py:model"],
    ["finetune", "plain", "--out", "tuned", "--more", "d.jsonl", "--schema", "schema.py"],
    ["init", "tuned", "--sample", "rows.jsonl", *M, "--schema", "schema.py:Part"],
    ["init", "tuned", "--sample", "rows.jsonl", *M, "--schema", "coded"],
    ["doctor", "--model", "py:mine.py:model"],
]


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_no_code_refuses_each_way_in(place: Path, shell: Shell, words: list[str]) -> None:
    done = shell(*words, "--no-code")
    assert not Path("ran").exists()
    assert re.search(r"error: .+ names Python code, and code is refused here \(.+--no-code\)", done.stderr), done.stderr
    assert done.returncode == 2
    assert not {"o.jsonl", "o.jsonl.journal", "log.jsonl", "tuned", ".structout"} & {
        one.name for one in place.iterdir()
    }


def test_each_way_in_is_one(place: Path, shell: Shell) -> None:
    """Without the option each runs code, so that the test above refuses something."""
    for words in (WAYS[0], WAYS[6], WAYS[12], WAYS[29], WAYS[35]):
        Path("ran").unlink(missing_ok=True)
        shell(*words)
        assert Path("ran").exists(), words
        for module in ("mine", "schema"):
            os.sys.modules.pop(module, None)  # type: ignore[attr-defined]


def test_every_command_that_takes_a_schema_or_a_model_refuses_code(place: Path, shell: Shell) -> None:
    named = {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
    assert named - {"forget", "status", "view"} == {words[0] for words in WAYS}, "these take neither"


def test_data_pass_with_no_code(place: Path, shell: Shell) -> None:
    for words in (
        ["validate", "d.jsonl", *S], ["validate", "d.jsonl", "-s", "plain"], ["extract", "rows.jsonl", *S, *M],
        ["extract", "rows.jsonl", *S, *M, "--strategy", "Verify(Prompted(), Judge('scripted:a.json'))"],
        ["run", *ROWS, *M], ["bench", "plain", *M, *BENCH], ["audit", "s.json"], ["preview", *S],
    ):  # fmt: skip
        done = shell(*words, "--no-code")
        assert done.returncode in (0, 1), done.stderr
        assert "code" not in done.stderr


def test_a_program_can_refuse_code(place: Path) -> None:
    source.refuse_code()
    for load, name in (
        (Schema.of, "schema.py:Part"), (Schema.of, "json:JSONDecoder"), (load_model, "py:mine.py:model"),
        (LazyModel, "py:mine.py:model"), (load_strategy, "Verify(Prompted(), Rule('mine.py:rule'))"),
        (import_object, "mine.py:rule"),
    ):  # fmt: skip
        with pytest.raises(CodeError) as caught:
            load(name)
        assert caught.value.hint
    assert Schema.of(dict).name


# What may import by a name that a program computes, and what of structout does.
_IMPORTERS = {"exec", "eval", "__import__", "import_module", "exec_module", "run_path", "run_module", "load_module"}
_MAY = {
    "source.py": {"import_module", "exec_module"},
    "testing.py": {"import pickle"},  # of what it pickled itself, to see whether a part survives it
    "exports.py": {"import_module"},  # structout's own modules, when their names are first used
}


def test_nothing_else_imports_by_a_name() -> None:
    found = {}
    for file in (ROOT / "structout").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        names = {
            ast.unparse(call.func).rpartition(".")[2] for call in calls if ast.unparse(call.func) != "network.eval"
        }
        loaders = {name for name in names if name in _IMPORTERS and not (name == "eval" and file.name in ("local.py",))}
        text = file.read_text(encoding="utf-8")
        loaders |= {
            f"import {name}" for name in ("pickle", "runpy", "dill", "joblib") if re.search(rf"import {name}\b", text)
        }
        if loaders:
            found[file.relative_to(ROOT / "structout").as_posix()] = loaders
    assert found == _MAY


def test_a_model_folder_brings_no_code_whatever_stands_on_stdin(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    Path("model").mkdir()
    named = {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model", "AutoTokenizer": ["mine.Tokens", None]}
    Path("model/config.json").write_text(json.dumps({"model_type": "mine", "auto_map": named}))
    Path("model/tokenizer_config.json").write_text(json.dumps({"auto_map": named}))
    Path("model/mine.py").write_text(RAN)
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # as a record that is "y" would answer
    with pytest.raises(ModelError):
        load_model("path:model")
    assert not Path("ran").exists()
