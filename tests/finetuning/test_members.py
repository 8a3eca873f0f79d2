"""Several adapters of one schema, which decide together."""

from dataclasses import replace
from pathlib import Path

import pytest

from structout import Ensemble, SpecError, load_strategy, spec
from structout.finetuning import TrainingStep, finetune_members
from structout.models.tuning import Tuning
from structout.result import Task
from tests.bolt import BOLT
from tests.conftest import Shell
from tests.finetuning.conftest import QUICK, bolts


def test_members_have_seeds_of_their_own_and_resume(tiny: str, tmp_path: Path) -> None:
    data, out = bolts(tmp_path), tmp_path / "out"
    made = finetune_members(tiny, data, out, replace(QUICK, passes=1, seed=5), members=2)
    assert (out / "members.strategy").read_text() == f"{spec(made)}\n"
    tunings = [Tuning.read(out / str(number)) for number in (1, 2)]
    assert [one.training["seed"] for one in tunings if one] == [5, 6]
    steps: list[TrainingStep] = []
    finetune_members(tiny, data, out, replace(QUICK, passes=1, seed=5), members=2, tell=steps.append)
    assert not steps, "complete members are not trained again"
    loaded = load_strategy(str(out / "members.strategy"))
    assert isinstance(loaded, Ensemble)
    (found,) = loaded.run([Task("hex bolt 4 mm", data.schema)], None)  # type: ignore[arg-type]
    assert {one.model for one in found.attempts} == {f"path:{out / '1'}", f"path:{out / '2'}"}
    with pytest.raises(SpecError, match="invalid members: got 1"):
        finetune_members(tiny, data, out, members=1)


def test_the_command_trains_members(tiny: str, tmp_path: Path, shell: Shell) -> None:
    bolts(tmp_path)
    words = ["finetune", str(tmp_path / "bolts.jsonl"), "--schema", BOLT, "--model", tiny, "--rank", "2"]
    words += ["--passes", "1", "--output", str(tmp_path / "out"), "--members", "2"]
    done = shell(*words)
    assert (done.returncode, (tmp_path / "out" / "members.strategy").exists()) == (0, True), done.stderr
    assert f"use them as --strategy {tmp_path / 'out'}/members.strategy" in done.stderr
    refused = shell(*words, "--measure", "dev")
    assert (refused.returncode, "--members goes with neither --measure nor --curve" in refused.stderr) == (2, True)
