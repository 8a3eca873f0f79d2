"""`structout bench`: measure, compare, score again."""

import json
import shutil
from pathlib import Path

from tests.bolt import BOLT
from tests.conftest import Shell


def test_bench_measures_logs_and_scores_again(tmp_path: Path, script: str, shell: Shell) -> None:
    rows = [
        {"text": "M6", "expected": {"kind": "hex", "size_mm": 6}},
        {"text": "bad", "expected": {"kind": "hex", "size_mm": 1}},
    ]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    log = str(tmp_path / "log.jsonl")
    options = ["--schema", BOLT, "--model", script, "--split", "all", "--log", log, "--strategy", "Prompted()"]
    done = shell("bench", tmp_path / "bolts.jsonl", *options, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["rows"][0]["rates"]["record accuracy"]["value"] == 0.5
    assert shell("bench", "--rescore", log, "--json").stdout == done.stdout
    assert "Prompted()" in shell("bench", "--rescore", log).stdout
    assert shell("bench", "--rescore", log, "--markdown").stdout.startswith("| strategy |")


def test_bench_scores_its_own_last_run_again_whatever_else_is_in_the_log(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = [str(data), "--model", model, *options]
    log = tmp_path / "log.jsonl"
    assert shell("bench", *words, "--strategy", "Prompted()", "--limit", "30").returncode == 0
    target = ["--record-accuracy", "0.5", "--output", tmp_path / "s", "--folds", "2"]
    shell("recommend", *words, "--strategy", "Repair(Prompted())", *target)
    done = shell("bench", "--rescore", log, "--json")
    assert [(row["strategy"], row["n"]) for row in json.loads(done.stdout)["rows"]] == [("Prompted()", 30)]
    assert "scored run 1 of 2" in done.stderr
    assert "--run 2 scores" in done.stderr
    assert "by recommend" in done.stderr
    other = json.loads(shell("bench", "--rescore", log, "--run", "2", "--json").stdout)
    assert other["rows"][0]["strategy"] == "Repair(Prompted())"
    unknown = shell("bench", "--rescore", log, "--run", "3")
    assert (unknown.returncode, "give a number from 1 to 2" in unknown.stderr) == (2, True)
    assert [one["n"] for one in json.loads(shell("bench", "--history", log, "--json").stdout)] == [30]


def test_bench_goes_on_compares_and_reports(bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell) -> None:
    data, model, options = bolts
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options]
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    assert shell(*words, "--limit", "30").returncode == 0
    shutil.copy(tmp_path / "log.jsonl", tmp_path / "old.jsonl")
    assert (tmp_path / "log.html").read_text().startswith("<!doctype html>")
    (tmp_path / "model.json").write_text((tmp_path / "worse.json").read_text())
    gate = ["--baseline", str(tmp_path / "old.jsonl"), "--fail-on-regression"]
    nothing = shell(
        *words, *gate, "--strategy", "Constrained()", "--split", "train", "--log", str(tmp_path / "none.jsonl")
    )
    assert (nothing.returncode, "nothing in common" in nothing.stderr) == (2, True)
    assert not (tmp_path / "none.jsonl").exists()
    assert shell(*words, *gate, "--limit", "30").returncode == 0, "the log holds the old answers"
    worse = shell(*words[:-1], str(tmp_path / "new.jsonl"), *gate, "--limit", "60", "--json")
    assert worse.returncode == 1
    assert "REGRESSION: Prompted()" in worse.stderr
    changed = json.loads(worse.stdout)["changes"][0]
    assert changed["is_regression"]
    assert f"lost {', '.join(changed['lost'])}" in worse.stderr


def test_bench_sweeps_perturbs_and_stops(bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options, "--json"]
    swept = json.loads(shell(*words, "--sweep", "temperature=0,0.5", "--perturb", "whitespace", "--limit", "8").stdout)
    assert [row["setting"] for row in swept["rows"]] == [[["temperature", 0]], [["temperature", 0.5]]]
    assert {one["arm"]["perturbation"] for one in swept["perturbed"]} == {"whitespace"}
    early = shell(*words, "--until-width", "0.12", "--split", "all", "--price", f"{model}=1/2")
    assert json.loads(early.stdout)["rows"][0]["n"] < 240
    assert json.loads(early.stdout)["rows"][0]["cost"]["price"] > 0
    other = shell(*words, "--limit", "8", "--price", "foo=1,2")
    assert (other.returncode, f"--price names 'foo', but the models are: {model}\n" in other.stderr) == (0, True)
    assert "--price" not in early.stderr


def test_bench_ends_with_a_paragraph_in_every_form(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "worse.json").read_text())
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options, "--limit", "30"]
    done = shell(*words, "--show-record")
    before, _, rest = done.stdout.partition("compliance")
    assert "One record, before:\n  " in before
    assert "2 of 2 values are right" in before
    ending = " ".join(rest.split())
    assert "Prompted() got" in ending
    assert ending.endswith(f"The report is in {tmp_path / 'log.html'}.")
    said = json.loads(shell(*words, "--json").stdout)["conclusion"]
    assert said.startswith("Prompted() got")
    assert (
        "Prompted\\(\\) got" in shell(*words, "--markdown").stdout
        or "Prompted() got" in shell(*words, "--markdown").stdout
    )
    assert said in (tmp_path / "log.html").read_text()


