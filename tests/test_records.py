"""The one codec: what is written reads back, older forms are read, and anything else is refused."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout import (
    Attempt,
    Completion,
    DataError,
    Edit,
    Issue,
    Message,
    ModelError,
    OtherRunError,
    Prompt,
    Prompted,
    Sampling,
    Schema,
    Scripted,
    Usage,
    evaluate,
    extract_many,
)
from structout.evaluation import read_log
from structout.models import Strict
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import COPY, add, connect
from structout.records import (
    VERSION,
    attempt_json,
    attempt_of,
    completion_of,
    edit_json,
    edit_of,
    issue_json,
    issue_of,
)
from tests.bolt import Bolt
from tests.evaluation.test_metrics import bolts

SCHEMA: Schema[Any] = Schema.of(Bolt)
COUNTS = st.integers(0, 2**40)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, st.floats(0, 1e9), passes=st.floats(0, 1e6))
TOKENS = st.lists(st.tuples(st.floats(-50, 0), st.booleans(), COUNTS), max_size=4)


@st.composite
def completions(draw: st.DrawFn) -> Completion:
    tokens = draw(TOKENS)
    logprobs, values, ends = zip(*tokens, strict=True) if tokens else ((), (), ())
    return Completion(
        draw(st.text()),
        draw(USAGES),
        draw(st.sampled_from(["stop", "length", "refused", "stuck"])),
        logprobs=draw(st.sampled_from([None, logprobs])),
        steered=tuple(draw(st.lists(st.tuples(COUNTS, COUNTS), max_size=2))),
        refusal=draw(st.text(max_size=5)),
        values=draw(st.sampled_from([None, values])),
        ends=draw(st.sampled_from([None, ends])),
    )


PROMPTS = st.builds(
    Prompt,
    st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text()), max_size=2).map(tuple),
    st.builds(Sampling, temperature=st.floats(0, 2), stop=st.lists(st.text(min_size=1), max_size=2).map(tuple)),
    st.sampled_from([None, SCHEMA]),
    st.integers(0, 9),
)


@given(st.text(), PROMPTS, completions())
def test_a_call_reads_back_as_it_was_written(model: str, prompt: Prompt, completion: Completion) -> None:
    attempt = Attempt(model, prompt, completion)
    row = json.loads(json.dumps(attempt_json(attempt)))
    assert attempt_of(row, SCHEMA) == attempt
    assert row["key"] == prompt.key()
    assert json.loads(json.dumps(attempt_json(attempt_of(row, SCHEMA)))) == row


def test_the_forms_of_version_1_are_read() -> None:
    of_a_journal = {"text": "a", "finish_reason": "stop", "usage": {"calls": 1}, "logprobs": [-1.0], "values": [True]}
    of_a_log = {**of_a_journal, "values": "1", "steered": 3, "ends": None, "refusal": "", "mean_logprob": -1.0}
    assert completion_of(of_a_journal) == Completion("a", Usage(1), logprobs=(-1.0,), values=(True,))
    assert completion_of(of_a_log) == Completion("a", Usage(1), logprobs=(-1.0,), values=(True,), steered=((0, 0),))
    assert issue_of(["/a", "type", "m"]) == issue_of(issue_json(Issue("/a", "type", "m"))) == Issue("/a", "type", "m")
    edit = Edit("quotes", "lossless", 3, "'", '"')
    assert edit_of(list(edit)) == edit_of(edit_json(edit)) == edit


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "text",
        {},
        {"text": 3, "finish_reason": "stop", "usage": {}},
        {"text": "", "finish_reason": "done", "usage": {}},
        {"text": "", "finish_reason": "stop", "usage": {"calls": -1}},
        {"text": "", "finish_reason": "stop", "usage": {"calls": "1"}},
        {"text": "", "finish_reason": "stop", "usage": {"cals": 1}},
        {"text": "", "finish_reason": "stop", "usage": {}, "logprobs": [1.0]},
        {"text": "", "finish_reason": "stop", "usage": {}, "values": [2]},
        {"text": "", "finish_reason": "stop", "usage": {}, "steered": [[1]]},
    ],
)
def test_what_cannot_be_an_answer_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError):
        completion_of(wrong)


class Odd:
    """A model that answers with one completion, whatever it is."""

    name = "odd"

    def __init__(self, completion: Any) -> None:
        self.completion = completion

    def complete(self, prompts: Any) -> list[Any]:
        return [self.completion for _ in prompts]


GOOD = '{"kind": "hex", "size_mm": 6}'


def test_numbers_of_numpy_are_written_as_plain_numbers(tmp_path: Path) -> None:
    tokens = np.array([-0.5, -0.1], dtype=np.float32)
    usage = Usage(calls=np.int64(1), output_tokens=np.int32(2), seconds=np.float32(0.5))  # type: ignore[arg-type]
    odd = Odd(
        Completion(GOOD, usage, logprobs=tuple(tokens), values=tuple(tokens > -0.2), ends=tuple(np.array([3, 9])))
    )
    data = bolts("a", "b")
    report = evaluate([Prompted()], odd, data, log=tmp_path / "log.jsonl")
    assert read_log(tmp_path / "log.jsonl").rows() == report.rows()
    for _ in range(2):
        (result,) = extract_many(["hex"], Bolt, odd, "Prompted()", journal=tmp_path / "journal")
        assert (result.ok, result.usage.output_tokens) == (True, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        Completion(GOOD, refusal=None),  # type: ignore[arg-type]
        Completion(GOOD, steered=((1, 2, 3),)),  # type: ignore[arg-type]
        Completion(GOOD, steered=(("a", "b"),)),  # type: ignore[arg-type]
        Completion(GOOD, logprobs=(-1.0,), ends=(-2,)),
        Completion(GOOD, logprobs=(-1.0,), ends=("3",)),  # type: ignore[arg-type]
        Completion(GOOD, values=(True,)),
        Completion(GOOD, Usage(seconds=float("inf"))),
    ],
)
def test_a_malformed_completion_never_reaches_a_log(wrong: Completion, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        Strict(Odd(wrong)).complete([Prompt(())])
    data = bolts("a", "b")
    with pytest.raises(ModelError):
        evaluate([Prompted()], Odd(wrong), data, log=tmp_path / "log.jsonl")
    assert read_log(tmp_path / "log.jsonl").outcomes == ()


def test_what_a_later_version_wrote_is_refused_in_one_sentence(tmp_path: Path) -> None:
    log, place = tmp_path / "log.jsonl", tmp_path / "journal"
    evaluate([Prompted()], Scripted(GOOD), bolts("a", "b"), log=log)
    log.write_text(log.read_text().replace('"log": 3', '"log": 4'))
    with pytest.raises(DataError, match=r"line 1 of the log .* has version 4, expected at most 3"):
        read_log(log)
    before = log.read_text()
    with pytest.raises(DataError, match="has version 4"):
        evaluate([Prompted()], Scripted(GOOD), bolts("c"), log=log)
    assert log.read_text() == before
    with Journal(place, {"schema": "a"}):
        pass
    with closing(connect(str(place))) as db:
        for name in ("codec", "codec" + COPY):
            db.execute(add("about"), [name, json.dumps({"version": str(VERSION + 1)})])
    with pytest.raises(OtherRunError, match="written by a later version"):
        Journal(place, {"schema": "a"})
    with closing(sqlite3.connect(place)) as db:
        assert db.execute("SELECT count(*) FROM about").fetchone() > (0,), "it is left as it was"
