"""A model behind an OpenAI-compatible server, with retries and a probe for constraints."""

import re
import threading
import time
import warnings
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.errors import AccountError, MissingExtraError, ModelError, NoModelError, SpecError, StructoutWarning
from structout.models.lanes import ask_in_lanes
from structout.models.openai import dialects
from structout.models.openai.address import Address
from structout.models.openai.body import AnsweredError
from structout.models.openai.dialects import Dialect
from structout.models.openai.limiter import Limiter
from structout.models.openai.parts import PARTS, Part, refused_part, without
from structout.models.openai.reply import CHARACTERS, read_reply
from structout.models.openai.retries import (
    CANNOT_TAKE,
    MAY_PASS,
    TIMED_OUT,
    TOO_MUCH,
    UNPAID,
    FaultError,
    Patience,
    RefusalError,
    retried,
    seconds_asked,
)
from structout.models.openai.wire import LongError, MovedError, SlowError, StatusError, Wire, ended_by

_LEAST_ROOM, _TOKEN_ROOM, _MOST_ROOM = (
    4 << 20,
    1 << 10,
    256 << 20,
)  # bytes of an answer: base, per token, maximum


_PROBE_TOKENS = 1024  # a model may think before it answers
_Stated = Literal["mask", "schema", "nothing"]
_WEAKER: tuple[_Stated, ...] = get_args(_Stated)  # from the strongest constraint to none

_OF_SCHEMA = re.compile(
    r"schema|response_format|response format|grammar|guided|structured|\bstrict\b|additionalproperties"
)

_FLAGGED = re.compile(r"moderation|flagged|content.?(policy|filter|management)")


