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
    assert estimate.startswith("30 rows to ask; the estimate is from 20 prompts")
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
    found = re.search(r"--budget-tokens to at least ([\d,]+) \(([\d,]+) are spent\)", dry)
    assert found, dry
    budget, spent = (int(one.replace(",", "")) for one in found.groups())
    assert shell(*words, "--budget-tokens", str(spent)).returncode == 3
    assert shell(*words, "--budget-tokens", str(budget)).returncode == 1  # for the two rows without a text
