"""A prompt as a request of pydantic-ai: its messages, how the answer is held to the schema, and the settings."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from structout.completion import Message, Prompt
from structout.schema.strict_form import StrictForm, strictified

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

# How an answer is held to a schema: by the provider's own structured output, as the arguments of a tool that the model
# must call, or only by the prompt.
Way = Literal["native", "tool", "prompted"]
_TOLD = "Gives the answer."
_CACHED_BY = ("openai", "azure")  # providers that route requests by a cache key


@dataclass(frozen=True)
class Request:
    """What `pydantic_ai.direct.model_request` and a batch take for a prompt.

    `way` is None for a prompt without a constraint. `form` is the schema's strict form, None where no schema is sent.
    """

    messages: "list[ModelMessage]"
    parameters: "ModelRequestParameters"
    settings: "ModelSettings"
    way: Way | None = None
    form: StrictForm | None = None


def ways(prompt: Prompt, model: "Model[Any]") -> list[Way]:
    """How an answer to a constrained prompt can be held to its schema, strongest first."""
    if prompt.constraint is None or prompt.constraint.language is not None:
        return ["prompted"]
    profile: Mapping[str, Any] = model.profile
    found: list[Way] = []
    if profile.get("supports_json_schema_output", False):
        found.append("native")
    if profile.get("supports_tools", True):
        found.append("tool")
    return [*found, "prompted"]


def parameters_of(
    prompt: Prompt, way: Way, form: StrictForm | None, *, strict: bool = True
) -> "ModelRequestParameters":
    """The part of a request that states the constraint. A tool that is not `strict` only guides the answer."""
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    if form is None or prompt.constraint is None or way == "prompted":
        return ModelRequestParameters()
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", prompt.constraint.name)[:64] or "document"
    if way == "native":
        held = OutputObjectDefinition(form.schema, name=name, strict=True)
        return ModelRequestParameters(output_mode="native", output_object=held)
    tool = ToolDefinition(
        name=name, parameters_json_schema=form.schema, description=_TOLD, strict=strict, kind="output"
    )
    return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)


def messages_of(
    messages: Sequence[Message], shared: int = 0, cache: Mapping[str, Any] | None = None
) -> "list[ModelMessage]":
    """The messages of a prompt. With `cache`, a provider caches the first `shared` messages, which come again."""
    from pydantic_ai.messages import (
        CachePoint,
        ModelRequest,
        ModelRequestPart,
        ModelResponse,
        SystemPromptPart,
        TextPart,
        UserPromptPart,
    )

    mark = CachePoint(ttl="1h" if cache and cache.get("retention") in ("1h", "12h") else "5m")
    found: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    for place, message in enumerate(messages):
        if message.role == "assistant":
            found += [ModelRequest(parts=asked)] if asked else []
            found.append(ModelResponse(parts=[TextPart(message.content)]))
            asked = []
        elif message.role == "system":
            asked.append(SystemPromptPart(message.content))
        elif cache and place == shared and any(one.role == "user" for one in messages[:place]):
            asked.append(UserPromptPart([mark, message.content]))
        else:
            asked.append(UserPromptPart(message.content))
    return [*found, ModelRequest(parts=asked)] if asked else found


def caching(messages: Sequence[Message], shared: int, model: "Model[Any]", given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with which a provider caches the first `shared` messages, and no message of one prompt alone.

    The user's setting `cache` turns caching off, or says how long to cache; with a setting of the provider for caching,
    the user decides on everything.
    """
    asked = given.get("cache", shared > 0)
    if asked is False or any("_cache" in key for key in given):
        return {}
    profile: Mapping[str, Any] = model.profile
    found: dict[str, Any] = {}
    if profile.get("supports_cache", False):
        kept = {"retention": asked} if isinstance(asked, str) else asked if isinstance(asked, Mapping) else {}
        found["cache"] = {"messages": False, **kept}
    if model.system in _CACHED_BY and shared:
        prefix = json.dumps([[one.role, one.content] for one in messages[:shared]])
        found["openai_prompt_cache_key"] = hashlib.sha256(prefix.encode()).hexdigest()[:32]
    return found


def shared_by(prompts: Sequence[Prompt], before: Sequence[Message]) -> list[int]:
    """For each prompt, how many of its first messages another prompt has: a neighbour, or the one `before` them.

    The last message, which holds the record or the newest turn, does not count.
    """
    said = [prompt.messages for prompt in prompts]
    found = []
    for place, messages in enumerate(said):
        others = [said[place - 1] if place else tuple(before), *said[place + 1 : place + 2]]
        found.append(max(_common(messages, other) for other in others))
    return found


def _common(messages: Sequence[Message], others: Sequence[Message]) -> int:
    count = 0
    for one, other in zip(messages[:-1], others, strict=False):
        if one != other:
            break
        count += 1
    return count


def strict_form(prompt: Prompt, kept: dict[str, StrictForm]) -> StrictForm:
    """The strict form of a prompt's schema, kept for the next prompt with the schema."""
    held = prompt.held_to
    key = json.dumps(held, sort_keys=False)
    if key not in kept:
        kept[key] = strictified(held)
    return kept[key]
