"""A budget is a promise, also to a server whose probe is far cheaper than its rows."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from structout import BudgetError, Sampling
from structout.models.openai.client import OpenAIModel
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.schema import Schema
from structout.strategies import Constrained
from structout.tables.rows import rows_of
from tests.bolt import BOLT as BOLT_SCHEMA
from tests.bolt import Bolt
from tests.conftest import Shell, needs
from tests.models.openai.servers import Proxy, serving

pytestmark = needs("openai")
BOLT = '{"kind": "hex", "size_mm": 6}'


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Heeds `json_schema`; the probe takes 30 tokens, a row 1,000."""
    is_probe = "probe" in str(body.get("response_format"))
    text = '{"word": "zinc-31-quill"}' if is_probe else BOLT
    usage = (
        {"prompt_tokens": 20, "completion_tokens": 10} if is_probe else {"prompt_tokens": 900, "completion_tokens": 100}
    )
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}


@pytest.mark.parametrize(("dialect", "limit", "least"), [
    ("", 3_000, 0), ("", 10_000, 0), ("", 30_000, 1), ("", 60_000, 20),
    ("json_schema", 3_000, 1), ("json_schema", 10_000, 7), ("json_schema", 30_000, 27),
])  # fmt: skip
def test_nothing_is_sent_that_could_exceed_the_budget(tmp_path: Path, dialect: Any, limit: int, least: int) -> None:
    with serving(Proxy(answer)) as proxy:
        model = OpenAIModel("m", proxy.url, dialect=dialect or None)
        texts = [f"{n} mm bolt, " + "zinc plated, " * 40 for n in range(1, 101)]
        job = Job(Schema.of(Bolt), model, Constrained(), sampling=Sampling(max_tokens=200))
        with Journal(tmp_path / "j", job.identity()) as journal:
            with pytest.raises(BudgetError) as caught:
                process(rows_of(texts), job, journal, local(32, Budget(tokens=limit)))
            spent = sum(one.input_tokens + one.output_tokens for one in journal.spent().values())
            done = journal.counts().get("valid", 0)
        assert spent <= limit
        assert done >= least
        assert caught.value.retryable == (done > 0)
        assert ("for the probe of the server" in str(caught.value)) == (not dialect and done == 0)
        assert len(proxy.requests) == done + (not dialect and done > 0)


def uncounted(body: dict[str, Any]) -> dict[str, Any]:
    """Writes text, and says that it took no tokens."""
    return {**answer(body), "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}


def test_a_server_that_counts_no_tokens_keeps_to_the_budget_and_its_tokens_are_marked(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "-")
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.csv"
    source.write_text("".join(f'{{"text": "{n} mm bolt"}}\n' for n in range(1, 41)))
    with serving(Proxy(uncounted)) as proxy:
        words = ["run", str(source), "--schema", BOLT_SCHEMA, "--strategy", "Constrained()", "-o", str(out)]
        words += ["--model", f"openai:m@{proxy.url}#json_schema", "--max-tokens", "100", "--price", "1,1"]
        stopped = shell(*words, "--budget-tokens", "20000")
        assert stopped.returncode == 3, stopped.stderr
        assert 1 < len(proxy.requests) < 40
        done = shell(*words)
    assert done.returncode == 0, done.stderr
    assert "40 of 40 answers had no token count: their tokens are estimated at the most" in done.stderr
    told = [line for line in done.stderr.splitlines() if "40/40 rows" in line][-1]
    tokens, estimated = re.findall(r"at most ([\d,]+) tokens \(([\d,]+) estimated\), at most \$", told)[0]
    assert tokens == estimated
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert all(row["_estimated"] == row["_tokens"] != "" for row in rows)
    assert sum(int(row["_tokens"]) for row in rows) == int(tokens.replace(",", ""))
    shown = shell("status", f"{out}.journal").stdout
    assert f"at most {tokens} tokens ({tokens} estimated)" in " ".join(shown.split())


def test_a_run_ends_with_how_many_of_all_answers_had_no_token_count(
    tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "-")
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    labels = [{"text": f"{n} mm bolt", "expected": json.loads(BOLT)} for n in range(1, 41)]
    source.write_text("".join(json.dumps(one) + "\n" for one in labels))

    def at_times(body: dict[str, Any]) -> dict[str, Any]:
        """Counts no tokens for the bolts of less than 4 mm."""
        is_small = any(f">\n{n} mm bolt" in body["messages"][-1]["content"] for n in (1, 2, 3))
        return uncounted(body) if is_small else answer(body)

    with serving(Proxy(at_times)) as proxy:
        model = f"openai:m@{proxy.url}#json_schema"
        words = [source, "--schema", BOLT_SCHEMA, "--strategy", "Constrained()", "--model", model]
        for _ in range(2):  # the second run asks for nothing and says the same
            done = shell("run", *words, "--output", str(out))
            assert done.returncode == 0, done.stderr
            assert "3 of 40 answers had no token count: their tokens are estimated at the most" in done.stderr
        measured = shell("bench", *words, "--split", "all", "--log", str(tmp_path / "log.jsonl"))
        assert "3 of 40 answers had no token count" in measured.stderr
    with serving(Proxy(answer)) as proxy:
        words[-1] = f"openai:m@{proxy.url}#json_schema"
        assert "token count" not in shell("run", *words, "--output", str(tmp_path / "b.jsonl")).stderr


@pytest.mark.parametrize("heeds", [True, False])
def test_the_budget_that_a_dry_run_advises_is_enough_for_the_next_process(
    heeds: bool, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "-")
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(f'{{"text": "{n} mm bolt"}}\n' for n in range(1, 9)))
    asked = []

    def told(body: dict[str, Any]) -> dict[str, Any]:
        found = answer(body)
        is_probe = any("Say hello" in str(message) for message in body["messages"])
        asked.append(is_probe)
        if is_probe and not heeds:
            found["choices"][0]["message"]["content"] = "Hello there."
        return found

    with serving(Proxy(told)) as proxy:
        words = ["run", str(source), "--schema", BOLT_SCHEMA, "--strategy", "Constrained()", "-o", str(out)]
        words += ["--model", f"openai:m@{proxy.url}", "--max-tokens", "120"]
        dry = shell(*words, "--dry-run", "--probe", "2").stdout
        probes = sum(asked)
        assert probes >= 1
        (advised,) = re.findall(r"--budget-tokens to at least ([\d,]+)", dry)
        done = shell(*words, "--budget-tokens", advised.replace(",", ""))
        assert done.returncode == 0, done.stderr
    assert asked.count(False) == 8
    # What a probe finds is kept, unless the server heeds nothing.
    assert sum(asked) == (probes if heeds else 2 * probes)
