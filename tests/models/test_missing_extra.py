import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("transformers", "structout.load_model('path:schemas')"),
        ("llguidance", "from structout.grammar import compile; compile(structout.Schema.of(int))"),
        ("outlines", "from structout.models.outlines import from_outlines; from_outlines(None)"),
    ],
)
def test_a_missing_package_says_what_to_type(package: str, code: str, tmp_path: object) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import pathlib, structout\n"
        f"pathlib.Path({str(tmp_path)!r}, 'config.json').write_text('{{}}')\n"
        f"try:\n    {code.replace('schemas', str(tmp_path))}\n"
        "except structout.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 'pip install "structout[local]"' in done.stdout, done.stderr
    assert package in done.stdout
