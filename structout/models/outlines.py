"""An adapter that turns any outlines model, local or behind an API, into a structout model."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from structout.completion import Completion, Prompt, Sampling, Usage
from structout.errors import MissingExtraError, ModelError
from structout.grammar.languages import lark_of
from structout.language import Choice, Regex
from structout.schema import Schema

Options = Callable[[Sampling], Mapping[str, Any]]


def from_outlines(
    model: Any, name: str | None = None, *, backend: str | None = None, options: Options | None = None
) -> "OutlinesModel":
    """Wrap an outlines model so that it answers structout's prompts, with constraints as far as it supports them.

    A steerable model (Transformers, LlamaCpp, MLX ...) gets a mask from `backend` (`llguidance`, `outlines_core` or
    `xgrammar`; by default outlines chooses); `Lark` and `Sql` always use llguidance, the only backend for them. A
    black-box model gets the schema with the request. A constraint that a black-box model does not support, such as a
    grammar with OpenAI, stands in the prompt alone. Answers are verified like the answers of any model. `options`
    turns a `Sampling` into the model's own arguments; Transformers, LlamaCpp, MLX, OpenAI, vLLM and Ollama have a
    default. Raises `MissingExtraError`, and `ModelError` if `model` is not a synchronous outlines model.
    """
    try:
        from outlines.models.base import Model
    except ImportError as error:
        raise MissingExtraError("outlines", "local") from error
    if not isinstance(model, Model):
        hint = "make a synchronous model with outlines.from_transformers, outlines.from_openai ..."
        raise ModelError(f"invalid outlines model: got {type(model).__name__}", hint=hint)
    kind = type(model).__name__
    return OutlinesModel(model, name or f"outlines:{kind}", backend, options or _OPTIONS.get(kind, _no_options))


class OutlinesModel:
    """A structout `Model` over an outlines model, made by `from_outlines`. It answers one prompt at a time."""

    def __init__(self, model: Any, name: str, backend: str | None, options: Options) -> None:
        self.name = name
        self._model = model
        self._backend = backend
        self._options = options
        self._generators: dict[str, Any] = {}
        self._lock = threading.Lock()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        with self._lock:
            return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        began = time.perf_counter()
        try:
            generator = self._generator(prompt.constraint, prompt.held_to)
        except Exception as error:  # backends raise errors of any type for a schema that they cannot compile
            reason = str(error).strip().split("\n")[0][:200]
            return Completion("", finish_reason="refused", refusal=f"{self.name} does not support the schema: {reason}")
        try:
            answer = generator(self._input(prompt), **self._options(prompt.sampling))
        except Exception as error:
            reason = str(error).strip().split("\n")[0][:200]
            raise ModelError(f"{self.name} failed: {reason}", hint="check the model and its options") from error
        text = answer if isinstance(answer, str) else str(answer)
        read = self._count("\n".join(message.content for message in prompt.messages))
        written = self._count(text)
        usage = Usage(1, read, written, time.perf_counter() - began)
        return Completion(text, usage, "length" if written >= prompt.sampling.max_tokens else "stop")

    def _generator(self, schema: Schema[Any] | None, mask: Any) -> Any:
        import outlines
        from outlines.models import SteerableModel
        from outlines.types import CFG

        key = schema.fingerprint(mask) if schema else ""
        if key not in self._generators:
            wanted, backend = _output_type(schema, mask), self._backend
            if isinstance(wanted, CFG):
                backend = "llguidance"  # the other backends read other dialects, or no grammars
            if not isinstance(self._model, get_args(SteerableModel)) and not self._takes(wanted):
                wanted = None
            self._generators[key] = outlines.Generator(self._model, wanted, backend)
        return self._generators[key]

    def _takes(self, wanted: Any) -> bool:
        """Whether a black-box model supports a type of output: its adapter raises, before a request is sent, if not."""
        write = getattr(self._model.type_adapter, "format_output_type", None)
        try:
            if write is not None:
                write(wanted)
        except (TypeError, NotImplementedError):
            return False
        return True

    def _input(self, prompt: Prompt) -> Any:
        from outlines.inputs import Chat

        if getattr(self._model.type_adapter, "has_chat_template", True):
            return Chat([{"role": message.role, "content": message.content} for message in prompt.messages])
        return "\n\n".join(message.content for message in prompt.messages)

    def _count(self, text: str) -> int:
        """The number of tokens of a text; 0 for a black-box model, which has no tokenizer here."""
        tokenizer: Any = getattr(getattr(self._model, "tokenizer", None), "tokenizer", None)
        return len(tokenizer.encode(text, add_special_tokens=False)) if hasattr(tokenizer, "encode") else 0


def _output_type(schema: Schema[Any] | None, mask: Any) -> Any:
    """A constraint as an outlines output type."""
    from outlines.types import CFG, JsonSchema
    from outlines.types import Regex as Expression

    if schema is None:
        return None
    language = schema.language
    if language is None:
        held = schema.json_schema if mask is None else mask
        return JsonSchema(held if isinstance(held, dict) else {})
    if isinstance(language, Choice):
        return Expression("|".join(_escape(value) for value in language.values))
    if isinstance(language, Regex):
        return Expression(language.pattern)
    return CFG(lark_of(language))


def _escape(text: str) -> str:
    return "".join(c if c.isalnum() or c == " " else f"\\{c}" for c in text)


def _transformers(sampling: Sampling) -> dict[str, Any]:
    options: dict[str, Any] = {"max_new_tokens": sampling.max_tokens, "do_sample": sampling.temperature > 0}
    if sampling.temperature > 0:
        own = {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
        options |= {key: value for key, value in own.items() if value is not None}
    return options


def _chat(sampling: Sampling) -> dict[str, Any]:
    own = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
    return {key: value for key, value in own.items() if value is not None}


def _seeded(sampling: Sampling) -> dict[str, Any]:
    return {**_chat(sampling), "seed": sampling.seed}


def _ollama(sampling: Sampling) -> dict[str, Any]:
    return {"options": {"num_predict": sampling.max_tokens, "temperature": sampling.temperature, "seed": sampling.seed}}


def _no_options(_: Sampling) -> dict[str, Any]:
    return {}


_OPTIONS: dict[str, Options] = {
    "Transformers": _transformers,
    "LlamaCpp": _seeded,
    "MLXLM": lambda sampling: {"max_tokens": sampling.max_tokens},
    "OpenAI": _seeded,
    "VLLM": _seeded,
    "Ollama": _ollama,
}
