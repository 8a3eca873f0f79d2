"""The clients: each asks for documents of a type, one a text, with one more question where an answer is invalid."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from pydantic import BaseModel, RootModel, create_model

from benchmarks.providers.kinds import Kind
from structout.pipeline import extract

ClientName = Literal["structout", "pydantic-ai", "pydantic-ai native", "pydantic-ai strict", "instructor"]
CLIENTS: tuple[ClientName, ...] = get_args(ClientName)
_QUESTIONS = 2  # a row


@dataclass(frozen=True)
class Outcome:
    """What a client makes of one text: a value that it accepts, or the reason for no value.

    `document` is the JSON that the value was made of, from clients that give it.
    """

    is_accepted: bool
    value: Any = None
    reason: str = ""
    document: str | None = None


Work = tuple[Any, Sequence[str]]  # a type, and texts


def ask(client: ClientName, kind: Kind, url: str, work: Sequence[Work]) -> Iterator[list[Outcome]]:
    """The outcomes of the texts of each type. Raises `ImportError` if the client is not installed."""
    if client == "structout":
        return _ours(kind, url, work)
    if client == "instructor":
        return _instructor(kind, url, work)
    return iter(asyncio.run(_agents(kind, url, work, client)))


def _ours(kind: Kind, url: str, work: Sequence[Work]) -> Iterator[list[Outcome]]:
    model = kind.ours(url)
    for type_, texts in work:
        outcomes = []
        for text in texts:
            try:
                found = extract(text, type_, model)
                outcomes.append(Outcome(found.ok, found.value, str(found.issues[:1]), json.dumps(found.document)))
            except Exception as error:
                outcomes.append(Outcome(False, reason=_said(error)))
        yield outcomes


async def _agents(kind: Kind, url: str, work: Sequence[Work], client: ClientName) -> list[list[Outcome]]:
    from pydantic_ai import Agent, NativeOutput, ToolOutput

    forms: dict[ClientName, Callable[[Any], Any]] = {
        "pydantic-ai": ToolOutput,  # its default
        "pydantic-ai native": NativeOutput,
        "pydantic-ai strict": partial(NativeOutput, strict=True),
    }
    model = kind.agent(url)
    done = []
    for type_, texts in work:
        is_wrapped = _is(type_, RootModel)  # which the agent refuses
        taken = _wrapped(type_) if is_wrapped else type(None) if type_ is None else type_
        outcomes = []
        for text in texts:
            try:
                output: Any = forms[client](taken)
                agent: Any = Agent(model, output_type=output, retries=_QUESTIONS - 1)
                found = (await agent.run(text)).output
                outcomes.append(Outcome(True, found.value if is_wrapped else found))
            except Exception as error:
                outcomes.append(Outcome(False, reason=_said(error)))
        done.append(outcomes)
    return done


def _instructor(kind: Kind, url: str, work: Sequence[Work]) -> Iterator[list[Outcome]]:
    client = kind.instructor(url)
    for type_, texts in work:
        is_wrapped = not _is(type_, BaseModel) or _is(type_, RootModel)  # which the client refuses
        taken = _wrapped(type_) if is_wrapped else type_
        outcomes = []
        for text in texts:
            message = [{"role": "user", "content": text}]
            try:
                found = client.create(response_model=taken, messages=message, max_retries=_QUESTIONS - 1, strict=False)
                outcomes.append(Outcome(True, found.value if is_wrapped else found))
            except Exception as error:
                outcomes.append(Outcome(False, reason=_said(error)))
        yield outcomes


def _is(type_: Any, kind: type) -> bool:
    return isinstance(type_, type) and issubclass(type_, kind)


def _wrapped(type_: Any) -> Any:
    """A model with the type as its only field, as the documentation of the peers advises."""
    return create_model("Answer", value=(type_, ...))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
