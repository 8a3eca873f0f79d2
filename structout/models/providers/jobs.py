"""The jobs of a provider's batch API: their requests, the wait for them, and their results."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from structout.completion import Completion, Prompt
from structout.errors import BatchError
from structout.halt import current
from structout.models.ledger import Wave
from structout.models.openai.retries import FaultError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.models.batch import Batch, BatchRequest, BatchResult
    from pydantic_ai.settings import ModelSettings

    from structout.models.providers.hosted import HostedModel
    from structout.models.providers.request import Request, Way

FIRST, GROWTH, LONGEST = 1.0, 1.5, 300.0  # seconds between two looks at a job, which grow
UNREACHABLE = 3600.0  # seconds without an answer of the provider, after which the run stops
UNKNOWN = 3  # looks at a job that the provider does not know yet
_CANCELED: Final = "somebody canceled its job"
_MAY_HAVE_ARRIVED: Final = (408, 409, 425, 499)  # statuses after which a provider may go on with a request
_NOT_IN_A_BATCH: Final = ("request_timeout", "timeout", "max_retries")  # settings


class CanceledError(Exception):
    """A request of a job that somebody canceled."""


def request_for(hosted: "HostedModel", key: str, prompt: Prompt, way: "Way | None") -> "tuple[BatchRequest, Request]":
    """A prompt as a request of a job, as pydantic-ai and as structout describe it."""
    from pydantic_ai.models.batch import BatchRequest

    ours = hosted.request(prompt, way)
    settings = {name: value for name, value in ours.settings.items() if name not in _NOT_IN_A_BATCH}
    theirs = BatchRequest(
        custom_id=key,
        messages=ours.messages,
        model_settings=cast("ModelSettings", settings),
        model_request_parameters=ours.parameters,
    )
    return theirs, ours


def results(hosted: "HostedModel", wave: Wave, group: str) -> "dict[str, BatchResult | Exception]":
    """The result of each request of a wave, once its job has ended. `group` is that of its requests.

    Raises `LookupError` if the job is not that of the wave, and `BatchError` if the provider cannot be asked.
    """
    batch = _handle(hosted, wave, group)
    pause, since, unknown = FIRST, time.monotonic(), 0
    while True:
        try:
            batch = hosted.run(hosted.model.batch_status(batch))
            unknown = 0
            if batch.status == "ended":
                return _by_key(hosted.run(hosted.model.batch_results(batch)), wave, batch)
            since = time.monotonic()
        except LookupError:
            raise
        except Exception as error:
            if type(error).__name__ == "BatchJobError":  # pydantic-ai exports no name for it
                reason = CanceledError(_CANCELED) if _is_canceled(batch) else hosted.classified(error)
                return dict.fromkeys(wave.keys, reason)
            unknown += 1 if getattr(error, "status_code", 0) == 404 else 0
            if unknown >= UNKNOWN:
                raise LookupError(f"{wave.provider} does not know job {wave.job}") from None
            found = hosted.classified(error)
            if not unknown and (not isinstance(found, FaultError) or time.monotonic() - since > UNREACHABLE):
                hint = getattr(found, "hint", "") or "the same command collects it later"
                raise BatchError(f"{wave.provider} does not answer about job {wave.job}: {found}", hint=hint) from None
        if batch.status != "ended" and batch.request_count != wave.size:
            raise LookupError(f"job {wave.job} has {batch.request_count:,} requests, and not {wave.size:,}")
        current().sleep(pause)
        pause = min(pause * GROWTH, LONGEST)


def read(
    hosted: "HostedModel", result: "BatchResult | Exception", theirs: "BatchRequest", ours: "Request", prompt: Prompt
) -> Completion:
    """The answer in a result. Raises `CanceledError`, and what `HostedModel.read` and `HostedModel.failed` give."""
    if isinstance(result, Exception):
        raise result
    if result.status == "canceled":
        raise CanceledError(_CANCELED)
    if result.status == "expired":
        raise FaultError("the provider did not get to it in time")
    try:
        response = hosted.model.batch_decode(result, theirs)
    except Exception as error:  # the text of a client's error may contain the key
        raise hosted.failed(error, ours) from None
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
    if given.keys().isdisjoint(wave.keys):
        raise LookupError(f"job {wave.job} has no answer to any of these requests")
    left = CanceledError(_CANCELED) if _is_canceled(batch) else FaultError("the job ended without an answer to it")
    return {key: given.get(key, left) for key in wave.keys}


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
