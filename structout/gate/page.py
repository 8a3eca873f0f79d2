"""The page of the gate for people: the verdict, the counts, and the listed documents."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from structout import pages, surfaces
from structout.gate.conclusion import conclusion, issue_named
from structout.gate.findings import MOST_EDITS, Findings, Judgement, ThresholdCheck, percent, ranked
from structout.issue import ISSUES, Issue
from structout.parsing.edits import EDITS, GRADES, Edit
from structout.version import __version__

LISTED = 50  # kinds of issue
SEVERAL = "A document can have several issues, and counts in the line of each."
_LISTED_SOURCES = 200
_PLACES = 20  # documents with the same edits
_VALUES = 10  # changes of values of one document
_COLOURS = {"error": "bad", "warning": "doubtful"}


def as_html(findings: Findings) -> str:
    """An HTML page with the verdict and tables of the thresholds, the issues and the listed documents."""
    is_doubtful = findings.missed("warning") or findings.missed_alone()
    colour = _COLOURS["error"] if not findings.passed else _COLOURS["warning"] if is_doubtful else "good"
    paragraph = conclusion(findings)
    parts = [
        f'<p class="verdict {colour}">{surfaces.html(paragraph)}</p>\n',
        _note(f"structout {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        *_thresholds(findings),
        *_sources(findings),
        *_issues(findings),
        *_repaired(findings),
    ]
    if findings.doubtful:
        rows = [[_place(one, findings), _lines(map(told, one.notices))] for one in findings.doubtful]
        parts += _titled("Values that look wrong", ["document", "what looks wrong"], rows)
    parts.append(_rest(findings.doubtful, findings.noticed, "--json tells all of them."))
    title = f"{findings.source or 'documents'} against {findings.schema}"
    return pages.page(title, pages.Html("".join(parts)), told=paragraph)


def word(check: ThresholdCheck) -> str:
    """The result of a threshold in a word."""
    return "passed" if check.passed else "failed" if check.level == "error" else "warning"


def source_rows(findings: Findings, most: int = _LISTED_SOURCES) -> list[list[str]]:
    """The first inputs with the share of documents that pass, the thresholds that they miss alone, and their documents
    by status, in words.
    """
    rows, missed = [], findings.missed_alone()
    for source, counts in list(findings.sources.items())[:most]:
        total, passed = counts.total(), counts["valid"] + counts["repaired"]
        share = percent(passed / total) if total else ""
        alone = ", ".join(check.name for check in missed.get(source, ()))
        numbers = [f"{count:,}" for count in (total, counts["valid"], counts["repaired"], counts["invalid"])]
        rows.append([source, share, alone, *numbers])
    return rows


SOURCE_HEADS = ("input", "share that passes", "misses alone", "documents", "valid", "repaired", "invalid")


def _thresholds(findings: Findings) -> Iterator[str]:
    checks = [
        [one.name, one.found, pages.tag(word(one), "good" if one.passed else _COLOURS[one.level])]
        for one in findings.checks()
    ]
    yield from _titled("Thresholds", ["threshold", "found", "result"], checks)


def _sources(findings: Findings) -> Iterator[str]:
    if findings.sources:
        rows = [
            [source, share, pages.tag(alone, "doubtful") if alone else "", *numbers]
            for source, share, alone, *numbers in source_rows(findings)
        ]
        yield from _titled("Inputs", SOURCE_HEADS, rows)
        if (count := len(findings.sources)) > _LISTED_SOURCES:
            yield _note(f"The first {_LISTED_SOURCES} of {count:,} are listed.")


def _issues(findings: Findings) -> Iterator[str]:
    kinds = [
        [issue_named(findings, kind), where or "(document)", f"{count:,}", ISSUES.get(kind, "")]
        for (kind, where), count in findings.frequent(LISTED)
    ]
    if kinds:
        yield from _titled("Issues", ["issue", "where", "documents", "meaning"], kinds)
        yield _note(SEVERAL)
    if len(findings.kinds) > LISTED:
        yield _note(f"The {LISTED} most frequent of {len(findings.kinds):,} are listed.")
    if findings.sample:
        rows = [
            [_place(one, findings), pages.Html(_lines(map(told, one.issues)) + _text(one.beginning))]
            for one in findings.sample
        ]
        yield from _titled("Invalid documents", ["document", "issues, and how the text begins"], rows)
    yield _rest(findings.sample, findings.invalid, "--rejects FILE holds all of them.")


def _repaired(findings: Findings) -> Iterator[str]:
    if findings.mended:
        edits = [[kind, f"{count:,}", grade, EDITS.get(kind, "")] for (kind, grade), count in ranked(findings.edits)]
        yield from _titled("Edits", ["edit", "documents", "grade", "meaning"], edits)
        found = {grade for _, grade in findings.edits}
        yield _note(" ".join(f"{grade}: {meaning}." for grade, meaning in GRADES.items() if grade in found))
        yield from _titled("Repaired documents", ["document", "edits"], _repaired_rows(findings))
    yield _rest(findings.mended, findings.repaired, "--output FILE --provenance holds all of them.")
    if most := max((one.edits for one in findings.mended if len(list(_changes(one))) < one.edits), default=0):
        held = f"--report json=FILE holds the first {MOST_EDITS} of each document"
        held += ", and structout repair --edits shows all of one document." if most > MOST_EDITS else "."
        yield _note(f"Edits of one kind are in one line, with the first of them. {held}")


def _repaired_rows(findings: Findings) -> Iterator[list[str]]:
    """The repaired documents: first each that has edits of its own, then the documents that differ in the places of the
    same lossless edits only, in one row.
    """
    groups: dict[tuple[str, ...] | int, list[Judgement]] = {}
    for number, one in enumerate(findings.mended):
        is_plain = len(one.changes) == one.edits and all(
            edit.grade == "lossless" and isinstance(edit.where, int) for edit in one.changes
        )
        groups.setdefault(tuple(sorted({edit.kind for edit in one.changes})) if is_plain else number, []).append(one)
    for alone in (group[0] for group in groups.values() if len(group) == 1):
        yield [_place(alone, findings), _lines(_changes(alone))]
    for group in (group for group in groups.values() if len(group) > 1):
        places = [_inline(one, findings) for one in group[:_PLACES]]
        more = [f"and {len(group) - _PLACES:,} more"] if len(group) > _PLACES else []
        kinds = sorted({edit.kind for edit in group[0].changes})
        told = [*(f"{kind}: {EDITS[kind]}" for kind in kinds), "In the first of them:", *_changes(group[0])]
        yield [pages.Html(f"{len(group):,} documents: {', '.join([*places, *more])}"), _lines(told)]


def _changes(judgement: Judgement) -> Iterator[str]:
    """The edits of a document in words: the changes of values one by one, then the others by kind."""
    values = [edit for edit in judgement.changes if isinstance(edit.where, str)]
    yield from map(str, values[:_VALUES])
    if len(values) > _VALUES:
        yield f"and {len(values) - _VALUES:,} more changes of values"
    others: dict[tuple[str, str], list[Edit]] = {}
    for edit in judgement.changes:
        if not isinstance(edit.where, str):
            others.setdefault((edit.kind, edit.grade), []).append(edit)
    for (kind, _), edits in others.items():
        yield str(edits[0]) if len(edits) == 1 else f"{len(edits):,} × {kind}, the first at {edits[0]}"
    if (more := judgement.edits - len(judgement.changes)) > 0:
        yield f"and {more:,} more"


def told(issue: Issue) -> str:
    """An issue without a place if it concerns the whole document."""
    return str(issue) if issue.pointer else issue.message


def _inline(judgement: Judgement, findings: Findings) -> str:
    source = judgement.source if judgement.source != findings.source else ""
    beside = ", ".join(filter(None, (source, judgement.named)))
    return f'<span class="whole">line {judgement.line}</span>' + (f" ({surfaces.html(beside)})" if beside else "")


def _place(judgement: Judgement, findings: Findings) -> str:
    """The line of a document; below, its input if there are several, and its kept columns."""
    source = judgement.source if judgement.source != findings.source else ""
    below = "".join(f'<small class="wraps">{surfaces.html(one)}</small>' for one in (source, judgement.named) if one)
    return pages.Html(f'<span class="whole">line {judgement.line}</span>{below}')


def _lines(several: Iterable[str]) -> str:
    return pages.Html("<br>".join(map(surfaces.html, several)))


def _text(beginning: str) -> str:
    return f'<small class="wraps mono">{surfaces.html(beginning)}</small>' if beginning else ""


def _titled(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"<h2>{title}</h2>\n"
    yield pages.table(heads, rows, title.lower(), stacked=True)


def _note(text: str) -> str:
    return f'<p class="note">{surfaces.html(text)}</p>\n'


def _rest(listed: Sequence[object], count: int, elsewhere: str) -> str:
    """A note under a table that lists the first documents only; it says where all of them are."""
    return "" if len(listed) >= count else _note(f"The first {len(listed):,} of {count:,} are listed. {elsewhere}")
