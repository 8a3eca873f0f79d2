"""`structout recommend` and `structout certify`: a strategy that is shown to do."""

import json
import re
from pathlib import Path

import pytest

from tests.bolt import BOLT
from tests.conftest import Shell


def test_recommend_and_certify_write_a_strategy(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    done = shell(*words, "--target", "compliance>=0.95", "--record-accuracy", "0.9", "--for", "80000")
    assert done.returncode == 0, done.stderr
    assert "met, with 95 % confidence, by Prompted()" in done.stdout
    assert "but-valid" in done.stdout.partition("Prompted()")[0]
    assert "0 % (at most 6 %) of its records are wrong-but-valid" in done.stdout
    assert "became 120 to show as examples (train), 60 to order the strategies (dev) and 60 to test" in done.stdout
    assert "for 80,000 records." in done.stdout
    told = json.loads(shell(*words, "--value-accuracy", "0.95", "--for", "80000", "--json").stdout)
    assert (told["for"]["records"], told["for"]["cost"]) == (80000, 80000 * told["chosen"]["cost"])
    choice = str(tmp_path / "choice.strategy")
    assert "# Measured with --max-tokens 256.\n" in Path(choice).read_text()
    used = shell("extract", "--schema", BOLT, "--model", model, "--strategy", choice, stdin="bolt\n")
    assert (used.returncode, json.loads(used.stdout)["kind"]) == (0, "hex")
    none = shell(*words, "--record-accuracy", "0.999", "--for", "10", "--json")
    assert f"the earlier {choice} was renamed to {choice}.old" in none.stderr
    assert (Path(choice).exists(), Path(f"{choice}.old").exists()) == (False, True)
    assert len(json.loads(none.stdout)["for"]["costs"]) == 9
    assert (none.returncode, json.loads(none.stdout)["chosen"]) == (1, None)
    assert "would meet the targets with 2,995 records" in shell(*words, "--record-accuracy", "0.999").stdout
    unsure = shell("certify", str(data), "--model", model, *options, "--output", str(tmp_path / "sure.strategy"))
    assert unsure.returncode == 0, unsure.stderr
    assert "the strategy gives no confidence, so it can set no record aside" in unsure.stdout
    parts = "of 240 labelled rows, 60 proposed thresholds (the dev split) and 60 judged them (the test split)"
    assert f"{parts}\n" in unsure.stderr
    assert f"run it with: --strategy {tmp_path / 'sure.strategy'} --max-tokens 256\n" in unsure.stderr
    assert "0 of 60 were wrong, which bounds the error at 4.9 %" in unsure.stdout
    assert "Confident" not in (tmp_path / "sure.strategy").read_text()
    few = shell("certify", str(data), "--model", model, *options, "--max-error", "0.01")
    assert few.returncode == 1
    assert f"{parts}: --folds 5 uses all\n" in few.stderr
    assert "0 of the 60 accepted records that judge are wrong" in few.stdout
    assert "at these rates, about 299 records that judge would meet it (now 60)" in few.stdout
    assert re.search(r"label about [1-9],?\d+ rows in all \(now \d+\)", few.stdout)
    (first,), (again,) = (re.findall(r"(\d+) strategies were tried", one.stdout) for one in (unsure, few))
    assert first == again, "those that recommend tested on these records, and the same strategy again"
    (tmp_path / "own.py").write_text("def always(outcome):\n    return 1.0\n")
    own = shell(
        "certify", str(data), "--model", model, *options, "--confidence", f"{tmp_path / 'own.py'}:always", "--json"
    )
    assert (own.returncode, json.loads(own.stdout)["threshold"]) == (0, 0.0)
    assert "no strategy file is written: a strategy cannot apply the function" in own.stderr


def test_recommend_never_lets_compliance_stand_alone(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text(json.dumps({"bolt": '{"kind": "flange", "size_mm": 6}'}))
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    alone = shell(*words, "--target", "compliance>=0.95")
    assert alone.returncode == 2
    assert "no target says that values are right" in alone.stderr
    assert "--record-accuracy 0.9" in alone.stderr
    assert not (tmp_path / "choice.strategy").exists()
    by_form = shell(*words, "--target", "compliance>=0.95", "--compliance-only", "--strategy", "Prompted()")
    assert by_form.returncode == 0
    assert "100 % (at most 100 %) of its records are wrong-but-valid" in by_form.stdout
    assert "No target says that the values are right" in by_form.stdout


def test_recommend_words_a_missed_target_of_either_side(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text(json.dumps({"bolt": '{"kind": "flange", "size_mm": 6}'}))
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    done = shell(*words, "--strategy", "Prompted()", "--target", "wrong_but_valid<=0.1")
    said = " ".join(done.stdout.split())
    assert "Rate misses: it is on the wrong side of the target, so that more records would not help." in said
    assert "No strategy is on the right side of the targets at its present rates" in said
    assert "not above" not in said


def test_recommend_takes_a_target_for_the_wrong_of_accepted_records(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    good = json.loads((tmp_path / "good.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**good, "large": "no"}))
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    words += ["--strategy", "Prompted()", "--wrong-of-accepted"]
    met = shell(*words, "0.08")
    assert met.returncode == 0, met.stdout + met.stderr
    assert "wrong_of_accepted <= 0.08: met, with 95 % confidence, by Prompted()" in met.stdout
    (one,) = json.loads(shell(*words, "0.08", "--json").stdout)["candidates"]
    assert (one["rates"]["wrong_of_accepted"]["value"], one["rates"]["wrong_of_accepted"]["n"]) == (0, 40)
    assert one["rates"]["yield"]["value"] == pytest.approx(40 / 60)
    assert one["p"] == pytest.approx(0.92**40)
    few = shell(*words, "0.05", "--json")
    (one,) = json.loads(few.stdout)["candidates"]
    assert (few.returncode, one["needed"]) == (1, 89), "59 accepted records show 5 %, and 40 of 60 are accepted"


def test_a_strategy_that_accepts_nothing_does_not_meet_a_target_for_accepted_records(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text(json.dumps({"bolt": "no"}))
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    words += ["--strategy", "Prompted()", "--wrong-of-accepted", "0.5"]
    none = shell(*words)
    said = " ".join(none.stdout.split())
    assert none.returncode == 1
    assert "Accepts none: without an accepted record, nothing is known of the share that is wrong." in said
    assert "No strategy accepted a record, so more records would not help." in said
    (one,) = json.loads(shell(*words, "--json").stdout)["candidates"]
    assert one["rates"]["wrong_of_accepted"] == {"value": None, "low": None, "high": None, "n": 0, "effective": 0.0}
    assert (one["p"], one["needed"]) == (1, None)


def test_recommend_lets_all_labelled_rows_count(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    done = shell(*words, "--record-accuracy", "0.97", "--folds", "4", "--strategy", "Prompted(examples=2)")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bolts, cheapest first: strategies were each tested on 240 records" in " ".join(done.stdout.split())
    assert "divided by chance into 4 folds" in done.stdout


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_recommend_and_bench_say_what_rows_without_labels_cannot_say(
    suffix: str, bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    _, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    rows = tmp_path / f"rows.{suffix}"
    texts = [f"bolt {n}." for n in range(80)]
    written = ["text", *texts] if suffix == "csv" else [json.dumps({"text": text}) for text in texts]
    rows.write_text("\n".join(written) + "\n")
    more = ["--model", model, *options, "--strategy", "Prompted()"]
    choice = ["--output", str(tmp_path / "choice.strategy")]
    done = shell("recommend", rows, *more, *choice, "--target", "compliance>=0.9")
    assert done.returncode == 0, done.stderr
    assert "nothing here says whether the values are right" in done.stdout
    assert "wrong-but-valid" not in done.stdout
    measured = shell("bench", rows, *more)
    assert measured.returncode == 0, measured.stderr
    assert "nothing here says whether the values are right" in measured.stdout
    assert not (tmp_path / "log.html").exists()
    assert shell("bench", rows, *more, "--html", str(tmp_path / "a.html")).returncode == 2


def test_certify_says_why_no_threshold_is_found(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "worse.json").read_text())
    words = ["certify", str(data), "--model", model, *options, "--folds", "4", "--output", str(tmp_path / "a.strategy")]
    repaired = shell(*words, "--strategy", "Repair(Prompted())")
    assert "240 records; 60 of them propose thresholds, and 180 judge them" in repaired.stdout
    assert "0 of the 146 accepted records that judge are wrong" in repaired.stdout
    (tmp_path / "model.json").write_text(json.dumps({"bolt": '{"kind": "flange", "size_mm": 6}'}))
    wrong = shell(*words, "--strategy", "Prompted(instructions='anew')")
    assert "180 of the 180 accepted records that judge are wrong" in wrong.stdout
    assert "at these rates, no number of records would meet the target" in wrong.stdout
    assert "#logprobs" in wrong.stdout
    assert "2 strategies were tried on these records: the 95 % holds for one strategy" in wrong.stdout
    (tmp_path / "model.json").write_text(json.dumps({"bolt": "no"}))
    none = shell(*words, "--strategy", "Prompted(examples=1)")
    assert "the strategy accepted none of the 180 records that judge: there is nothing to certify" in none.stdout
    assert none.stdout.count("\n") == 2, "nothing else is said"


@pytest.mark.parametrize("folds", [[], ["--folds", "5"]])
def test_bench_recommend_and_certify_pay_for_no_answer_twice(
    folds: list[str], bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    strategies = ["Constrained(examples=3)", "Prompted(examples=2, choose='similar')"]
    words = [str(data), "--model", model, *options, *folds]
    choice = ["--output", str(tmp_path / "choice.strategy")]

    def paid() -> int:
        return sum("completion" in json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())

    named = [word for one in strategies for word in ("--strategy", one)]
    split = [] if folds else ["--split", "all"]  # recommend and certify ask the dev records too
    assert shell("bench", *words, *named, *split).returncode == 0
    calls = paid()
    assert calls > 0
    assert shell("recommend", *words, *named, *choice, "--record-accuracy", "0.9").returncode == 0
    assert shell("certify", *words, *named[:2], *choice).returncode == 0
    assert paid() == calls
