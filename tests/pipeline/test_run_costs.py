"""`structout run`: budgets, prices, and estimates before anything is paid."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Shell
from tests.pipeline.conftest import asked, rows


def test_a_budget_ends_the_run_with_3_and_a_higher_one_resumes(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(60)), "-o", str(tmp_path / "out.jsonl"), "--chunk", "5", *words]
    done = shell(*words, "--budget-tokens", "300")
    assert (done.returncode, "the budget is too small for one row" in done.stderr) == (2, True)
    assert not (tmp_path / "asked").exists()
    done = shell(*words, "--budget-tokens", "1200")
    assert done.returncode == 3
    assert re.search(
        r"error: \d+ of 1,200 tokens are spent, \d+ are left; the next call may use up to 9\d\d", done.stderr
    )
    assert (tmp_path / "out.jsonl.partial").exists()
    assert 0 < len(asked(tmp_path)) <= 20
    assert shell(*words, "--budget-tokens", "3000").returncode == 1
    assert sorted(asked(tmp_path)) == list(range(1, 61))


def test_a_budget_needs_the_price_of_every_model(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    other = words[3]
    way = f"Cascade(Prompted(), On({other!r}, Prompted()), Verify(Prompted(), Judge({other!r})))"
    (tmp_path / "prices.json").write_text(json.dumps({other: [1, 2]}))
    options = ["--strategy", way, "--price", "1,2", "--budget-usd", "1"]
    words = ["run", "-i", str(bolts(20)), "-o", str(tmp_path / "out.jsonl"), *words, *options]
    done = shell(*words)
    assert (done.returncode, f"the price of {other} is unknown" in done.stderr) == (2, True)
    assert not (tmp_path / "asked").exists()
    assert not (tmp_path / "out.jsonl.journal").exists()
    done = shell(*words, "--prices", str(tmp_path / "prices.json"))
    assert (done.returncode, "cost unknown" in done.stderr) == (1, False)


def test_a_price_of_another_model_is_told(words: list[str], tmp_path: Path, shell: Shell) -> None:
    words = ["run", *words[:-2], "--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl")]
    for price, told in (("foo=1,2", True), ("1,2", False), ("tiny=1,2", False)):
        done = shell(*words, "--price", price, stdin="2 mm\n")
        warning = "structout: --price names 'foo', but the models are: tiny\n"
        assert (done.returncode, warning in done.stderr) == (0, told), done.stderr


def test_a_dry_run_estimates_and_pays_nothing_twice(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(100)), "-o", str(tmp_path / "out.jsonl"), "--price", "1000,1000", *words]
    free = shell(*words, "--dry-run", "--probe", "0")
    assert free.returncode == 0
    assert "no model was asked" in free.stdout
    assert not (tmp_path / "asked").exists()
    estimates = [shell(*words, "--dry-run"), shell(*words, "--dry-run"), shell(*words, "--dry-run", "--probe", "0")]
    assert len(asked(tmp_path)) == 20  # again by none of the later dry runs
    assert estimates[0].stdout.startswith("80 rows to ask; the estimate is from 20 rows\n")
    for done in estimates[1:]:
        assert done.stdout.startswith("80 rows to ask; the estimate is from 20 rows, 20 of them asked before\n")
        assert done.stdout.splitlines()[1:3] == estimates[0].stdout.splitlines()[1:3]
    low, high = (float(word.lstrip("$")) for word in estimates[0].stdout.splitlines()[2].split()[1::2])
    assert low < 1.28 < high
    assert high - low < 0.1
    assert "from 25 rows, 20 of them" in shell(*words, "--dry-run", "--probe", "25").stdout
    assert len(asked(tmp_path)) == 25
    assert shell(*words).returncode == 1
    assert len(asked(tmp_path)) == 100


def test_a_dry_run_changes_nothing(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(30)), "-o", str(tmp_path / "out.jsonl"), *words]
    other = [word if word != "Prompted()" else "Reask(Prompted())" for word in words]
    estimate = shell(*other, "--dry-run", "--probe", "0").stdout
    assert estimate.startswith("30 rows to ask; the estimate is from 20 rows (4 characters per token), 1 to 2 calls")
    assert shell(*words, "--limit", "25").returncode == 1
    before = rows(tmp_path / "out.jsonl")
    for options, count, new in (
        ([], 5, 0),  # numbers 26 to 30, by the rows that are known
        (["--probe", "28"], 2, 3),
        (["--retry-quarantine"], 6, 6),
        (["--fresh"], 30, 16),
    ):
        already = len(asked(tmp_path))
        plain = words if not options or "--probe" in options else other
        done = shell(*plain, *options, "--dry-run")
        assert (done.returncode, done.stdout.split()[0]) == (0, str(count)), options
        assert len(asked(tmp_path)) <= already + new
        assert rows(tmp_path / "out.jsonl") == before
    assert shell(*words).returncode == 1
    assert shell(*words, "--dry-run").stdout.split()[0] == "0"
    assert shell(*words, "--dry-run", "--probe", "0", "--price", "1,1").stdout.splitlines()[1:] == [
        "tokens  0 to 0", "cost    $0.00 to $0.00", "time    about 0:00:00"
    ]  # fmt: skip


def test_an_estimate_without_a_probe_counts_the_calls_of_a_strategy(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    beside = ["--dry-run", "--probe", "0", "--max-tokens", "10", "--price", "1000000,1000000"]
    words = ["run", "-i", str(bolts(8)), "-o", str(tmp_path / "out.jsonl"), *words, *beside]
    bounds = {}
    for way in ("Prompted()", "Vote(Prompted(temperature=0.5), n=3)"):
        done = shell(*words, "--strategy", way)
        bounds[way] = [float(one.strip("$").replace(",", "")) for one in done.stdout.splitlines()[2].split()[1::2]]
        assert ("1 to 3 calls per row" if "Vote" in way else "one call per row") in done.stdout
    (low, high), (lowest, highest) = bounds.values()
    assert low == lowest  # a row takes one call at least
    assert highest == 3 * high
    assert not (tmp_path / "asked").exists()


def test_an_estimate_of_a_run_that_begins_anew_says_that_it_is_the_most(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(12)), "-o", str(tmp_path / "out.jsonl"), *words]
    assert shell(*words).returncode == 1
    known = len(asked(tmp_path))
    done = shell(*words, "--fresh", "--dry-run")
    assert re.search(r"tokens  0 to [1-9]", done.stdout)
    assert "less    where the journal has an answer to the same prompt" in done.stdout
    assert "the estimate asked for" not in done.stderr  # all answers are known
    assert len(asked(tmp_path)) == known


def test_a_retry_counts_apart_the_rows_that_cannot_be_asked(words: list[str], tmp_path: Path, shell: Shell) -> None:
    texts = ["7 mm bolt", "8 mm bolt", "", " "]  # the model gets 7 wrong
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": n, "text": t}) + "\n" for n, t in enumerate(texts)))
    words = ["run", "-i", str(tmp_path / "in.jsonl"), "-o", str(tmp_path / "out.jsonl"), *words]
    assert shell(*words).returncode == 1
    again = shell(*words, "--retry-quarantine").stderr
    told = "retrying 1 quarantined row: the model is asked, and paid, again; 2 more have no text, and are not asked"
    assert told in again
    (tmp_path / "blank.jsonl").write_text(json.dumps({"id": 1, "text": " "}) + "\n")
    words = ["run", "-i", str(tmp_path / "blank.jsonl"), "-o", str(tmp_path / "b.jsonl"), *words[5:]]
    assert shell(*words).returncode == 1
    again = shell(*words, "--retry-quarantine").stderr
    assert "no quarantined row to retry, but for 1 row without a text" in again


def test_a_dry_run_of_a_pipe_and_of_nothing(words: list[str], tmp_path: Path, shell: Shell) -> None:
    beside = ["--journal", str(tmp_path / "j"), "--quarantine", str(tmp_path / "q.jsonl"), "--dry-run"]
    plain = [*words[:-2], *beside]
    assert shell("run", *plain, stdin="").returncode == 4
    assert not (tmp_path / "j").exists()
    assert shell("run", *plain, "--probe", "2", stdin="2 mm\n3 mm\n4 mm\n").stdout.startswith("1,000 rows")
    assert shell("run", *plain, stdin="2 mm\n3 mm\n4 mm\n").stdout.startswith("0 rows")  # it asked for the third


def test_a_price_that_comes_late_counts_for_earlier_rows(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    words = ["run", "-i", str(bolts(12)), "-o", str(tmp_path / "out.jsonl"), *words]
    assert "cost    unknown: give --price" in shell(*words, "--dry-run", "--probe", "6").stdout
    priced = shell(*words, "--dry-run", "--probe", "6", "--price", "1000,1000").stdout
    assert "cost    $0." in priced
    assert len(asked(tmp_path)) == 6
    assert shell(*words, "--price", "1000,1000").returncode == 1
    for row in rows(tmp_path / "out.jsonl"):
        assert row["_cost"] == row["_tokens"] / 1000
    for row in rows(tmp_path / "out.jsonl.quarantine.jsonl"):
        assert row["cost"] == row["tokens"] / 1000


def test_a_dry_run_says_which_budget_holds_to_the_end(words: list[str], tmp_path: Path, shell: Shell) -> None:
    texts = [f"{number} mm bolt" for number in (1, 2, 3, 4, 5, 6)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in [*texts, "", " "]))
    words = [
        "run",
        str(tmp_path / "in.jsonl"),
        "-o",
        str(tmp_path / "out.jsonl"),
        *words[:-2],
        "--strategy",
        "Prompted()",
    ]
    dry = shell(*words, "--dry-run", "--probe", "2").stdout
    assert dry.startswith("4 rows to ask, and 2 without a text, which are not asked")
    found = re.search(r"--budget-tokens to at least ([\d,]+) \(([\d,]+) tokens spent\)", dry)
    assert found, dry
    budget, spent = (int(one.replace(",", "")) for one in found.groups())
    assert shell(*words, "--budget-tokens", str(spent)).returncode == 3
    assert shell(*words, "--budget-tokens", str(budget)).returncode == 1  # for the two rows without a text


def test_a_price_without_a_name_is_that_of_the_models_that_a_strategy_names(
    words: list[str], tmp_path: Path, bolts: Callable[[int], Path], shell: Shell
) -> None:
    own = words[3]
    words = ["run", "-i", str(bolts(6)), "-o", str(tmp_path / "out.jsonl"), *words[:2], "--key", "id"]
    done = shell(*words, "--strategy", f"On({own!r}, Prompted())", "--price", "1000,1000")
    assert done.returncode == 0, done.stderr
    assert all(row["_cost"] == row["_tokens"] / 1000 for row in rows(tmp_path / "out.jsonl"))
    other = shell(*words, "--strategy", f"On({own!r}, Prompted())", "--model", own, "--dry-run")
    assert f"--model {own} is not asked: each call of the strategy names its own model" in other.stderr
