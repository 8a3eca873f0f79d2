"""What an experiment will ask and cost, before a model is asked: a rehearsal with stand-ins for the models."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from structout.completion import Completion, Prompt, Sampling, Usage
from structout.errors import StructoutWarning
from structout.evaluation.dataset import Dataset
from structout.evaluation.experiment import Experiment
from structout.evaluation.folds import is_fitted
from structout.evaluation.harness import evaluate, points
from structout.evaluation.log import Log
from structout.evaluation.perturbations import PERTURBATIONS
from structout.models import Model, identity
from structout.models.tokens import most_read
from structout.prices import Price, dollars, with_known
from structout.result import Result, Task
from structout.strategies import Strategy
from structout.strategies.parts import parts, with_inner, with_models
from structout.surfaces import json_text
from structout.verifiers import Verdict, Verifier

_BYTES = 4  # of a prompt or an answer for a token, likely


@dataclass(frozen=True, slots=True)
class Expected:
    """The new prompts of a model with their tokens, and the price in US dollars (None if it is unknown).

    `likely` assumes that every answer is the label of its record, with a token for four bytes of the messages. `most`
    takes the worse of two cases for each strategy: no answer is accepted, or verifiers reject every answer. Its prompts
    have a token for each byte of the messages, of a template and of the schema, and its answers are as long as the
    token limit. `known` prompts are in the log and not asked again. `strategies` holds the different prompts of each
    strategy, likely and at most, known prompts included; a prompt that several strategies send is asked once.
    """

    model: str
    known: int
    prompts: int
    prompts_most: int
    likely: Usage
    most: Usage
    price: float | None
    price_most: float | None
    strategies: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def forecast(experiment: Experiment) -> list[Expected]:
    """What an experiment will ask of each model, without asking. An early stop is left out, and so are the lessons of
    a `Learned` that folds fit. Raises as `Experiment.run`, but for what models raise.
    """
    whole, part = experiment.records()
    sampling = Sampling(temperature=experiment.temperature, max_tokens=experiment.max_tokens, seed=experiment.seed)
    changes = tuple(PERTURBATIONS) if experiment.perturbations == ("all",) else experiment.perturbations
    named = experiment.strategies
    written = named if any(name != one for name, one in named.items()) else list(named)

    def ask(cast: _Cast) -> None:
        for name, _, strategy, how in points(written, experiment.sweep, sampling):
            folds = None if is_fitted(strategy) else experiment.folds
            cast.ask(
                name,
                strategy,
                experiment.models,
                part,
                repeats=experiment.repeats,
                examples=None if folds else whole,
                folds=folds,
                sampling=how,
                perturbations=changes if part.has_labels else (),
            )

    return _rehearsed(ask, [part], experiment.place(), experiment.own_prices())


def forecast_of(
    strategies: Mapping[str, Strategy],
    models: Sequence[Model | str],
    parts: Sequence[Dataset],
    *,
    examples: Dataset | None,
    folds: int | None,
    sampling: Sampling,
    log: str | Path,
    prices: Mapping[str, Price] | None = None,
) -> list[Expected]:
    """What `recommend` and `certify` will ask at most of each model, without asking: each strategy on all `parts`. The
    arguments are as `evaluate` takes them, and the errors as of `forecast`.
    """

    def ask(cast: _Cast) -> None:
        for name, strategy in strategies.items():
            for part in parts:
                cast.ask(name, strategy, models, part, examples=examples, folds=folds, sampling=sampling)

    return _rehearsed(ask, parts, log, prices or {})


def _rehearsed(
    ask: "Callable[[_Cast], None]", parts: Sequence[Dataset], log: str | Path, own_prices: Mapping[str, Price]
) -> list[Expected]:
    """What is asked of each model if `ask` asks stand-ins, which know the labels of the records in `parts`."""
    labels = {record.text: json_text(record.written) for part in parts for record in part if record.has_label}
    kept = Log(log)
    accepted, refused, doubted = _Cast(labels, kept), _Cast({}, kept), _Cast(labels, kept, doubts=True)
    for cast in (accepted, refused, doubted):
        ask(cast)
    prices = with_known(own_prices, accepted.parts)
    found = []
    for name, likely in accepted.parts.items():
        ways = [cast.parts[name] for cast in (accepted, refused, doubted) if name in cast.parts]
        strategies = list(dict.fromkeys(one for way in ways for one in way.sent))
        if not strategies:
            continue  # a model that no strategy asks
        worst: dict[str, Usage] = {}  # the prompts of each strategy in the way in which it asks the most
        sent = {}
        for one in strategies:
            way = max(ways, key=lambda way: len(way.sent.get(one, ())))
            sent[one] = len(likely.sent.get(one, ())), len(way.sent[one])
            worst |= {key: way.asked[key][1] for key in way.sent[one] if key in way.asked}
        price, usages = prices.get(name), (likely.likely, sum(worst.values(), Usage()))
        costs = [None if price is None else price.of(usage) for usage in usages]
        found.append(
            Expected(
                model=name,
                known=len(likely.seen),
                prompts=len(likely.asked),
                prompts_most=len(worst),
                likely=usages[0],
                most=usages[1],
                price=costs[0],
                price_most=costs[1],
                strategies=sent,
            )
        )
    return found


class _Cast:
    """The stand-ins for the models, by name. With `labels` by text, they answer with the label of the record that is
    asked about; without, with nothing that could be accepted. If the cast `doubts`, verifiers reject every answer.
    """

    def __init__(self, labels: Mapping[str, str], log: Log, *, doubts: bool = False) -> None:
        self.labels = dict(sorted(labels.items(), key=lambda one: -len(one[0])))
        self.log = log
        self.doubts = doubts
        self.parts: dict[str, _StandIn] = {}
        self.strategy = ""  # that is rehearsed

    def ask(self, name: str, strategy: Strategy, models: Sequence[Model | str], part: Dataset, **how: Any) -> None:
        """Rehearse the strategy of a name; `how` is as `evaluate` takes it."""
        self.strategy = name
        if self.doubts:
            if not any(map(_verifies, parts(strategy))):
                return  # nothing rejects its answers
            strategy = _doubting(strategy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StructoutWarning)  # the run itself will warn
            evaluate({name: with_models(strategy, self.stand_in)}, [self.stand_in(one) for one in models], part, **how)

    def stand_in(self, model: Model | str) -> "_StandIn":
        """The stand-in for a model."""
        name = model if isinstance(model, str) else model.name
        if name not in self.parts:
            self.parts[name] = _StandIn(name, self, self.log.completions.get(identity(name), {}))
        return self.parts[name]


@dataclass(frozen=True)
class _Doubting:
    """Asks what a verifier asks, and rejects every answer."""

    verifier: Verifier

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        return [replace(one, decision="reject") for one in self.verifier.check(tasks, results, model)]


def _doubting(part: Any) -> Any:
    """The strategy whose verifiers reject every answer."""
    return _Doubting(part) if _verifies(part) else with_inner(part, _doubting)


def _verifies(part: Any) -> bool:
    return isinstance(part, Verifier) and not (hasattr(part, "run") or hasattr(part, "complete"))


class _StandIn:
    """Counts the prompts that a model would be asked, each once."""

    def __init__(self, name: str, cast: _Cast, known: Mapping[str, Completion]) -> None:
        self.name = name
        self.asked: dict[str, tuple[Usage, Usage]] = {}  # by the key of a prompt: likely, and at most
        self.seen: set[str] = set()
        self.sent: dict[str, set[str]] = {}  # by strategy
        self._cast, self._known = cast, known

    @property
    def likely(self) -> Usage:
        """The likely usage of all new prompts."""
        return sum((likely for likely, _ in self.asked.values()), Usage())

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        key = prompt.key()
        self.sent.setdefault(self._cast.strategy, set()).add(key)
        if key in self._known:
            self.seen.add(key)
            return self._known[key]
        text = self._label(prompt)
        if key not in self.asked:
            limit = prompt.sampling.max_tokens
            likely = sum(len(message.content.encode(errors="replace")) for message in prompt.messages) // _BYTES
            written = min(limit, len(text.encode(errors="replace")) // _BYTES + 1)
            self.asked[key] = Usage(1, likely, written), Usage(1, most_read(prompt), limit)
        return Completion(text, Usage(calls=1))

    def _label(self, prompt: Prompt) -> str:
        """The label of the last record in a prompt; without one, a text that no schema accepts, and another one for
        each prompt: equal answers would make the next prompts equal, which are asked once.
        """
        for message in reversed(prompt.messages):
            if message.role == "user":
                for text, label in self._cast.labels.items():
                    if text in message.content:
                        return label
        return f"no answer to {prompt.key()}"


def _between(likely: int, most: int) -> str:
    return f"{likely:,}" if likely == most else f"{likely:,} to at most {most:,}"


def lines(found: Sequence[Expected], max_tokens: int) -> list[str]:
    """The forecast as lines for people."""
    told = []
    for one in found:
        many, most = (usage.input_tokens + usage.output_tokens for usage in (one.likely, one.most))
        costs = [price if price is None else float(f"{price:.3g}") for price in (one.price, one.price_most)]
        cost = "price unknown: give --price" if None in costs else " to at most ".join(dollars(c or 0) for c in costs)
        known = f", {one.known:,} more are in the log" if one.known else ""
        prompts = _between(one.prompts, one.prompts_most)
        if len(one.strategies) > 1 and sum(count for count, _ in one.strategies.values()) > one.prompts + one.known:
            known += "; equal prompts of several strategies are asked once"
        told += [
            f"{one.model}",
            f"  prompts  {prompts}{known}",
            *(f"    {_between(*counts)} by {name}" for name, counts in one.strategies.items()),
            f"  tokens   {many:,} to at most {most:,}",
            f"  cost     {cost}",
        ]
    return [
        *told,
        f"Likely: every answer is the label of its record, {_BYTES} bytes a token. At most: each answer is rejected "
        f"and asked for again, a byte a token, the schema counted too, {max_tokens} tokens an answer. "
        "No model was asked.",
    ]
