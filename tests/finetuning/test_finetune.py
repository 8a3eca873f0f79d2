"""Training of a tiny model: what it leaves, that it can be repeated and killed, and what it refuses."""

import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import TrainerControl, TrainerState

from structout import Constrained, DataError, ModelError, Prompted, Sampling, SpecError, load_model
from structout.errors import MissingExtraError, StructoutWarning
from structout.finetuning import Training, TrainingStep, finetune, learning_curve
from structout.finetuning.supervised import Passes
from structout.models.tuning import Tuning
from structout.result import Example, Task
from structout.schema import Schema
from tests.bolt import BOLT, Bolt
from tests.conftest import ROOT, Shell
from tests.finetuning.conftest import QUICK, bolts

WEIGHTS = "adapter_model.safetensors"


def test_it_learns_and_says_what_it_did(tiny: str, tmp_path: Path) -> None:
    steps: list[TrainingStep] = []
    data = bolts(tmp_path)
    tuned = finetune(
        tiny, data, tmp_path / "out", replace(QUICK, passes=6, patience=6), measure=data.split("dev"),
        sampling=Sampling(max_tokens=40), tell=steps.append,
    )  # fmt: skip
    assert steps[-1].step == steps[-1].steps == len(steps)
    tuning = Tuning.read(tmp_path / "out")
    assert tuning is not None
    assert tuning == tuned.tuning  # type: ignore[attr-defined]
    assert (tuning.base, tuning.show, tuning.schema) == (tiny, "brief", "Bolt")
    assert tuning.fingerprint == data.schema.fingerprint()
    losses = [entry["loss"] for entry in tuning.log]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert tuning.cost["records"] == 24
    assert [len(tuning.evaluation[when]) for when in ("before", "after")] == [3, 3]
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert left == {"adapter_config.json", WEIGHTS, "tuning.json", "evaluation.jsonl"}
    assert str(tmp_path.parent) not in (tmp_path / "out" / "adapter_config.json").read_text()  # no path of this machine


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        finetune(tiny, data, tmp_path / name, replace(QUICK, seed=seed, vary=0.5))
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "same" / WEIGHTS).read_bytes()
    assert (tmp_path / "one" / WEIGHTS).read_bytes() != (tmp_path / "other" / WEIGHTS).read_bytes()


def test_a_killed_run_goes_on_and_ends_with_the_same_weights(tiny: str, taught: Path, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    script = f"""
import os, signal
from structout.finetuning import Training, finetune
from tests.finetuning.conftest import QUICK, bolts
from pathlib import Path

def die(step):
    if step.step == 4:
        os.kill(os.getpid(), signal.SIGKILL)

finetune({tiny!r}, bolts(Path({str(tmp_path)!r})), {str(tmp_path / "killed")!r}, QUICK, tell=die)
"""
    died = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True)
    assert died.returncode == -9, died.stderr.decode()
    assert Tuning.read(tmp_path / "killed") is None
    steps: list[TrainingStep] = []
    finetune(tiny, data, tmp_path / "killed", QUICK, tell=steps.append)
    assert 1 < steps[0].step <= 4
    assert (tmp_path / "killed" / WEIGHTS).read_bytes() == (taught / WEIGHTS).read_bytes()
    again: list[TrainingStep] = []
    finetune(tiny, data, tmp_path / "killed", QUICK, tell=again.append)
    assert again == []  # done is done


