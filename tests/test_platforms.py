"""Systems other than Linux, as far as Linux can show: absent modules, names of files, and the ends of lines."""

import ast
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import pytest

from structout import StructoutWarning, surfaces
from structout.errors import SpecError
from structout.finetuning import finetuner
from structout.grammar import trial
from structout.models import load_model
from structout.pipeline.journal import Journal, database
from structout.schema import Schema
from structout.source import file_named
from structout.strategies import load_strategy, spec
from structout.tables.output import check_distinct, writing
from tests.bolt import Bolt
from tests.conftest import ROOT, needs

UNIX = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
# What `os` and `signal` lack on Windows.
ABSENT = {
    "os": {"chown", "fchmod", "fork", "getgid", "geteuid", "getuid", "killpg", "mkfifo", "nice", "sched_getaffinity"}
    | {"setsid", "sysconf", "uname", "wait4", "WNOHANG", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW"},
    "signal": {name for name in dir(signal) if name.startswith("SIG") and name[3:4] != "_"}
    - {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"},
}
FILES = sorted((ROOT / "structout").rglob("*.py"))


def unguarded(tree: ast.Module) -> Iterator[str]:
    """The imports that fail on Windows, outside any `try` that expects the failure, and the names that are absent."""
    expected: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any("NotFound" in ast.unparse(one) for one in node.handlers):
            expected |= {inner for one in node.body for inner in ast.walk(one)}
        if isinstance(node, ast.IfExp) and "hasattr" in ast.unparse(node.test):
            expected |= set(ast.walk(node.body))
    for node in set(ast.walk(tree)) - expected:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in UNIX)
        elif isinstance(node, ast.ImportFrom) and node.module in UNIX:
            yield node.module
        elif isinstance(node, ast.Attribute) and node.attr in ABSENT.get(ast.unparse(node.value), ()):
            yield ast.unparse(node)


def undecided(tree: ast.Module) -> Iterator[str]:
    """The calls whose encoding or whose ends of lines depend on the system."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        named = {word.arg for word in node.keywords}
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        method = isinstance(node.func, ast.Attribute)
        modes = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        mode = next((one for one in modes if called == "open" and set(one) <= set("rwaxbt+")), None)
        text = mode is not None and "b" not in mode
        writes = (text and set(mode or "") & set("wax")) or (called == "write_text" and method)
        reads = (text and not writes) or (called == "read_text" and method)
        reads = reads or (called in ("run", "Popen", "check_output") and "text" in named)
        if ((writes or reads) and "encoding" not in named) or (writes and "newline" not in named):
            yield ast.unparse(node)


def test_every_module_imports_and_writes_alike_on_every_system() -> None:
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
    found = {str(file.relative_to(ROOT)): [*unguarded(tree), *undecided(tree)] for file, tree in trees.items()}
    assert {file: faults for file, faults in found.items() if faults} == {}
    assert len(found) > 200


@pytest.mark.parametrize(
    "code",
    [
        "import resource",
        "def f():\n    from fcntl import flock",
        "try:\n    pass\nexcept ModuleNotFoundError:\n    import pwd",
        "import signal\nsignal.SIGKILL",
        "import os\nos.fork()",
        "file.read_text()",
        "file.write_text('', encoding='utf-8')",
        "file.open('a', encoding='utf-8')",
        "open(file, 'w')",
        "subprocess.run(command, text=True)",
    ],
)
def test_what_fails_elsewhere_is_found(code: str) -> None:
    tree = ast.parse(code)
    assert [*unguarded(tree), *undecided(tree)] != []


WITHOUT = f"""
import importlib, pkgutil, sys
for name in {sorted(UNIX - {"posix"})}:
    sys.modules[name] = None
import structout
for module in pkgutil.walk_packages(structout.__path__, "structout."):
    if module.name.startswith(("structout.decoding", "structout.finetuning")):
        continue  # torch
    if module.name != "structout.__main__":
        importlib.import_module(module.name)
from structout.grammar import compile
schema = {{"type": "string", "maxLength": 5000}}  # long enough for a child process
print(compile(structout.Schema.of(schema)).level)
"""


@needs("llguidance")
def test_structout_works_without_the_modules_that_windows_lacks() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [b"exact"]), done.stderr.decode()


@needs("llguidance")
def test_without_limits_a_trial_has_a_limit_of_wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = '{"grammars": [{"json_schema": {"type": "string", "maxLength": 5000}}]}'
    assert trial.trial(grammar) == ""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert trial.trial(grammar) == ""
    monkeypatch.setattr(trial, "_SHORT_PATIENCE", 0.001)
    assert trial.trial(grammar) == "compiling takes too long"


def test_the_peak_of_memory_is_in_mb_where_the_system_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    linux = finetuner.peak_mb()
    assert linux is not None
    assert 10 < linux < 1_000_000
    monkeypatch.setattr(sys, "platform", "darwin")
    assert finetuner.peak_mb() == pytest.approx(linux / 1024, rel=0.2)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert finetuner.peak_mb() is None
    assert "peak_mb" not in finetuner.cost(1, 2.0, 3.0)


CHECK = """
from dataclasses import dataclass
from structout import Verdict

@dataclass(frozen=True)
class Fine:
    def check(self, tasks, results, model):
        return [Verdict("accept", 1.0) for _ in results]

def model():
    from structout import Scripted
    return Scripted("{}")

Answer = dict[str, int]
"""


@pytest.mark.parametrize("folder", ["C:\\parts\\", "C:/parts/", "parts\\"])
def test_a_path_of_windows_names_code(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = f"{folder}checks.py"
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_text(CHECK)
    named = file_named(f"{place}:Fine")
    assert PureWindowsPath(str(named)) == PureWindowsPath(place)
    strategy = load_strategy(f"Verify(Repair(Prompted()), {place}:Fine())")
    assert spec(strategy) == f"Verify(Repair(Prompted()), {place}:Fine())"
    assert spec(load_strategy(spec(strategy))) == spec(strategy)
    assert Schema.of(f"{place}:Answer").check({"a": 1}).ok
    assert load_model(f"py:{place}:model").complete([]) == []
    Path(f"{folder}answers.json").write_text('"{}"')
    assert load_model(f"scripted:{folder}answers.json").complete([]) == []


def test_a_report_names_a_file_of_windows_by_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert surfaces.address("rows\\of today.jsonl") == "rows%5Cof%20today.jsonl"
    monkeypatch.setattr(os, "sep", "\\")
    assert surfaces.address("rows\\of today.jsonl") == "rows/of%20today.jsonl"


def test_macos_ignores_case_in_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"the output": f"{tmp_path}/Rows.jsonl", "the quarantine": f"{tmp_path}/rows.jsonl"}
    check_distinct(files)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SpecError, match="are the same file"):
        check_distinct(files)


def test_windows_is_told_that_its_files_are_not_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WINDOWS", True)
    with pytest.warns(StructoutWarning, match="Windows does not make"):
        Journal(tmp_path / "journal", {}, private=True).close()


BYTES = {
    "o.jsonl": b'{"kind": "hex", "size_mm": 6.5, "note": "\xc3\xa4\\nb"}\n',
    "o.csv": b'kind,size_mm,note\r\nhex,6.5,"\xc3\xa4\nb"\r\n',
    "o.tsv": b'kind\tsize_mm\tnote\r\nhex\t6.5\t"\xc3\xa4\nb"\r\n',
}


@pytest.mark.parametrize("name", BYTES)
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_an_output_has_the_same_bytes_on_every_system(name: str, packed: str, tmp_path: Path) -> None:
    target = tmp_path / f"{name}{packed}"
    with writing(str(target), Schema.of(Bolt), bare=True) as write:
        write({"kind": "hex", "size_mm": 6.5, "note": "ä\nb"}, {})
    written = target.read_bytes()
    assert (gzip.decompress(written) if packed else written) == BYTES[name]


WINDOWS = """
import sys
sys.stdout.reconfigure(newline="\\r\\n", encoding="cp1252")
from structout.cli import main
main()
"""


def test_stdout_has_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text("{}")
    command = [sys.executable, "-c", WINDOWS, "repair", "-", "--schema", str(tmp_path / "schema.json")]
    done = subprocess.run(command, input='{"a": "ä 日"}'.encode(), capture_output=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, b'{"a": "\\u00e4 \\u65e5"}\n'), done.stderr.decode()
