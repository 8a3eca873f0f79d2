"""The trial of a grammar in a child process, because hostile schemas can crash the engine or block it forever."""

import re
import signal
import subprocess
import sys

_LARGE = 40_000  # characters of a grammar
_MANY = 150  # references
_DEEP = 150  # levels of nesting
_NUMBER = re.compile(r"\d{4,}")
_MEMORY = 2 * 1024**3  # bytes that a child process may allocate
_SECONDS = 1  # CPU time of a child process, so that the result does not depend on the machine's load
_PATIENCE = 60.0  # seconds of wall time, after which a child process is killed
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds} + 1))
from llguidance import LLMatcher
print(LLMatcher.validate_grammar(sys.stdin.read()))
"""


def trial(source: str) -> str:
    """Why the engine rejects a grammar, or "" if it accepts the grammar.

    A grammar that could crash the engine or take long is tried in a child process, with a limit of one second of CPU
    time and 2 GiB.
    """
    if not _risky(source):
        return _without_warning(_validate(source))
    code = _CHILD.format(memory=_MEMORY, seconds=_SECONDS)
    try:
        child = subprocess.run(
            [sys.executable, "-c", code], input=source, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return "compiling takes too long"
    if child.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
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
    """Whether the grammar contains a repetition of a thousand times or more."""
    keys = r'(?:min|max)(?:Length|Items|Properties)\\*": *\d{4,}'
    return re.search(keys, source) is not None or re.search(r"\{\d*,?\d{4,}\}", source) is not None
