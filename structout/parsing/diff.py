"""A diff of a repair for people: first the changed lines, then the changed values."""

from structout.parsing.edits import Edit, apply
from structout.parsing.repaired import Repaired
from structout.surfaces import line as shown

_LONGEST_LINE = 200
# In a longer line, a hunk shows the edits within `_WIDE` characters, and `_AROUND` characters before and after them.
_WIDE = 100
_AROUND = 40


def view(text: str, repaired: Repaired[object]) -> str:
    """Render the edits as a diff: changed lines with - and +, then changed values by JSON Pointer, then issues.

    Of a line with more than 200 characters, only the text around the changes is shown. Lossy and invented edits are
    marked with `!`. Characters that act on a terminal are escaped. The diff is empty if
    there are no edits and no issues.
    """
    groups = _by_lines(text, [edit for edit in repaired.edits if isinstance(edit.where, int)])
    ends = [0, *(_end(group[-1]) for group in groups)]
    starts = [*(_start(group[0]) for group in groups[1:]), len(text)]
    pieces = [_hunk(text, *one) for one in zip(groups, ends, starts, strict=False)]
    pieces += [_line(edit) for edit in repaired.edits if isinstance(edit.where, str)]
    pieces += [shown(f"? {issue}") for issue in repaired.issues]
    return "\n".join(pieces)


def _by_lines(text: str, edits: list[Edit]) -> list[list[Edit]]:
    """Group edits that share lines, and in a long line edits that are near each other."""
    groups: list[list[Edit]] = []
    reach = -1
    for edit in sorted(edits, key=_start):
        if not groups or _start(edit) > reach:
            groups.append([])
        groups[-1].append(edit)
        start, stop = _line_around(text, edit, edit)
        is_long = stop - start > _LONGEST_LINE
        reach = max(_start(groups[-1][0]) + _WIDE, _end(edit)) if is_long else max(reach, stop)
    return groups


def _line_around(text: str, first: Edit, last: Edit) -> tuple[int, int]:
    """Where the line of the first edit starts, and where the line of the last edit ends."""
    stop = text.find("\n", _end(last))
    return text.rfind("\n", 0, _start(first)) + 1, len(text) if stop < 0 else stop


def _hunk(text: str, edits: list[Edit], after: int, before: int) -> str:
    """The lines of some edits before and after. The edits of other hunks are not between `after` and `before`."""
    first, last = _start(edits[0]), max(map(_end, edits))
    line, end = _line_around(text, edits[0], edits[-1])
    start, stop, number, place = line, end, text.count("\n", 0, line) + 1, ""
    if end - line > _LONGEST_LINE:
        start, stop = max(line, after, first - _AROUND), max(last, min(end, before, last + _AROUND))
        place = f", character {first}"
    kinds = ", ".join(dict.fromkeys(_named(edit) for edit in edits))
    left, right = "…" if start > line else "", "…" if stop < end else ""
    old, new = (f"{left}{one}{right}" for one in (text[start:stop], apply(text, edits, start, stop)))
    return "\n".join(
        [f"@@ line {number}{place}: {kinds}"]
        + [f"- {_cut(one)}" for one in old.split("\n") if one.strip()]
        + [f"+ {_cut(one)}" for one in new.split("\n") if one.strip()]
    )


def _line(edit: Edit) -> str:
    pairs = enumerate(zip(edit.before, edit.after, strict=False))
    same = next((place for place, (one, two) in pairs if one != two), 0) - _AROUND
    skipped = same if same > _WIDE else 0
    before, after = (_cut(("…" if skipped else "") + one[skipped:]) or "nothing" for one in (edit.before, edit.after))
    return f"@@ {shown(str(edit.where)) or '(document)'}: {_named(edit)}\n- {before}\n+ {after}"


def _named(edit: Edit) -> str:
    return edit.kind if edit.grade == "lossless" else f"{edit.kind} !{edit.grade}"


def _start(edit: Edit) -> int:
    return edit.where if isinstance(edit.where, int) else 0


def _end(edit: Edit) -> int:
    return _start(edit) + len(edit.before)


def _cut(line: str) -> str:
    return shown(line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…")
