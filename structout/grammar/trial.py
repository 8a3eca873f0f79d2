"""Trying a grammar out where it can do no harm: the engine has crashed, and taken forever, on hostile schemas."""

import re
import subprocess
import sys
import time

_LARGE = 40_000  # characters of a grammar
_MANY = 150  # references
_DEEP = 150  # levels of nesting
_NUMBER = re.compile(r"\d{4,}")
_MEMORY = 2 * 1024**3  # bytes that a child process may ask for
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
from llguidance import LLMatcher
print(LLMatcher.validate_grammar(sys.stdin.read()))
"""


def trial(source: str, until: float) -> str:
    """Why the engine refuses a grammar, or "" if it takes it.

    A grammar that could crash the engine or take long is tried in a child process, which is killed at `until` (on
    the clock of `time.perf_counter`) and may use 2 GiB.
    """
    if not _risky(source):
        return _without_warning(_validate(source))
    if (left := until - time.perf_counter()) <= 0:
        return "compiling takes too long"
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD.format(memory=_MEMORY)],
            input=source, capture_output=True, text=True, timeout=left, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "compiling takes too long"
    if child.returncode:
        return "compiling needs too much memory, or crashes the engine"
    return _without_warning(child.stdout.strip())


def _validate(source: str) -> str:
    from llguidance import LLMatcher

    return str(LLMatcher.validate_grammar(source))


def _without_warning(reason: str) -> str:
    return "" if reason.startswith("WARNING") else reason


def _risky(source: str) -> bool:
    if len(source) > _LARGE or source.count("$ref") > _MANY:
        return True
    depth = deepest = 0
    for character in source:
        if character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest > _DEEP or bool(_NUMBER.search(source) and _repeats(source))


def _repeats(source: str) -> bool:
    """Whether the grammar repeats something a thousand times and more."""
    keys = r'(?:min|max)(?:Length|Items|Properties)\\*": *\d{4,}'
    return re.search(keys, source) is not None or re.search(r"\{\d*,?\d{4,}\}", source) is not None
