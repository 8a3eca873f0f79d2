"""The bodies of requests, in the form that the server takes."""

from collections.abc import Collection, Mapping
from typing import Any

from structout.completion import Prompt
from structout.errors import SpecError
from structout.models.openai.address import Address
from structout.models.openai.parts import Part, refused_part, without


class Requests:
    """Makes the bodies of requests to a server, and leaves out what the server refuses."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._limit_field = "max_tokens"
        self.left_out: set[Part] = set()  # what the server refuses

    def body(
        self, prompt: Prompt, held: Mapping[str, Any] | None, count: int = 1, refused: Collection[Part] = ()
    ) -> dict[str, Any]:
        """The body of a request for `count` answers, with the fields `held` that state the constraint, and without the
        parts that were `refused`.

        Raises `SpecError` for a setting that a server does not support.
        """
        s, at = prompt.sampling, self._address
        if s.repetitions is not None:
            raise SpecError(f"{at.name} does not support a limit on repetitions", hint="leave repetitions out")
        extra = {"top_k": s.top_k, "min_p": s.min_p, **(held or {})}
        known = {name: value for name, value in extra.items() if value is not None}
        body: dict[str, Any] = {
            "model": at.model,
            "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
            "temperature": s.temperature,
            self._limit_field: s.max_tokens,
            "extra_body": {**known, **at.settings.body},
        }
        if headers := {name: value for name, value in at.settings.headers.items() if value}:
            body["extra_headers"] = headers
        if s.top_p is not None:
            body["top_p"] = s.top_p
        if s.stop:
            body["stop"] = list(s.stop)
        if s.temperature > 0:
            body["seed"] = (s.seed * 1_000_003 + prompt.sample) & 0x7FFFFFFF
        if at.logprobs:
            body["logprobs"] = True
        if count > 1:
            body["n"] = count
        return without(body, {*self.left_out, *refused})

    def adapted(self, message: str, body: Mapping[str, Any], refused: dict[Part, str]) -> bool:
        """Whether the next body has another form, as a message refuses a part of this body: the part is added to
        `refused` with the message.
        """
        if "max_completion_tokens" in message and "max_tokens" in body:
            self._limit_field = "max_completion_tokens"
            return True
        part = refused_part(message, body)
        if part is not None:
            refused[part] = message
        return part is not None
