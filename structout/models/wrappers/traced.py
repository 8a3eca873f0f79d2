"""A wrapper that sends an OpenTelemetry span per completion, by the semantic conventions for generative AI."""

import time
import warnings
from collections.abc import Mapping, Sequence

from structout.completion import Completion, Prompt
from structout.errors import MissingExtraError, StructoutWarning
from structout.models import Model
from structout.models.providers.name import CLIENT, is_hosted
from structout.models.wrappers.base import Wrapper
from structout.surfaces import line

_NANO = 1_000_000_000


class Traced(Wrapper):
    """Wraps a model and sends a span `chat MODEL` per completion to the tracer that the program has set up.

    A span holds sizes, settings and reasons, but no text of a prompt or an answer. `tags` are among its attributes, as
    `structout.tag.NAME`. Raises `MissingExtraError`.
    """

    def __init__(self, inner: Model, tags: Mapping[str, str] | None = None) -> None:
        try:
            from opentelemetry import trace
        except ModuleNotFoundError as error:
            raise MissingExtraError("opentelemetry-api", "telemetry") from error
        super().__init__(inner)
        self._tags = {f"structout.tag.{name}": line(value) for name, value in (tags or {}).items()}
        self._tracer = trace.get_tracer("structout")
        self._kind = trace.SpanKind.CLIENT
        self._failed = trace.StatusCode.ERROR

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        began = time.time_ns()
        try:
            completions = self.inner.complete(prompts)
        except Exception as error:
            span = self._tracer.start_span(f"chat {line(self.name)}", kind=self._kind, start_time=began)
            span.set_attributes(self._request(None))
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(self._failed)
            span.end()
            raise
        now = time.time_ns()
        for prompt, completion in zip(prompts, completions, strict=True):
            seconds = completion.usage.seconds
            span = self._tracer.start_span(f"chat {line(self.name)}", kind=self._kind, start_time=began)
            span.set_attributes(self._request(prompt))
            span.set_attributes(
                {
                    "gen_ai.response.finish_reasons": [completion.finish_reason],
                    "gen_ai.usage.input_tokens": completion.usage.input_tokens,
                    "gen_ai.usage.output_tokens": completion.usage.output_tokens,
                }
            )
            if completion.version:
                span.set_attribute("gen_ai.response.model", line(completion.version))
            span.end(began + int(seconds * _NANO) if seconds else now)
        return completions

    def _request(self, prompt: Prompt | None) -> dict[str, str | int | float]:
        called = self.name.removeprefix(f"{CLIENT}:")
        provider = called.partition(":")[0] if called.startswith("openai:") or is_hosted(self.name) else "structout"
        about: dict[str, str | int | float] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": line(self.name),
            **self._tags,
        }
        if prompt is not None:
            about["gen_ai.request.max_tokens"] = prompt.sampling.max_tokens
            about["gen_ai.request.temperature"] = prompt.sampling.temperature
            about["gen_ai.output.type"] = "json" if prompt.constraint is not None else "text"
        return about


def check_heard() -> None:
    """Warn if no tracer provider is set up and spans are lost, which OpenTelemetry itself does not report."""
    from opentelemetry import trace

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        warnings.warn(
            "no tracer provider is set up, so spans are lost: run `opentelemetry-instrument structout ...`"
            " (pip install opentelemetry-distro opentelemetry-exporter-otlp), or set up a provider in your program",
            StructoutWarning,
            stacklevel=3,
        )
