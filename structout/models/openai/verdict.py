"""What a server's error status means: a fault that passes, a prompt that is refused, or the end of the run."""

import re
from typing import Final

from structout.errors import AccountError, ModelError, NoModelError
from structout.models.meanings import is_of_content, is_of_output, is_unpaid
from structout.models.openai.address import Address
from structout.models.openai.wire import StatusError, first_line
from structout.models.retries import (
    CANNOT_TAKE,
    MAY_PASS,
    TIMED_OUT,
    TOO_MUCH,
    FaultError,
    RefusalError,
    seconds_asked,
)

_OF_SCHEMA: Final = re.compile(
    r"schema|response_format|response format|grammar|guided|structured|\bstrict\b|additionalproperties"
)
_OF_LIMIT: Final = re.compile(r"max_(?:completion_|output_)?tokens|context.?(?:length|window|size)", re.IGNORECASE)
SAID_CHARACTERS: Final = 1_000  # of an explanation are read for what it means: later ones may quote the record
_NO_PATH: Final = re.compile(r"unexpected endpoint", re.IGNORECASE)


def speaks_of_schema(reason: str) -> bool:
    """Whether a refusal is about the schema, and not about what the model wrote under it."""
    return not is_of_output(reason) and _OF_SCHEMA.search(reason.lower()) is not None


def verdict(told: StatusError, said: str, address: Address, *, has_key: bool, has_answered: bool) -> Exception:
    """The error to raise for an error status: `FaultError`, `RefusalError` or `ModelError`.

    `said` is the server's explanation without keys. `has_key` says whether the server gets a key, and
    `has_answered` whether it has answered another request, and so takes the key.
    """
    status, message, said = told.status or 502, first_line(said), said[:SAID_CHARACTERS]
    if _NO_PATH.search(said):
        return NoModelError(f"{address.name}: {message}", hint="the address wants /v1 at its end")
    if is_unpaid(told.status, said):
        return AccountError(f"{address.name}: {message}", hint="check the balance and the limits of the account")
    if status in TOO_MUCH:
        return FaultError(message, wait=seconds_asked(told.retry_after), throttled=True, status=status)
    if status in MAY_PASS:
        return FaultError(message, slow=status in TIMED_OUT, status=status)
    if status in CANNOT_TAKE:
        if _OF_LIMIT.search(said) and not speaks_of_schema(said):
            lower = "; --max-tokens sets the limit of the answer" if "tokens" in said else ""
            return RefusalError(f"{message}{lower}", said=said, final=True)
        return RefusalError(message, said=said)
    if status == 403 and (has_answered or is_of_content(said)):
        return RefusalError(message, said=said, final=True)
    if status in (401, 403):
        if has_key:
            return NoModelError(f"{address.name} rejects the key: {message}", hint=f"check {address.variable}")
        variable = "AZURE_OPENAI_API_KEY" if address.is_azure else "OPENAI_API_KEY"
        hint = f"add the variable that holds the server's key to the model's name, as in #key={variable}"
        return NoModelError(f"{address.name} requires a key: {message}", hint=hint)
    kind = ModelError if has_answered else NoModelError  # after an answer, another prompt may be answered
    return kind(f"{address.name}: {message}", hint="check the model's name and the address")
