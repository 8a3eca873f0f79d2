"""The commands as a shell sees them."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conftest import ROOT

GOOD = '{"kind": "hex", "size_mm": 6}'
BOLT = f"{ROOT / 'tests/conftest.py'}:Bolt"


def run(*words: str | Path, stdin: str | bytes = "") -> subprocess.CompletedProcess[str]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "structout", *map(str, words)], input=data, capture_output=True, cwd=ROOT, check=False
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


@pytest.fixture
def script(tmp_path: Path) -> str:
    answers = {"M6": GOOD, "M8": '{"kind": "hex", "size_mm": 8}', "bad": "no"}
    (tmp_path / "script.json").write_text(json.dumps(answers))
    return f"scripted:{tmp_path / 'script.json'}"


def test_extract_from_a_pipe(script: str) -> None:
    done = run("extract", "--schema", BOLT, "--model", script, stdin="M6 bolt\n\nM8 bolt\n")
    assert [json.loads(line)["size_mm"] for line in done.stdout.splitlines()] == [6.0, 8.0]
    assert done.returncode == 0


def test_extract_keeps_a_line_for_a_record_that_failed(script: str, tmp_path: Path) -> None:
    lines = ['{"text": "M6 bolt"}', '{"text": "bad"}', '{"name": "no text"}', "{", '{"text": "M8"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    words = ["extract", str(tmp_path / "in.jsonl"), "--schema", BOLT, "--model", script]
    done = run(*words)
    assert [json.loads(line) is not None for line in done.stdout.splitlines()] == [True, False, False, False, True]
    assert done.returncode == 1
    assert "record 2: invalid" in done.stderr
    rows = [json.loads(line) for line in run(*words, "--json").stdout.splitlines()]
    assert [row["status"] for row in rows] == ["valid", "invalid", "invalid", "invalid", "valid"]
    assert rows[1]["usage"]["calls"] == 2


def test_extract_says_how_sure_a_leaf_is_and_where_it_was_found(script: str) -> None:
    words = ["extract", "--schema", BOLT, "--model", script, "--text", "M6 hex", "--json", "--strategy"]
    row = json.loads(run(*words, "Verify(Prompted(), Grounded())").stdout)
    assert row["spans"] == {"/size_mm": [1, 2]}
    voted = json.loads(run(*words, "Vote(Prompted(), n=3)").stdout)
    assert voted["confidence"]["/size_mm"] == 1.0
    assert {"confidence", "spans"}.isdisjoint(json.loads(run(*words, "Prompted()").stdout))


def test_extract_says_how_often_the_token_limit_overruled_the_model(tmp_path: Path) -> None:
    (tmp_path / "cut.py").write_text(
        "from structout import Completion\n"
        "class Model:\n"
        "    name = 'cut'\n"
        "    def complete(self, prompts):\n"
        "        found = [((28, 29),) if 'long' in one.messages[-1].content else () for one in prompts]\n"
        f"        return [Completion({GOOD!r}, steered=one) for one in found]\n"
    )
    words = ["extract", "--schema", BOLT, "--model", f"py:{tmp_path}/cut.py:Model", "--strategy", "Constrained()"]
    done = run(*words, stdin="a long one\na short one\n")
    assert (done.returncode, done.stdout.count("hex")) == (0, 2)
    assert done.stderr.count("\n") == 1
    assert "overruled the model in 1 of 2 records" in done.stderr
    assert "--max-tokens" in done.stderr
    assert run(*words, stdin="a short one\n").stderr == ""


def test_extract_of_nothing_and_of_bytes_that_are_no_text(script: str) -> None:
    assert run("extract", "--schema", BOLT, "--model", script).returncode == 4
    done = run("extract", "--schema", BOLT, "--model", script, stdin=b"M6 \xff\xfe bolt\n")
    assert (done.returncode, json.loads(done.stdout)["size_mm"]) == (0, 6.0)


def test_a_byte_order_mark_costs_no_record(script: str, tmp_path: Path) -> None:
    for name, content in (("in.txt", "M6 bolt\nM8 bolt\n"), ("in.jsonl", '{"text": "M6"}\n{"text": "M8"}\n')):
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
        data = (tmp_path / name).read_bytes()
        for done in (
            run("extract", tmp_path / name, "--schema", BOLT, "--model", script, "--json"),
            run("extract", "--schema", BOLT, "--model", script, "--json", stdin=data),
        ):
            assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["valid", "valid"], name


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl.gz"])
def test_extract_reads_what_run_reads(script: str, tmp_path: Path, name: str) -> None:
    if name == "rows.csv":
        (tmp_path / name).write_text("id,record\n1,M6 bolt\n2,M8 bolt\n", encoding="utf-8-sig")
    else:
        rows = [{"record": "M6 bolt"}, {"record": "M8 bolt"}]
        (tmp_path / name).write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    done = run("extract", tmp_path / name, "--column", "record", "--schema", BOLT, "--model", script)
    assert [json.loads(line)["size_mm"] for line in done.stdout.splitlines()] == [6.0, 8.0]
    missing = run("extract", tmp_path / "nosuch.csv", "--schema", BOLT, "--model", script)
    assert (missing.returncode, missing.stdout) == (2, "")


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("a.jsonl", f"{GOOD}\n{GOOD}\n", [], 0),
        ("a.jsonl", f"{GOOD}\nno\n", [], 1),
        ("a.jsonl", f"{GOOD}\nno\n", ["--min-valid", "0.5"], 0),
        ("a.jsonl", f"```json\n{GOOD}```\n", [], 1),
        ("a.json", f"```json\n{GOOD}\n```\n", ["--repair", "lossless"], 0),
        ("a.json", GOOD, [], 0),
        ("a.jsonl", "", [], 4),
        ("a.jsonl", GOOD, ["--repair", "wild"], 2),
        ("a.jsonl", GOOD, ["--schema", "nope.json"], 2),
    ],
)
def test_validate_is_a_gate(tmp_path: Path, name: str, content: str, options: list[str], code: int) -> None:
    (tmp_path / name).write_text(content)
    done = run("validate", tmp_path / name, "--schema", BOLT, *options)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1


def test_validate_says_where_and_what() -> None:
    done = run("validate", "--schema", BOLT, stdin=f'{GOOD}\n{{"kind": "hex"}}\n')
    assert done.stdout.startswith("-:2: ")
    assert "required" in done.stdout
    done = run("validate", "--schema", BOLT, "--json", stdin='{"kind": "hex"}\n')
    assert json.loads(done.stdout)["issues"][0]["kind"] == "missing"


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (f"Here you are:\n```json\n{GOOD}\n```\nAnything else?", [], 0),
        ("{'kind': 'HEX', size_mm: 6,}", [], 0),
        ("kind: hex\nsize_mm: 6\n", [], 0),
        ('{"kind": "hex", "size_mm": "6,5"}', [], 1),
        ('{"kind": "hex", "size_mm": "6,5"}', ["--decimal", ","], 0),
        ('{"kind": "hex", "size_mm": 6', [], 1),
        ('{"kind": "hex", "size_mm": 6', ["--policy", "lossy"], 0),
        ("I cannot say.", ["--policy", "any"], 1),
        (GOOD, ["--policy", "wild"], 2),
    ],
)
def test_repair_mends_within_its_policy(text: str, options: list[str], code: int) -> None:
    done = run("repair", "--schema", BOLT, *options, stdin=text)
    assert done.returncode == code
    assert bool(done.stdout) == (code == 0)
    if code == 0:
        assert json.loads(done.stdout)["kind"] == "hex"


def test_repair_shows_what_it_changed() -> None:
    done = run("repair", "--schema", BOLT, "--edits", stdin="{'kind': 'hex', \"size_mm\": 6}")
    assert "- {'kind': 'hex'" in done.stderr
    assert '+ {"kind": "hex"' in done.stderr
    as_json = json.loads(run("repair", "--schema", BOLT, "--json", stdin="{'kind': 'hex', \"size_mm\": 6}").stdout)
    assert {edit["grade"] for edit in as_json["edits"]} == {"lossless"}


@pytest.mark.parametrize("name", ["embeded", "path:nope", "scripted:nope.json", "py:nope:model"])
def test_a_name_that_is_no_models_is_wrong_usage(name: str) -> None:
    for words in (["extract", "--schema", BOLT, "--text", "x"], ["bench", "schemas/parts"]):
        done = run(*words, "--model", name)
        assert (done.returncode, done.stderr[:7], done.stderr.count("\n")) == (2, "error: ", 1)


def test_audit_says_what_the_mask_enforces() -> None:
    done = run("audit", BOLT)
    assert (done.returncode, "exact" in done.stdout) == (0, True)
    as_json = json.loads(run("audit", "schemas/parts", "--json").stdout)
    assert as_json["level"] == "exact"
    assert run("audit", BOLT, "--model", "path:/no/such/folder").returncode == 2


def test_preview_shows_the_prompt() -> None:
    done = run("preview", "--schema", "schemas/parts", "--text", "BRK PAD </record>", "--examples", "schemas/parts")
    assert "</record-2>" in done.stdout
    assert "[system]" in done.stdout
    as_json = run("preview", "--schema", "schemas/parts", "--json", "--strategy", "Constrained()")
    assert json.loads(as_json.stdout)["constrained"] is True


def test_bench_measures_logs_and_scores_again(tmp_path: Path, script: str) -> None:
    rows = [
        {"text": "M6", "expected": {"kind": "hex", "size_mm": 6}},
        {"text": "bad", "expected": {"kind": "hex", "size_mm": 1}},
    ]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    log = str(tmp_path / "log.jsonl")
    options = ["--schema", BOLT, "--model", script, "--split", "all", "--log", log, "--strategy", "Prompted()"]
    done = run("bench", tmp_path / "bolts.jsonl", *options, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["rows"][0]["rates"]["record accuracy"]["value"] == 0.5
    assert run("bench", "--rescore", log, "--json").stdout == done.stdout
    assert "Prompted()" in run("bench", "--rescore", log).stdout
    assert run("bench", "--rescore", log, "--markdown").stdout.startswith("| strategy |")


@pytest.fixture
def bolts(tmp_path: Path) -> tuple[Path, str, list[str]]:
    """40 labelled bolts, and the options for a model that gets them right but for every tenth."""
    rows = [{"text": f"bolt {i}.", "expected": {"kind": "hex", "size_mm": 6}} for i in range(240)]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "good.json").write_text(json.dumps({"bolt": GOOD}))
    (tmp_path / "worse.json").write_text(json.dumps({"3.": "no", "5.": "no", "bolt": GOOD}))
    model = f"scripted:{tmp_path / 'model.json'}"
    return tmp_path / "bolts.jsonl", model, ["--schema", BOLT, "--log", str(tmp_path / "log.jsonl")]


def test_bench_goes_on_compares_and_reports(bolts: tuple[Path, str, list[str]], tmp_path: Path) -> None:
    data, model, options = bolts
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options]
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    assert run(*words, "--limit", "30").returncode == 0
    shutil.copy(tmp_path / "log.jsonl", tmp_path / "old.jsonl")
    assert (tmp_path / "log.html").read_text().startswith("<!doctype html>")
    (tmp_path / "model.json").write_text((tmp_path / "worse.json").read_text())
    gate = ["--baseline", str(tmp_path / "old.jsonl"), "--fail-on-regression"]
    nothing = run(
        *words, *gate, "--strategy", "Constrained()", "--split", "train", "--log", str(tmp_path / "none.jsonl")
    )
    assert (nothing.returncode, "nothing in common" in nothing.stderr) == (2, True)
    assert not (tmp_path / "none.jsonl").exists()
    assert run(*words, *gate, "--limit", "30").returncode == 0, "the log holds the old answers"
    worse = run(*words[:-1], str(tmp_path / "new.jsonl"), *gate, "--limit", "60", "--json")
    assert worse.returncode == 1
    assert "REGRESSION: Prompted()" in worse.stderr
    changed = json.loads(worse.stdout)["changes"][0]
    assert changed["is_regression"]
    assert f"lost {', '.join(changed['lost'])}" in worse.stderr


def test_bench_sweeps_perturbs_and_stops(bolts: tuple[Path, str, list[str]], tmp_path: Path) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["bench", str(data), "--model", model, "--strategy", "Prompted()", *options, "--json"]
    swept = json.loads(run(*words, "--sweep", "temperature=0,0.5", "--perturb", "whitespace", "--limit", "8").stdout)
    assert [row["setting"] for row in swept["rows"]] == [[["temperature", 0]], [["temperature", 0.5]]]
    assert {one["arm"]["perturbation"] for one in swept["perturbed"]} == {"whitespace"}
    early = run(*words, "--until-width", "0.12", "--split", "all", "--price", f"{model}=1/2")
    assert json.loads(early.stdout)["rows"][0]["n"] < 240
    assert json.loads(early.stdout)["rows"][0]["cost"]["price"] > 0


def test_recommend_and_certify_write_a_strategy(bolts: tuple[Path, str, list[str]], tmp_path: Path) -> None:
    data, model, options = bolts
    (tmp_path / "model.json").write_text((tmp_path / "good.json").read_text())
    words = ["recommend", str(data), "--model", model, *options, "--output", str(tmp_path / "choice.strategy")]
    done = run(*words, "--target", "compliance>=0.95", "--target", "record_accuracy>=0.9", "--for", "80000")
    assert done.returncode == 0, done.stderr
    assert "met, with 95 % confidence, by Prompted()" in done.stdout
    assert "80,000 records would take" in done.stdout
    told = json.loads(run(*words, "--target", "compliance>=0.95", "--for", "80000", "--json").stdout)
    assert told["for"] == {"records": 80000, "cost": 80000 * told["chosen"]["cost"]}
    choice = str(tmp_path / "choice.strategy")
    assert f"# Measured with --examples {data} --max-tokens 256.\n" in Path(choice).read_text()
    used = run("extract", "--schema", BOLT, "--model", model, "--strategy", choice, stdin="bolt\n")
    assert (used.returncode, json.loads(used.stdout)["kind"]) == (0, "hex")
    none = run(*words, "--target", "compliance>=0.999", "--json")
    assert (none.returncode, json.loads(none.stdout)["chosen"]) == (1, None)
    assert "would meet the targets with 2,995 records" in run(*words, "--target", "compliance>=0.999").stdout
    unsure = run("certify", str(data), "--model", model, *options, "--output", str(tmp_path / "sure.strategy"))
    assert (unsure.returncode, "no threshold met the target" in unsure.stdout) == (1, True)
    (tmp_path / "own.py").write_text("def always(outcome):\n    return 1.0\n")
    own = run(
        "certify", str(data), "--model", model, *options, "--confidence", f"{tmp_path / 'own.py'}:always", "--json"
    )
    assert (own.returncode, json.loads(own.stdout)["threshold"]) == (0, 1.0)


def test_bench_interrupted_keeps_its_log(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import signal, time, structout.cli, structout.evaluation.harness as harness\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell hands it down as ignored\n"
        "from structout import Completion, Scripted\n"
        "def answer(prompt):\n"
        "    time.sleep(0.02)\n"
        f"    return Completion({GOOD!r})\n"
        "harness.model_of = lambda name: Scripted(answer)\n"
        "structout.cli.main()\n"
    )
    log = tmp_path / "log.jsonl"
    words = ["bench", "schemas/parts", "--split", "all", "--log", str(log), "--strategy", "Prompted()"]
    process = subprocess.Popen(
        [sys.executable, str(slow), *words], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    chunk = 1 + 2 * 32  # what the run is about, then what was answered and what came of it
    while (not log.is_file() or log.read_text().count("\n") < chunk) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("structout: interrupted: ")
    assert "Traceback" not in err
    assert json.loads(run("bench", "--rescore", log, "--json").stdout)["rows"][0]["n"] >= 32


@pytest.mark.parametrize(
    "words",
    [
        ["bench"],
        ["bench", "no/such/folder"],
        ["bench", "schemas/parts", "--split", "validation"],
        ["bench", "schemas/parts", "--strategy", "Magic()"],
        ["bench", "--rescore", "no-such-log"],
        ["bench", "schemas/parts", "--sweep", "temperature"],
        ["bench", "schemas/parts", "--sweep", "temperature=hot"],
        ["bench", "schemas/parts", "--sweep", "max_tokens=1.5"],
        ["bench", "schemas/parts", "--perturb", "noise"],
        ["bench", "schemas/parts", "--price", "embedded=cheap"],
        ["bench", "schemas/parts", "--price", "embedded=0.15"],
        ["bench", "schemas/parts", "-m", "embedded", "-m", "hf:other", "--price", "0.15,0.60"],
        ["bench", "schemas/parts", "--price", "embedded=1/2/3/4"],
        ["bench", "schemas/parts", "--price", "embedded=-1/2"],
        ["recommend", "schemas/parts", "--target", "compliance>=0.9", "--price", "embedded=nan/2"],
        ["bench", "schemas/parts", "--fail-on-regression"],
        ["bench", "schemas/parts", "--figures", "README.md/figures"],
        ["bench", "schemas/parts", "--metric", "structout/evaluation/metrics.py:RATES"],
        ["certify", "schemas/parts", "--confidence", "structout/evaluation/metrics.py:RATES"],
        ["certify", "schemas/parts", "--output", "no/such/folder/a.strategy"],
        ["recommend", "schemas/parts", "--target", "compliance>=0.9", "--output", "no/such/folder/a.strategy"],
        ["bench", "schemas/parts", "--baseline", "no-such-log"],
        ["bench", "no-such.toml"],
        ["recommend", "schemas/parts", "--target", "compliance>=2"],
        ["certify", "no/such/folder"],
        ["extract", "no-such-file", "--schema", "schemas/parts", "--model", "scripted:x"],
        ["extract", "--schema", "schemas/nope"],
        ["extract", "README.md", "--schema", "schemas/parts", "--text", "x"],
        ["preview", "--schema", "README.md"],
        ["validate", "--schema", "schemas/parts", "no-such-file"],
    ],
)
def test_wrong_input_is_one_line_that_says_what_to_do(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "(" in done.stderr
    assert done.stdout == ""


def test_an_interrupted_command_says_what_is_kept(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\n"
        "class Model:\n"
        "    name = 'slow'\n"
        "    def complete(self, prompts):\n"
        "        print('asked', file=sys.stderr, flush=True)\n"
        "        time.sleep(1)\n"
        "        raise SystemExit\n"
    )
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    program += "from structout.cli import main; main()"
    model, journal = f"py:{slow}:Model", str(tmp_path / "j")
    (tmp_path / "in.txt").write_text("M6 bolt\n")
    data, log, out = "schemas/parts", str(tmp_path / "log.jsonl"), str(tmp_path / "out")
    for words, kept in (
        (["extract", str(tmp_path / "in.txt"), "--schema", BOLT], "nothing is kept"),
        (["label", str(tmp_path / "in.txt"), "--schema", BOLT, "--output", out], f"kept in {out}.journal"),
        (["recommend", data, "--target", "compliance>=0.5", "--log", log, "--output", out], "kept in the log"),
        (["certify", data, "--log", log, "--output", out], "kept in the log"),
        (["run", str(tmp_path / "in.txt"), "--schema", BOLT, "--dry-run", "--journal", journal,
          "--quarantine", out], f"kept in {journal}"),
    ):  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", program, *words, "--model", model], cwd=ROOT, text=True,
            stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        said = process.stderr.readline()
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert (said, process.returncode) == ("asked\n", 130), said + err
        (line,) = (line for line in err.splitlines() if line != "asked")
        assert line.startswith("structout: interrupted: ")
        assert kept in line


def closed_after_a_line(*words: object) -> tuple[int, str]:
    """The exit code of a command whose reader goes away, and what it says on stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "structout", *map(str, words)], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    return process.wait(60), process.communicate()[1].decode()


