import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import structout
from tests.conftest import ROOT


def test_every_public_name_is_there() -> None:
    assert [one for one in dir(structout) if one == "__version__" or not one.startswith("_")] == sorted(
        structout.__all__
    )
    for name in structout.__all__:
        assert name == "__version__" or getattr(structout, name).__module__.startswith("structout.")


def test_repair_is_the_function_whatever_was_imported_before() -> None:
    code = (
        "import structout.parsing.engine, structout.strategies.repair, structout.cli.repair, structout\n"
        "from structout import *\n"
        "assert structout.repair is repair is structout.parsing.repair, structout.repair\n"
        "assert repair('{\\'a\\': 1}', {'type': 'object'}).value == {'a': 1}\n"
        "import structout.evaluation, structout.gate.gate, structout.grammar.audit\n"
        "assert callable(structout.audit) and callable(structout.validate) and callable(structout.preview)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: structout.repair("{}", {}, "Lossless"), "'lossless' or 'lossy' or 'any'"),  # type: ignore[call-overload]
        (lambda: structout.repair("{}", {}, decimal="en"), "None or '.' or ','"),  # type: ignore[call-overload]
        (lambda: structout.repair("{}", {}, format="xml"), "None or 'json' or 'yaml'"),  # type: ignore[call-overload]
        (lambda: structout.repair(None, {}), "expected a str"),  # type: ignore[call-overload]
        (lambda: structout.repair(b"{}", {}), "decode bytes first"),  # type: ignore[call-overload]
        (lambda: structout.validate('{"a": 1}', {}), "give a list of documents"),
        (lambda: structout.validate({"a": 1}, {}), "give a list of documents"),
        (lambda: structout.validate(None, {}), "give a list of documents"),  # type: ignore[arg-type]
        (lambda: structout.validate([], {}, repair="all"), "'lossless' or"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_an_error_that_names_the_choices(call: Any, says: str) -> None:
    with pytest.raises(structout.SpecError, match=re.escape(says)):
        call()


def test_documents_are_validated_wherever_they_come_from(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    given = ['{"a": 1}', b'{"a": 2}', {"a": 3}, '{"a": "4"}', [5], b"\xff", None]
    found = structout.validate(given, schema)
    assert (found.total, found.valid, found.invalid, found.passed) == (7, 3, 4, False)
    assert [one.line for one in found.sample] == [4, 5, 6, 7]
    repaired = structout.validate(given[:4], schema, repair="lossless")
    assert (repaired.valid, repaired.repaired, repaired.passed) == (3, 1, True)
    (tmp_path / "d.jsonl").write_text('{"a": 1}\n{"a": null}\n')
    assert structout.validate(tmp_path / "d.jsonl", schema, thresholds=structout.Thresholds(min_valid=0.5)).passed


def test_no_constructor_is_called_with_more_than_six_positional_arguments() -> None:
    found = []
    for file in sorted((ROOT / "structout").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} | {"cls"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
                makes = name in classes or name[:1].isupper()
                if makes and len(node.args) > 6:
                    found.append(f"{file.relative_to(ROOT)}:{node.lineno}: {name}")
    assert found == []
