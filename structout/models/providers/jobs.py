"""The jobs of a provider's batch API: their requests, the wait for them, and their results."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from structout.completion import Completion, Prompt, Usage
from structout.errors import BatchError
from structout.halt import current
from structout.models.ledger import Wave
from structout.models.retries import FaultError
from structout.models.tokens import unread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.models.batch import Batch, BatchRequest, BatchResult
    from pydantic_ai.settings import ModelSettings

    from structout.models.providers.hosted import HostedModel
    from structout.models.providers.request import Request, Way

FIRST, GROWTH, LONGEST = 1.0, 1.5, 300.0  # seconds between two looks at a job, which grow
UNREACHABLE = 3600.0  # seconds without an answer of the provider, after which the run stops
UNKNOWN = 3  # looks at a job that the provider does not know yet
SHORT = 5  # looks at the results of an ended job that lack some
_CANCELED: Final = "somebody canceled its job"
_MAY_HAVE_ARRIVED: Final = (408, 409, 425, 499)  # statuses after which a provider may go on with a request
_NOT_IN_A_BATCH: Final = ("request_timeout", "timeout", "max_retries")  # settings


class GivenUpError(Exception):
    """A request that is not sent again, since it may be paid for twice, or is not wanted; `cost` is what it cost."""

    def __init__(self, reason: str, cost: Usage | None = None) -> None:
        super().__init__(reason)
        self.cost = cost or Usage()


class OtherJobError(Exception):
    """A job that is not the job of a wave."""


def request_for(hosted: "HostedModel", name: str, prompt: Prompt, way: "Way | None") -> "tuple[BatchRequest, Request]":
    """A prompt as the request `name` of a job, as pydantic-ai and as structout describe it."""
    from pydantic_ai.models.batch import BatchRequest

    ours = hosted.request(prompt, way)
    settings = {name: value for name, value in ours.settings.items() if name not in _NOT_IN_A_BATCH}
    theirs = BatchRequest(
        custom_id=name,
        messages=ours.messages,
        model_settings=cast("ModelSettings", settings),
        model_request_parameters=ours.parameters,
    )
    return theirs, ours


def results(hosted: "HostedModel", wave: Wave, group: str) -> "dict[str, BatchResult | Exception]":
    """The result of each request of a wave, once its job has ended. `group` is that of its requests.

    Raises `OtherJobError` if the job is not that of the wave, and `BatchError` if the provider cannot be asked.
    """
    batch = _handle(hosted, wave, group)
    pause, since, unknown, short = FIRST, time.monotonic(), 0, 0
    while True:
        try:
            batch = hosted.run(hosted.model.batch_status(batch))
            unknown = 0
            if batch.request_count != wave.size:
                raise OtherJobError(f"job {wave.job} has {batch.request_count:,} requests, and not {wave.size:,}")
            if batch.status == "ended":
                found = hosted.run(hosted.model.batch_results(batch))
                short += 1  # results that are cut off look like the results of a smaller job
                if len(found) >= wave.size or short >= SHORT or _is_canceled(batch):
                    return _by_key(found, wave, batch)
            since = time.monotonic()
        except OtherJobError:
            raise
        except Exception as error:
            if type(error).__name__ == "BatchJobError":  # pydantic-ai exports no name for it
                reason = GivenUpError(_CANCELED) if _is_canceled(batch) else hosted.classified(error)
                return dict.fromkeys(wave.keys, reason)
            unknown += 1 if getattr(error, "status_code", 0) == 404 else 0
            if unknown >= UNKNOWN:
                raise OtherJobError(f"{wave.provider} does not know job {wave.job}") from None
            fault = hosted.classified(error)
            if not unknown and (not isinstance(fault, FaultError) or time.monotonic() - since > UNREACHABLE):
                hint = getattr(fault, "hint", "") or "the same command collects it later"
                raise BatchError(f"{wave.provider} does not answer about job {wave.job}: {fault}", hint=hint) from None
        current().sleep(pause)
        pause = min(pause * GROWTH, LONGEST)


def read(
    hosted: "HostedModel", result: "BatchResult | Exception", theirs: "BatchRequest", ours: "Request", prompt: Prompt
) -> Completion:
    """The answer in a result. Raises `GivenUpError`, and what `HostedModel.read` and `HostedModel.failed` give."""
    if isinstance(result, Exception):
        raise result
    if result.status == "canceled":
        raise GivenUpError(_CANCELED)
    if result.status == "expired":
        raise FaultError("the provider did not get to it in time")
    try:
        response = hosted.model.batch_decode(result, theirs)
    except Exception as error:  # the text of a client's error may contain the key
        found = hosted.failed(error, ours)
        if result.status == "succeeded" and isinstance(found, FaultError):
            problem = f"the answer to the request with the custom id {theirs.custom_id} cannot be read: {found}"
            raise GivenUpError(problem, unread(prompt, 0.0)) from None
        raise found from None
    return hosted.read(response, ours, prompt, 0.0)


def is_unsent(error: Exception) -> bool:
    """Whether a provider certainly made no job for a submission that ended with this error."""
    from pydantic_ai.exceptions import ModelConnectionError, ModelHTTPError, UserError

    if isinstance(error, ModelHTTPError) and 400 <= error.status_code < 500:
        return error.status_code not in _MAY_HAVE_ARRIVED
    if isinstance(error, ModelConnectionError) and error.phase in ("pool", "connect"):
        return True
    return isinstance(error, UserError) or _is_of_upload(error)


def _is_of_upload(error: Exception) -> bool:
    """Whether the error ended the upload of a file, which comes before its job (OpenAI)."""
    with suppress(RuntimeError):  # an error of httpx may know no request
        url = getattr(getattr(error.__cause__, "request", None), "url", None)
        return str(getattr(url, "path", "")).endswith("/files")
    return False


def _by_key(found: "Sequence[BatchResult]", wave: Wave, batch: "Batch") -> "dict[str, BatchResult | Exception]":
    given = {one.custom_id: one for one in found}
    names = {key: wave.custom_id(key) for key in wave.keys}
    if given.keys().isdisjoint(names.values()):
        raise OtherJobError(f"job {wave.job} has no answer to any of these requests")
    reason = _CANCELED if _is_canceled(batch) else f"job {wave.job} ended without an answer to it"
    return {key: given.get(name, GivenUpError(reason)) for key, name in names.items()}


def _is_canceled(batch: "Batch") -> bool:
    return "CANCEL" in str((batch.provider_details or {}).get("state", "")).upper()


def _handle(hosted: "HostedModel", wave: Wave, group: str) -> "Batch":
    """What pydantic-ai needs to know of a job that another process may have submitted."""
    from pydantic_ai.models.batch import Batch

    return Batch(
        id=wave.job,
        model_name=hosted.model.model_name,
        provider_name=hosted.model.system,
        group=group,
        status="in_progress",
        created_at=datetime.now(UTC),
        request_count=wave.size,
    )