def test_small_memory_gives_the_same_steps_in_pieces(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    taken = {}
    for room in (4096, 3 * 64, 1):  # all four records of a step at once, two (three would fit), one
        steps: list[TrainingStep] = []
        how = replace(QUICK, tokens_at_once=room, held_out=0.0)
        finetune(tiny, data, tmp_path / str(room), how, tell=steps.append)
        taken[room] = len(steps)
    assert set(taken.values()) == {2 * 24 // 4}
    large, small = (load_file(tmp_path / room / WEIGHTS) for room in ("4096", "1"))
    assert all(large[key].allclose(small[key], atol=0.03) for key in large)


def test_all_weights_can_be_trained(tiny: str, tmp_path: Path) -> None:
    finetune(tiny, bolts(tmp_path), tmp_path / "out", replace(QUICK, rank=0, learning_rate=1e-3))
    model = load_model(f"path:{tmp_path / 'out'}")
    task = Task("hex bolt 3 mm", Schema.of(Bolt), sampling=Sampling(max_tokens=60))
    (result,) = Constrained().run([task], model)
    assert result.ok
    assert [message.content for message in result.attempts[0].prompt.messages][1:] == ["hex bolt 3 mm"]


def test_answers_are_held_to_the_order_that_was_taught(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    turned = [replace(one, text=" ".join(reversed(one.text.split()))) for one in data.records]  # mm 3 bolt hex
    finetune(tiny, replace(data, records=tuple(turned)), tmp_path / "out", replace(QUICK, order="reading"))
    model = load_model(f"path:{tmp_path / 'out'}")
    task = Task("mm 3 bolt hex", data.schema, sampling=Sampling(max_tokens=80))
    (result,) = Constrained().run([task], model)
    assert result.ok
    assert list(json.loads(result.text))[:2] == ["size_mm", "kind"]
    (plain,) = Constrained().run([task], load_model(tiny))
    assert list(json.loads(plain.text))[:2] == ["kind", "size_mm"]


def test_another_schema_or_prompt_is_noticed(taught: Path) -> None:
    model = load_model(f"path:{taught}")
    few = Sampling(max_tokens=2)
    with pytest.warns(StructoutWarning, match="fine-tuned for Bolt"):
        Prompted().run([Task("x", Schema.of({"title": "Nut"}), sampling=few)], model)
    with pytest.warns(StructoutWarning, match="show='brief'"):
        Prompted(show="typescript").run([Task("x", Schema.of(Bolt), sampling=few)], model)
    shown = (Example("M8 hex", {"kind": "hex", "size_mm": 8}),)
    with pytest.warns(StructoutWarning, match="no examples"):
        Prompted(examples=1).run([Task("x", Schema.of(Bolt), shown, few)], model)
    Prompted().run([Task("x", Schema.of(Bolt), sampling=few)], model)


def test_an_adapter_wants_the_weights_that_it_was_made_for(taught: Path, tmp_path: Path) -> None:
    shutil.copytree(taught, tmp_path / "out")
    tuning = Tuning.read(tmp_path / "out")
    assert tuning is not None
    replace(tuning, checksum="0" * 16).write(tmp_path / "out")
    with pytest.raises(ModelError, match="was not fine-tuned from the weights"):
        load_model(f"path:{tmp_path / 'out'}")


def test_it_stops_when_passes_bring_nothing_and_keeps_the_best(tmp_path: Path) -> None:
    losses = iter([3.0, 1.0, 2.0, math.nan, 0.5])

    class Network:
        def __init__(self, step: int) -> None:
            self._step = step

        def save_pretrained(self, folder: str) -> None:
            Path(folder).mkdir()
            (Path(folder) / "step").write_text(str(self._step))

    passes = Passes(lambda: {"loss": next(losses), "tokens": 0.0}, tmp_path, {2, 4, 6, 8, 10}, patience=2)
    control = TrainerControl()
    for step in range(1, 11):
        if not control.should_training_stop:
            passes.on_step_end(None, TrainerState(global_step=step), control, model=Network(step))
    assert [entry["step"] for entry in passes.log] == [2, 4, 6, 8]
    assert (tmp_path / "best" / "step").read_text() == "4"


def test_what_is_measured_is_named_and_measured_anew_when_it_is_other(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    dev = data.split("dev")
    few = Sampling(max_tokens=20)
    finetune(tiny, data, tmp_path / "out", QUICK, measure=dev, sampling=few)
    first = Tuning.read(tmp_path / "out")
    seen: list[str] = []
    finetune(tiny, data, tmp_path / "out", QUICK, measure=dev, sampling=few, progress=lambda one: seen.append(one.key))
    assert (Tuning.read(tmp_path / "out"), seen) == (first, [])
    with (
        pytest.warns(StructoutWarning, match="3 of the 3 records to measure on are also learned"),
        pytest.warns(StructoutWarning, match="was fine-tuned, perhaps on train records that it is tested on"),
    ):
        finetune(
            tiny, data, tmp_path / "out", QUICK, measure=data.head(3), sampling=few,
            progress=lambda one: seen.append(one.key),
        )  # fmt: skip
    second = Tuning.read(tmp_path / "out")
    assert first is not None
    assert second is not None
    assert (first.evaluation["records"], second.evaluation["records"]) == (1, 3)
    assert len(seen) == 2 * 3 * 3  # before and after, three strategies
    with pytest.raises(DataError, match="no records to measure on"):
        finetune(tiny, data, tmp_path / "none", QUICK, measure=data.split("test"))
    assert not (tmp_path / "none").exists()


def test_further_records_are_learnt_as_well(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    more = [Example(f"stud bolt {size} mm", {"kind": "hex", "size_mm": size}) for size in range(20, 60)]
    steps: list[TrainingStep] = []
    finetune(tiny, data, tmp_path / "out", QUICK, more=more, tell=steps.append)
    tuning = Tuning.read(tmp_path / "out")
    assert tuning is not None
    assert tuning.cost["records"] == 24 + 40
    assert len(steps) == (2 * 19 + 40 + 3) // 4  # two passes over what is not held out, one over the others
    with pytest.raises(DataError, match="another data"):
        finetune(tiny, data, tmp_path / "out", QUICK, more=more[1:])


def test_what_cannot_be_taught_is_refused(tiny: str, taught: Path, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    shutil.copytree(taught, tmp_path / "out")
    with pytest.raises(DataError, match="another training"):
        finetune(tiny, data, tmp_path / "out", replace(QUICK, seed=5))
    with pytest.raises(DataError, match="another data"):
        finetune(tiny, bolts(tmp_path, 12), tmp_path / "out", QUICK)
    with pytest.raises(SpecError, match="fine-tuned already"):
        finetune(f"path:{tmp_path / 'out'}", data, tmp_path / "twice", QUICK)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        finetune(tiny, data, tmp_path / "full", QUICK, fresh=True)
    with pytest.raises(DataError, match="is not a folder"):
        finetune(tiny, data, tmp_path / "full" / "letter.txt", QUICK)
    with pytest.raises(DataError, match="no records to learn"):
        finetune(tiny, data.split("dev"), tmp_path / "none", QUICK)
    (tmp_path / "answers.jsonl").write_text("{}")
    with pytest.raises(SpecError, match="cannot fine-tune"):
        finetune(f"scripted:{tmp_path / 'answers.jsonl'}", data, tmp_path / "none", QUICK)
    assert not (tmp_path / "none").exists()


def test_a_learning_curve_grows_by_labels_and_leaves_out_what_is_not_there(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    few = replace(QUICK, passes=1)
    curve = learning_curve(
        tiny, data, tmp_path / "curve", few, sizes=(8, 24, 99), measure=data.split("dev"),
        sampling=Sampling(max_tokens=60),
    )  # fmt: skip
    assert [point.labels for point in curve] == [8, 24]
    assert all(point.row.strategy == "Constrained()" and point.row.n == 1 for point in curve)
    small, large = (Tuning.read(tmp_path / "curve" / str(size)) for size in (8, 24))
    assert small is not None
    assert large is not None
    assert small.training["passes"] > large.training["passes"]


def test_the_command_draws_a_learning_curve(tiny: str, tmp_path: Path, shell: Shell) -> None:
    bolts(tmp_path)
    words = [
        "finetune",
        str(tmp_path / "bolts.jsonl"),
        "--schema",
        BOLT,
        "--model",
        tiny,
        "--out",
        str(tmp_path / "out"),
    ]
    words += ["--passes", "1", "--rank", "2", "--measure", "dev", "--max-tokens", "60"]
    done = shell(*words, "--curve", "8,24,99")
    assert done.returncode == 0, done.stderr
    head, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert head[0] == "labels"
    assert [row[0] for row in rows] == ["8", "24"]
    assert all(re.fullmatch(r"\d+ \(\d+-\d+\)", cell) for row in rows for cell in row[1:]), rows
    assert "2 of 3 sizes" in done.stderr
    assert (tmp_path / "out" / "curve.png").read_bytes().startswith(b"\x89PNG")
    again = json.loads(shell(*words, "--curve", "8", "--json").stdout)
    assert [point["labels"] for point in again] == [8]
    assert set(again[0]["record accuracy"]) == {"value", "low", "high", "n", "effective"}
    assert shell(*words[:-4], "--max-tokens", "60", "--on", str(tmp_path / "bolts.jsonl")).returncode == 2
    for wrong in (["--curve", "8,few"], ["--curve", "0"], ["--curve", "8", "--fresh"], ["--curve", "8", "--more", "x"]):
        assert shell(*words, *wrong).returncode == 2


def test_the_command_learns_all_records_of_another_file_and_holds_none_out(
    tiny: str, tmp_path: Path, shell: Shell
) -> None:
    bolts(tmp_path)
    rows = [{"text": f"stud bolt {size} mm", "expected": {"kind": "hex", "size_mm": size}} for size in range(20, 30)]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["--schema", BOLT, "--model", tiny, "--out", str(tmp_path / "out"), "--passes", "1", "--rank", "2"]
    words += ["--held-out", "0", "--more", str(tmp_path / "more.jsonl")]
    done = shell("finetune", str(tmp_path / "bolts.jsonl"), *words)
    assert done.returncode == 0, done.stderr
    tuning = Tuning.read(tmp_path / "out")
    assert tuning is not None
    assert tuning.cost["records"] == 24 + 10
    assert [set(entry) for entry in tuning.log] == [{"step"}]


def test_a_missing_package_says_what_to_type(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.delitem(sys.modules, "structout.finetuning.supervised", raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "structout\[finetuning\]"'):
        finetune(tiny, bolts(tmp_path), tmp_path / "out", QUICK)


@pytest.mark.parametrize("wrong", [{"passes": 0}, {"rank": -1}, {"held_out": 1.0}, {"vary": 2.0}, {"show": "loud"}])
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        Training(**wrong)  # type: ignore[arg-type]
