"""The client against real servers on loopback: one that heeds a constraint, one that ignores it without a word."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from structout import Constrained, Message, Prompt, Reask, Repair, Sampling, Schema
from structout.models.embedded import embedded_folder
from structout.models.openai.client import OpenAIModel
from structout.models.retries import Patience
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.tables.rows import rows_of
from tests.bolt import Bolt
from tests.conftest import ROOT
from tests.models.openai.servers import Fault, Proxy, free_port, serving, wait_for

SCHEMA = Schema.of(Bolt)
SLOW = Patience(timeout=120, attempts=8)


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """The address of llama.cpp's server with the embedded model."""
    command = [sys.executable, "-m", "benchmarks.pipeline.llama_server", "2"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http")
    yield f"{address}/v1"
    process.stdin.close()
    process.stdout.close()
    process.terminate()
    process.wait(30)


def test_a_server_that_heeds_the_constraint(llama: str) -> None:
    model = OpenAIModel("m", llama, logprobs=True, patience=SLOW)
    assert model.dialect == "json_schema"
    prompts = [
        Prompt((Message("user", f"Describe a hex bolt, {n} mm, brûlé 🔩, as JSON."),), Sampling(max_tokens=60), SCHEMA)
        for n in (6, 8)
    ]
    for answer in model.complete(prompts):
        assert answer.finish_reason == "length" or SCHEMA.check_text(answer.text).ok
        assert answer.text.startswith("{")
        assert answer.usage.output_tokens > 5
        assert answer.logprobs is not None
        assert answer.ends is not None
        assert answer.ends[-1] == len(answer.text.encode())
        assert answer.mean_value_logprob is not None


def test_a_run_through_a_faulty_proxy_to_it(llama: str, tmp_path: Path) -> None:
    upstream = openai.OpenAI(api_key="none", base_url=llama)

    def forward(body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = upstream.chat.completions.with_raw_response.create(
            model="m", messages=body.pop("messages"), extra_body=body
        ).http_response.json()
        return answer

    faults: dict[int, Fault] = dict(enumerate(("500", "429", "reset", "truncated", "html", "page"), 2))
    with serving(Proxy(forward, faults)) as proxy:
        model = OpenAIModel("m", proxy.url, in_flight=2, patience=SLOW)
        job = Job(SCHEMA, model, Reask(Repair(Constrained(show="none"))), sampling=Sampling(max_tokens=40))
        with Journal(tmp_path / "j", job.identity()) as journal:
            process(rows_of(f"hex bolt, {n} mm" for n in range(6)), job, journal, local(3))
            outcomes = [journal.outcome(place) for place in range(6)]
            spent = journal.spent()[model.name]
    assert [outcome.key for outcome in outcomes] == [1, 2, 3, 4, 5, 6]
    assert [outcome.issues for outcome in outcomes if outcome.status == "error"] == []
    assert all(outcome.status in ("valid", "truncated") for outcome in outcomes)
    assert spent.calls == 1 + sum(len(outcome.attempts) for outcome in outcomes)  # the probe
    assert len(proxy.requests) == spent.calls + len(faults)


def test_a_server_that_ignores_the_constraint_is_found_out() -> None:
    port = free_port()
    folder = str(embedded_folder())
    program = "from transformers.cli.transformers import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", folder, "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_for(port, 300)
        model = OpenAIModel(folder, f"http://127.0.0.1:{port}/v1", patience=SLOW)
        with pytest.warns(match="ignores constraints"):
            (answer,) = model.complete([Prompt((Message("user", "Say hello."),), Sampling(max_tokens=8), SCHEMA)])
        assert model.dialect == "none"
        assert answer.text
        assert not SCHEMA.check_text(answer.text).ok
    finally:
        process.terminate()
        process.wait(30)
