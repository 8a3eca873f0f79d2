"""A model of a hosted provider, asked through pydantic-ai's direct API."""

import threading
import time
import warnings
import weakref
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from structout.completion import Completion, Prompt, Usage
from structout.errors import ModelError, SchemaError, SpecError, StructoutWarning
from structout.halt import HaltedError, current, settle
from structout.models.lanes import ask_in_lanes
from structout.models.limiter import Limiter
from structout.models.owed import Owed
from structout.models.providers.answer import (
    failed_answer,
    paid_for,
    read_response,
)
from structout.models.providers.clients import made
from structout.models.providers.faults import (
    UnfitError,
    classified,
    first_line,
    generated,
    is_unread,
    masked,
    refused_setting,
)
from structout.models.providers.loop import Loop
from structout.models.providers.name import CLIENT, HostedName, address, hashed
from structout.models.providers.request import (
    Request,
    Way,
    caching,
    messages_of,
    parameters_of,
    shared_by,
    strict_form,
    ways,
)
from structout.models.providers.settings import checked, of_sampling, private, untaken
from structout.models.retries import FaultError, Patience, RefusalError, retried
from structout.models.tokens import ESTIMATED, unread

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model as TheirModel
    from pydantic_ai.settings import ModelSettings

    from structout.schema.strict_form import StrictForm

T = TypeVar("T")
UNUSABLE = 3  # answers to a prompt that are paid for and cannot be used


