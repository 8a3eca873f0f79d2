"""A model that works in batches: its provider answers within a day, at about half the price."""

import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from structout.completion import Completion, Prompt, Usage
from structout.errors import BatchError, ModelError, SpecError, StructoutWarning
from structout.halt import current
from structout.models.base import PartialAnswerError
from structout.models.ledger import Ledger, Wave, at_once, batched, custom_id
from structout.models.providers.faults import UnfitError
from structout.models.providers.hosted import HostedModel
from structout.models.providers.jobs import GivenUpError, OtherJobError, is_unsent, read, request_for, results
from structout.models.providers.request import Way, ways
from structout.models.retries import FaultError, RefusalError, retried

if TYPE_CHECKING:
    from pydantic_ai.models.batch import Batch, BatchRequest, BatchResult, EncodedBatchRequest

    from structout.models.providers.request import Request

_TRIES = 3  # submissions of a request that the provider leaves unanswered
_SUBMITTING = threading.Lock()  # one submission at a time, so that a killed process leaves one wave in doubt at most


class BatchModel:
    """A model of a hosted provider that is asked by the provider's batch API.

    `complete` submits the prompts as a wave, and waits for it. The ledger knows what was submitted, so that the next
    process collects it. A request that the provider leaves unanswered goes into the next wave, twice at most.
    """

    def __init__(self, hosted: HostedModel, ledger: Ledger | None = None) -> None:
        if hosted.model.batch_max_requests is None:
            hint = "leave #batch out, or give a model of Anthropic, Google or OpenAI"
            raise SpecError(f"invalid model: {hosted.name} has no batch API", hint=hint)
        self.name = batched(hosted.name)
        self._hosted = hosted
        self._ledger = ledger
        self._ways: dict[str, Way] = {}  # how answers are held to schemas for which a stronger way failed

    @classmethod
    def load(cls, name: str) -> "BatchModel":
        """The model of a name such as `anthropic:claude-sonnet-4-5#batch`. Raises what `HostedModel.load` raises."""
        hosted = at_once(name)
        if "@http" in hosted:
            hint = "leave #batch out, or leave the address out"
            raise SpecError(f"invalid model: got {name}, but only hosted providers have a batch API", hint=hint)
        return cls(HostedModel.load(hosted))

    def with_ledger(self, ledger: Ledger) -> "BatchModel":
        """This model with the ledger for what it submits."""
        return BatchModel(self._hosted, ledger)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer every prompt, in order, which may take a day for each wave.

        Raises `PartialAnswerError` if the provider leaves requests unanswered, `BatchError` if it does not take them,
        or if it is unknown whether it did, and `SpecError` without a ledger.
        """
        ledger = self._ledger
        if ledger is None:
            hint = "use `structout run`, give extract_many a journal, or leave #batch out"
            raise SpecError(f"{self.name} needs a journal, which keeps what is submitted", hint=hint)
        if ledger.has_answered():
            self._hosted.limiter.has_succeeded = True
        asked = _Asked({prompt.key(): prompt for prompt in prompts})
        for _ in range(_TRIES):
            if asked.open:
                self._submit(asked, ledger)
            for wave in ledger.waves():
                if wave.job and not asked.open.keys().isdisjoint(wave.keys):
                    self._collect(wave, asked, ledger)
        answers = [asked.answers.get(prompt.key()) for prompt in prompts]
        if missing := answers.count(None):
            share = f"{missing:,} of {len(answers):,} requests"
            raise PartialAnswerError(f"{self.name} left {share} unanswered: {asked.reason}", answers)
        return [answer for answer in answers if answer is not None]

    def _submit(self, asked: "_Asked", ledger: Ledger) -> None:
        """Submit the prompts that no job has, in as few jobs as the provider allows."""
        with _SUBMITTING:  # another call may submit the same prompts
            known = {key for wave in ledger.waves() if wave.job for key in wave.keys}
            salt = uuid.uuid4().hex
            keys: dict[str, str] = {}
            encoded: dict[str, list[EncodedBatchRequest]] = {}  # by the way in which answers are held to their schemas
            for key, prompt in asked.open.items():
                if key in known:
                    continue
                name = custom_id(salt, key)
                keys[name] = key
                try:
                    theirs, ours = self._request(name, key, asked, asked.ways.get(key) or self._way(prompt))
                    encoded.setdefault(ours.way or "", []).append(self._encoded(theirs, ours))
                except RefusalError as refusal:
                    asked.answers[key] = Completion("", finish_reason="refused", refusal=str(refusal))
            for way, requests in encoded.items():
                for part in self._parts(requests):
                    current().check()
                    now = datetime.now(UTC).isoformat(timespec="seconds")
                    own = tuple(keys[one.custom_id] for one in part)
                    about = (uuid.uuid4().hex, self._hosted.model.system, own, len(part), now)
                    wave = Wave(*about, way=way, salt=salt)
                    ledger.intend(wave)
                    ledger.submitted(wave, self._created(wave, part, ledger))

    def _encoded(self, theirs: "BatchRequest", ours: "Request") -> "EncodedBatchRequest":
        try:
            return self._hosted.run(self._hosted.model.batch_encode(theirs))
        except Exception as error:
            raise self._hosted.failed(error, ours) from None

    def _request(self, name: str, key: str, asked: "_Asked", way: Way | None) -> "tuple[BatchRequest, Request]":
        """The request `name` for a prompt, held to its schema by `way`, or by a weaker way if `way` does not fit."""
        prompt = asked.prompts[key]
        while True:
            try:
                return request_for(self._hosted, name, prompt, way)
            except UnfitError as unfit:
                way = self._weaker(prompt, way, unfit)
                asked.unfit[key] = str(unfit)

    def _parts(self, requests: "Sequence[EncodedBatchRequest]") -> "Iterator[list[EncodedBatchRequest]]":
        """The requests as jobs: of one group, and within the provider's limits."""
        model = self._hosted.model
        most, largest = model.batch_max_requests, model.batch_max_bytes
        for group in dict.fromkeys(one.group for one in requests):
            part: list[EncodedBatchRequest] = []
            size = 0
            for request in requests:
                if request.group != group:
                    continue
                more = model.batch_request_size(request)
                if part and (len(part) == most or (largest is not None and size + more > largest)):
                    yield part
                    part, size = [], 0
                part.append(request)
                size += more
            yield part

    def _created(self, wave: Wave, part: "list[EncodedBatchRequest]", ledger: Ledger) -> str:
        """The id of the new job of a wave. The ledger forgets a wave that the provider certainly did not take."""
        is_waiting = False  # the provider did not take the last try

        def create() -> "Batch":
            nonlocal is_waiting
            is_waiting = False
            try:
                return self._hosted.run(self._hosted.model.batch_create(part))
            except Exception as error:
                found = self._hosted.classified(error)
                if is_unsent(error):
                    is_waiting = True
                    raise found from None
                problem = f"it is unknown whether the submission of {wave.size:,} requests arrived: {found}"
                hint = "run the same command again: it says which job to look for"
                raise BatchError(f"{self.name}: {problem}", hint=hint) from None

        try:
            return retried(create, self._hosted.patience).id
        except (FaultError, RefusalError, ModelError) as error:
            ledger.collected(wave, {}, dict.fromkeys(wave.keys, Usage()))
            raise _ended(self.name, error) from error
        except BaseException:  # Ctrl-C
            if is_waiting:
                ledger.collected(wave, {}, dict.fromkeys(wave.keys, Usage()))
            raise

    def _collect(self, wave: Wave, asked: "_Asked", ledger: Ledger) -> None:
        """Wait for the job of a wave, and take its answers to the prompts of this call."""
        wanted = {key: asked.open[key] for key in wave.keys if key in asked.open}
        requests = {
            key: self._request(wave.custom_id(key), key, asked, cast("Way", wave.way) or self._way(prompt))
            for key, prompt in wanted.items()
        }
        group = self._encoded(*next(iter(requests.values()))).group
        try:
            found = results(self._hosted, wave, group)
        except OtherJobError as error:
            ledger.submitted(wave, "")
            hint = f"run the same command again: it says how to go on; --batch-adopt {wave.job} looks at the job again"
            raise BatchError(f"{self.name}: {error}", hint=hint) from None
        new: dict[str, Completion] = {}
        failed: dict[str, Usage] = {}
        end: ModelError | None = None
        rejected = 0
        # An answer of one request tells how to understand the errors of the other requests.
        for key in sorted(wanted, key=lambda one: getattr(found[one], "status", "") != "succeeded"):
            failed[key] = Usage()
            try:
                new[key] = self._read(found[key], *requests[key], key, asked)
                del failed[key]
                continue
            except GivenUpError as error:
                asked.given_up.add(key)
                asked.reason, failed[key] = str(error), error.cost
            except FaultError as error:
                asked.reason, failed[key] = str(error), error.answer or Usage()
            except RefusalError as error:
                rejected += 1
                new[key] = Completion("", finish_reason="refused", refusal=str(error))
                asked.reason = str(error)
                del failed[key]
            except ModelError as error:
                if error.stops:
                    end = error
                else:
                    asked.given_up.add(key)
                    asked.reason = str(error)
        has_answered = self._hosted.limiter.has_succeeded
        if rejected > 1 and rejected == len(wanted) and not has_answered:  # whatever is wrong, it is not the rows
            new, failed = {}, dict.fromkeys(wanted, Usage())
            end = ModelError(f"{self.name} refuses every request: {asked.reason}", hint="fix the cause")
        ledger.collected(wave, new, failed)
        asked.answers |= new
        if end is not None:
            raise _ended(self.name, end) from end

    def _read(
        self, result: "BatchResult | Exception", theirs: "BatchRequest", ours: "Request", key: str, asked: "_Asked"
    ) -> Completion:
        """The answer in a result. If the provider rejects the schema, the next wave holds it in a weaker way."""
        prompt = asked.prompts[key]
        try:
            answer = read(self._hosted, result, theirs, ours, prompt)
        except UnfitError as unfit:
            asked.ways[key] = self._weaker(prompt, ours.way, unfit)
            asked.unfit[key] = str(unfit)
            raise FaultError(str(unfit)) from unfit
        self._hosted.limiter.succeeded()
        if key in asked.unfit and ours.way is not None:
            self._keep(prompt, ours.way, asked.unfit[key])
        return answer

    def _way(self, prompt: Prompt) -> Way | None:
        if prompt.constraint is None:
            return None
        return self._ways.get(prompt.constraint.fingerprint(prompt.mask)) or ways(prompt, self._hosted.model)[0]

    def _weaker(self, prompt: Prompt, way: Way | None, unfit: UnfitError) -> Way:
        """The next weaker way to hold an answer to its schema. Raises `unfit` for the weakest way."""
        found = ways(prompt, self._hosted.model)
        weaker = found[found.index(way) + 1 :] if way in found else []
        if prompt.constraint is None or not weaker:
            raise unfit
        return weaker[0]

    def _keep(self, prompt: Prompt, way: Way, reason: str) -> None:
        """Remember a weaker way that works, and say once what holds the answers from now on."""
        if prompt.constraint is None or self._way(prompt) == way:
            return
        self._ways[prompt.constraint.fingerprint(prompt.mask)] = way
        how = "by a tool call" if way == "tool" else "by the prompt alone"
        problem = f"{self.name} does not take the schema of {prompt.constraint.name}, so it is held {how}: {reason}"
        warnings.warn(problem, StructoutWarning, stacklevel=2)


@dataclass
class _Asked:
    """The prompts of a call by their keys, and their answers. A prompt that is given up gets no answer.

    `unfit` says why the schema of a prompt was not taken, and `ways` how its next request is held to the schema.
    """

    prompts: Mapping[str, Prompt]
    answers: dict[str, Completion] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    ways: dict[str, Way] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def open(self) -> dict[str, Prompt]:
        """The prompts that wait for an answer."""
        gone = self.answers.keys() | self.given_up
        return {key: prompt for key, prompt in self.prompts.items() if key not in gone}


def _ended(name: str, error: Exception) -> BatchError:
    """An error that ends the run, since it concerns all rows."""
    if isinstance(error, ModelError):
        found = BatchError(error.message, hint=error.hint)
        found.retryable = error.retryable
        return found
    return BatchError(f"{name} takes no batch: {error}", hint="fix the cause and run the same command again")
