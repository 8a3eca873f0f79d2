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
_SHORT_PATIENCE = 10.0  # the same on a system without limits on CPU time
_LIMITS = f"""
import contextlib, resource
with contextlib.suppress(OSError, ValueError):  # macOS refuses a limit on memory
    resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS} + 1))
"""
_CHILD = """
import sys
from llguidance import LLMatcher
sys.stdout.buffer.write(LLMatcher.validate_grammar(sys.stdin.buffer.read().decode()).encode())
"""
_STOPPED = {-getattr(signal, name) for name in ("SIGXCPU", "SIGKILL") if hasattr(signal, name)}  # Windows has neither


def trial(source: str) -> str:
    """Why the engine rejects a grammar, or "" if it accepts the grammar.

    A grammar that could crash the engine or take long is tried in a child process, with a limit of one second of CPU
    time and 2 GiB. On a system without these limits (Windows), the limit is ten seconds of wall time.
    """
    if not _risky(source):
        return _without_warning(_validate(source))
    limits, patience = (_LIMITS, _PATIENCE) if _has_limits() else ("", _SHORT_PATIENCE)
    command = [sys.executable, "-c", limits + _CHILD]
    try:
        child = subprocess.run(
            command, input=source, capture_output=True, encoding="utf-8", timeout=patience, check=False
        )
    except subprocess.TimeoutExpired:
        return "compiling takes too long"
    if child.returncode in _STOPPED:
        return "compiling takes too long"
    if child.returncode:
        return "compiling needs too much memory, or crashes the engine"
    return _without_warning(child.stdout.strip())


def _has_limits() -> bool:
    try:
        import resource  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


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