class OpenAIModel:
    """Chat completions over HTTP, with as many requests in flight as the server takes, at most `in_flight`.

    Only transport faults are retried; an answer that takes too long or too many bytes is a transport fault, whatever
    its status. A prompt that the server rejects gets a refused completion. A redirect to another server is an error.
    Before the first constrained prompt, a probe with an improbable schema tries one dialect after the other until the
    server obeys (see `dialect`); the first completion includes the cost of the probe. The key comes from the
    environment alone (`key` names the variable; see `Address`), and is never part of a name, an error or a log.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        *,
        dialect: Dialect | None = None,
        in_flight: int = 64,
        logprobs: bool = False,
        many: bool = False,
        key: str = "",
        patience: Patience | None = None,
    ) -> None:
        try:
            import openai
            import tenacity  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "openai", "openai") from error
        self.model = model
        self.limiter = Limiter(in_flight)
        self._address = Address(model, base_url or "", dialect, logprobs, many, key=key)
        self.name = self._address.name
        self._key = self._address.secret()
        self.patience = patience or Patience()
        withheld: dict[str, Any] = dict.fromkeys(self._address.withheld(), openai.Omit())
        self._wire = Wire()
        try:
            self._client = openai.OpenAI(
                api_key=self._key or "none",
                base_url=base_url,
                timeout=self.patience.timeout,
                max_retries=0,
                default_headers=withheld,
                http_client=self._wire.client,
            )
        except Exception as error:  # the client's transport checks an address more strictly than `Address`
            raise SpecError(f"invalid server address: {error}", hint="check the host name") from error
        self._wire.bind(self._client.base_url)
        weakref.finalize(self, self._client.close)  # else its connections stay open until they are collected
        self._dialect = dialect
        self._logprobs = logprobs
        self._many = many
        self._limit_field = "max_tokens"
        self._heeded: dict[str, _Stated] = {}  # what is still stated of schemas that the server rejects
        self._owed = Usage()  # the cost of the probe, until a completion includes it
        self._said: set[str] = set()
        self._left_out: set[Part] = set()  # parts of requests that the server refuses
        self._version = ""  # of the model that answered first, as the server reports it
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str) -> "OpenAIModel":
        """The model at an address (see `Address`). Raises `SpecError`, `ModelError`."""
        at = Address.read(name)
        patience = Patience() if at.timeout is None else Patience(timeout=at.timeout)
        settings: dict[str, Any] = {"in_flight": at.in_flight, "logprobs": at.logprobs, "many": at.many, "key": at.key}
        return cls(at.model, at.url or None, dialect=at.dialect, patience=patience, **settings)

    @property
    def dialect(self) -> Dialect:
        """The dialect in which requests state a constraint; `none` if the server obeys no dialect.

        An unknown dialect is found by a probe, once.
        """
        with self._lock:
            if self._dialect is None:
                self._dialect = self._probe()
            return self._dialect

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        if any(prompt.constraint is not None for prompt in prompts):
            _ = self.dialect  # probe before the threads start
        return ask_in_lanes(
            lambda places: self._answer([prompts[place] for place in places]),
            self._groups(prompts),
            self.limiter.most,
            self._charge,
        )

    def _charge(self, answers: list[Completion | None]) -> None:
        """Add the cost of the probe to the first completion, once."""
        with self._lock:
            for place, answer in enumerate(answers):
                if answer is not None:
                    answers[place] = replace(answer, usage=answer.usage + self._owed)
                    self._owed = Usage()
                    return

    def _groups(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """The places of the prompts of each request: with `many`, the samples of a prompt share a request."""
        groups: dict[object, list[int]] = {}
        for place, prompt in enumerate(prompts):
            alike = self._many and prompt.sampling.temperature > 0
            groups.setdefault(replace(prompt, sample=0).key() if alike else place, []).append(place)
        return list(groups.values())

    def _answer(self, prompts: list[Prompt]) -> list[Completion]:
        """One completion per prompt, for samples of one prompt; refused if the server rejects it. Raises `ModelError`.

        The constraint may be the reason for a rejection. So the request is repeated with a weaker constraint. If the
        server speaks of the schema, a weaker constraint that works is used for the schema from then on; any other
        rejection concerns this prompt alone.
        """
        constraint, reason = prompts[0].constraint, ""
        for stated, held in self._constraints(prompts[0]):
            try:
                answers = self._samples(prompts, held)
            except RefusalError as refusal:
                reason = reason or str(refusal)
                continue
            if reason and constraint is not None and _speaks_of_schema(reason):
                self._heeded[constraint.fingerprint()] = stated
                how = "without a constraint" if stated == "nothing" else "by the schema alone"
                self._say(f"{self.name} rejects the constraint of {constraint.name}, so it answers {how}: {reason}")
            return answers
        return [Completion("", finish_reason="refused", refusal=reason)] * len(prompts)

    def _constraints(self, prompt: Prompt) -> list[tuple[_Stated, dict[str, Any] | None]]:
        """The constraints to try, strongest first, each with the fields that state it in a request."""
        constraint = prompt.constraint
        if constraint is None:
            return [("nothing", None)]
        first = self._heeded.get(constraint.fingerprint(), "mask")
        ways: list[tuple[_Stated, dict[str, Any] | None]] = []
        for stated in _WEAKER[_WEAKER.index(first) :]:
            mask = prompt.held_to if stated == "mask" else None
            held = None if stated == "nothing" else dialects.fields(constraint, self.dialect, mask)
            if all(held != known for _, known in ways):
                ways.append((stated, held))
        return ways

    def _samples(self, prompts: list[Prompt], held: dict[str, Any] | None) -> list[Completion]:
        answers = self._request(prompts[0], held, len(prompts))
        for prompt in prompts[len(answers) :]:  # the server gave fewer answers than requested
            answers += self._request(prompt, held)
        usage = sum((answer.usage for answer in answers[len(prompts) :]), answers[0].usage)  # surplus answers cost too
        return [replace(answers[0], usage=usage), *answers[1 : len(prompts)]]

    def _request(self, prompt: Prompt, held: dict[str, Any] | None, count: int = 1) -> list[Completion]:
        """Send a prompt until it is answered. Raises `RefusalError`, and `ModelError` once the retries are used up."""
        try:
            return retried(lambda: self._send(prompt, held, count), self.patience)
        except FaultError as fault:
            raise ModelError(
                f"{self.name} does not answer: {fault}", hint="check that the server is up, and read its log"
            ) from fault

    def _send(self, prompt: Prompt, held: dict[str, Any] | None, count: int) -> list[Completion]:
        body = without(self._body(prompt, held, count), self._left_out)
        room = min(_LEAST_ROOM + _TOKEN_ROOM * prompt.sampling.max_tokens * count, _MOST_ROOM)
        with self.limiter.slot():
            began = time.monotonic()
            try:
                with (
                    self._wire.request(self.patience.timeout, room),
                    self._client.chat.completions.with_streaming_response.create(**body) as raw,
                ):
                    text = b"".join(raw.iter_bytes()).decode()
            except UnicodeDecodeError as error:
                raise FaultError(f"the answer is not UTF-8: byte {error.start}") from None
            except Exception as error:  # the libraries of the client's transport raise their own errors
                late = time.monotonic() - began >= self.patience.timeout
                raise self._classified(error, body, late=late, room=room) from None  # its text may contain the key
            answers = self._read(prompt, text, time.monotonic() - began, body)
        self.limiter.succeeded()
        return answers

    def _classified(self, error: Exception, body: Mapping[str, Any], *, late: bool, room: int) -> Exception:
        """The error to raise for a request that ended without an answer."""
        import openai

        ended = ended_by(error)
        if isinstance(ended, StatusError):
            return self._classified_status(ended, body)
        if isinstance(ended, MovedError):
            hint = "put the new address into the model's name if you trust it"
            return NoModelError(f"{self.name} redirects to another server: {self._hidden(str(ended))}", hint=hint)
        if isinstance(ended, LongError):
            return FaultError(f"an answer of more than {room} bytes")
        if late or isinstance(ended, SlowError) or isinstance(error, openai.APITimeoutError):
            self.limiter.throttled(0.0)  # the server is overloaded, though it does not say so
            return FaultError(f"no complete answer within {self.patience.timeout:g} seconds")
        if isinstance(error, UnicodeEncodeError):
            return RefusalError(f"the prompt is not valid Unicode: {error.reason} at character {error.start}")
        return FaultError(_first_line(self._hidden(str(ended or error) or type(error).__name__)))

    def _body(self, prompt: Prompt, held: dict[str, Any] | None, count: int) -> dict[str, Any]:
        s = prompt.sampling
        if s.repetitions is not None:
            raise SpecError(f"{self.name} does not support a limit on repetitions", hint="leave repetitions out")
        extra = {"top_k": s.top_k, "min_p": s.min_p, **(held or {})}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in prompt.messages],
            "temperature": s.temperature,
            self._limit_field: s.max_tokens,
            "extra_body": {name: value for name, value in extra.items() if value is not None},
        }
        if s.top_p is not None:
            body["top_p"] = s.top_p
        if s.stop:
            body["stop"] = list(s.stop)
        if s.temperature > 0:
            body["seed"] = (s.seed * 1_000_003 + prompt.sample) & 0x7FFFFFFF
        if self._logprobs:
            body["logprobs"] = True
        if count > 1:
            body["n"] = count
        return body

    def _classified_status(self, error: StatusError, body: Mapping[str, Any]) -> Exception:
        """The error to raise for an error status: a fault to retry, a refusal of the prompt, or a `ModelError`.

        The `ModelError` stops the run, unless the server has answered before: then another prompt may be answered.
        """
        status, message = error.status, _first_line(self._hidden(str(error)))
        if status == 402 or (status == 429 and any(word in str(error).lower() for word in UNPAID)):
            return AccountError(f"{self.name}: {message}", hint="check the balance and the limits of the account")
        if status in TOO_MUCH:
            wait = seconds_asked(error.retry_after)
            self.limiter.throttled(min(wait or 0.0, self.patience.longest_wait))
            return FaultError(message, wait=wait, throttled=True)
        if status in TIMED_OUT:
            self.limiter.throttled(0.0)
        if status in MAY_PASS:
            return FaultError(message)
        if status == 400 and "max_completion_tokens" in message and "max_tokens" in body:
            self._limit_field = "max_completion_tokens"
            return FaultError(message, wait=0.0)
        if status in CANNOT_TAKE and (refused := refused_part(message, body)):
            self._left_out.add(refused)
            self._say(f"{self.name} refuses {PARTS[refused]}: {message}")
            return FaultError(message, wait=0.0)
        if status in CANNOT_TAKE:
            return RefusalError(message)
        if status == 403 and _FLAGGED.search(message.lower()):
            return RefusalError(message)
        kind = ModelError if self.limiter.has_succeeded and status != 401 else NoModelError
        if status in (401, 403):
            if self._key:
                hint = f"check {self._address.variable}"
                return kind(f"{self.name} rejects the key: {message}", hint=hint)
            hint = "add the variable that holds the server's key to the model's name, as in #key=OPENAI_API_KEY"
            return kind(f"{self.name} requires a key: {message}", hint=hint)
        return kind(f"{self.name}: {message}", hint="check the model's name and the address")

    def _read(self, prompt: Prompt, text: str, seconds: float, body: Mapping[str, Any]) -> list[Completion]:
        """The completions in a response's body. Raises `FaultError` if the body is not a chat completion."""
        try:
            answers, counted, valid = read_reply(text, prompt, seconds)
        except AnsweredError as error:
            told = StatusError(error.status or 502, str(error), None)
            raise self._classified_status(told, body) from None  # the error's text may contain the key
        except ValueError as error:
            said = str(error) if str(error).startswith("the answer") else _first_line(self._hidden(text))
            raise FaultError(f"invalid chat completion: {said}") from error
        if not counted:
            self._say(f"{self.name} does not count tokens: they are estimated at {CHARACTERS} characters each")
        if not valid:
            self._say(f"{self.name} sent invalid log-probabilities, which are ignored")
        self._compare(answers[0].version.partition(" ")[0])
        return [replace(answer, refusal=self._hidden(answer.refusal)) for answer in answers]

    def _compare(self, version: str) -> None:
        """Warn if another version of the model answers than before."""
        before = self._version = self._version or version
        if version and version != before:
            self._say(f"{self.name} now answers as {version}, before as {before}: results may differ")

    def _probe(self) -> Dialect:
        """The dialect that the server obeys: the probe asks for a greeting, constrained to improbable words."""
        question = (Message("user", dialects.PROBE_QUESTION),)
        prompt = Prompt(question, Sampling(max_tokens=_PROBE_TOKENS), constraint=dialects.PROBE)
        is_cut = False
        for dialect in dialects.PROBED:
            try:
                (answer, *_) = self._request(prompt, dialects.fields(dialects.PROBE, dialect))
            except RefusalError:
                continue
            self._owed += answer.usage
            if dialects.heeded(answer.text):
                return dialect
            is_cut = is_cut or answer.finish_reason == "length"
        if is_cut:
            limit = f"the probe's answer was cut off at {_PROBE_TOKENS:,} tokens"
            self._say(f"{limit}, so {self.name} is asked without a constraint: name its dialect, as in #json_schema")
        else:
            self._say(f"{self.name} ignores constraints: its answers are checked, but may not comply")
        return "none"

    def _say(self, message: str) -> None:
        """Warn, once per message."""
        if message not in self._said:
            self._said.add(message)
            warnings.warn(message, StructoutWarning, stacklevel=2)

    def _hidden(self, text: str) -> str:
        """A server's text with keys masked."""
        text = text.replace(self._key, "***") if self._key else text
        return re.sub(r"\bsk-[\w*-]{8,}|\bBearer [\w.*-]{20,}", "***", text)


def _speaks_of_schema(reason: str) -> bool:
    """Whether a rejection is about the schema, and not about what the model wrote under it."""
    said = reason.lower()
    return "failed_generation" not in said and "validate_failed" not in said and _OF_SCHEMA.search(said) is not None


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0][:200]
