"""What ends a run at once: a server that takes no request of this key or this account, and Ctrl-C."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from structout import (
    AccountError,
    Completion,
    ModelError,
    NoModelError,
    Prompt,
    Prompted,
    Schema,
    Scripted,
    extract_many,
)
from structout.evaluation import Dataset, evaluate
from structout.halt import current
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.tables.rows import rows_of
from tests.bolt import BOLT, Bolt
from tests.conftest import ROOT, Shell
from tests.models.openai.clients import bolt as served
from tests.models.openai.servers import Fault, Proxy, serving
from tests.pipeline.conftest import bolt, number

TEXTS = [f"{n} mm" for n in range(1, 101)]
WAY = ["--strategy", "Prompted()"]


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with serving(Proxy(served, retry_after="600")) as proxy:
        yield proxy


def told(status: int, message: str, code: str = "") -> dict[str, Any]:
    return {"status": status, "error": {"message": message, "code": code}}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (told(401, "Incorrect API key provided"), 2, "Incorrect API key provided"),
        (told(404, "The model m does not exist"), 2, "does not exist"),
        (told(402, "Insufficient Balance"), 3, "Insufficient Balance"),
        (told(403, "Key limit exceeded (total limit)"), 3, "Key limit exceeded"),
        ({"choices": [], "error": {"code": 402, "message": "no credit"}}, 3, "no credit"),
        (told(429, "You exceeded your current quota", "insufficient_quota"), 3, "exceeded your current quota"),
    ],
)
def test_an_error_that_concerns_every_row_stops_the_run(
    proxy: Proxy, bolts: Callable[[int], Path], tmp_path: Path, shell: Shell, answer: Any, code: int, said: str
) -> None:
    proxy.answer = lambda body: answer
    model = f"openai:m@{proxy.url}#json_schema"
    out = tmp_path / "o.jsonl"
    words = ["run", "-s", BOLT, bolts(300), "-o", out, "-m", model, *WAY, "--chunk", "4"]
    done = shell(*words)
    assert (done.returncode, said in done.stderr) == (code, True)
    assert "then run the same command again" in done.stderr
    assert len(proxy.requests) <= 8  # which were in flight together
    proxy.answer = served
    assert shell(*words).returncode == 0
    assert len(out.read_text().splitlines()) == 300
    commands = (
        ["extract", "-s", BOLT, tmp_path / "bolts.jsonl", "-m", model, *WAY],
        ["label", "-s", BOLT, tmp_path / "bolts.jsonl", "-o", tmp_path / "l.jsonl", "-m", model, *WAY],
    )
    proxy.answer = lambda body: answer
    for command in commands:
        proxy.requests.clear()
        done = shell(*command)
        assert (done.returncode, said in done.stderr, len(proxy.requests) <= 64) == (code, True, True)


def test_an_error_of_the_account_keeps_its_class_and_asks_no_row_alone(job: Job, tmp_path: Path) -> None:
    class Unpaid:
        name = "unpaid"
        calls = 0

        def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
            self.calls += 1
            raise AccountError("no money", hint="pay")

    model = Unpaid()
    with pytest.raises(AccountError, match="no money"):
        list(extract_many(TEXTS, Bolt, model, chunk=4))
    job = Job(job.schema, model, job.strategy)
    with Journal(tmp_path / "j", job.identity()) as journal:
        with pytest.raises(ModelError, match="no money") as caught:
            process(rows_of(TEXTS), job, journal, local(4))
        assert (caught.value.stops, caught.value.retryable, journal.counts()) == (True, True, {})
    assert caught.value.hint.startswith("pay, then run the same command again")
    assert model.calls <= 4  # two chunks at a time


def test_a_later_chunk_stops_the_run_while_an_earlier_one_waits() -> None:
    class Half:
        name = "half"

        def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
            if number(prompts[0]) == 1:
                current().sleep(60)
            raise AccountError("no money")

    with pytest.raises(AccountError):
        list(extract_many(TEXTS, Bolt, Half(), "Prompted()", chunk=4))


def refusing(prompt: Prompt) -> Completion:
    return Completion("", finish_reason="refused", refusal=f"HTTP 400: bad temperature (req_{number(prompt):012})")


def test_a_model_that_refuses_every_row_stops_the_run_and_no_refusal_is_kept(job: Job, tmp_path: Path) -> None:
    job = Job(job.schema, Scripted(refusing), job.strategy, max_errors=7)
    with Journal(tmp_path / "j", job.identity()) as journal:
        with pytest.raises(NoModelError, match="refused 7 records in a row and answered none: HTTP 400: bad temp"):
            process(rows_of(TEXTS), job, journal, local(4))
        assert journal.counts() == {}
        job = Job(job.schema, Scripted(bolt), job.strategy)
        assert process(rows_of(TEXTS), job, journal, local(4)).counts == {"valid": 86, "invalid": 14}


def test_rows_that_are_refused_after_an_answer_are_the_rows_fault(job: Job, tmp_path: Path) -> None:
    def from_two_on(prompt: Prompt) -> Completion:
        return bolt(prompt) if number(prompt) == 1 else refusing(prompt)

    job = Job(job.schema, Scripted(from_two_on), job.strategy)
    with Journal(tmp_path / "j", job.identity()) as journal:
        assert process(rows_of(TEXTS), job, journal, local(4)).counts == {"valid": 1, "invalid": 99}
        assert process(rows_of(TEXTS), job, journal, local(4)).asked == 0
    few = Job(job.schema, Scripted(refusing), job.strategy)
    with Journal(tmp_path / "k", few.identity()) as journal:
        assert process(rows_of(TEXTS[:9]), few, journal, local(4)).counts == {"invalid": 9}


def test_rows_that_are_refused_beside_answers_of_their_chunk_are_the_rows_fault(job: Job, tmp_path: Path) -> None:
    def from_eleven_on(prompt: Prompt) -> Completion:
        return bolt(prompt) if number(prompt) > 10 else refusing(prompt)

    job = Job(job.schema, Scripted(from_eleven_on), job.strategy)
    with Journal(tmp_path / "j", job.identity()) as journal:
        assert sum(process(rows_of(TEXTS), job, journal, local(20)).counts.values()) == 100
    assert len(list(extract_many(TEXTS, Bolt, Scripted(from_eleven_on), "Prompted()", chunk=20))) == 100


def test_content_that_a_filter_stops_does_not_stop_the_run(job: Job, tmp_path: Path) -> None:
    stopped = Completion("", finish_reason="refused", refusal="the server's filter stopped it")
    job = Job(job.schema, Scripted(lambda prompt: bolt(prompt) if number(prompt) > 40 else stopped), job.strategy)
    with Journal(tmp_path / "j", job.identity()) as journal:
        assert sum(process(rows_of(TEXTS), job, journal, local(4)).counts.values()) == 100


@pytest.mark.parametrize("keeps", [True, False])
def test_texts_that_are_all_refused_raise(tmp_path: Path, keeps: bool) -> None:
    journal = tmp_path / "j" if keeps else None
    with pytest.raises(NoModelError, match="refused 10 records"):
        list(extract_many(TEXTS, Bolt, Scripted(refusing), "Prompted()", journal=journal))
    assert len(list(extract_many(TEXTS[:9], Bolt, Scripted(refusing), "Prompted()"))) == 9
    if keeps:
        assert all(r.attempts for r in extract_many(TEXTS, Bolt, Scripted(bolt), "Prompted()", journal=journal))


def test_a_bench_stops_too_and_asks_again(tmp_path: Path) -> None:
    rows = [{"text": text, "expected": {"kind": "hex", "size_mm": n}} for n, text in enumerate(TEXTS, 1)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = Dataset.load(tmp_path / "d.jsonl", Schema.of(Bolt))
    with pytest.raises(NoModelError, match="bad temperature") as caught:
        evaluate(Prompted(), Scripted(refusing), dataset, log=tmp_path / "log.jsonl")
    assert "run the same again" in caught.value.hint
    report = evaluate(Prompted(), Scripted(bolt), dataset, log=tmp_path / "log.jsonl")
    assert sum(one.ok for one in report.outcomes) == 86


def test_the_first_reason_is_told_with_the_last(job: Job, tmp_path: Path) -> None:
    class Down:
        name = "down"

        def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
            raise ModelError("loading" if number(prompts[0]) == 1 else "gone")

    job = Job(job.schema, Down(), job.strategy)
    with Journal(tmp_path / "j", job.identity()) as journal, pytest.raises(ModelError) as caught:
        process(rows_of(TEXTS), job, journal, local(4))
    assert "first: loading, last: gone" in caught.value.message


INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
COMMAND = INTERRUPTIBLE + "from structout.cli import main; main()"
PROGRAM = f"""{INTERRUPTIBLE}
import json, sys
from structout import extract_many
from tests.bolt import Bolt
rows = [json.loads(line)["text"] for line in open(sys.argv[1])]
print(len(list(extract_many(rows, Bolt, sys.argv[2], "Constrained()", journal=sys.argv[3]))))
"""


def interrupted(proxy: Proxy, answered: int, program: str, *words: str | Path) -> tuple[int, str]:
    """The exit code and stderr of a program that is interrupted once the server no longer answers."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while len(proxy.requests) <= answered and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    return process.returncode, error


