"""The user's own check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Result, Task
from structout.source import import_object
from structout.verifiers.base import Verdict

Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Rule:
    """Asks a function of the value: True or None accepts, False refuses, and so does a text, which says what is wrong.

    What is none of these, such as a boolean of numpy, counts as `bool` has it.

    `function` may be its name, `package.module:name` or `path/to/rules.py:name`. A `ValueError` or `AssertionError`
    refuses like a text; any other error leaves the verifier unsure, for one odd value must not end a run.
    """

    function: Check | str

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        function = import_object(self.function) if isinstance(self.function, str) else self.function
        return [_verdict(function, result.value) for result in results]


def _verdict(function: Check, value: Any) -> Verdict:
    name = getattr(function, "__name__", "the rule")
    try:
        answer = function(value)
        says = answer if isinstance(answer, str) else ""
        accepts = not isinstance(answer, str) and (answer is None or bool(answer))
    except (ValueError, AssertionError) as error:
        says, accepts = str(error), False
    except Exception as error:
        failed = wording.RULE_FAILED.format(rule=name, error=f"{type(error).__name__}: {error}")
        return Verdict("unsure", 0.5, (Issue("", "rejected", failed),))
    if accepts:
        return Verdict("accept", 1.0)
    return Verdict("reject", 0.0, (Issue("", "rejected", says or wording.REFUSED.format(rule=name)),))
