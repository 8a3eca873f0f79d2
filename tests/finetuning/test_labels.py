"""What is learnt without labelling: answers of a dearer strategy, records that nobody wrote, preferences from a log."""

import json
from pathlib import Path

import pytest

from structout import Constrained, Dataset, Prompt, Prompted, Repair, Sampling, Scripted, evaluate, load_model
from structout.errors import DataError, JournalError, SpecError
from structout.finetuning import Preference, Preferring, TrainingStep, label, prefer, preferences, synthesize
from structout.models.tuning import Tuning
from structout.result import Example
from structout.schema import Schema
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell, run
from tests.finetuning.conftest import bolts

SCHEMA = Schema.of(Bolt)
HEX = '{"kind": "hex", "size_mm": 6}'
FLANGE = '{"kind": "flange", "size_mm": 6}'


def test_only_what_is_accepted_becomes_a_label() -> None:
    big = Scripted({"M6": f"Here you are: {HEX[:-1]}, 'note': null}}", "bad": "no idea"}, name="big")
    labelled, tally = label(["M6 bolt", "bad bolt", None], SCHEMA, big, Repair(Prompted()))
    assert labelled == [Example("M6 bolt", {"kind": "hex", "size_mm": 6.0})]  # without the note, a default
    assert (tally.done, tally.accepted, tally.spent["big"].calls) == (3, 1, 2)


def test_a_text_on_which_the_model_fails_costs_no_other_and_is_asked_again(tmp_path: Path) -> None:
    texts, journal = ["M6 one", "odd", "M6 two"], tmp_path / "out.journal"
    some = Scripted({"M6": HEX}, name="big")  # it raises where it has no answer
    labelled, tally = label(texts, SCHEMA, some, "Prompted()", journal=journal)
    assert [one.text for one in labelled] == ["M6 one", "M6 two"]
    assert tally.counts == {"valid": 2, "error": 1}
    more = Scripted({"odd": FLANGE}, name="big")
    labelled, tally = label(texts, SCHEMA, more, "Prompted()", journal=journal)
    assert [one.text for one in labelled] == texts
    assert more.calls == 1, "what was paid for is not paid for again"
    with pytest.raises(JournalError, match="differs from row 1"):
        label(["M6 other"], SCHEMA, more, "Prompted()", journal=journal)
    assert label(["odd other"], SCHEMA, more, "Prompted()", journal=journal, fresh=True)[1].accepted == 1


def test_the_command_writes_a_data_set_that_can_be_learnt(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "big.json").write_text(json.dumps({"M6": HEX, "M8": FLANGE, "bad": "no"}))
    out, model = tmp_path / "labelled.jsonl", f"scripted:{tmp_path / 'big.json'}"
    words: list[str | Path] = ["label", "--schema", BOLT, "--model", model, "--strategy", "Prompted()", "--out", out]
    texts = ["M6\u2028bolt", "bad bolt", "M8 bolt"]
    done = shell(*words, stdin="\n".join(texts))
    assert done.returncode == 0, done.stderr
    assert "2 of 3 records were accepted" in done.stderr
    assert "(3 calls" in done.stderr
    data = Dataset.load(out, Bolt)
    assert [one.text for one in data.examples] == [texts[0], texts[2]]
    more = shell(*words, stdin="\n".join([*texts, "M6 again"]))
    assert "3 of 4 records were accepted" in more.stderr
    assert "(4 calls" in more.stderr, "the journal has the answers of before"
    odd = shell(*words, stdin="\n".join([*texts, "M6 again", "odd"]))
    assert (odd.returncode, "the model failed on 1 record" in odd.stderr) == (3, True)
    assert len(Dataset.load(out, Bolt)) == 3


def test_the_command_keeps_what_stands_in_its_output_until_it_is_done(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "big.json").write_text(json.dumps({"M6": HEX, "bad": "no"}))
    (tmp_path / "in.csv").write_text("text\nbad\n")
    source, out, model = tmp_path / "in.csv", tmp_path / "out.jsonl", f"scripted:{tmp_path / 'big.json'}"
    out.write_text("what was here\n")
    words: list[str | Path] = ["label", "--schema", BOLT, "--out", out]
    cases: list[tuple[list[str | Path], int]] = [
        ([*words, source, "--model", "nosuch"], 2),
        (["label", "--schema", BOLT, "--output", "out.csv", source, "--model", model], 2),
        ([*words, source, "--model", model, "--strategy", "Magic()"], 2),
        ([*words, tmp_path / "nosuch.jsonl", "--model", model], 2),
        ([*words, source, "--column", "nosuch", "--model", model], 2),
        ([*words, tmp_path / "." / "out.jsonl", "--model", model], 2),
        ([*words, source, "--model", model], 1),
    ]
    for case, code in cases:
        done = shell(*case)
        assert done.returncode == code, done.stderr
        assert out.read_text() == "what was here\n"
        assert (tmp_path / "out.jsonl.journal").exists() == (code == 1)
    assert "0 of 1 records were accepted" in done.stderr