@pytest.mark.parametrize(("fault", "answered"), [("429", 10), ("hang", 10), ("hang", 0)])
def test_ctrl_c_ends_a_run_that_waits_for_a_server(
    proxy: Proxy, bolts: Callable[[int], Path], tmp_path: Path, shell: Shell, fault: Fault, answered: int
) -> None:
    proxy.faults = dict.fromkeys(range(answered, 1000), fault)
    model = f"openai:m@{proxy.url}" + ("#json_schema" if answered else "")  # without a dialect, the probe waits
    way = ["--strategy", "Constrained()"]
    words: list[str | Path] = [
        "run",
        "-s",
        BOLT,
        bolts(80),
        "-o",
        tmp_path / "o.jsonl",
        "-m",
        model,
        *way,
        "--chunk",
        "64",
    ]
    code, error = interrupted(proxy, answered, COMMAND, *words)
    assert (code, "interrupted" in error, "Traceback" in error) == (130, True, False)
    sent, proxy.faults = len(proxy.requests), {}
    assert shell(*words).returncode == 0
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 80
    assert len(proxy.requests) - sent == (80 - answered if answered else 81)


def test_ctrl_c_ends_a_bench_and_a_program_too(
    proxy: Proxy, bolts: Callable[[int], Path], tmp_path: Path, shell: Shell
) -> None:
    model = f"openai:m@{proxy.url}#json_schema"
    proxy.faults = dict.fromkeys(range(10, 1000), "429")
    code, error = interrupted(proxy, 10, PROGRAM, bolts(80), model, tmp_path / "j")
    assert (code, "KeyboardInterrupt" in error) == (-signal.SIGINT, True)
    sent, proxy.faults = len(proxy.requests), {}
    texts = [json.loads(line)["text"] for line in (tmp_path / "bolts.jsonl").read_text().splitlines()]
    assert all(result.ok for result in extract_many(texts, Bolt, model, "Constrained()", journal=tmp_path / "j"))
    assert len(proxy.requests) - sent == 70
    rows = [{"text": text, "expected": {"kind": "hex", "size_mm": n}} for n, text in enumerate(texts[:20], 1)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    proxy.requests.clear()
    proxy.faults = dict.fromkeys(range(10, 1000), "429")
    words: list[str | Path] = [
        "bench",
        tmp_path / "d.jsonl",
        "-s",
        BOLT,
        "--split",
        "all",
        "-m",
        model,
        *WAY,
        "--log",
        tmp_path / "log.jsonl",
    ]
    code, error = interrupted(proxy, 10, COMMAND, *words)
    assert (code, "interrupted" in error) == (130, True)
    sent, proxy.faults = len(proxy.requests), {}
    assert shell(*words).returncode == 0
    assert len(proxy.requests) - sent == 10
