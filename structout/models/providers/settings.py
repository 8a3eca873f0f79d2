"""The settings of requests: those of the user, checked by their types, and those that a prompt's sampling asks for."""

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_type_hints

from structout.completion import Prompt
from structout.errors import SpecError

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# Settings that structout decides, and what a user gives instead.
_RETRIES = "leave it out: structout retries requests itself"
_SECONDS = "give #timeout=SECONDS in the model's name"
_DECIDED = {
    "max_tokens": "give --max-tokens, or max_tokens of Sampling",
    "temperature": "give --temperature, or temperature of Sampling",
    "top_p": "give top_p of Sampling",
    "top_k": "give top_k of Sampling",
    "seed": "give --seed, or seed of Sampling",
    "stop_sequences": "give stop of Sampling",
    "max_retries": _RETRIES,
    "timeout": _SECONDS,
    "request_timeout": _SECONDS,
    "first_event_timeout": _SECONDS,
    "tool_choice": "leave it out: the schema decides",
    "parallel_tool_calls": "leave it out: the schema decides",
}
_IN_BODY = {"openrouter": ("top_k", "min_p")}  # what only `extra_body` carries


def checked(given: Mapping[str, Any], model: "Model[Any]") -> dict[str, Any]:
    """The user's settings under the names that pydantic-ai takes for a model: `effort` means `anthropic_effort` there.

    Raises `SpecError` for an unknown setting, an invalid value, and a setting that structout decides.
    """
    known = _types(model)
    prefixes = {name.partition("_")[0] for name in known.keys() - _types(None).keys()}
    found: dict[str, Any] = {}
    for key, value in given.items():
        names = [key, *(f"{prefix}_{key}" for prefix in sorted(prefixes))]
        if key == "reasoning_effort":
            names.append("thinking")
        name = next((name for name in names if name in known), None)
        if key in _DECIDED:
            raise SpecError(f"invalid setting of {model.model_id}: structout decides {key!r}", hint=_DECIDED[key])
        if name is None:
            close = get_close_matches(key, known, 3, 0.5) or get_close_matches(f"{model.system}_{key}", known, 3, 0.5)
            hint = f"do you mean {', '.join(close)}?" if close else "see the settings of models in pydantic-ai"
            raise SpecError(f"unknown setting of {model.model_id}: {key!r:.60}", hint=hint)
        if problem := _misfit(value, known[name]):
            raise SpecError(f"invalid setting {key!r} of {model.model_id}", hint=problem)
        thinks = name != "thinking" or value is False or model.profile.get("supports_thinking", False)
        if not thinks or name in model.unsupported_settings:
            raise SpecError(f"{model.model_id} does not take {key!r}", hint=f"leave {key} out")
        found[name] = value
    return found


def private(model: "Model[Any]") -> dict[str, Any]:
    """The setting that keeps OpenAI from storing answers, which its Responses API otherwise does."""
    speaks_responses = any(kind.__name__ == "OpenAIResponsesModel" for kind in type(model).__mro__)
    return {"openai_store": False} if speaks_responses and model.system in ("openai", "azure") else {}


def of_sampling(prompt: Prompt, model: "Model[Any]", settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a prompt's sampling asks for, all of them; `untaken` names those that a model does not take.

    Raises `SpecError` for a filter that the provider cannot apply.
    """
    s = prompt.sampling
    if s.repetitions is not None:
        raise SpecError(f"{model.model_id} does not support a limit on repetitions", hint="leave repetitions out")
    found: dict[str, Any] = {"max_tokens": s.max_tokens, "temperature": s.temperature}
    if s.top_p is not None:
        found["top_p"] = s.top_p
    if s.temperature > 0:
        found["seed"] = (s.seed * 1_000_003 + prompt.sample) & 0x7FFFFFFF
    if s.stop:
        found["stop_sequences"] = list(s.stop)
    body: dict[str, Any] = {}
    for name, value in (("top_k", s.top_k), ("min_p", s.min_p)):
        if value is None:
            continue
        if name in _IN_BODY.get(model.system, ()):
            body[name] = value
        elif name == "top_k" and name not in model.unsupported_settings:
            found[name] = value
        else:
            raise SpecError(f"{model.model_id} does not support {name}", hint=f"leave {name} out")
    if body:
        extra = settings.get("extra_body")
        found["extra_body"] = {**(extra if isinstance(extra, Mapping) else {}), **body}
    return found


def untaken(model: "Model[Any]", settings: Mapping[str, Any]) -> frozenset[str]:
    """The settings of sampling that a model does not take, as its profile says."""
    profile: Mapping[str, Any] = model.profile
    names = {*model.unsupported_settings, *profile.get("openai_unsupported_model_settings", ())}
    fixed = profile.get("anthropic_disallows_sampling_settings") or profile.get("bedrock_disallows_sampling_settings")
    if fixed or _thinks(profile, settings):
        names |= {"temperature", "top_p", "top_k"}
    return frozenset(names)


def _thinks(profile: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether an OpenAI model reasons on this request: it then takes no temperature."""
    if not profile.get("openai_supports_reasoning"):
        return False
    efforts = profile.get("openai_reasoning_efforts")
    can_stop = profile.get("openai_supports_reasoning_effort_none", False) if efforts is None else "none" in efforts
    effort, thinking = settings.get("openai_reasoning_effort"), settings.get("thinking")
    if effort is not None:
        return not can_stop or effort != "none"
    if thinking is not None:
        return not can_stop or thinking is not False
    return not can_stop or bool(profile.get("thinking_enabled_by_default", False))


def _types(model: "Model[Any] | None") -> dict[str, Any]:
    """The type of each setting that pydantic-ai takes for a model; None gives the settings of all models."""
    from pydantic_ai.settings import ModelSettings

    general = ModelSettings.__annotations__.keys()
    found = _hints(ModelSettings)
    for kind in type(model).__mro__ if model is not None else ():
        for one in vars(sys.modules[kind.__module__]).values():
            if hasattr(one, "__total__") and general <= one.__annotations__.keys():  # a typed dict of any library
                found |= _hints(one)
    return found


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except NameError:  # a type that only type checkers import
        return dict.fromkeys(kind.__annotations__, Any)


def _misfit(value: Any, kind: Any) -> str:
    """What is wrong with a setting's value, "" if nothing is known to be wrong."""
    from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError

    try:
        TypeAdapter(kind).validate_python(value)
    except (PydanticSchemaGenerationError, PydanticUserError):  # a type that Pydantic cannot check
        return ""
    except ValidationError as error:
        return "; ".join(dict.fromkeys(one["msg"] for one in error.errors()))[:200]
    return ""