def test_bench_names_folds_only_where_the_tested_rows_do_not_decide(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["bench", str(data), "--model", model, *options, "--strategy", "Prompted()"]
    split = "60 of 240 labelled rows were tested (the test split; examples come from the train split)"
    assert f"{split}\n" in shell(*words).stderr, "all are right, which is known well"
    tie = shell(*words, "--strategy", "Repair(Prompted())")
    assert f"{split}: --folds 5 tests all\n" in tie.stderr
    refusing = "Verify(Prompted(), Grounded(fields=('/size_mm',)))"
    assert f"{split}\n" in shell(*words, "--strategy", refusing).stderr, "one is shown to be better"


def test_bench_writes_the_values_that_are_not_right(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text(json.dumps({"bolt": '{"kind": "hex", "size_mm": 6}'}))
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options]
    done = shell(*words, "--wrong", tmp_path / "wrong.jsonl")
    assert "60 of 240 labelled rows were tested (the test split; examples come from the train split)" in done.stderr
    rows = [json.loads(line) for line in (tmp_path / "wrong.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    assert {(row["field"], row["error"], row["expected"], row["got"]) for row in rows} == {
        ("/size_mm", "wrong value", 8.0, 6.0)
    }
    assert all(row["text"].startswith("large bolt") for row in rows)
    assert shell("bench", "--rescore", tmp_path / "log.jsonl", "--wrong", tmp_path / "wrong.csv").returncode == 0
    head, first, *_ = (tmp_path / "wrong.csv").read_text().splitlines()
    assert head.startswith("key,strategy,model,")
    assert first.endswith(f"valid,true,/size_mm,wrong value,8.0,6.0,{rows[0]['text']}")
    refusing = [
        "--strategy",
        "Verify(Prompted(), Grounded(fields=('/size_mm',)))",
        "--log",
        str(tmp_path / "other.jsonl"),
    ]
    shell("bench", str(data), "--model", model, *refusing, "--schema", BOLT, "--wrong", tmp_path / "wrong.jsonl")
    (row,) = {
        (row["field"], row["error"]) for row in map(json.loads, (tmp_path / "wrong.jsonl").read_text().splitlines())
    }
    assert row == ("/size_mm", "refused"), "the kind may be right"
    other = shell(*words, "--wrong", tmp_path / "wrong.txt")
    assert (other.returncode, "name a file that ends in .jsonl or .csv" in other.stderr) == (2, True)


def test_bench_tests_each_record_once_in_folds(
    bolts: tuple[Path, str, list[str]], tmp_path: Path, shell: Shell
) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted(examples=3)", *options, "--folds", "5"]
    told = json.loads(shell(*words, "--json").stdout)
    assert (told["rows"][0]["n"], told["about"]["folds"]) == (240, 5)
    assert "divided by chance into 5 folds" in told["conclusion"]
    both = shell(*words, "--split", "dev")
    assert (both.returncode, "both --split and --folds" in both.stderr) == (2, True)


def test_bench_shows_suspect_labels_beside_all_figures(tmp_path: Path, shell: Shell) -> None:
    schema = {"type": "object", "properties": {"make": {"type": "string"}}, "required": ["make"]}
    rows = [{"text": f"a Volvo {n}", "expected": {"make": "Saab" if n == 3 else "Volvo"}} for n in range(6)]
    (tmp_path / "cars.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "cars.schema.json").write_text(json.dumps(schema))
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps('{"make": "Volvo"}'))
    models = [word for name in ("one", "two") for word in ("--model", f"scripted:{tmp_path / name}.json")]
    log = str(tmp_path / "log.jsonl")
    words = ["--schema", str(tmp_path / "cars.schema.json"), "--split", "all", "--strategy", "Prompted()", "--log", log]
    words = ["bench", str(tmp_path / "cars.jsonl"), *words, *models]
    plain = json.loads(shell(*words, "--json").stdout)
    done = json.loads(shell(*words, "--suspect", "--json").stdout)
    assert [row["rates"] for row in done["rows"]] == [row["rates"] for row in plain["rows"]]
    (found,) = done["suspects"]["found"]
    assert (found["key"], found["pointer"], found["label"], found["answer"]) == ("4", "/make", "Saab", "Volvo")
    assert [one["record_accuracy"]["value"] for one in done["suspects"]["without_clear"]] == [1, 1]
    shown = shell("bench", "--rescore", log, "--suspect", "--html", tmp_path / "page.html").stdout
    assert "Suspect values of labels: 1, of which clear: 1." in shown
    assert 'id="suspects"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    refused = shell("bench", "--rescore", log, "--suspect", "--no-transcripts")
    assert (refused.returncode, "--no-transcripts" in refused.stderr) == (2, True)
    alone = shell(*words[:-2], "--log", str(tmp_path / "other.jsonl"), "--suspect")
    assert (alone.returncode, "--suspect needs independent strategies that agree" in alone.stderr) == (2, True)
    assert not (tmp_path / "other.jsonl").exists(), "no model was asked"