class HostedModel:
    """A model of pydantic-ai as a model of ours, with many requests in flight.

    An answer is held to a schema in the strongest way that the model takes: by the provider's structured output
    (`native`), as the arguments of a tool call (`tool`), or by the prompt alone (`prompted`). The version of a
    completion names the way after the model. The retries are ours, as in `OpenAIModel`: an answer that was paid for
    and cannot be used is charged.
    """

    def __init__(
        self,
        model: "TheirModel[Any]",
        *,
        name: str,
        settings: Mapping[str, Any] | None = None,
        in_flight: int = 64,
        patience: Patience | None = None,
        client: Any = None,
    ) -> None:
        """`client` is an HTTP client that is closed with the model."""

        async def closed() -> None:
            await model.__aexit__(None, None, None)
            if client is not None:
                await client.aclose()

        self.name = name
        self.model = model
        self.limiter = Limiter(in_flight)
        self.patience = patience or Patience()
        self.settings: dict[str, Any] = checked(settings or {}, model)
        self._untaken = untaken(model, {**(model.settings or {}), **self.settings})
        self._refused: set[str] = set()  # settings that the provider refused
        self._loop = Loop(model.__aenter__, closed)
        weakref.finalize(self, self._loop.close)
        self._ways: dict[str, Way] = {}  # how answers are held to schemas for which a stronger way failed
        self._forms: dict[str, StrictForm] = {}
        self._before: Prompt | None = None
        self._owed = Owed()  # the cost of answers to prompts that failed, until a completion includes it
        self._said: set[str] = set()
        self._lock = threading.Lock()

    @classmethod
    def load(cls, name: str) -> "HostedModel":
        """The model of a name such as `anthropic:claude-sonnet-4-5#thinking=low` (see `HostedName`).

        Raises `MissingExtraError`, `SpecError`, and `NoModelError` for an unknown model or a missing key.
        """
        at = HostedName.read(name)
        if at.hash:
            hint = "give the settings, as in #settings=FILE"
            raise SpecError(f"invalid model: {name} holds a hash of settings, but not the settings", hint=hint)
        patience = Patience() if at.timeout is None else Patience(timeout=at.timeout)
        model, client = made(at.provider, at.model)
        return cls(
            model,
            name=at.text,
            settings=at.given,
            in_flight=at.in_flight,
            patience=patience,
            client=client,
        )

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """Answer every prompt, in order. Raises `ModelError`, and `SpecError` for a sampling that it cannot apply."""
        shared = self._shared(prompts)
        for prompt in prompts:
            of_sampling(prompt, self.model, self.settings)  # raise before anything is asked
        return ask_in_lanes(
            lambda places: [self._answer(prompts[place], shared[place]) for place in places],
            [[place] for place in range(len(prompts))],
            self.limiter.most,
            self._owed.charge,
        )

    def request(self, prompt: Prompt, way: Way | None = None, shared: int = 0) -> Request:
        """The request for a prompt, held to its schema in a way, by default the strongest that works.

        `shared` is the number of first messages that other prompts have too. Raises `SpecError` for a sampling that
        the provider cannot apply, and `UnfitError` for a schema that has no strict form.
        """
        settings = {**of_sampling(prompt, self.model, self.settings), "request_timeout": self.patience.timeout}
        for name in self._untaken & settings.keys():
            del settings[name]
            if name != "stop_sequences":  # the answer is cut off there afterwards
                self._say(f"{self.name} takes no {name}, which is left to the provider")
        settings = {key: value for key, value in settings.items() if key not in self._refused}
        if "max_retries" not in self.model.unsupported_settings:
            settings["max_retries"] = 0
        given = {**(self.model.settings or {}), **self.settings}
        cached = caching(prompt.messages, shared, self.model, given)
        settings = {**private(self.model), **given, **cached, **settings}
        told = cast("ModelSettings", settings)
        messages = messages_of(prompt.messages, shared, cached.get("cache"))
        if prompt.constraint is None:
            return Request(messages, parameters_of(prompt, "prompted", None), told)
        way = way or self._way(prompt)
        try:
            form = None if way == "prompted" else strict_form(prompt, self._forms)
        except SchemaError as error:
            raise UnfitError(str(error)) from error
        strict = way == ways(prompt, self.model)[0]  # a tool instead of structured output is for schemas beyond it
        return Request(messages, parameters_of(prompt, way, form, strict=strict), told, way, form)

    def read(self, response: "ModelResponse", request: Request, prompt: Prompt, seconds: float) -> Completion:
        """The completion of a response. Raises `FaultError`, with the usage, for an answer that cannot be used."""
        try:
            answer = read_response(response, request, prompt, seconds)
        except FaultError:
            raise
        except Exception as error:  # an answer may hold anything
            said = first_line(masked(str(error) or type(error).__name__))
            raise FaultError(
                f"the answer cannot be read: {said}", answer=paid_for(response, prompt, seconds)
            ) from error
        if answer.usage.estimated_tokens:
            self._say(f"{self.name} {ESTIMATED}")
        return replace(answer, refusal=masked(answer.refusal))

    def classified(self, error: Exception) -> Exception:
        """What an error of pydantic-ai means: `FaultError` (retry), `RefusalError` (this prompt) or `ModelError`."""
        return classified(error, self.name, self.patience.timeout, has_answered=self.limiter.has_succeeded)

    def run(self, coroutine: "Coroutine[Any, Any, T]") -> T:
        """The result of a coroutine, run in the event loop that the provider's connections belong to.

        Raises `HaltedError` if the work must end.
        """
        running = self._loop.submit(coroutine)
        settle([running], current())
        if not running.done():
            running.cancel()
            raise HaltedError
        return running.result()

    def _way(self, prompt: Prompt) -> Way:
        found = ways(prompt, self.model)
        known = self._ways.get(prompt.constraint.fingerprint(prompt.mask)) if prompt.constraint is not None else None
        return known if known in found else found[0]

    def _shared(self, prompts: Sequence[Prompt]) -> list[int]:
        with self._lock:
            shared = shared_by(prompts, self._before.messages if self._before is not None else ())
            self._before = prompts[-1] if prompts else self._before
        return shared

    def _answer(self, prompt: Prompt, shared: int) -> Completion:
        """The completion of a prompt; refused if the provider rejects it. Raises `ModelError`.

        If the provider does not take the schema, the prompt is asked again with a weaker hold on the answer. A way
        that works is used for the schema from then on, and a warning says so.
        """
        if prompt.constraint is None:
            return self._tried(prompt, None, shared)
        found = ways(prompt, self.model)
        found = found[found.index(self._way(prompt)) :]
        reason = ""
        for way in found:
            try:
                answer = self._tried(prompt, way, shared)
            except UnfitError as unfit:
                reason = reason or str(unfit)
                continue
            self._keep(prompt, way, reason)
            return answer
        return Completion("", finish_reason="refused", refusal=reason)

    def _keep(self, prompt: Prompt, way: Way, reason: str) -> None:
        """Remember a weaker way that works, and say what holds the answers from now on."""
        constraint = prompt.constraint
        if constraint is None or constraint.language is not None:
            return
        if reason:
            self._ways[constraint.fingerprint(prompt.mask)] = way
            how = "by a tool call" if way == "tool" else "by the prompt alone"
            self._say(f"{self.name} does not take the schema of {constraint.name}, so it is held {how}: {reason}")
        elif way == "prompted":
            self._say(f"{self.name} holds no answer to a schema: its answers are checked, but may not comply")

    def _tried(self, prompt: Prompt, way: Way | None, shared: int) -> Completion:
        """Send a prompt until it is answered. Raises `UnfitError` if a weaker way may help, and `ModelError` once the
        retries are used up.
        """
        spent, unusable = Usage(), 0

        def send() -> Completion:
            nonlocal spent, unusable
            try:
                return self._send(prompt, self.request(prompt, way, shared))
            except FaultError as fault:
                spent += fault.answer or Usage()
                unusable += fault.answer is not None
                if unusable < UNUSABLE:
                    raise
                raise RefusalError(f"no usable answer: {fault}") from fault

        try:
            answer = retried(send, self.patience)
        except RefusalError as refusal:
            if isinstance(refusal, UnfitError) and way in ("native", "tool"):
                self._owed.add(spent)
                raise
            answer = Completion("", finish_reason="refused", refusal=str(refusal))
        except FaultError as fault:
            if fault.answer is not None:  # the provider is up, but gives this prompt no answer that can be used
                return Completion("", spent, finish_reason="refused", refusal=f"no usable answer: {fault}")
            self._owed.add(spent)
            hint = "try again later: the provider is down or overloaded"
            raise ModelError(f"{self.name} does not answer: {fault}", hint=hint) from fault
        except ModelError:
            self._owed.add(spent)
            raise
        return replace(answer, usage=answer.usage + spent)

    def _send(self, prompt: Prompt, request: Request) -> Completion:
        with self.limiter.slot():
            began = time.monotonic()
            try:
                response = self.run(_asked(self.model, request))
            except Exception as error:
                if (text := generated(error)) is None:
                    found = self.failed(error, request)
                    if isinstance(found, FaultError) and is_unread(error):
                        cost = unread(prompt, time.monotonic() - began)
                        found = FaultError(f"the answer cannot be read: {found}", answer=cost)
                    raise found from None  # the text of a client's error may contain the key
                response = failed_answer(text, self.model.model_name)
            answer = self.read(response, request, prompt, time.monotonic() - began)
        self.limiter.succeeded()
        return answer

    def failed(self, error: Exception, request: Request) -> Exception:
        """The error to raise for a request without a response. A setting that the provider refuses is left out of
        every further request, and the request is sent again.
        """
        found = self.classified(error)
        if isinstance(found, RefusalError) and (name := refused_setting(str(found), request.settings)):
            self._refused.add(name)
            self._say(f"{self.name} refuses {name}, which is left to the provider from now on: {found}")
            return FaultError(str(found), wait=0.0)
        if isinstance(found, FaultError) and found.throttled:
            self.limiter.throttled(min(found.wait or 0.0, self.patience.longest_wait))
        if isinstance(found, FaultError) and found.slow:
            self.limiter.throttled(0.0)
        return found

    def _say(self, message: str) -> None:
        """Warn, once per message."""
        if message not in self._said:
            self._said.add(message)
            warnings.warn(message, StructoutWarning, stacklevel=2)


async def _asked(model: "TheirModel[Any]", request: Request) -> "ModelResponse":
    from pydantic_ai.direct import model_request

    return await model_request(
        model,
        request.messages,
        model_settings=request.settings,
        model_request_parameters=request.parameters,
    )


def from_pydantic_ai(
    model: "TheirModel[Any]", *, settings: Mapping[str, Any] | None = None, in_flight: int = 64, timeout: float = 120.0
) -> HostedModel:
    """A model of pydantic-ai as a model of structout, with at most `in_flight` requests at a time.

    `settings` are those of pydantic-ai, added to the model's own; an answer may take `timeout` seconds. Raises
    `SpecError` for an invalid setting, and for a model that only chooses among other models.
    """
    try:
        _ = model.profile
    except NotImplementedError:  # as of FallbackModel
        problem = f"invalid model: a {type(model).__name__} has no profile of its own"
        raise SpecError(problem, hint="give one of its models") from None
    all_settings = {**(model.settings or {}), **(settings or {})}
    name = f"{CLIENT}:{model.model_id}{address(model.base_url or '')}{hashed(all_settings)}"
    return HostedModel(model, name=name, settings=settings, in_flight=in_flight, patience=Patience(timeout=timeout))
