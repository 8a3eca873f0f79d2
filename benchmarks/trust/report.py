"""The page of what was tried: results/trust.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.trust.promises import PROMISES
from benchmarks.trust.trial import Tried


@dataclass(frozen=True)
class Line:
    """What one trial came to, the seconds that it took, and the state of the code that was tried."""

    what: str
    tried: Tried
    seconds: float
    state: str


def report(found: Mapping[str, Sequence[Line]], how: str) -> str:
    """The page. `how` says which cases were tried."""
    parts = [
        "# Do the promises hold?",
        "",
        f"Made by `python -m benchmarks.trust` ({how}), which tries to break each promise; see there what is tried. "
        "*Code* is the commit that was tried. "
        "`tests/benchmarks/test_trust.py` seeds known faults (a record written twice, a changed row that passes, a "
        "file written in place, an error that is swallowed, a file without a lock, a mask with a hole, a careless "
        "judge and reader, an engine that forgets masks, a client that trusts its server, a fence that a record ends, "
        "a narrow interval, leaking memory) and shows that the same trials find them.",
        "",
    ]
    for name, lines in found.items():
        promise = PROMISES[name]
        parts += [
            f"## {promise.name}",
            "",
            "| tried | times | broken | seconds | code |",
            "| --- | ---: | ---: | ---: | --- |",
        ]
        parts += [_row(line) for line in lines]
        for line in lines:
            parts += ["", *[f"- {one[:600]}" for one in line.tried.broken]] if line.tried.broken else []
            parts += ["", f"{line.what[:1].upper()}{line.what[1:]}:", "", *line.tried.table] if line.tried.table else []
        parts += ["", "**Found, and fixed since:**", "", *[f"- {one}" for one in promise.fixed or ["nothing"]]]
        parts += ["", "**Not tried:**", "", *[f"- {one}" for one in promise.beyond], ""]
    return "\n".join(parts)


def _row(line: Line) -> str:
    tried = line.tried
    times = tried.missing or f"{tried.times:,}"
    return f"| {line.what} | {times} | {len(tried.broken)} | {line.seconds:,.0f} | {line.state} |"
