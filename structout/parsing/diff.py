"""A diff of a repair for people: first the changed lines, then the changed values."""

from structout.parsing.edits import Edit, apply
from structout.parsing.repaired import Repaired
from structout.surfaces import line as shown

_LONGEST_LINE = 200


def view(text: str, repaired: Repaired[object]) -> str:
    """Render the edits as a diff: changed lines with - and +, then changed values by JSON Pointer, then issues.

    Lossy and invented edits are marked with `!`. Characters that act on a terminal are escaped. The diff is empty if
    there are no edits and no issues.
    """
    pieces = [_hunk(text, group) for group in _by_lines(text, [e for e in repaired.edits if isinstance(e.where, int)])]
    pieces += [_line(edit) for edit in repaired.edits if isinstance(edit.where, str)]
    pieces += [shown(f"? {issue}") for issue in repaired.issues]
    return "\n".join(pieces)


def _by_lines(text: str, edits: list[Edit]) -> list[list[Edit]]:
    """Group edits that share lines."""
    groups: list[list[Edit]] = []
    reach = -1
    for edit in sorted(edits, key=_start):
        start = _start(edit)
        if groups and start <= reach:
            groups[-1].append(edit)
        else:
            groups.append([edit])
            reach = -1
        stop = text.find("\n", start + len(edit.before))
        reach = max(reach, len(text) if stop < 0 else stop)
    return groups


def _hunk(text: str, edits: list[Edit]) -> str:
    start = text.rfind("\n", 0, _start(edits[0])) + 1
    last = max(_start(edit) + len(edit.before) for edit in edits)
    stop = text.find("\n", last)
    stop = len(text) if stop < 0 else stop
    number = text.count("\n", 0, start) + 1
    kinds = ", ".join(dict.fromkeys(_named(edit) for edit in edits))
    before, after = text[start:stop], apply(text, edits, start, stop)
    return "\n".join(
        [f"@@ line {number}: {kinds}"]
        + [f"- {_cut(line)}" for line in before.split("\n") if line.strip()]
        + [f"+ {_cut(line)}" for line in after.split("\n") if line.strip()]
    )


def _line(edit: Edit) -> str:
    before, after = _cut(edit.before) or "nothing", _cut(edit.after) or "nothing"
    return f"@@ {shown(str(edit.where)) or '(document)'}: {_named(edit)}\n- {before}\n+ {after}"


def _named(edit: Edit) -> str:
    return edit.kind if edit.grade == "lossless" else f"{edit.kind} !{edit.grade}"


def _start(edit: Edit) -> int:
    return edit.where if isinstance(edit.where, int) else 0


def _cut(line: str) -> str:
    return shown(line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…")
