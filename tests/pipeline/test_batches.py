"""`structout run` with models that work in batches, against the protocols of three providers."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.emulated import Reply
from structout.errors import ModelError, StructoutError
from structout.pipeline.extraction import extract_many
from structout.pipeline.status import read_status
from tests.bolt import BOLT, Bolt
from tests.conftest import ROOT, needs
from tests.pipeline.batch_places import CHUNK, COUNT, HOSTS, Desk, Parent, Place, placed
from tests.pipeline.conftest import rows

pytestmark = needs("pydantic_ai", "anthropic", "openai", "google")
KILLS = int(os.environ.get("STRUCTOUT_KILLS", "3"))  # for each provider; 20 take about a minute


@pytest.fixture(scope="module")
def parent() -> Iterator[Parent]:
    found = Parent()
    yield found
    found.close()


@pytest.fixture
def anthropic(tmp_path: Path, parent: Parent) -> Iterator[Place]:
    with placed("anthropic", tmp_path, parent) as found:
        yield found


@pytest.mark.parametrize("host", HOSTS)
def test_killed_at_random_moments_it_pays_for_each_row_once(host: str, tmp_path: Path, parent: Parent) -> None:
    dice = random.Random(3)
    killed = doubts = 0
    with placed(host, tmp_path, parent) as place:
        desk, words = place.desk, place.words()
        began = time.monotonic()
        code, said = place.run(*words)
        assert code == 0, said
        took = time.monotonic() - began
        expected = place.output.read_bytes()
        once = Counter(key for keys in desk.jobs().values() for key in keys)
        assert set(once.values()) == {1}
        assert len(once) == COUNT + COUNT // 7
        desk.pause = 0.2
        while killed < KILLS:
            for file in tmp_path.glob("out.jsonl*"):
                file.unlink()
            desk.made.clear()
            desk.inner.batches.clear()
            more: list[object] = []
            code = -signal.SIGKILL
            while code in (-signal.SIGKILL, 3):
                process = place.start(*words, *more)
                if killed < KILLS:
                    time.sleep(dice.uniform(0.2, 1) * took)
                    with suppress(ProcessLookupError):  # it is done
                        os.kill(process, signal.SIGKILL)
                code, said = place.end()
                killed += code == -signal.SIGKILL
                more = []
                if code == 3:
                    more = decided(desk, said)
                    doubts += 1
            assert code == 0, said
            assert place.output.read_bytes() == expected
            assert Counter(key for keys in desk.jobs().values() for key in keys) == once
            assert read_status(place.journal)["waiting"] == []
    print(f"{host}: {killed} kills, {doubts} in doubt, {took:.1f} s a run")


def decided(desk: Desk, said: str) -> list[object]:
    """What the user does who is told which job to look for."""
    (custom_id,) = re.findall(r"custom id (\w+)", said) or pytest.fail(said)
    desk.jobs()
    found = [name for name, asked in desk.made.items() if custom_id in asked]
    return ["--batch-adopt", found[0]] if found else ["--batch-resubmit"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_while_it_submits_says_what_to_look_for_and_bills_nothing_twice(
    moment: str, anthropic: Place
) -> None:
    desk, words = anthropic.desk, anthropic.words(count=10, chunk=10)
    desk.stop_at = moment
    process = anthropic.start(*words)
    assert desk.reached.wait(20)
    os.kill(process, signal.SIGKILL)
    assert anthropic.end()[0] == -signal.SIGKILL
    desk.stop_at = ""
    desk.go.set()
    for _ in range(2):  # asking again does not help
        code, said = anthropic.run(*words)
        assert code == 3, said
        assert "it is unknown whether anthropic has a job of 10 requests" in said
        assert "add --batch-adopt JOB if there is such a job, otherwise --batch-resubmit" in said
    (waiting,) = read_status(anthropic.journal)["waiting"]
    assert (waiting["job"], waiting["rows"], waiting["provider"]) == ("", 10, "anthropic")
    code, said = anthropic.run(*words, *decided(desk, said))
    assert code == 0, said
    assert len(rows(anthropic.output)) == 10
    keys = Counter(key for keys in desk.jobs().values() for key in keys)
    assert set(keys.values()) == {1}
    code, said = anthropic.run(*words, "--batch-resubmit")
    assert code == 2
    assert "has no batch in doubt" in said


def test_a_job_that_has_other_requests_is_not_adopted(anthropic: Place) -> None:
    desk, words = anthropic.desk, anthropic.words(count=10, chunk=10)
    desk.stop_at = "after"
    process = anthropic.start(*words)
    assert desk.reached.wait(20)
    os.kill(process, signal.SIGKILL)
    anthropic.end()
    desk.stop_at = ""
    desk.go.set()
    (made,) = desk.jobs()
    other = {"custom_id": "x", "params": {}}
    expired = {"custom_id": "x", "result": {"type": "expired"}}
    for name, count, results in (("other", 10, [expired] * 10), ("empty", 10, []), ("small", 2, None)):
        desk.inner.batches[name] = {"id": name, "requests": [other] * count, "results": results, "looks": -99}
    for job, reason in (
        ("other", "job other has no answer to any of these requests"),
        ("empty", "job empty has 0 requests, and not 10"),
        ("small", "job small has 2 requests, and not 10"),
        ("none", "anthropic does not know job none"),
    ):
        code, said = anthropic.run(*words, "--batch-adopt", job)
        assert (code, reason in said) == (3, True), said
    code, said = anthropic.run(*words, "--batch-adopt", made)
    assert code == 0, said
    assert set(desk.jobs()) == {made, "other", "empty", "small", "msgbatch_2"}  # the last has a second question


def test_an_interrupt_ends_the_wait_and_the_same_command_collects(anthropic: Place) -> None:
    desk, words = anthropic.desk, anthropic.words()
    desk.inner.polls = 10**6
    process = anthropic.start(*words)
    wait_for(lambda: len(desk.made) == 2)
    waiting = {"msgbatch_1", "msgbatch_2"}
    wait_for(lambda: {one["job"] for one in read_status(anthropic.journal)["waiting"]} == waiting)
    assert read_status(anthropic.journal)["running"]
    began = time.monotonic()
    os.kill(process, signal.SIGINT)
    code, said = anthropic.end()
    assert code == 130, said
    assert time.monotonic() - began < 5
    assert "waiting for job msgbatch_1 of anthropic: 8 requests, submitted at" in said
    screen = subprocess.run(
        [sys.executable, "-m", "structout", "status", str(anthropic.journal)], cwd=ROOT, capture_output=True, text=True
    )
    assert "msgbatch_2" in screen.stdout
    desk.inner.polls = 0
    code, said = anthropic.run(*words, "--limit", "8")
    assert "8 requests of earlier runs that this run did not need" in said
    code, said = anthropic.run(*words)
    assert code == 0, said
    assert len(rows(anthropic.output)) == COUNT
    assert set(Counter(key for keys in desk.jobs().values() for key in keys).values()) == {1}


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while True:
        with suppress(StructoutError):
            if condition():
                return
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("host", HOSTS)
def test_failed_and_expired_rows_go_into_the_next_wave(host: str, tmp_path: Path, parent: Parent) -> None:
    fates: dict[str, list[str]] = {}

    def fate(prompt: str) -> Any:
        """Of three rows, one expires and one fails at first; one row always fails."""
        number = len(fates)
        left = fates.setdefault(prompt, [["expired"], ["errored"], []][number % 3] if number else ["errored"] * 99)
        return left.pop(0) if left else "succeeded"

    with placed(host, tmp_path, parent, fate=fate) as place:
        words = place.words(count=6, chunk=6)
        code, said = place.run(*words)
        assert code == 3, said
        assert "the model failed on 1 row" in said
        assert "run the same command again to retry these rows" in said
        assert len(rows(place.output)) == 5
        (failed,) = rows(tmp_path / "out.jsonl.quarantine.jsonl")
        assert "left 1 of 6 requests unanswered" in failed["issues"][0]["message"]
        sizes = [len(keys) for keys in place.desk.jobs().values()]
        assert sizes == [6, 4, 1]
        fates[next(iter(fates))].clear()
        code, said = place.run(*words)
        assert code == 0, said
        assert [len(keys) for keys in place.desk.jobs().values()] == [6, 4, 1, 1]


def test_extract_many_raises_for_what_is_left_unanswered_and_goes_on(
    tmp_path: Path, parent: Parent, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails: list[str] = []

    def fate(prompt: str) -> Any:
        fails[:] = fails or [prompt]
        return "errored" if prompt in fails else "succeeded"

    monkeypatch.setattr("structout.models.providers.jobs.FIRST", 0.01)
    with placed("anthropic", tmp_path, parent, fate=fate) as place:
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)

        def extracted() -> list[float]:
            texts = [f"{number} mm bolt" for number in range(1, 5)]
            model = "anthropic:claude-sonnet-4-5#batch"
            found = extract_many(texts, Bolt, model, "Prompted()", journal=place.journal)
            return [result.value.size_mm for result in found if result.value is not None]

        with pytest.raises(ModelError, match="left 1 of 4 requests unanswered"):
            extracted()
        fails[:] = ["nothing"]
        assert extracted() == [1, 2, 3, 4]
        assert [len(keys) for keys in place.desk.jobs().values()] == [4, 1, 1, 1]


def test_a_key_that_the_provider_rejects_stops_the_run(anthropic: Place) -> None:
    anthropic.desk.refuse = Reply({"type": "error", "error": {"type": "authentication_error", "message": "no"}}, 401)
    code, said = anthropic.run(*anthropic.words())
    assert code == 2, said
    assert "rejects the key" in said
    assert read_status(anthropic.journal)["waiting"] == []


def test_a_server_error_leaves_the_submission_in_doubt(anthropic: Place) -> None:
    anthropic.desk.refuse = Reply({"type": "error", "error": {"type": "api_error", "message": "oops"}}, 500)
    words = anthropic.words(count=8)
    code, said = anthropic.run(*words)
    assert code == 3, said
    assert "it is unknown whether the submission of 8 requests arrived" in said
    anthropic.desk.refuse = None
    code, said = anthropic.run(*words)
    assert (code, decided(anthropic.desk, said)) == (3, ["--batch-resubmit"])
    code, said = anthropic.run(*words, "--batch-resubmit")
    assert code == 0, said


def test_an_upload_that_fails_leaves_nothing_in_doubt(tmp_path: Path, parent: Parent) -> None:
    with placed("openai", tmp_path, parent) as place:
        place.desk.refuse, place.desk.refuse_at = Reply({"error": {"message": "oops"}}, 500), ("/files",)
        code, said = place.run(*place.words(count=2))
        assert code == 3, said
        assert "takes no batch: HTTP 500: oops" in said
        place.desk.refuse = None
        code, said = place.run(*place.words(count=2))
        assert code == 0, said


def test_a_budget_counts_what_is_submitted_before_any_answer_is_known(anthropic: Place) -> None:
    words = [*anthropic.words(), "--max-tokens", "100", "--budget-tokens"]
    code, said = anthropic.run(*words, "1500")
    assert code == 3, said
    assert "--budget-tokens" in said
    first = next(iter(anthropic.desk.jobs().values()))
    assert len(first) < CHUNK
    assert anthropic.desk.log.input_tokens + anthropic.desk.log.output_tokens <= 1500
    code, said = anthropic.run(*words, "100000")
    assert code == 0, said


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["run", "--no-cache"], "invalid --no-cache"),
        (["run", "--engine", "ray"], "invalid engine"),
        (["extract"], "needs a journal"),
    ],
)
def test_a_batch_needs_a_ledger(words: list[str], problem: str, anthropic: Place) -> None:
    common = ["--schema", BOLT, "--model", "anthropic:claude-sonnet-4-5#batch"]
    (anthropic.folder / "t.txt").write_text("3 mm bolt")
    source = (
        ["-i", anthropic.folder / "t.txt", "-o", anthropic.output]
        if words[0] == "run"
        else [anthropic.folder / "t.txt"]
    )
    code, said = anthropic.run(words[0], *source, *words[1:], *common)
    assert (code, problem in said) == (2, True), said
    assert not Path("structout.journal").exists()
    assert anthropic.desk.jobs() == {}
