"""What is learnt without labelling: answers of a dearer strategy, records that nobody wrote, preferences from a log."""

import json
from pathlib import Path

import pytest

from structout import Constrained, Dataset, Prompt, Prompted, Repair, Sampling, Scripted, evaluate, load_model
from structout.errors import DataError, SpecError
from structout.finetuning import finetune
from structout.finetuning.labels import label
from structout.finetuning.prefer import Preferring, prefer
from structout.finetuning.preference import Preference, preferences
from structout.finetuning.synthetic import synthesize
from structout.models.tuning import Tuning
from structout.result import Example
from structout.schema import Schema
from tests.conftest import Bolt
from tests.finetuning.test_finetune import QUICK, bolts
from tests.test_cli import BOLT, run

SCHEMA = Schema.of(Bolt)
HEX = '{"kind": "hex", "size_mm": 6}'
FLANGE = '{"kind": "flange", "size_mm": 6}'


def test_only_what_is_accepted_becomes_a_label() -> None:
    big = Scripted({"M6": f"Here you are: {HEX[:-1]}, 'note': null}}", "bad": "no idea"}, name="big")
    labelled = list(label(["M6 bolt", "bad bolt"], SCHEMA, big, Repair(Prompted())))
    assert labelled[0][0] == Example("M6 bolt", {"kind": "hex", "size_mm": 6.0})  # without the note, a default
    assert labelled[1][0] is None
    assert all(result.usage.calls == 1 for _, result in labelled)


def test_the_command_writes_a_data_set_that_can_be_learnt(tmp_path: Path) -> None:
    (tmp_path / "big.json").write_text(json.dumps({"M6": HEX, "M8": FLANGE, "bad": "no"}))
    out = tmp_path / "labelled.jsonl"
    done = run(
        "label", "--schema", BOLT, "--model", f"scripted:{tmp_path / 'big.json'}", "--strategy", "Prompted()",
        "--out", out, stdin="M6 bolt\nbad bolt\nM8 bolt\n",
    )  # fmt: skip
    assert done.returncode == 0
    assert "2 of 3 records were accepted" in done.stderr
    data = Dataset.load(out, Bolt)
    assert [one.text for one in data.examples] == ["M6 bolt", "M8 bolt"]
    nothing = run("label", "--schema", BOLT, "--model", f"scripted:{tmp_path / 'big.json'}", "--out", out, stdin="bad")
    assert nothing.returncode == 1


def test_the_command_fine_tunes_and_its_model_is_asked_briefly(tiny: str, tmp_path: Path) -> None:
    bolts(tmp_path)
    done = run(
        "finetune", tmp_path / "bolts.jsonl", "--schema", BOLT, "--model", tiny, "--out", tmp_path / "out",
        "--passes", "1", "--rank", "2", "--measure", "dev", "--max-tokens", "60",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "minutes left" in done.stderr
    assert f"load it as path:{tmp_path / 'out'}" in done.stderr
    assert "before" in done.stdout
    assert "after" in done.stdout
    shown = run("preview", "--schema", BOLT, "--model", f"path:{tmp_path / 'out'}", "--text", "M6")
    assert shown.stdout.rstrip().endswith("<|im_start|>user\nM6<|im_end|>\n<|im_start|>assistant")


def test_records_that_nobody_wrote_must_read_back() -> None:
    def answer(prompt: Prompt) -> str:
        if prompt.constraint is not None and "One more" in prompt.messages[-1].content:
            return {0: HEX, 1: FLANGE, 2: '{"kind": "bent"}'}[prompt.sample]
        if prompt.constraint is None:
            return "a bolt of 6 mm, hex"
        return HEX  # which is what the reader makes of either text

    model = Scripted(answer)
    made = list(synthesize(SCHEMA, model, 3, examples=[Example("M8 hex", {"kind": "hex", "size_mm": 8})]))
    assert made == [Example("a bolt of 6 mm, hex", {"kind": "hex", "size_mm": 6.0})]
    assert [len(batch) for batch in model.batches] == [3, 2, 2]  # the invalid one is told to nobody


def test_a_model_makes_records_that_are_valid(tiny: str) -> None:
    read = Scripted(HEX)
    made = synthesize(SCHEMA, load_model(tiny), 2, reader=_On(read, Constrained()), max_tokens=80)
    assert all(SCHEMA.check(one.document).ok for one in made)
    assert len(read.batches) <= 1


class _On:
    def __init__(self, model: Scripted, inner: Constrained) -> None:
        self._model, self._inner = model, inner

    def run(self, tasks, model):  # type: ignore[no-untyped-def]
        return self._inner.run(tasks, self._model)


def test_a_log_holds_preferences(tmp_path: Path) -> None:
    data = bolts(tmp_path)
    one, two, three = data.records[:3]
    script = Scripted(
        {
            one.text: [HEX, '{"kind": "hex", "size_mm": 1}', "no idea", "none", "nothing"],
            two.text: [FLANGE],
            three.text: ['{"kind": "hex", "size_mm": 2}'],
        }
    )
    few = Dataset("bolts", data.schema, (one, two, three))
    report = evaluate(["Prompted()"], script, few, repeats=5)
    pairs = preferences(report.outcomes, data.schema)
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [
        ('{"kind": "hex", "size_mm": 1}', HEX),
        ('{"kind": "hex", "size_mm": 1}', "no idea"),
    ]
    assert pairs[0].prompt[-1].content == one.text
    labelled = preferences(report.outcomes, data.schema, labels=data.examples)
    assert [(pair.chosen, pair.rejected) for pair in labelled[2:]] == [('{"kind": "flange", "size_mm": 1}', FLANGE)]


def test_preferences_are_learnt_on_top(tiny: str, tmp_path: Path) -> None:
    data = bolts(tmp_path)
    finetune(tiny, data, tmp_path / "sft", QUICK)
    pairs = [
        Preference(prompt=_prompt(text), chosen=HEX, rejected=FLANGE)
        for text in ("M6", "M7", "M8", "hex 6", "bolt", "hex bolt")
    ]
    how = Preferring(passes=4, learning_rate=1e-2, batch=2)
    better = prefer(f"path:{tmp_path / 'sft'}", pairs, tmp_path / "dpo", how)
    tuning = Tuning.read(tmp_path / "dpo")
    assert tuning is not None
    assert tuning == better.tuning  # type: ignore[attr-defined]
    assert tuning.training["preference"]["pairs"] == 6
    assert tuning.log[-1]["margin"] > 0
    assert (tmp_path / "dpo/adapter_model.safetensors").read_bytes() != (
        tmp_path / "sft/adapter_model.safetensors"
    ).read_bytes()
    with pytest.raises(DataError, match="not empty"):
        prefer(f"path:{tmp_path / 'sft'}", pairs, tmp_path / "dpo")
    with pytest.raises(DataError, match="no pairs"):
        prefer(f"path:{tmp_path / 'sft'}", [], tmp_path / "none")
    with pytest.raises(SpecError, match="no adapter"):
        prefer(tiny, pairs, tmp_path / "none")
    with pytest.raises(SpecError, match="above 0"):
        Preferring(beta=0)


def _prompt(text: str):  # type: ignore[no-untyped-def]
    from structout.prompts import compose
    from structout.result import Task

    return compose(Task(text, SCHEMA, sampling=Sampling()), show="brief")
