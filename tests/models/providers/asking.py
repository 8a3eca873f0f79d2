"""A schema, prompts for it, and models of pydantic-ai in this process."""

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.usage import RequestUsage

from structout import Message, Prompt, Sampling, Schema
from structout.models.providers.hosted import HostedModel, from_pydantic_ai
from structout.models.retries import Patience

NATIVE = ModelProfile(supports_json_schema_output=True)
TOOL = ModelProfile(supports_json_schema_output=False)
PROMPTED = ModelProfile(supports_json_schema_output=False, supports_tools=False)


class Part(BaseModel):
    name: str
    size: int | None = None
    stock: dict[str, int] = {}


SCHEMA: Schema[Any] = Schema.of(Part)
STRICT = {"name": "bolt", "size": None, "stock": [{"key": "Ulm", "value": 3}]}  # an answer in strict form
DOCUMENT = {"name": "bolt", "size": None, "stock": {"Ulm": 3}}
READ, WROTE = 20, 8  # the tokens of every answer


def ask(text: str = "bolts", *, schema: Schema[Any] | None = SCHEMA, **sampling: Any) -> Prompt:
    return Prompt((Message("system", "Read parts."), Message("user", text)), Sampling(**sampling), schema)


def said(*parts: ModelResponsePart, finish: Any = "stop", details: Any = None) -> ModelResponse:
    usage = RequestUsage(input_tokens=READ, output_tokens=WROTE, cache_read_tokens=5, cache_write_tokens=2)
    usage.output_reasoning_tokens = 3
    return ModelResponse(parts=list(parts), usage=usage, finish_reason=finish, provider_details=details)


def bolt(info: AgentInfo) -> ModelResponse:
    """The answer that the request asks for: by a tool call if it has a tool, else as a text."""
    if info.output_tools:
        return said(ToolCallPart(info.output_tools[0].name, STRICT), finish="tool_call")
    held = info.model_request_parameters.output_object is not None
    return said(TextPart(json.dumps(STRICT if held else DOCUMENT)))


class Asked:
    """A model of pydantic-ai that answers by a function, and keeps what it was asked."""

    def __init__(
        self, answer: Callable[[AgentInfo, int], ModelResponse] | None = None, profile: ModelProfile = NATIVE
    ) -> None:
        self.infos: list[AgentInfo] = []
        self.messages: list[list[ModelMessage]] = []
        self._answer = answer or (lambda info, number: bolt(info))
        self.model = FunctionModel(self._function, model_name="m", profile=profile)

    def _function(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.infos.append(info)
        self.messages.append(messages)
        return self._answer(info, len(self.infos) - 1)


def of(asked: Asked, **given: Any) -> HostedModel:
    """The model as structout asks it, with short waits between attempts."""
    model = from_pydantic_ai(asked.model, **given)
    model.patience = Patience(timeout=5, attempts=3, seconds=60, longest_wait=0.05)
    return model
