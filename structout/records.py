"""The JSON form of prompts, answers, calls, issues and edits in journals, bench logs and quarantines.

Fields at their defaults are left out. The readers expect damaged or forged input: they raise `DataError` for a wrong
form or type.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any, get_args

from structout.completion import Completion, FinishReason, Message, Prompt, Sampling, Usage, amounts
from structout.errors import DataError, SpecError
from structout.issue import Issue
from structout.parsing import Edit
from structout.result import Attempt
from structout.schema import Schema

VERSION = 2  # version 1 wrote issues and edits as lists in a journal, and every default in a bench log
LARGEST = 2**63  # counts stay below it, as an integer column of SQLite requires
_SLACK = 0.01  # rounding may lift a log-probability this far above 0
_OTHERS = [one for one in fields(Completion) if one.name not in ("text", "usage", "finish_reason")]
_others = attrgetter(*(one.name for one in _OTHERS))
_SAMPLING = [one.name for one in fields(Sampling)]
_COUNTS: dict[str, Any] = {one.name: one.default for one in fields(Usage)}


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    """A prompt as JSON. Of the constraint, only its presence is written."""
    return {
        "messages": [[message.role, message.content] for message in prompt.messages],
        "sampling": {name: getattr(prompt.sampling, name) for name in _SAMPLING},
        "constrained": prompt.constraint is not None,
        "sample": prompt.sample,
    }


def prompt_of(row: Any, schema: Schema[Any] | None = None) -> Prompt:
    """Read a prompt that `prompt_json` wrote; a constrained prompt is constrained to `schema`."""
    with understood("a prompt"):
        sampling = Sampling(**{**row["sampling"], "stop": tuple(row["sampling"]["stop"])})
        messages = tuple(Message(role, content) for role, content in row["messages"])
        require("messages", all(are(str, (one.role, one.content)) for one in messages))
        return Prompt(messages, sampling, schema if row["constrained"] else None, row["sample"])


def completion_json(completion: Completion) -> dict[str, Any]:
    """An answer and its usage as JSON."""
    counts = zip(_COUNTS.items(), amounts(completion.usage), strict=True)
    usage = {name: value for (name, default), value in counts if value != default}
    found = zip(_OTHERS, _others(completion), strict=True)
    others = {one.name: value for one, value in found if value != one.default}
    if completion.values:
        others["values"] = "".join("01"[one] for one in completion.values)
    return {"text": completion.text, "finish_reason": completion.finish_reason, "usage": usage, **others}


def completion_of(row: Any) -> Completion:
    """Read an answer that `completion_json` wrote, in this version or in version 1."""
    with understood("an answer"):
        others = {one.name: _tuples(row[one.name]) for one in _OTHERS if one.name in row}
        if isinstance(values := others.get("values"), str):
            others["values"] = tuple(one == "1" for one in values)
        if isinstance(steered := others.get("steered"), int):  # the oldest logs hold a count without places
            others["steered"] = ((0, 0),) * bool(steered)
        made = Completion(row["text"], usage_of(row["usage"]), row["finish_reason"], **others)
        require("text", are(str, (made.text, made.refusal, made.version)))
        require("finish_reason", made.finish_reason in get_args(FinishReason))
        require("logprobs", made.logprobs is None or all(one < _SLACK for one in made.logprobs))
        require("values", made.values is None or are(bool, made.values))
        require("ends", made.ends is None or are(int, made.ends))
        require("steered", all(are(int, (first, last)) for first, last in made.steered))
    return made


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """A call as JSON, with the key of its prompt: the constraint is not written, but it is part of the key."""
    head = {"model": attempt.model, "key": attempt.prompt.key()}
    return {**head, **prompt_json(attempt.prompt), **completion_json(attempt.completion)}


def attempt_of(row: Any, schema: Schema[Any] | None = None) -> Attempt:
    """Read a call that `attempt_json` wrote; the prompt of a constrained call is constrained to `schema`."""
    with understood("a call"):
        require("model", are(str, (row["model"], row["key"])))
        return Attempt(row["model"], prompt_of(row, schema), completion_of(row))


def brief(attempt: Mapping[str, Any]) -> dict[str, Any]:
    """A call as `attempt_json` wrote it, but without the prompt."""
    left_out = ("key", "messages", "sampling", "constrained")
    return {name: value for name, value in attempt.items() if name not in left_out}


def outcome_texts(row: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of an outcome as JSON that come from its record: of its document, issues, edits and calls."""
    names = (("issues", ("message",)), ("edits", ("where", "before", "after")))
    found = {name: [[one.get(part) for part in parts] for one in row.get(name) or ()] for name, parts in names}
    calls = {name: [_call_texts(one) for one in row.get(name) or ()] for name in ("attempts", "checks")}
    return {"document": row.get("document"), **found, **calls}


def _call_texts(call: Mapping[str, Any]) -> dict[str, Any]:
    messages = [content for _, content in call.get("messages", ())]
    return {"messages": messages, "text": call["text"], "refusal": call.get("refusal", "")}


def versions_of(calls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The model of each call with the version that its server reported, where it reported one."""
    return ((call["model"], call["version"]) for call in calls if call.get("version"))


def usage_of(row: Any) -> Usage:
    """Read a usage. Raises `ValueError` for an impossible amount."""
    require("usage", all(map(is_amount, row.values())))
    return Usage(**row)


def issue_json(issue: Issue) -> dict[str, Any]:
    """An issue as JSON."""
    return asdict(issue)


def issue_of(row: Any) -> Issue:
    """Read an issue that `issue_json` wrote; version 1 wrote a list in journals."""
    with understood("an issue"):
        require("issue", isinstance(row, dict | list))
        made = Issue(**row) if isinstance(row, dict) else Issue(*row)
        require("issue", are(str, (made.pointer, made.kind, made.message)))
    return made


def edit_json(edit: Edit) -> dict[str, Any]:
    """An edit as JSON."""
    return edit._asdict()


def edit_of(row: Any) -> Edit:
    """Read an edit that `edit_json` wrote; version 1 wrote a list in journals."""
    with understood("an edit"):
        require("edit", isinstance(row, dict | list))
        made = Edit(**row) if isinstance(row, dict) else Edit(*row)
        require("edit", are(int | str, made))
    return made


@contextmanager
def understood(what: str) -> Iterator[None]:
    """A context manager that turns every error of reading untrusted JSON into a `DataError`."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, SpecError) as error:
        raise DataError(f"it is not {what}: {type(error).__name__}: {error}") from error


def require(name: str, fulfilled: bool) -> None:
    """Raise `ValueError` for the part `name` unless it is as required."""
    if not fulfilled:
        raise ValueError(f"invalid {name}")


def are(kind: Any, values: Iterable[Any]) -> bool:
    """Whether all values are of a type."""
    return all(isinstance(value, kind) for value in values)


def is_amount(value: Any) -> bool:
    """Whether a value is a possible amount: a number from 0 to `LARGEST`."""
    return isinstance(value, int | float) and 0 <= value < LARGEST


def _tuples(value: Any) -> Any:
    """Lists as tuples, at every depth: JSON has only lists, and a completion has only tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
