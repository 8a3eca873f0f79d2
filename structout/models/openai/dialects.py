"""The dialects in which a request states a constraint, and the probe that shows whether a server obeys it."""

import re
from typing import Any, Literal, get_args

from structout.errors import SpecError
from structout.language import Choice, Regex
from structout.schema import Schema

Dialect = Literal[
    "json_schema",  # OpenAI's response_format; also vLLM, SGLang, llama.cpp, Ollama, LM Studio
    "structured_outputs",  # vLLM's own field
    "json_object",  # response_format json_object with the schema beside it: llama-cpp-python, Together, Fireworks
    "ollama",  # the field `format`
    "none",  # requests state no constraint; the answer is only checked
]
PROBED: tuple[Dialect, ...] = ("json_schema", "structured_outputs", "json_object", "ollama")
# No model says these words by itself: a server that answers with one obeys the constraint.
_IMPROBABLE = ["vermilion-7-okapi", "zinc-31-quill"]
PROBE: Schema[Any] = Schema.of(
    {
        "title": "probe",
        "type": "object",
        "properties": {"word": {"type": "string", "enum": _IMPROBABLE}},
        "required": ["word"],
        "additionalProperties": False,
    }
)
PROBE_QUESTION = "Say hello in one short sentence."


def dialect_named(name: str) -> Dialect:
    """The dialect with the given name. Raises `SpecError` if it is unknown."""
    if name not in get_args(Dialect):
        hint = f"give {', '.join(get_args(Dialect))}, a setting as NAME=VALUE, or write a # of the model's name as %23"
        raise SpecError(f"unknown dialect {name!r:.40}", hint=hint)
    return name  # type: ignore[return-value]


def fields(constraint: Schema[Any], dialect: Dialect, mask: Any = None) -> dict[str, Any] | None:
    """The fields of a request that state `constraint`, or the `mask` in its place; None if the dialect cannot."""
    language = constraint.language
    if language is not None:
        if dialect != "structured_outputs":
            return None
        if isinstance(language, Choice):
            return {"structured_outputs": {"choice": list(language.values)}}
        return {"structured_outputs": {"regex": language.pattern}} if isinstance(language, Regex) else None
    schema = constraint.json_schema if mask is None else mask
    if dialect == "json_schema":
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", constraint.name)[:64] or "document"
        described = {"name": name, "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": described}}
    if dialect == "json_object":
        return {"response_format": {"type": "json_object", "schema": schema}}
    if dialect == "structured_outputs":
        return {"structured_outputs": {"json": schema}}
    return {"format": schema} if dialect == "ollama" else None


def heeded(answer: str) -> bool:
    """Whether the answer to the probe's question complies with the probe's schema, after any thoughts in tags."""
    said = answer.rpartition("</think>")[2].strip()
    return PROBE.check_text(said).ok if said else False