def test_a_reader_that_has_seen_enough_is_no_error(script: str, tmp_path: Path) -> None:
    many = "M6 bolt\n" * 2000
    (tmp_path / "in.txt").write_text(many)
    words = ["--schema", BOLT, "--model", script]
    assert closed_after_a_line("extract", tmp_path / "in.txt", *words) == (0, "")
    beside = ["--quarantine", tmp_path / "q.jsonl", "--journal", tmp_path / "j"]
    code, said = closed_after_a_line("run", tmp_path / "in.txt", *words, *beside)
    assert (code, "error" in said) == (0, False)
    (tmp_path / "bad.jsonl").write_text('{"kind": "hex"}\n' * 5000)
    code, said = closed_after_a_line("validate", tmp_path / "bad.jsonl", "--schema", BOLT)
    assert (code, "0 of 5,000 documents are valid" in said) == (1, True), "a gate has judged all the same"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("command", ["extract", "validate", "audit", "bench", "run", "preview"])
def test_a_full_disk_behind_stdout_is_one_line(script: str, tmp_path: Path, command: str) -> None:
    (tmp_path / "in.txt").write_text("M6 bolt\n" * 500)
    (tmp_path / "in.jsonl").write_text('{"kind": "hex"}\n' * 5000)
    row = {"key": "1", "text": "M6", "expected": json.loads(GOOD), "split": "test"}
    (tmp_path / "labelled.jsonl").write_text(json.dumps(row))
    asking = ["--schema", BOLT, "--model", script]
    words: dict[str, list[str | Path]] = {
        "extract": [tmp_path / "in.txt", *asking],
        "validate": [tmp_path / "in.jsonl", "--schema", BOLT],
        "audit": [BOLT],
        "bench": [tmp_path / "labelled.jsonl", *asking, "--strategy", "Prompted()", "--log", tmp_path / "log.jsonl"],
        "run": [tmp_path / "in.txt", *asking, "--quarantine", tmp_path / "q", "--journal", tmp_path / "j"],
        "preview": ["--schema", BOLT],
    }
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "structout", command, *map(str, words[command])],
            stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False, text=True,
        )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert done.stderr.splitlines()[-1] == "error: stdout cannot be written: No space left on device"
    assert "Traceback" not in done.stderr


