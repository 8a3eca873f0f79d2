import ast

import structout
from tests.conftest import ROOT


def test_every_public_name_is_there() -> None:
    assert [name for name in dir(structout) if not name.startswith("_")] == sorted(structout.__all__)
    for name in structout.__all__:
        assert getattr(structout, name).__module__.startswith("structout.")


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