def test_the_command_interrupted_keeps_every_answer(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, signal\nfrom structout import Completion, Scripted\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell hands it down as ignored\n"
        "asked = []\ndef answer(prompt):\n"
        "    asked.append(prompt)\n"
        "    if len(asked) == 200 and not os.path.exists(os.environ['SECOND']):\n"
        "        open(os.environ['SECOND'], 'w').close()\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        f"    return {HEX!r}\n"
        "model = Scripted(answer, name='slow')\n"
    )
    out = tmp_path / "out.jsonl"
    out.write_text("what was here\n")
    words: list[str | Path] = ["label", "--schema", BOLT, "--out", out, "--model", f"py:{tmp_path / 'slow.py'}:model"]
    texts = "".join(f"M6 bolt {i}\n" for i in range(320))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECOND", str(tmp_path / "second"))
        first = run(*words, stdin=texts)
        assert first.returncode == 130, first.stderr
        assert f"kept in {out}.journal; the same command resumes the run" in first.stderr
        assert out.read_text() == "what was here\n"
        again = run(*words, stdin=texts)
    assert again.returncode == 0, again.stderr
    assert "320 of 320 records were accepted" in again.stderr
    assert "(320 calls" in again.stderr
    assert len(Dataset.load(out, Bolt)) == 320


def test_the_command_fine_tunes_and_its_model_is_asked_briefly(tiny: str, tmp_path: Path, shell: Shell) -> None:
    bolts(tmp_path)
    done = shell(
        "finetune", tmp_path / "bolts.jsonl", "--schema", BOLT, "--model", tiny, "--out", tmp_path / "out",
        "--passes", "1", "--rank", "2", "--measure", "dev", "--max-tokens", "60",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "minutes left" in done.stderr
    assert f"load it as path:{tmp_path / 'out'}" in done.stderr
    assert "before" in done.stdout
    assert "after" in done.stdout
    shown = shell("preview", "--schema", BOLT, "--model", f"path:{tmp_path / 'out'}", "--text", "M6")
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
    list(synthesize(SCHEMA, load_model(tiny), 6, reader=_On(read, Constrained()), max_tokens=80))
    (asked,) = read.batches  # what it wrote about documents of its own
    assert len({prompt.messages[-1].content for prompt in asked}) > 1


def test_what_a_model_copies_is_no_new_record() -> None:
    texts = {0: "A bolt of 6 mm, hex", 1: "the  known bolt", 2: "a bolt of 6 MM, hex", 3: "another bolt of 6 mm"}

    def answer(prompt: Prompt) -> str:
        return HEX if prompt.constraint is not None else texts[prompt.sample]

    known = Example("The known bolt", {"kind": "hex", "size_mm": 6})
    made = [one.text for one in synthesize(SCHEMA, Scripted(answer), 4, examples=[known])]
    assert made == [texts[0], texts[3]]


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


def test_what_was_asked_otherwise_is_no_preference(tmp_path: Path) -> None:
    data = bolts(tmp_path)
    few = Dataset("bolts", data.schema, data.records[:1])
    right = '{"kind": "hex", "size_mm": 1}'
    script = Scripted(lambda prompt: HEX if prompt.constraint else "let me think", name="big")
    drafted = evaluate(["Draft(Constrained())", "Prompted(format='yaml')"], script, few)
    assert [len(one.attempts) for one in drafted.outcomes] == [2, 1]
    pairs = preferences(drafted.outcomes, data.schema, labels=data.examples)
    assert [(pair.chosen, pair.rejected) for pair in pairs] == [(right, HEX)]


def test_preferences_are_learnt_on_top(tiny: str, taught: Path, tmp_path: Path) -> None:
    pairs = [
        Preference(prompt=_prompt(text), chosen=HEX, rejected=FLANGE)
        for text in ("M6", "M7", "M8", "hex 6", "bolt", "hex bolt")
    ]
    how = Preferring(passes=4, learning_rate=1e-2, batch=2)
    (tmp_path / ".dpo.new").mkdir()
    (tmp_path / ".dpo.new" / "half").write_text("what a killed run has left")
    steps: list[TrainingStep] = []
    better = prefer(f"path:{taught}", pairs, tmp_path / "dpo", how, tell=steps.append)
    assert steps[-1].step == steps[-1].steps == len(steps) == 4 * 3
    assert {file.name for file in (tmp_path / "dpo").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "tuning.json"
    }  # fmt: skip
    tuning = Tuning.read(tmp_path / "dpo")
    assert tuning is not None
    assert tuning == better.tuning  # type: ignore[attr-defined]
    assert tuning.training["preference"]["pairs"] == tuning.cost["preference_records"] == 6
    assert tuning.log[-1]["margin"] > 0
    learnt, before = (folder / "adapter_model.safetensors" for folder in (tmp_path / "dpo", taught))
    assert learnt.read_bytes() != before.read_bytes()
    with pytest.raises(DataError, match="not empty"):
        prefer(f"path:{taught}", pairs, tmp_path / "dpo")
    with pytest.raises(DataError, match="no pairs"):
        prefer(f"path:{taught}", [], tmp_path / "none")
    with pytest.raises(SpecError, match="does not hold an adapter"):
        prefer(tiny, pairs, tmp_path / "none")
    with pytest.raises(SpecError, match="above 0"):
        Preferring(beta=0)


def _prompt(text: str):  # type: ignore[no-untyped-def]
    from structout.prompts import compose
    from structout.result import Task

    return compose(Task(text, SCHEMA, sampling=Sampling()), show="brief")
