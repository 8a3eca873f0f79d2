"""The probe that finds out in which dialect a server heeds a constraint."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.models.openai import dialects
from structout.models.openai.dialects import PROBED, Dialect
from structout.models.openai.kinds import KINDS
from structout.models.openai.verdict import speaks_of_schema
from structout.models.retries import RefusalError

ROOMS = (1024, 4096)  # tokens: a model may think before it answers
TRIES = 2  # of a dialect that the server answers with an internal error


_QUESTION = 200  # tokens of the question with its schema and template, at most
MOST = Usage(len(PROBED) * len(ROOMS), len(PROBED) * len(ROOMS) * _QUESTION, len(PROBED) * sum(ROOMS))


class Finding(NamedTuple):
    """The dialect to use, and what to say of it; "" if the server heeds it."""

    dialect: Dialect
    warning: str = ""


def order(kind: str) -> tuple[Dialect, ...]:
    """The dialects in the order in which a kind of server is probed."""
    preferred = KINDS[kind].preferred
    return (*preferred, *(one for one in PROBED if one not in preferred))


def question(sampling: Sampling, room: int) -> Prompt:
    """The probe's prompt: it asks for a greeting, constrained to improbable words, with the settings of a call."""
    settings = replace(sampling, max_tokens=room, stop=(), repetitions=None)
    return Prompt((Message("user", dialects.PROBE_QUESTION),), settings, constraint=dialects.PROBE)


def probed(name: str, ask: Callable[[Dialect, int], Completion], dialects_to_try: Sequence[Dialect]) -> Finding:
    """The dialect that the model `name` heeds. `ask` sends the question in a dialect with room for so many tokens.

    `none` only if every dialect is refused or gets a whole answer that ignores the constraint. Where an answer is cut
    off, or has no text, or does not come, it is not known whether the server heeds a constraint: the first dialect is
    then used all the same, as answers are checked anyway. Raises `ModelError` if the server does not answer at all.
    """
    unknown = ""
    is_refused = True
    for dialect in dialects_to_try:
        for room in ROOMS:
            try:
                answer = ask(dialect, room)
            except RefusalError as refusal:
                if room > ROOMS[0] or not _refuses(refusal.said, dialect):
                    unknown = unknown or f"it does not answer the probe: {refusal}"
                break
            if dialects.heeded(answer.text):
                return Finding(dialect)
            is_refused = False
            if answer.text.strip() and answer.finish_reason == "stop":
                break
        else:
            is_cut = answer.finish_reason == "length"
            how = f"is cut off at {ROOMS[-1]:,} tokens" if is_cut else answer.refusal or "has no text"
            unknown = unknown or f"its answer to the probe {how}"
            if is_cut:
                break  # other dialects would be cut off as well
    if unknown:
        first = dialects_to_try[0]
        told = f"it is not known whether {name} heeds constraints, as {unknown}"
        return Finding(first, f"{told}; requests state them all the same, in the dialect {first}")
    does = "refuses constraints" if is_refused else "ignores constraints"
    return Finding("none", f"{name} {does}: its answers are checked, but may not comply")


def _refuses(reason: str, dialect: Dialect) -> bool:
    """Whether a refusal is about the constraint, or the field that states it."""
    stated = dialects.fields(dialects.PROBE, dialect) or {}
    return speaks_of_schema(reason) or any(re.search(rf"\b{name}\b", reason) for name in stated)
