"""No strategy's cost is under-reported: the model's calls are counted apart from what the results say."""

from collections.abc import Sequence
from itertools import count
from math import log
from typing import Any

import pytest

from structout import Completion, Prompt, Result, Task, Usage, load_strategy
from structout.completion import Sampling
from structout.result import Example
from structout.schema import Schema
from structout.strategies.expression import NAMES as PARTS
from structout.verifiers.features import NAMES
from tests.bolt import Bolt

SCHEMA = Schema.of(Bolt)
ANSWERS = (
    '{"kind": "hex", "size_mm": 6, "note": "zinc"}',
    '```json\n{"kind": "hex", "size_mm": 7}\n```',
    '{"kind": "flange", "size_mm": 6, "note": "brass"}',
    "no",
    '{"kind": "hexagon"}',
    '{"kind": "hex", "size_mm": 8}',
    '{"kind": "he',
)


class Metered:
    """Answers all sorts of things, and keeps a bill of its own."""

    name = "metered"

    def __init__(self) -> None:
        self.bill: list[Usage] = []
        self._turn = count()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        turn = next(self._turn)
        usage = Usage(1, len(prompt.messages) + turn, 7 + turn % 3, 0.25, passes=1.5, model_seconds=0.125)
        self.bill.append(usage)
        constraint = prompt.constraint
        if constraint is not None and constraint.language is not None:
            offered = [text for text in ("yes", "no") if constraint.check_text(text).ok]
            return Completion(offered[turn % len(offered)], usage, logprobs=(log(0.5),))
        if turn % 11 == 10:
            return Completion("", usage, "refused", refusal="too long")
        text = ANSWERS[turn % len(ANSWERS)]
        return Completion(
            text, usage, "length" if text == ANSWERS[-1] else "stop", logprobs=(-1.0 - turn % 2,), values=(True,)
        )


ONES = (1.0,) * len(NAMES)
HEAD = f"Head({ONES}, {ONES}, {ONES}, 0.5)"
EXPRESSIONS = [
    "Prompted(examples=2)",
    "Constrained(examples=2, choose='similar')",
    "Constrained(examples=2, quote=True)",
    "Repair(Prompted())",
    "Reask(Repair(Prompted()), limit=3)",
    "Cascade(Prompted(), Verify(Constrained(), Grounded()), Reask(Constrained()))",
    "Verify(Repair(Constrained()), Grounded(), on_reject='reask')",
    "Verify(Constrained(), Judge())",
    "Verify(Constrained(), Judge(per_field=True), on_reject='reask')",
    "Verify(Constrained(), Agreement(n=3))",
    "Verify(Constrained(), RoundTrip())",
    "Verify(Constrained(), RoundTrip(by='model'), on_reject='reask')",
    "Verify(Constrained(), Confident())",
    f"Verify(Constrained(), Learned({HEAD}))",
    "Verify(Constrained(), Rule('tests.strategies.test_accounting:is_small'))",
    "Verify(Constrained(), AllOf(Grounded(fields=('/note',)), Judge(), AnyOf(Agreement(), Judge(per_field=True))))",
    "Verify(Verify(Constrained(), Judge()), RoundTrip(by='model'))",
    "BestOf(Constrained(), n=4, by='mean_logprob')",
    "BestOf(Constrained(), n=4, by='value_logprob')",
    "BestOf(Repair(Constrained()), n=4, by='first_valid')",
    "BestOf(Verify(Constrained(), Judge()), n=3, by=Agreement())",
    "Vote(Constrained(), n=5)",
    "Ensemble(Constrained(), Reask(Prompted()), Verify(Repair(Constrained()), Judge()))",
    "Vote(Verify(Repair(Constrained()), Judge()), n=4, level='record')",
    "Reask(Vote(Constrained(), n=3), limit=2)",
    "Cascade(Verify(Vote(Constrained(), n=3), Judge()), Verify(Draft(Constrained()), Judge()), Think(Constrained()))",
    "Draft(Repair(Constrained()), first=Repair(Prompted()))",
    "Reask(Think(Verify(Constrained(), Judge())))",
    "Windowed(Verify(Reask(Repair(Prompted())), Judge()), window=3, overlap=1)",
    "Windowed(Missed(Repair(Prompted())), window=3, overlap=1)",
    "Reask(Continued(Repair(Constrained()), limit=2))",
]


def is_small(value: Bolt) -> bool:
    return value.size_mm < 7


def tasks(count: int) -> list[Task[Any]]:
    shown = tuple(Example(f"hex bolt {i}", {"kind": "hex", "size_mm": i}) for i in range(1, 4))
    return [Task(f"hex bolt, {i} mm, zinc", SCHEMA, shown, Sampling(max_tokens=50)) for i in range(count)]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_results_add_up_to_the_models_own_bill(text: str) -> None:
    model = Metered()
    results: list[Result[Any]] = load_strategy(text).run(tasks(17), model)
    assert len(model.bill) >= 17
    assert sum((result.usage for result in results), Usage()) == sum(model.bill, Usage())
    apart = [(result.generation, result.verification) for result in results]
    assert sum((made + checked for made, checked in apart), Usage()) == sum(model.bill, Usage())
    asks = any(name in text for name in ("Judge", "Agreement", "by='model'"))
    assert any(checked.calls for _, checked in apart) == asks


def test_every_part_of_a_strategy_is_accounted_for() -> None:
    """`On` is measured with the models that it names, in the test of strategies."""
    named = {name for name in PARTS if any(f"{name}(" in text for text in EXPRESSIONS)}
    assert named | {"On"} == set(PARTS)
