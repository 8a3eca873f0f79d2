"""A strategy that asks models of its own alone does not need the model that it is given."""

import subprocess
import sys
from pathlib import Path

import pytest

from structout import load_strategy
from structout.strategies.given import asks_given
from tests.bolt import BOLT
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("expression", "asks"),
    [
        ("On('scripted:a.json', Constrained())", False),
        ("Verify(On('scripted:a.json', Vote(Constrained(temperature=0.7), n=3)), Confident(0.8))", False),
        ("Cascade(On('scripted:a.json', Prompted()), Repair(On('scripted:b.json', Prompted())))", False),
        ("Verify(On('scripted:a.json', Prompted()), AllOf(Grounded(), Confident()))", False),
        ("Verify(On('scripted:a.json', Prompted()), Judge())", True),
        ("Cascade(On('scripted:a.json', Prompted()), Prompted())", True),
        ("Reask(Constrained())", True),
        ("Windowed(On('scripted:a.json', Prompted()))", False),
        ("Windowed(Reask(Prompted()))", True),
        ("Missed(Continued(On('scripted:a.json', Prompted())))", False),
        ("Missed(Continued(Prompted()))", True),
    ],
)
def test_on_asks_its_own_model_in_the_place_of_the_given_model(expression: str, asks: bool) -> None:
    assert asks_given(load_strategy(expression)) is asks


def test_a_run_does_not_load_a_default_model_that_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text('{"M6": "{\\"kind\\": \\"hex\\", \\"size_mm\\": 6}"}')
    (tmp_path / "rows.txt").write_text("M6\n")
    (tmp_path / "a.strategy").write_text(
        f"Verify(On('scripted:{tmp_path / 'script.json'}', Repair(Prompted())), Grounded())"
    )
    words = ["run", "rows.txt", "--schema", BOLT, "--strategy", "a.strategy", "--output", "out.jsonl"]
    script = (
        "import sys\n"
        "from structout.cli import main\n"
        f"sys.argv = ['structout', *{words!r}]\n"
        "try:\n    main()\nfinally:\n    assert 'torch' not in sys.modules\n"
    )
    where = {"cwd": tmp_path, "env": {"PYTHONPATH": str(ROOT), "PATH": "", "STRUCTOUT_MODEL": str(tmp_path / "none")}}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, **where)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert '"size_mm": 6' in (tmp_path / "out.jsonl").read_text()
