import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "extra", "code"),
    [
        ("transformers", "local", "structout.load_model('path:schemas')"),
        ("llguidance", "masks", "from structout.grammar import compile; compile(structout.Schema.of(int))"),
        ("outlines", "local", "from structout.models.outlines import from_outlines; from_outlines(None)"),
        ("openai", "openai", "structout.load_model('openai:m@http://127.0.0.1:9/v1')"),
        ("pydantic_ai", "providers", "structout.load_model('anthropic:m')"),
        ("pyarrow", "pipeline", "from structout.tables.output import check_target; check_target('x.parquet')"),
        ("duckdb", "pipeline", "from structout.tables.rows import read_rows; next(read_rows('sql:SELECT 1'))"),
        ("yaml", "yaml", "structout.validate(pathlib.Path('schemas', 'a.yaml'), {})"),
        ("opentelemetry", "telemetry", "from structout.models.wrappers.traced import Traced; Traced(None)"),
        ("ray", "ray", "import structout.ray; structout.ray.start()"),
    ],
)
def test_a_missing_package_says_what_to_type(package: str, extra: str, code: str, tmp_path: object) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import pathlib, structout\n"
        f"pathlib.Path({str(tmp_path)!r}, 'config.json').write_text('{{}}')\n"
        f"pathlib.Path({str(tmp_path)!r}, 'a.yaml').write_text('a: 1')\n"
        f"try:\n    {code.replace('schemas', str(tmp_path))}\n"
        "except structout.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert f'pip install "structout[{extra}]"' in done.stdout, done.stderr
    assert package in done.stdout


def test_without_pydantic_ai_an_openai_name_does_not_change_its_client_in_silence() -> None:
    program = (
        "import sys; sys.modules['pydantic_ai'] = None\n"
        "import structout\n"
        "try:\n    structout.load_model('openai:gpt-4o')\n"
        "except structout.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert 'pip install "structout[providers]"' in done.stdout, done.stderr
    assert "openai:gpt-4o@https://api.openai.com/v1" in done.stdout
