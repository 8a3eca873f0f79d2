"""A model behind an OpenAI-compatible server, with retries and a probe for constraints."""

import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from structout.completion import Completion, Prompt, Sampling, Usage
from structout.errors import ModelError, StructoutWarning
from structout.models.lanes import ask_in_lanes
from structout.models.limiter import Limiter
from structout.models.openai import dialects, probe
from structout.models.openai.address import Address
from structout.models.openai.body import AnsweredError, failed_generation
from structout.models.openai.connection import Connection, Response
from structout.models.openai.dialects import Dialect
from structout.models.openai.ladder import SAID, Ladder, Rung, ways
from structout.models.openai.parts import PARTS, Part
from structout.models.openai.reply import Reply, read_reply, usage_in
from structout.models.openai.requests import Requests
from structout.models.openai.tokens import is_cut, sent
from structout.models.openai.verdict import SAID_CHARACTERS, speaks_of_schema, verdict
from structout.models.openai.wire import StatusError, first_line
from structout.models.owed import Owed
from structout.models.retries import FaultError, Patience, RefusalError, retried
from structout.models.settings import Settings
from structout.models.tokens import ESTIMATED

NO_LOGPROBS = "sent an answer without log-probabilities: it has no confidence"  # later answers may have some
# Bytes of an answer: base, per token, maximum.
_VERSION_CHARACTERS = 200
_LEAST_ROOM, _TOKEN_ROOM, _MOST_ROOM = 4 << 20, 1 << 10, 256 << 20


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
        kind: str = "openai",
        settings: Settings | None = None,
        patience: Patience | None = None,
    ) -> None:
        settings = settings or Settings()
        self._address = Address(model, base_url or "", dialect, logprobs, many, key=key, kind=kind, settings=settings)
        self.model = model
        self.name = self._address.name
        self.limiter = Limiter(in_flight)
        self.patience = patience or Patience()
        self._connection = Connection(self._address, self.limiter, self.patience)
        self._dialect = dialect
        self._is_probed = dialect is None
        self._finding = ""
        self._requests = Requests(self._address)
        self._ladder = Ladder()
        self._owed = Owed()  # the cost of the probe and of failed requests, until a completion includes it
        self._said: set[str] = set()
        self._version = ""  # of the model that answered first, as the server reports it
        self._lock = threading.Lock()
        self._probing = threading.Lock()

    @classmethod
    def load(cls, address: str, kind: str = "openai") -> "OpenAIModel":
        """The model at an address (see `Address`) of a kind of server. Raises `SpecError`, `ModelError`."""
        at = Address.read(address, kind)
        patience = Patience() if at.timeout is None else Patience(timeout=at.timeout)
        settings: dict[str, Any] = {"in_flight": at.in_flight, "logprobs": at.logprobs, "many": at.many, "key": at.key}
        settings |= {"dialect": at.dialect, "kind": at.kind, "settings": at.settings}
        return cls(at.model, at.url or None, patience=patience, **settings)

    @property
    def dialect(self) -> Dialect:
        """The dialect in which requests state a constraint; `none` if the server obeys no dialect.

        An unknown dialect is found by a probe, once.
        """
        return self._found_dialect(Sampling())

    @property
    def upfront(self) -> Usage:
        """The most that the next call may use besides its prompts: for the probe, if the dialect is unknown."""
        return probe.MOST if self._dialect is None else Usage()

    @property
    def upfront_later(self) -> Usage:
        """The most that the first call of another process may use for its probe, if it can `take` the finding."""
        return probe.MOST if self._is_probed and not self._finding else Usage()

    @property
    def finding(self) -> str:
        """The dialect that the probe has found the server to heed, for `take` of the same model in another process; ""
        if the server was not probed, or was not seen to heed a dialect.
        """
        return self._finding

    def take(self, finding: str) -> None:
        """Use a `finding` of another process in place of a probe, unless the dialect is known."""
        with self._probing:
            if self._dialect is None and finding in dialects.PROBED:
                self._dialect = self._finding = dialects.dialect_named(finding)

    @property
    def left_out(self) -> frozenset[str]:
        """The parts of requests that the server refused, and that requests lack from then on (see `PARTS`)."""
        return frozenset(self._requests.left_out)

    def _found_dialect(self, sampling: Sampling) -> Dialect:
        with self._probing:
            if self._dialect is None:
                self._dialect = self._probed(sampling)
            return self._dialect

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        first = next((prompt for prompt in prompts if prompt.constraint is not None), None)
        if first is not None:
            self._found_dialect(first.sampling)  # before the threads start
        return ask_in_lanes(
            lambda places: self._answer([prompts[place] for place in places]),
            self._groups(prompts),
            self.limiter.most,
            self._owed.charge,
        )

    def _groups(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """The places of the prompts of each request: with `many`, the samples of a prompt share a request."""
        groups: dict[object, list[int]] = {}
        for place, prompt in enumerate(prompts):
            alike = self._address.many and prompt.sampling.temperature > 0
            groups.setdefault(replace(prompt, sample=0).key() if alike else place, []).append(place)
        return list(groups.values())

    def _answer(self, prompts: list[Prompt]) -> list[Completion]:
        """One completion per prompt, for samples of one prompt; refused if the server rejects it. Raises `ModelError`.

        The constraint may be the reason for a rejection. So the request is repeated with a weaker constraint. A weaker
        constraint that works is used for the schema from then on, if the server speaks of the schema and never took it
        before; any other rejection concerns this prompt alone.
        """
        constraint, reason, is_schema = prompts[0].constraint, "", False
        contract = "" if constraint is None else constraint.fingerprint()
        dialect: Dialect = "none" if constraint is None else self.dialect
        strictest: Rung = "strict mask" if self._address.is_strict and dialect == "json_schema" else "mask"
        for way in ways(prompts[0], dialect, self._ladder.first(contract, strictest)):
            try:
                answers = [way.read(answer) for answer in self._samples(prompts, way.fields)]
            except RefusalError as refusal:
                is_schema = is_schema or speaks_of_schema(refusal.said)
                reason = reason or str(refusal)
                if refusal.final or self._ladder.ends(contract, way.rung, str(refusal), is_schema=is_schema):
                    break
                continue
            if constraint is not None:
                shows = self._ladder.took(contract, way.rung, is_schema=is_schema, fell=bool(reason))
                if shows:
                    how = f"so it answers {SAID[way.rung]}"
                    self._say(f"{self.name} rejects the constraint of {constraint.name}, {how}: {reason}")
                elif reason and way.rung == "nothing":
                    told = f"{self.name} answers some prompts only without the constraint of {constraint.name}"
                    self._say(f"{told}: {reason}", once=told)
            return answers
        return [Completion("", finish_reason="refused", refusal=reason)] * len(prompts)

    def _samples(self, prompts: list[Prompt], held: dict[str, Any] | None) -> list[Completion]:
        answers = self._request(prompts[0], held, len(prompts))
        for prompt in prompts[len(answers) :]:  # the server gave fewer answers than requested
            answers += self._request(prompt, held)
        usage = sum((answer.usage for answer in answers[len(prompts) :]), answers[0].usage)  # surplus answers cost too
        return [replace(answers[0], usage=usage), *answers[1 : len(prompts)]]

    def _request(
        self, prompt: Prompt, held: dict[str, Any] | None, count: int = 1, internal: int | None = None
    ) -> list[Completion]:
        """Send a prompt until it is answered; the first answer includes what failed attempts cost.

        If no attempt gets an answer that can be used, the completion is refused. Raises `RefusalError`, also after
        `internal` internal errors (500), and `ModelError` once the retries are used up.
        """
        spent, failed = Usage(), 0

        def send() -> list[Completion]:
            nonlocal spent, failed
            try:
                return self._send(prompt, held, count)
            except FaultError as fault:
                spent += fault.answer or Usage()
                failed += fault.status == 500
                if failed == internal:
                    raise RefusalError(str(fault)) from fault
                raise

        try:
            first, *others = retried(send, self.patience)
        except FaultError as fault:
            if fault.answer is not None:
                refused = Completion("", finish_reason="refused", refusal=f"no usable answer: {fault}")
                return [replace(refused, usage=spent), *[refused] * (count - 1)]
            self._owed.add(spent)
            raise ModelError(
                f"{self.name} does not answer: {fault}", hint="check that the server is up, and read its log"
            ) from fault
        except BaseException:
            self._owed.add(spent)
            raise
        return [replace(first, usage=first.usage + spent), *others]

    def _send(self, prompt: Prompt, held: Mapping[str, Any] | None, count: int = 1) -> list[Completion]:
        """Send a prompt once, and once more for each part of the request that the server refuses. A part stays left out
        if the request without it is answered.

        Raises `FaultError`, `RefusalError`, `ModelError`.
        """
        refused: dict[Part, str] = {}
        while True:
            body = self._requests.body(prompt, held, count, refused)
            try:
                answers = self._exchange(prompt, body, count)
            except StatusError as told:
                said = self._connection.hidden(str(told))
                if told.status not in (400, 422) or not self._requests.adapted(said[:SAID_CHARACTERS], body, refused):
                    known = {"has_key": self._connection.has_key, "has_answered": self.limiter.has_succeeded}
                    raise self._connection.noted(verdict(told, said, self._address, **known)) from None
            else:
                for part, said in refused.items():
                    self._requests.left_out.add(part)
                    self._say(f"{self.name} refuses {PARTS[part]}: {first_line(said)}")
                return answers

    def _exchange(self, prompt: Prompt, body: dict[str, Any], count: int) -> list[Completion]:
        room = min(_LEAST_ROOM + _TOKEN_ROOM * prompt.sampling.max_tokens * count, _MOST_ROOM)
        response = self._connection.send(body, room)
        reply = self._read(prompt, response)
        self.limiter.succeeded()
        if problem := response.problem or reply.problem:
            raise FaultError(self._connection.hidden(problem), answer=reply.usage)
        return reply.answers

    def _read(self, prompt: Prompt, response: Response) -> Reply:
        """The completions in a response's body. Raises `FaultError` if the body is not a chat completion, and
        `StatusError` if it is an error.
        """
        text = response.text
        try:
            reply = read_reply(text, prompt, response.seconds)
        except AnsweredError as error:
            if (generated := failed_generation(text)) is None:
                raise StatusError(error.status, str(error)) from None  # the error's text may contain the key
            reply = read_reply(generated, prompt, response.seconds)
        except ValueError as error:
            said = first_line(self._connection.hidden(text))
            raise FaultError(f"invalid chat completion: {said}", answer=usage_in(text)) from error
        if not reply.counted:
            self._say(f"{self.name} {ESTIMATED}")
        if not reply.valid and self._address.logprobs:
            self._say(f"{self.name} sent invalid log-probabilities, which are ignored")
        elif self._address.logprobs and any(one.text and one.logprobs is None for one in reply.answers):
            self._say(f"{self.name} {NO_LOGPROBS}")
        hidden = self._connection.hidden
        answers = [
            replace(answer, refusal=hidden(answer.refusal), version=hidden(answer.version)[:_VERSION_CHARACTERS])
            for answer in reply.answers
        ]
        self._compare(answers[0].version.partition(" ")[0])
        if is_cut(prompt, reply.usage):
            how = "raise the server's context (Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx in the Modelfile)"
            self._say(f"{self.name} cuts long prompts without an error, so these rows are refused: {how}")
            counts = f"{reply.usage.input_tokens:,} tokens of {sent(prompt):,} characters"
            refused = Completion("", finish_reason="refused", refusal=f"the server cut the prompt: it read {counts}")
            answers = [replace(refused, usage=answer.usage, version=answer.version) for answer in answers]
        return reply._replace(answers=answers)

    def _compare(self, version: str) -> None:
        """Warn if another version of the model answers than before."""
        before = self._version = self._version or version
        if version and version != before:
            self._say(f"{self.name} now answers as {version}, before as {before}: results may differ")

    def _probed(self, sampling: Sampling) -> Dialect:
        """The dialect that the server heeds, by a probe with the settings of a call."""

        def ask(dialect: Dialect, room: int) -> Completion:
            stated = dialects.fields(dialects.PROBE, dialect)
            (answer, *_) = self._request(probe.question(sampling, room), stated, internal=probe.TRIES)
            self._owed.add(answer.usage)
            return answer

        found, warning = probe.probed(self.name, ask, probe.order(self._address.kind))
        if warning:
            self._say(warning)
        else:
            self._finding = found
        return found

    def _say(self, message: str, once: str = "") -> None:
        """Warn, once per message, or per `once`."""
        if (once or message) not in self._said:
            self._said.add(once or message)
            warnings.warn(message, StructoutWarning, stacklevel=2)
