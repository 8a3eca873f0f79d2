import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import SpecError, load_strategy
from structout.errors import DataError
from structout.evaluation import read_log
from structout.evaluation.experiment import Experiment
from tests.conftest import ROOT

BOLT = f"{ROOT / 'tests/bolt.py'}:Bolt"
RIGHT = '{"kind": "hex", "size_mm": 6}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"text": f"M6 bolt {i}", "expected": {"kind": "hex", "size_mm": 6}} for i in range(40)]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "script.json").write_text(json.dumps({"bolt 7": "no", "bolt": RIGHT}))
    (tmp_path / "mine.py").write_text(
        "from structout.evaluation.metrics import share\n\n\n"
        "def says_hex(outcomes):\n    return share(outcomes, lambda o: 'hex' in o.answer)\n"
    )
    (tmp_path / "bench.toml").write_text(
        f"""
        dataset = "bolts.jsonl"
        schema = "{BOLT}"
        models = ["scripted:{tmp_path}/script.json"]
        split = "all"
        limit = 20
        repeats = 2
        metrics = ["mine.py:says_hex"]
        perturbations = ["whitespace"]
        log = "{tmp_path}/log.jsonl"

        [strategies]
        asked = "Prompted()"
        mended = "Repair(Prompted())"

        [sweep]
        temperature = [0.0, 1.0]

        [prices."scripted:{tmp_path}/script.json"]
        input = 1.0
        output = 2.0
        """
    )
    return tmp_path


def test_a_file_describes_all_of_it(folder: Path) -> None:
    experiment = Experiment.load(folder / "bench.toml")
    report = experiment.run()
    assert [row.label for row in report.rows()] == [
        f"{n} temperature={t}" for n in ("asked", "mended") for t in (0.0, 1.0)
    ]
    assert {row.n for row in report.rows()} == {40}
    assert report.rows()[0].rates["says hex"].value >= 0.9
    assert report.rows()[0].cost.price is not None
    assert {one.arm.perturbation for one in report.perturbed()} == {"whitespace"}
    (folder / "again.toml").write_text(report.about["experiment"])
    assert Experiment.load(folder / "again.toml") == experiment
    assert read_log(folder / "log.jsonl", experiment.own_metrics()).rows() == report.rows()


def test_a_higher_limit_only_adds_records(folder: Path) -> None:
    experiment = Experiment.load(folder / "bench.toml")
    few, many = (experiment.changed(limit=n).records()[1] for n in (10, 30))
    assert [r.key for r in few] == [r.key for r in many][:10]
    other = experiment.changed(seed=1, limit=10).records()[1]
    assert [r.key for r in few] != [r.key for r in other]


values = st.none() | st.floats(0, 2, allow_nan=False) | st.integers(-9, 9) | st.text(max_size=5)


@given(
    st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8), min_size=1, max_size=3),
    st.dictionaries(st.text(min_size=1, max_size=8), st.lists(values.filter(lambda v: v is not None), max_size=3)),
    st.integers(1, 99),
)
def test_it_is_written_as_it_is_read(strategies: dict[str, str], sweep: dict[str, list[Any]], limit: int) -> None:
    import tomllib

    one = Experiment.of({"dataset": "x", "strategies": strategies, "sweep": sweep, "limit": limit, "seed": 3})
    assert Experiment.of(tomllib.loads(one.to_toml())) == one


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dataset = ", "cannot read"),
        ('strategies = ["Prompted()"]', "lacks dataset or strategies"),
        ('dataset = "x"', "lacks dataset or strategies"),
        ('dataset = "x"\nstrategies = ["Prompted()"]\nsplits = "dev"', "unknown keys in the experiment: splits"),
        ('dataset = "x"\nstrategies = ["Prompted()"]\nsplit = "validation"', "unknown split 'validation'"),
        ('dataset = "x"\nstrategies = ["Prompted()"]\nrepeats = 0', "1 or more"),
        (
            'dataset = "x"\nstrategies = ["Prompted()"]\nrepeats = "3"',
            "invalid repeats: got '3', expected a whole number",
        ),
        ('dataset = "x"\nstrategies = [3]', "invalid strategies: got"),
        ('dataset = "x"\nstrategies = "Prompted()"\nsweep = 3', "invalid sweep: got 3"),
        ('dataset = "x"\nstrategies = "Prompted()"\nprices.m = {inptu = 1.0}', "the price of m: inptu"),
        ('dataset = "x"\nstrategies = "Prompted()"\nprices.m = {input = -1.0}', "invalid price: input is -1.0"),
        ('dataset = "x"\nstrategies = "Prompted()"\nprices.m = {input = nan}', "invalid price: input is nan"),
    ],
)
def test_an_invalid_experiment_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "bench.toml").write_text(text)
    with pytest.raises((SpecError, DataError), match=reason) as caught:
        Experiment.load(tmp_path / "bench.toml")
    assert caught.value.hint


def test_one_alone_stands_for_a_list_of_one() -> None:
    row: dict[str, Any] = {"strategies": "Prompted()", "models": "m", "perturbations": "all", "metrics": "a.py:b"}
    listed = {name: [value] for name, value in row.items()}
    sweep = {"temperature": 0.5}
    one = Experiment.of({"dataset": "x", "sweep": sweep, **row})
    assert one == Experiment.of({"dataset": "x", "sweep": {"temperature": [0.5]}, **listed})
    assert (one.strategies, one.models) == ({"Prompted()": "Prompted()"}, ("m",))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("own = 3", "is not a function"),
        ("def own(outcomes):\n    return 0.5", "returned 0.5"),
        ("def own():\n    return 0.5", "failed: TypeError"),
    ],
)
def test_an_invalid_metric_is_bad_input(folder: Path, source: str, reason: str) -> None:
    (folder / "own.py").write_text(source)
    with pytest.raises(SpecError, match=reason) as caught:
        Experiment.load(folder / "bench.toml").changed(metrics=[f"{folder}/own.py:own"], limit=2).run().rows()
    assert "Rate" in caught.value.hint


def test_a_team_demands_it_in_its_tests(folder: Path) -> None:
    (folder / "test_bolts.py").write_text(
        f"""
import pytest

mark = pytest.mark.structout({str(folder / "bench.toml")!r})


@mark
def test_good(structout_report):
    assert structout_report["mended temperature=0.0"].compliance.lower >= 0.5


@mark
def test_too_much(structout_report):
    assert structout_report["mended temperature=0.0"].compliance.lower >= 0.999


@pytest.mark.structout({str(folder / "bolts.jsonl")!r}, schema={BOLT!r}, strategies=["Prompted()"], split="dev",
                       models=["scripted:{folder}/script.json"], log={str(folder / "other.jsonl")!r})
def test_fields(structout_report):
    assert structout_report["Prompted"].n == 10


def test_unmarked(structout_report):
    pass
"""
    )
    words = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-c", "/dev/null"]
    done = subprocess.run(
        [*words, "--rootdir", str(folder), str(folder / "test_bolts.py")],
        capture_output=True, text=True, cwd=ROOT, check=False, env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "1 error" in done.stdout
    assert "mark the test: @pytest.mark.structout" in done.stdout


def test_the_experiment_of_make_demo_can_be_read() -> None:
    made = Experiment.load(ROOT / "schemas/parts/demo.toml")
    assert "schemas/parts/demo.toml" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [type(load_strategy(one)).__name__ for one in made.strategies.values()][-1] == "On"
    whole, part = made.records()
    assert (whole.name, len(part)) == ("parts", 24)
