import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from structout import Message, ModelError, Prompt, Sampling, Scripted, Usage
from structout.models.wrappers.traced import Traced
from structout.pipeline.progress import Tally, clock
from tests.bolt import BOLT
from tests.conftest import ROOT, needs


def tally() -> Tally:
    spent = {'a "b"\n': Usage(calls=3, input_tokens=100, output_tokens=20, seconds=1.5)}
    return Tally(200, 100, 50, Counter(valid=80, repaired=10, invalid=10), spent, 0.25)


def test_a_line_says_how_far_how_fast_how_good_and_how_dear() -> None:
    line = tally().line()
    assert line.startswith("100/200 rows, ")
    for part in (" rows/s, ETA ", "yield 90.0 %", "120 tokens", "$0.2500"):
        assert part in line
    assert "cost unknown" in Tally(None, 1).line()
    assert "yield –" in Tally().line()
    assert clock(3 * 3600 + 62.4) == "3:01:02"


def test_the_numbers_for_machines() -> None:
    found = tally().to_json()
    assert (found["rows"], found["accepted"], found["quarantined"], found["calls"]) == (100, 90, 10, 3)
    assert found["remaining_seconds"] > 0
    assert Tally().to_json()["cost_usd"] is None


def test_prometheus_text_is_well_formed() -> None:
    text = tally().prometheus()
    line = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="(?:[^"\\\n]|\\["\\n])*"\})? [0-9.e+-]+')
    assert all(line.fullmatch(one) for one in text.strip("\n").split("\n"))
    assert 'structout_rows_total{status="valid"} 80' in text
    assert r'structout_input_tokens_total{model="a \"b\"\n"} 100' in text
    assert "structout_cost_usd_total 0.25" in text
    assert "cost" not in Tally().prometheus()


@needs("opentelemetry")
def test_a_span_for_each_completion_without_a_word_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    model = Traced(Scripted({"secret": "hidden"}))
    prompt = Prompt((Message("user", "secret"),), Sampling(max_tokens=7))
    assert [one.text for one in model.complete([prompt, prompt])] == ["hidden", "hidden"]
    with pytest.raises(ModelError):
        model.complete([Prompt((Message("user", "other"),))])
    first, second, failed = exporter.get_finished_spans()
    assert (first.name, second.name) == ("chat scripted", "chat scripted")
    about = dict(first.attributes or {})
    assert about["gen_ai.operation.name"] == "chat"
    assert (about["gen_ai.usage.input_tokens"], about["gen_ai.usage.output_tokens"]) == (1, 1)
    assert about["gen_ai.request.max_tokens"] == 7
    assert dict(failed.attributes or {})["error.type"] == "ModelError"
    assert "secret" not in str(about)
    assert "hidden" not in str(about)


@needs("opentelemetry")
@pytest.mark.parametrize("heard", [True, False])
def test_spans_that_would_go_nowhere_are_warned_of(tmp_path: Path, bolts: Callable[[int], Path], heard: bool) -> None:
    (tmp_path / "script.json").write_text('"no"')
    program = "from opentelemetry import trace; from opentelemetry.sdk.trace import TracerProvider;"
    program += "trace.set_tracer_provider(TracerProvider());" if heard else ""
    words = ["run", "-s", BOLT, "-i", str(bolts(2)), "-o", str(tmp_path / "o.jsonl"), "--telemetry"]
    words += ["--model", f"scripted:{tmp_path / 'script.json'}"]
    done = subprocess.run(
        [sys.executable, "-c", f"{program} from structout.cli import main; main()", *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("opentelemetry-instrument")) == (1, 0 if heard else 1)
