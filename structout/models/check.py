"""A check of a model: what answers, how it holds an answer to a schema, and what else it can do."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.errors import StructoutError, StructoutWarning
from structout.models.base import Model, PartialAnswerError
from structout.models.openai.client import NO_LOGPROBS
from structout.models.openai.dialects import PROBE, heeded
from structout.models.openai.kinds import KINDS
from structout.models.openai.probe import ROOMS
from structout.models.providers.name import is_hosted
from structout.models.wrappers.strict import model_of
from structout.prices import Price, known_price
from structout.surfaces import terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

Constraint = Literal["heeded", "ignored", "unknown", "no answer"]
_SAY = "Say hello in one short sentence."
_SYSTEM = Message("system", "Answer in one short sentence.")


@dataclass(frozen=True)
class ModelCheck:
    """What a check found. A field is None where it is not known, or where it does not apply.

    `seconds` is the time of one short answer. `constraint` says whether the model heeds a constraint, and `by` how it
    is stated: a dialect of our own client, `native`, `tool` or `prompted` of a hosted model, or `mask`. `system` says
    whether the model takes messages with the role system, `many` whether one request can have several answers. `notes`
    are the warnings of the model. `usage` is what the check used.
    """

    name: str
    problem: str = ""
    version: str = ""
    seconds: float | None = None
    constraint: Constraint = "unknown"
    by: str = ""
    logprobs: bool | None = None
    many: bool | None = None
    system: bool | None = None
    price: Price | None = None
    usage: Usage = field(default_factory=Usage)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the model answers."""
        return not self.problem

    def to_json(self) -> dict[str, Any]:
        """The check as a JSON object."""
        return {"ok": self.ok, **asdict(self)}

    def __rich__(self) -> "RenderableType":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        for name, value in self._lines():
            table.add_row(Text(name, style="bold"), Text(terminal(value)))
        return table

    def _lines(self) -> Sequence[tuple[str, str]]:
        unknown = "not known"
        said = {True: "yes", False: "no", None: unknown}
        lines = [("model", self.name)]
        calls = "1 call" if self.usage.calls == 1 else f"{self.usage.calls} calls"
        used = f"{calls}, {self.usage.input_tokens + self.usage.output_tokens:,} tokens"
        costs = [("this check", used)] if self.usage.calls else []
        if self.problem:
            return [*lines, ("problem", self.problem), *costs, *(("note", note) for note in self.notes)]
        how = f"{self.constraint}{f', {self.by}' if self.by else ''}"
        price = unknown
        if self.price is not None:
            price = (
                f"${self.price.input:g} for a million input tokens, ${self.price.output:g} for a million output tokens"
            )
            price += f" ({self.price.source})" if self.price.source else ""
        lines += [("answers as", self.version or unknown)]
        lines += [("one answer", unknown if self.seconds is None else f"{self.seconds:.2f} s")]
        lines += [("constraint", how), ("log-probabilities", said[self.logprobs])]
        lines += [("several answers a request", said[self.many]), ("role system", said[self.system]), ("price", price)]
        return [*lines, *costs, *(("note", note) for note in self.notes)]


def check_model(name: str) -> ModelCheck:
    """Check a named model with a few short questions. A model that does not answer is a check with a `problem`.

    Raises `MissingExtraError`, `SpecError` and `NoModelError` for a model that cannot be loaded.
    """
    model = model_of(name)
    found, used = ModelCheck(name, price=known_price(name)), list[Usage]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = _checked(model, found, used)
        except StructoutError as error:
            found = replace(found, problem=str(error))
    found = replace(found, usage=sum(used, Usage()))
    notes = dict.fromkeys(str(one.message) for one in said if issubclass(one.category, StructoutWarning))
    return replace(found, notes=tuple(note for note in notes if NO_LOGPROBS not in note))  # `logprobs` says so


def _checked(model: Model, found: ModelCheck, used: list[Usage]) -> ModelCheck:
    """The check, with the usage of each answer added to `used`."""
    sampling = Sampling(max_tokens=ROOMS[0])
    (plain,) = _asked(model, [Prompt((Message("user", _SAY),), sampling)], used)  # also loads a local model
    if plain.finish_reason == "refused":
        return replace(found, problem=plain.refusal)
    inner = getattr(model, "inner", model)
    began = time.monotonic()
    (system,) = _asked(model, [Prompt((_SYSTEM, Message("user", _SAY)), sampling)], used)
    seconds = time.monotonic() - began
    (held,) = _asked(model, [Prompt((Message("user", _SAY),), sampling, PROBE)], used)
    way = held.version.rpartition(" ")[2] if is_hosted(found.name) else getattr(inner, "dialect", "")
    constraint: Constraint = "heeded" if heeded(held.text) else "ignored"
    if constraint == "ignored" and (held.finish_reason != "stop" or not held.text.strip()):
        constraint = "no answer" if held.finish_reason == "refused" else "unknown"
    if not way and constraint == "heeded" and hasattr(inner, "vocabulary"):
        way = "mask"
    found = replace(
        found,
        version=plain.version,
        seconds=seconds,
        constraint=constraint,
        by=str(way),
        logprobs=plain.logprobs is not None,
        system=system.finish_reason != "refused" and "system" not in getattr(inner, "left_out", ()),
    )
    is_ours = found.name.partition(":")[0] in KINDS and not is_hosted(found.name)
    return _options(found, str(way), used) if is_ours else found


def _options(found: ModelCheck, dialect: str, used: list[Usage]) -> ModelCheck:
    """The check with what our own client has to ask for: log-probabilities, and several answers of one request."""
    given = found.name.partition("#")[2].split(",")
    added = [one for one in ("logprobs", "n", dialect) if one not in given]
    model = model_of(",".join([found.name if "#" in found.name else f"{found.name}#{added.pop(0)}", *added]))
    prompt = Prompt((Message("user", _SAY),), Sampling(temperature=1.0, max_tokens=ROOMS[0]))
    answers = _asked(model, [prompt, replace(prompt, sample=1)], used)
    return replace(
        found,
        logprobs=all(answer.logprobs is not None for answer in answers),
        many=sum(answer.usage.calls for answer in answers) == 1
        and all(answer.finish_reason != "refused" for answer in answers),
    )


def _asked(model: Model, prompts: Sequence[Prompt], used: list[Usage]) -> Sequence[Completion]:
    """The answers, with the usage of each added to `used`, also if the model fails on a part of the prompts."""
    try:
        answers = model.complete(prompts)
    except PartialAnswerError as error:
        used += [answer.usage for answer in error.completions if answer is not None]
        raise
    used += [answer.usage for answer in answers]
    return answers
