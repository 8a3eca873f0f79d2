"""Models that work in batches: what goes into which wave, and what is kept of it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.batch import Batch, BatchResult
from pydantic_ai.models.function import AgentInfo, FunctionModel

from structout.completion import Completion, Prompt, Usage
from structout.errors import BatchError, NoModelError, SpecError, StructoutWarning
from structout.halt import Halt, HaltedError, started
from structout.models import LazyModel, load_model
from structout.models.base import PartialAnswerError
from structout.models.lazy import identity
from structout.models.ledger import Wave, with_ledger
from structout.models.providers import batch, jobs
from structout.models.providers.batch import BatchModel, _Asked
from structout.models.providers.hosted import from_pydantic_ai
from structout.models.wrappers.strict import Strict
from tests.models.providers.asking import NATIVE, READ, WROTE, ask, bolt, said

SCHEMA_REFUSED = ModelHTTPError(400, "m", {"error": {"message": "Invalid schema for response_format"}})
Answers = Callable[[AgentInfo, int], ModelResponse]


class Book:
    """A ledger in memory, which keeps what was submitted and collected."""

    def __init__(self) -> None:
        self.open: dict[str, Wave] = {}
        self.submissions: list[tuple[str, ...]] = []
        self.answers: dict[str, Completion] = {}
        self.usage = Usage()

    def waves(self) -> list[Wave]:
        return list(self.open.values())

    def intend(self, wave: Wave) -> None:
        self.open[wave.id] = wave

    def submitted(self, wave: Wave, job: str) -> None:
        self.submissions.append(wave.keys)
        self.open[wave.id] = replace(self.open[wave.id], job=job)

    def collected(self, wave: Wave, answers: Mapping[str, Completion], failed: Mapping[str, Usage]) -> None:
        self.answers |= answers
        self.usage = sum((*(one.usage for one in answers.values()), *failed.values()), self.usage)
        left = tuple(key for key in self.open[wave.id].keys if key not in answers and key not in failed)
        self.open[wave.id] = replace(self.open[wave.id], keys=left)
        if not left:
            del self.open[wave.id]

    def has_answered(self) -> bool:
        return self.usage.output_tokens > 0


class Desk(FunctionModel):
    """A provider whose batches hold `most` requests. If it is `canceled`, somebody canceled all of them."""

    most = 100
    canceled = False

    @property
    def batch_max_requests(self) -> int | None:
        return self.most

    async def batch_results(self, batch: Batch) -> list[BatchResult]:
        found = await super().batch_results(batch)
        return [BatchResult(custom_id=one.custom_id, status="canceled") for one in found] if self.canceled else found


def model(answer: Answers | None = None) -> tuple[BatchModel, Book, Desk]:
    """A model, its ledger, and its provider. `answer` takes the request and its number."""
    count = 0

    def function(_: Any, info: AgentInfo) -> ModelResponse:
        nonlocal count
        count += 1
        return answer(info, count - 1) if answer else bolt(info)

    desk, book = Desk(function, model_name="m", profile=NATIVE), Book()
    return BatchModel(from_pydantic_ai(desk), book), book, desk


def prompts(count: int) -> list[Prompt]:
    return [ask(f"{number} bolts") for number in range(count)]


def test_a_wave_is_one_job_and_the_ledger_keeps_its_answers() -> None:
    asked, book, _ = model()
    given = prompts(3)
    answers = asked.complete([*given, given[0]])
    assert [len(keys) for keys in book.submissions] == [3]
    assert book.waves() == []
    assert [book.answers[prompt.key()] for prompt in [*given, given[0]]] == answers
    assert (book.usage.input_tokens, book.usage.output_tokens) == (3 * READ, 3 * WROTE)


def test_a_wave_beyond_the_limits_of_the_provider_is_several_jobs() -> None:
    asked, book, desk = model()
    desk.most = 2
    assert len(asked.complete(prompts(5))) == 5
    assert [len(keys) for keys in book.submissions] == [2, 2, 1]


def test_another_call_collects_what_an_earlier_one_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, book, _ = model()
    given = prompts(3)

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("structout.models.providers.batch.results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            asked.complete(given)
    asked.complete(given[1:])
    (left,) = book.waves()
    assert left.keys == (given[0].key(),)  # whoever asks for it finds it
    asked.complete(given)
    assert book.waves() == []
    assert [len(keys) for keys in book.submissions] == [3, 2]  # only what a caller had collected before


def test_an_answer_that_cannot_be_used_is_charged_and_asked_again() -> None:
    asked, book, _ = model(lambda info, number: said(TextPart("x"), finish=None) if number == 0 else bolt(info))
    assert len(asked.complete(prompts(2))) == 2
    assert [len(keys) for keys in book.submissions] == [2, 1]
    assert book.usage.input_tokens == 3 * READ


def test_a_request_that_is_never_answered_is_submitted_three_times() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if number in (0, 2, 3):
            raise ModelHTTPError(529, "m", {"error": {"message": "Overloaded"}})
        return bolt(info)

    asked, book, _ = model(answer)
    with pytest.raises(PartialAnswerError, match=r"1 of 2 requests unanswered.*Overloaded") as partial:
        asked.complete(prompts(2))
    assert [answer is None for answer in partial.value.completions] == [True, False]
    assert [len(keys) for keys in book.submissions] == [2, 1, 1]
    assert book.waves() == []


def test_a_request_that_the_provider_rejects_is_refused() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if number == 1:
            raise ModelHTTPError(400, "m", {"error": {"message": "prompt is too long"}})
        return bolt(info)

    asked, book, _ = model(answer)
    refused = asked.complete(prompts(3))[1]
    assert (refused.finish_reason, "prompt is too long" in refused.refusal) == ("refused", True)
    assert len(book.submissions) == 1


@pytest.mark.parametrize("status", [400, 402, 401])
def test_a_fault_of_all_requests_ends_the_run(status: int) -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        raise ModelHTTPError(status, "m", {"error": {"message": "no such thing"}})

    asked, book, _ = model(answer)
    with pytest.raises(BatchError, match="no such thing"):
        asked.complete(prompts(3))
    assert len(book.submissions) == 1
    assert (book.answers, book.waves()) == ({}, [])


def test_a_schema_that_the_provider_rejects_is_held_in_the_next_weaker_way() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if not info.output_tools:
            raise SCHEMA_REFUSED
        return bolt(info)

    asked, book, _ = model(answer)
    with pytest.warns(StructoutWarning, match="so it is held by a tool call: .*Invalid schema"):
        answers = asked.complete(prompts(3))
    assert {one.version for one in answers} == {"m tool"}
    assert [len(keys) for keys in book.submissions] == [3, 3]
    asked.complete([ask("others")])
    assert len(book.submissions) == 3


def test_a_weaker_way_is_used_once_it_has_worked(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if not info.output_tools:
            raise SCHEMA_REFUSED
        return bolt(info)

    asked, book, desk = model(answer)
    found, looks = jobs.results, [0]

    def killed(*given: Any) -> Any:
        looks[0] += 1
        if looks[0] == 2:
            raise KeyboardInterrupt
        return found(*given)

    with monkeypatch.context() as patched:
        patched.setattr(batch, "results", killed)
        with pytest.raises(KeyboardInterrupt):
            asked.complete(prompts(2))
    assert [wave.way for wave in book.waves()] == ["tool"]
    answers = BatchModel(from_pydantic_ai(desk), book).complete(prompts(2))  # another process
    assert {one.version for one in answers} == {"m tool"}
    assert [len(keys) for keys in book.submissions] == [2, 2]


def test_the_ids_of_requests_belong_to_one_wave() -> None:
    asked, book, desk = model()
    with_job: dict[str, Wave] = {}
    intend = book.intend

    def kept(wave: Wave) -> None:
        intend(wave)
        with_job[wave.id] = wave

    book.intend = kept  # type: ignore[method-assign]
    asked.complete(prompts(2))
    BatchModel(from_pydantic_ai(desk), book).complete(prompts(2))
    one, other = with_job.values()
    assert one.keys == other.keys
    assert {one.custom_id(key) for key in one.keys}.isdisjoint(other.custom_id(key) for key in one.keys)
    assert Wave("old", "p", ("k",), 1, "").custom_id("k") == "k"  # of an older version


def test_the_ended_job_of_another_wave_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, book, desk = model()
    jobs_of: list[str] = []
    create = desk.batch_create

    async def creating(requests: Any) -> Batch:
        made = await create(requests)
        jobs_of.append(made.id)
        return made

    monkeypatch.setattr(desk, "batch_create", creating)
    asked.complete(prompts(2))
    keys = tuple(prompt.key() for prompt in prompts(2))
    for size, reason in ((3, "has 2 requests, and not 3"), (2, "has no answer to any of these requests")):
        book.open = {"w": Wave("w", "function", keys, size, "", job=jobs_of[0], salt="s")}
        with pytest.raises(BatchError, match=reason):
            asked.complete(prompts(2))
        assert book.open["w"].job == ""


def test_results_that_are_cut_off_are_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST", 0.001)
    asked, book, desk = model()
    whole, lost = desk.batch_results, [0]

    async def cut(batch: Batch) -> list[BatchResult]:
        found = await whole(batch)
        lost[0] -= 1
        return found[:1] if lost[0] >= 0 else found

    monkeypatch.setattr(desk, "batch_results", cut)
    lost[0] = 2
    assert len(asked.complete(prompts(2))) == 2
    lost[0] = 99
    with pytest.raises(PartialAnswerError, match=r"1 of 2 requests unanswered: job .* ended without an answer"):
        asked.complete(prompts(2))
    assert [len(keys) for keys in book.submissions] == [2, 2]  # the run itself pays for nothing twice


def test_an_answer_that_cannot_be_decoded_is_charged_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, book, desk = model()

    def broken(result: BatchResult, request: Any) -> ModelResponse:
        raise TypeError("no message")

    monkeypatch.setattr(desk, "batch_decode", broken)
    with pytest.raises(PartialAnswerError, match=r"the custom id \w+ cannot be read: no message"):
        asked.complete(prompts(2))
    assert len(book.submissions) == 1
    assert book.usage.calls == 2
    assert book.usage.input_tokens > 0


def test_rejected_rows_of_a_model_that_has_answered_are_refused_alone() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if number in (1, 2):
            raise ModelHTTPError(400, "m", {"error": {"message": "prompt is too long"}})
        if number == 3:
            raise ModelHTTPError(404, "m", {"error": {"message": "no such file"}})
        return bolt(info)

    asked, book, desk = model(answer)
    asked.complete(prompts(1))
    found = BatchModel(from_pydantic_ai(desk), book).complete([ask("a"), ask("b")])  # another process
    assert [one.finish_reason for one in found] == ["refused", "refused"]
    with pytest.raises(PartialAnswerError, match="no such file"):
        asked.complete([ask("c"), ask("d")])
    assert [len(keys) for keys in book.submissions] == [1, 2, 2]


def test_an_interrupt_while_a_submission_waits_leaves_nothing_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, book, desk = model()
    halt = Halt()

    async def busy(requests: Any) -> Batch:
        halt.call()
        raise ModelHTTPError(429, "m", {"error": {"message": "slow down"}})

    monkeypatch.setattr(desk, "batch_create", busy)
    with pytest.raises(HaltedError):
        started(lambda: asked.complete(prompts(1)), halt).result(10)
    assert book.waves() == []


def test_two_calls_for_the_same_prompts_submit_them_once() -> None:
    inner, book, _ = model()
    both = [BatchModel(inner._hosted, book) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: one._submit(_Asked({p.key(): p for p in prompts(2)}), book), both))
    assert len(found) == 2
    assert [len(keys) for keys in book.submissions] == [2]


def test_a_setting_that_the_provider_refuses_is_left_out_of_the_next_wave() -> None:
    def answer(info: AgentInfo, number: int) -> ModelResponse:
        if "temperature" in (info.model_settings or {}):
            raise ModelHTTPError(400, "m", {"error": {"message": "temperature is not supported with this model"}})
        return bolt(info)

    asked, book, _ = model(answer)
    with pytest.warns(StructoutWarning, match="refuses temperature"):
        asked.complete(prompts(3))
    assert [len(keys) for keys in book.submissions] == [3, 3]


def test_a_job_that_somebody_canceled_is_not_submitted_again() -> None:
    asked, book, desk = model()
    desk.canceled = True
    with pytest.raises(PartialAnswerError, match="somebody canceled its job"):
        asked.complete(prompts(2))
    assert len(book.submissions) == 1
    assert book.waves() == []


def test_without_a_ledger_nothing_is_submitted() -> None:
    _, _, desk = model()
    with pytest.raises(SpecError, match="needs a journal"):
        BatchModel(from_pydantic_ai(desk)).complete(prompts(1))
    book = Book()
    kept = with_ledger(Strict(BatchModel(from_pydantic_ai(desk))), book)
    assert len(kept.complete(prompts(1))) == 1
    assert len(book.submissions) == 1


def test_a_name_with_batch_is_a_model_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-test-0123456789")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    found = load_model("openai:gpt-5-mini#thinking=low,batch")
    assert isinstance(found, BatchModel)
    assert found.name == "openai:gpt-5-mini#thinking=low,batch"
    assert identity("openai:gpt-5-mini#batch,thinking=low") == identity(found.name)
    assert identity(found.name) != identity("openai:gpt-5-mini#thinking=low")
    book = Book()
    lazy = with_ledger(LazyModel("openai:gpt-4o#batch"), book)
    assert isinstance(lazy, BatchModel)
    plain = LazyModel("openai:gpt-4o")
    assert with_ledger(plain, book) is plain
    with pytest.raises(SpecError, match="has no batch API"):
        load_model("groq:llama-3.3-70b-versatile#batch")
    with pytest.raises(SpecError, match="only hosted providers have a batch API"):
        load_model("openai:m@http://127.0.0.1:1/v1#batch")
    with pytest.raises(NoModelError):
        load_model("openia:gpt-4o#batch")


def test_a_provider_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST", 0.001)
    asked, book, desk = model()
    faults = [ModelHTTPError(503, "m"), ModelHTTPError(404, "m"), ModelHTTPError(500, "m")]
    status = desk.batch_status

    async def away(batch: Batch) -> Batch:
        if faults:
            raise faults.pop()
        return await status(batch)

    monkeypatch.setattr(desk, "batch_status", away)
    assert len(asked.complete(prompts(2))) == 2
    faults.append(ModelHTTPError(401, "m", {"error": {"message": "bad key"}}))
    with pytest.raises(BatchError, match=r"does not answer about job .*bad key"):
        asked.complete([ask("more")])
    assert [wave.job != "" for wave in book.waves()] == [True]  # the next run collects it
    monkeypatch.setattr(jobs, "UNREACHABLE", 0.0)
    faults.append(ModelHTTPError(503, "m"))
    with pytest.raises(BatchError, match="does not answer about job"):
        asked.complete([ask("more")])
