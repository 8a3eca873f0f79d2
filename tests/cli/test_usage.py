"""Usage: help, versions, and wrong input, which is one line."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.bolt import BOLT
from tests.conftest import Shell, run


def test_version_and_what_help_says_of_prices() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"structout {version('structout')}\n")
    shown = run("run", "--help").stdout
    assert "[input, output]" in shown
    assert run("bogus").returncode == run().returncode == run("run", "--nosuch").returncode == 2


def test_help_and_import_stay_light() -> None:
    heavy = ["torch", "transformers", "llguidance", "outlines", "numpy", "scipy", "matplotlib"]
    start = "import sys, structout, structout.cli.commands, structout.finetuning"
    code = f"{start}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "Exit codes" in run("--help").stdout


@pytest.mark.parametrize(
    "words",
    [
        ["bench"],
        ["bench", "no/such/folder"],
        ["bench", "schemas/parts", "--split", "validation"],
        ["bench", "schemas/parts", "--strategy", "Magic()"],
        ["bench", "--rescore", "no-such-log"],
        ["bench", "schemas/parts", "--sweep", "temperature"],
        ["bench", "schemas/parts", "--sweep", "temperature=hot"],
        ["bench", "schemas/parts", "--sweep", "max_tokens=1.5"],
        ["bench", "schemas/parts", "--perturb", "noise"],
        ["bench", "schemas/parts", "--price", "embedded=cheap"],
        ["bench", "schemas/parts", "--price", "embedded=0.15"],
        ["bench", "schemas/parts", "-m", "embedded", "-m", "hf:other", "--price", "0.15,0.60"],
        ["bench", "schemas/parts", "--price", "embedded=1/2/3/4"],
        ["bench", "schemas/parts", "--price", "embedded=-1/2"],
        ["recommend", "schemas/parts", "--target", "record_accuracy>=0.9", "--price", "embedded=nan/2"],
        ["bench", "schemas/parts", "--fail-on-regression"],
        ["bench", "schemas/parts", "--figures", "README.md/figures"],
        ["bench", "schemas/parts", "--metric", "structout/evaluation/metrics.py:RATES"],
        ["certify", "schemas/parts", "--confidence", "structout/evaluation/metrics.py:RATES"],
        ["certify", "schemas/parts", "--output", "no/such/folder/a.strategy"],
        ["recommend", "schemas/parts", "--target", "record_accuracy>=0.9", "--output", "no/such/folder/a.strategy"],
        ["bench", "schemas/parts", "--baseline", "no-such-log"],
        ["bench", "no-such.toml"],
        ["recommend", "schemas/parts", "--target", "compliance>=2"],
        ["certify", "no/such/folder"],
        ["extract", "no-such-file", "--schema", "schemas/parts", "--model", "scripted:x"],
        ["extract", "--schema", "schemas/nope"],
        ["extract", "README.md", "--schema", "schemas/parts", "--text", "x"],
        ["preview", "--schema", "README.md"],
        ["validate", "--schema", "schemas/parts", "no-such-file"],
    ],
)
def test_wrong_input_is_one_line_that_says_what_to_do(words: list[str], shell: Shell) -> None:
    done = shell(*words)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "(" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run --schema schemas/parts --limit 0", "invalid --limit: got 0 (give 1 or more)"),
        ("bench schemas/parts --limit x", "invalid --limit: got 'x' (give a whole number)"),
        ("run --schema schemas/parts --engine foo", "invalid --engine: got 'foo' (give local or ray)"),
        ("finetune schemas/parts -o m --measure foo", "invalid --measure: got 'foo' (give dev or test)"),
        ("finetune schemas/parts -o m --curve 1,2", "--curve needs --measure (add --measure dev)"),
        ("finetune schemas/parts -o m --held-out 3", "invalid --held-out: got 3.0 (give a share of at least 0 and"),
        ("repair --schema schemas/parts no-such-file", "No such file or directory (give a file with one answer)"),
        ("recommend schemas/parts -t yield>=0.9 --minimise foo", "invalid --minimise: got 'foo' (give cost, price,"),
    ],
)
def test_a_wrong_option_is_named_as_it_is_written(words: str, told: str, shell: Shell) -> None:
    done = shell(*words.split())
    assert (done.returncode, told in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr


@pytest.mark.parametrize("name", ["embeded", "path:nope", "scripted:nope.json", "py:nope:model"])
def test_a_name_that_is_no_models_is_wrong_usage(name: str, shell: Shell) -> None:
    for words in (["extract", "--schema", BOLT, "--text", "x"], ["bench", "schemas/parts"]):
        done = shell(*words, "--model", name)
        assert (done.returncode, done.stderr[:7], done.stderr.count("\n")) == (2, "error: ", 1)