def test_what_an_ascii_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    row = {"key": "1", "text": "M6", "expected": json.loads(GOOD), "split": "test"}
    (tmp_path / "labelled.jsonl").write_text(json.dumps(row))
    (tmp_path / "snow.json").write_text(json.dumps('{"kind": "hex", "size_mm": 6, "note": "\u2603"}'))
    asking = ["--schema", BOLT, "--model", f"scripted:{tmp_path / 'snow.json'}"]
    preview = ascii_only("preview", "--text", "hex \u2603 5", "--schema", BOLT)
    assert "hex \\u2603 5" in preview
    names = ["--strategy", "Prompted()", "--log", tmp_path / "log-\u2603.jsonl"]
    assert "Prompted()" in ascii_only("bench", tmp_path / "labelled.jsonl", *asking, *names)
    assert json.loads(ascii_only("extract", "--text", "x", *asking))["note"] == "\u2603"


def ascii_only(*words: object) -> str:
    """What a command writes where stdout takes ASCII alone."""
    done = subprocess.run(
        [sys.executable, "-m", "structout", *map(str, words)],
        capture_output=True, cwd=ROOT, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("ascii")


def test_an_interruption_while_the_commands_are_imported() -> None:
    program = (
        "import sys, structout.cli\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *where):\n"
        "        if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "structout.cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "structout: interrupted\n")


def test_version_and_what_help_says_of_prices() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"structout {version('structout')}\n")
    shown = run("run", "--help").stdout
    assert "[input, output]" in shown
    assert run("bogus").returncode == run().returncode == run("run", "--nosuch").returncode == 2


def test_help_and_import_stay_light() -> None:
    heavy = ["torch", "transformers", "llguidance", "outlines", "numpy", "scipy", "matplotlib"]
    start = "import sys, structout, structout.cli.commands, structout.finetuning"
    code = f"{start}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "Exit codes" in run("--help").stdout
