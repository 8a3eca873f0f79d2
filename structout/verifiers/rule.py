"""A verifier that calls the user's function."""

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structout.errors import SchemaError, SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Result, Task
from structout.source import check_code, defining_file, file_named, import_object
from structout.verifiers.base import Verdict

RuleFunction = Callable[[Any], Any]


@dataclass(frozen=True)
class Rule:
    """Calls a function with the value: True or None accepts, False rejects, and a text rejects with this text as issue.

    Other results, such as a numpy boolean, are converted by `bool`. `function` is a function or its name,
    `package.module:name` or `path/to/rules.py:name`.

    A `ValueError` or `AssertionError` rejects with its message as issue. Any other error is unsure, since one odd value
    must not end a run; so is a result that is neither true nor false, such as NaN or an array. A function that cannot
    be called with the value alone raises a `SpecError`.
    """

    function: RuleFunction | str

    def __post_init__(self) -> None:
        if isinstance(self.function, str):
            check_code(self.function)  # raise before a model is asked
        else:
            _check_signature(self.function)

    def files(self) -> list[Path]:
        """The file that defines the function. Raises `SchemaError` for an unknown name."""
        if isinstance(self.function, str) and (place := file_named(self.function)) is not None:
            with suppress(SchemaError):  # for a name that the file lacks, `check` raises
                self._imported()
            return [place]
        file = defining_file(self._imported())
        return [] if file is None else [file]

    def _imported(self) -> RuleFunction:
        """The function. Raises `SchemaError` for an unknown name, and `SpecError` for a function of other arguments."""
        if not isinstance(self.function, str):
            return self.function
        function: RuleFunction = import_object(self.function)
        _check_signature(function)
        return function

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        function = self._imported()
        return [_verdict(function, result.value) for result in results]


def _check_signature(function: RuleFunction) -> None:
    """Raise `SpecError` for a function that cannot be called with one argument: it would fail on every record."""
    try:
        taken = inspect.signature(function)
    except (ValueError, TypeError):  # a function of C, which does not tell
        return
    try:
        taken.bind(None)
    except TypeError as error:
        name = getattr(function, "__name__", "the rule")
        problem = f"invalid rule {name}: a rule gets the record's value alone, and this one takes {taken}"
        raise SpecError(problem, hint=f"write def {name}(value)") from error


def _verdict(function: RuleFunction, value: Any) -> Verdict:
    name = getattr(function, "__name__", "the rule")
    try:
        answer = function(value)
    except (ValueError, AssertionError) as error:
        answer = str(error)
    except Exception as error:
        return _failed(name, error)
    if not isinstance(answer, str):
        try:
            accepts = answer is None or _is_true(answer)
        except Exception as error:
            return _failed(name, error)
        if accepts:
            return Verdict("accept", 1.0)
        answer = ""
    return Verdict("reject", 0.0, (Issue("", "rejected", answer or wording.REFUSED.format(rule=name)),))


def _is_true(answer: Any) -> bool:
    if answer != answer:  # for an array, this raises too
        raise ValueError("NaN is neither true nor false")
    return bool(answer)


def _failed(name: str, error: Exception) -> Verdict:
    failed = wording.RULE_FAILED.format(rule=name, error=f"{type(error).__name__}: {error}")
    return Verdict("unsure", 0.5, (Issue("", "rejected", failed),))
