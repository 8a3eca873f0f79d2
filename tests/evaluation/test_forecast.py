"""What a bench will ask, said before it asks."""

import json
from pathlib import Path

import pytest

from structout import Completion, Prompt, Scripted, evaluate
from structout.evaluation.experiment import Experiment
from structout.evaluation.forecast import forecast, lines
from structout.evaluation.log import Log
from tests.bolt import BOLT
from tests.conftest import Shell

WAYS = ["Prompted(examples=1)", "Reask(Repair(Prompted(examples=1)))", "Vote(Prompted(temperature=0.7), n=3)"]


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    rows = [{"text": f"bolt {i}.", "expected": {"kind": "hex", "size_mm": i + 1}} for i in range(12)]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    ways = {name: name for name in WAYS}
    log = str(tmp_path / "log.jsonl")
    data = str(tmp_path / "bolts.jsonl")
    return Experiment(data, ways, schema=BOLT, models=("anthropic:claude-sonnet-4-5",), folds=3, log=log)


@pytest.mark.parametrize("is_right", [True, False])
def test_it_says_how_many_prompts_a_run_sends(experiment: Experiment, is_right: bool) -> None:
    def answer(prompt: Prompt) -> Completion:
        number = prompt.messages[-1].content.partition("bolt ")[2].partition(".")[0]
        return Completion(json.dumps({"kind": "hex", "size_mm": int(number) + 1}) if is_right else "no")

    (found,) = forecast(experiment)
    model = Scripted(answer)
    evaluate(WAYS, model, experiment.records()[0], folds=3)
    assert model.calls == (found.prompts if is_right else found.prompts_most)
    assert found.likely.calls == found.prompts == 3 * 12
    assert found.most.calls == found.prompts_most == 5 * 12
    assert not experiment.place().exists(), "nothing is written"


@pytest.mark.parametrize(
    ("strategy", "most"),
    [
        ("Verify(Prompted(), Grounded(), on_reject='reask')", 24),
        ("Verify(Prompted(), Grounded())", 12),
        ("Reask(Verify(Prompted(), Grounded()), limit=2)", 36),
        ("Verify(Prompted(), Judge())", 24),
    ],
)
def test_at_most_counts_what_a_verifier_may_refuse(experiment: Experiment, strategy: str, most: int) -> None:
    (found,) = forecast(experiment.changed(strategies={strategy: strategy}))
    assert (found.prompts_most, found.strategies[strategy][1]) == (most, most)
    assert found.most.calls == most


def test_it_needs_no_key_and_says_what_it_assumes(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    (found,) = forecast(experiment.changed(prices={"anthropic:claude-sonnet-4-5": {"input": 3.0, "output": 15.0}}))
    assert found.price is not None
    assert found.price_most is not None
    assert 0 < found.price < found.price_most
    told = "\n".join(lines([found], 256))
    assert "prompts  36 to at most 60" in told
    assert "No model was asked." in told


def test_prompts_in_the_log_are_not_asked_again(experiment: Experiment, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"bolt": '{"kind": "hex", "size_mm": 6}'}))
    asked = experiment.changed(models=[f"scripted:{tmp_path / 'model.json'}"])
    asked.run()
    (found,) = forecast(asked)
    assert (found.prompts, found.known) == (0, 36)
    assert found.price is None
    assert "price unknown" in "\n".join(lines([found], 256))


def test_it_counts_the_prompts_of_each_strategy(experiment: Experiment) -> None:
    ways = {name: name for name in ("Prompted()", "Repair(Prompted())", "Reask(Prompted())")}
    (found,) = forecast(experiment.changed(strategies=ways))
    assert (found.prompts, found.prompts_most) == (12, 24)
    assert found.strategies == {**dict.fromkeys(ways, (12, 12)), "Reask(Prompted())": (12, 24)}
    told = "\n".join(lines([found], 256))
    assert "equal prompts of several strategies are asked once" in told
    assert "    12 to at most 24 by Reask(Prompted())" in told


@pytest.mark.parametrize("command", ["certify", "recommend"])
def test_certify_and_recommend_say_what_they_ask_at_most(
    command: str, experiment: Experiment, tmp_path: Path, shell: Shell
) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"bolt": "no"}))  # nothing is accepted
    model, log = f"scripted:{tmp_path / 'model.json'}", str(experiment.place())
    words = [command, experiment.dataset, "--schema", BOLT, "--model", model, "--strategy", "Reask(Prompted())"]
    words += ["--log", log, "--output", str(tmp_path / "found.strategy")]
    words += ["--record-accuracy", "0.9"] if command == "recommend" else []
    for folds in ([], ["--folds", "3"]):
        dry = shell(*words, *folds, "--dry-run", "--price", "3,15", "--json")
        assert dry.returncode == 0, dry.stderr
        (found,) = json.loads(dry.stdout)
        assert 0 < found["price"] < found["price_most"]
        assert not experiment.place().exists()
        assert shell(*words, *folds).returncode == 1
        asked = Log(log).completions
        assert sum(map(len, asked.values())) == found["prompts_most"]
        assert found["prompts"] < found["prompts_most"]
        experiment.place().unlink()
    told = shell(*words, "--dry-run").stdout
    assert "price unknown: give --price" in told
    assert "No model was asked." in told


def test_a_price_that_certify_cannot_use_is_refused(experiment: Experiment, shell: Shell) -> None:
    done = shell("certify", experiment.dataset, "--schema", BOLT, "--price", "1,2")
    assert (done.returncode, "got --price without --dry-run" in done.stderr) == (2, True)
