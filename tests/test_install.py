"""What is installed, and what is told where a package is not."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from structout import MissingExtraError, finetuning
from structout.cli.installation import EXTRAS
from structout.evaluation import Dataset
from structout.models.embedded import embedded_folder
from structout.pipeline.recipe import Recipe
from structout.ray import engine
from structout.strategies import Prompted
from tests.bolt import Bolt
from tests.conftest import ROOT, needs

LOCKED = (ROOT / "requirements-core.txt").read_text()


def pins(text: str) -> dict[str, str]:
    """The versions of a requirements file, by the packages' normalized names."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_locked_list_has_every_core_dependency_at_the_version_that_the_tests_use() -> None:
    locked, tested = pins(LOCKED), pins((ROOT / "constraints.txt").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split(r"[<>=]", one)[0] for one in project["dependencies"]} <= locked.keys()
    locked.pop("colorama", None)  # of Windows alone, where the tests do not run
    assert locked == {name: tested.get(name) for name in locked}


def test_every_package_of_the_locked_list_has_hashes_and_none_an_address() -> None:
    blocks = re.split(r"\n(?=\S)", LOCKED.partition("\n#    make locked\n")[2])
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)
    assert not re.search(r"://|index-url|find-links|trusted-host", LOCKED)


def test_a_missing_package_is_told_before_the_embedded_model_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    monkeypatch.delenv("STRUCTOUT_MODEL", raising=False)
    monkeypatch.setenv("STRUCTOUT_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MissingExtraError, match="gguf"):
        embedded_folder()
    assert not (tmp_path / "cache").exists()


def test_fine_tuning_without_its_packages_is_refused_before_the_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for package in ("peft", "transformers"):
        monkeypatch.setitem(sys.modules, package, None)
    row = '{"text": "hex, 6 mm", "expected": {"kind": "hex", "size_mm": 6}, "split": "train"}'
    (tmp_path / "bolts.jsonl").write_text(row)
    dataset = Dataset.load(tmp_path / "bolts.jsonl", Bolt)
    with pytest.raises(MissingExtraError, match=r'pip install "structout\[finetuning\]"'):
        finetuning.finetune("embedded", dataset, tmp_path / "tuned")
    assert not (tmp_path / "tuned").exists()


def test_the_engine_of_ray_is_refused_where_ray_is_missing_before_a_journal_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"structout\[ray\]"):
        engine(Recipe("schema.json", "embedded", Prompted()))


def test_doctor_names_the_extras_and_packages_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    def packages(extra: str) -> set[str]:
        names = [re.split(r"[<>=\[]", one)[0] for one in extras[extra] if not one.startswith("structout[")]
        inner = [one.removeprefix("structout[").rstrip("]") for one in extras[extra] if one.startswith("structout[")]
        return {*names}.union(*map(packages, inner))

    assert {one.name: set(one.packages) for one in EXTRAS} == {
        name: packages(name) for name in extras if name not in ("dev", "docs")
    }


NO_TORCH = """
import subprocess
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def without(packages: set[str], code: str) -> str:
    """What a program prints where these packages cannot be imported."""
    program = NO_TORCH.format(blocked=packages) + code
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs("llguidance")
def test_audit_and_grammars_need_neither_torch_nor_transformers() -> None:
    code = """
sys.argv = ["structout", "audit", "schemas/parts"]
from structout.cli import main
try:
    main()
except SystemExit as left:
    assert not left.code, left.code
from structout import Lark, Schema
from structout.grammar import compile
assert Lark('start: "a"').problem("b")
assert compile(Schema.of({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})).documents
assert not {"torch", "transformers"} & set(sys.modules)
"""
    assert "keywords enforced by the mask" in without({"torch", "transformers", "outlines"}, code)


@needs("llguidance", "tokenizers")
def test_the_shortest_document_of_a_tokenizer_needs_no_torch() -> None:
    code = """
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
inner = Tokenizer(models.BPE(vocab={one: n for n, one in enumerate([*bytes_, "<end>"])}, merges=[]))
inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
inner.add_special_tokens(["<end>"])

class Fast:
    backend_tokenizer, eos_token_id = inner, 256
    def __len__(self):
        return 257

from structout import audit
from structout.grammar import Vocabulary
schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
print(audit(schema, Vocabulary.of(Fast())).shortest)
"""
    assert without({"torch", "transformers"}, code) == '{"a": "x"}\n'


def test_without_llguidance_the_extra_for_masks_is_named() -> None:
    code = """
from structout import MissingExtraError, audit
from structout.language import Lark
from structout.grammar import Vocabulary
for call in (lambda: audit({"type": "object"}), lambda: Lark('start: "a"'), lambda: Vocabulary.of(None)):
    try:
        call()
    except MissingExtraError as error:
        print(error.hint)
"""
    assert without({"llguidance", "torch"}, code) == 'pip install "structout[masks]"\n' * 3
