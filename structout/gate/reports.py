"""Reports of the gate, for pipelines and for people."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from structout import surfaces
from structout.errors import SpecError
from structout.gate.conclusion import conclusion, issue_named, summary, told_alone
from structout.gate.findings import Findings, Judgement, ThresholdCheck, ranked
from structout.gate.page import LISTED, SEVERAL, SOURCE_HEADS, as_html, source_rows, told, word
from structout.gate.written import judgement_json
from structout.tables.output import check_writable
from structout.tables.whole_file import replacing


def reports_named(targets: Iterable[str], option: str = "report") -> dict[str, str]:
    """The paths of some reports `FORMAT=PATH`; `option` names them in messages. Raises `SpecError` for a target with
    an unknown format or without a path, and for a file that cannot be written.
    """
    paths = {}
    for target in targets:
        name, _, path = target.partition("=") if isinstance(target, str) else ("", "", "")
        if name not in FORMATS or not path:
            problem = f"invalid {option}: got {target!r:.80}, expected FORMAT=PATH"
            raise SpecError(problem, hint=f"use one of {', '.join(FORMATS)}")
        if path != "-":
            check_writable(path)
        paths[target] = path
    return paths


def write_report(target: str, findings: Findings) -> None:
    """Write a report of `reports_named`; the path `-` is stdout. Raises `OutputError`."""
    name, _, path = target.partition("=")
    written = FORMATS[name](findings)
    if path == "-":
        sys.stdout.write(written)
        return
    with replacing(path) as stream:
        stream.write(written.encode())


def as_json(findings: Findings) -> str:
    """The findings as one JSON object."""
    alone = findings.missed_alone()
    return surfaces.json_text(
        {
            "source": findings.source,
            "schema": findings.schema,
            "passed": findings.passed,
            "documents": findings.total,
            "valid": findings.valid,
            "repaired": findings.repaired,
            "invalid": findings.invalid,
            "noticed": findings.noticed,
            "blank_lines": findings.blank,
            "checks": [
                {"name": c.name, "found": _number(c), "passed": c.passed, "level": c.level} for c in findings.checks()
            ],
            "sources": [
                {"source": one, **_counts(counts), "missed": [check.name for check in alone.get(one, ())]}
                for one, counts in findings.sources.items()
            ],
            "kinds": [{"kind": kind, "pointer": pointer, "documents": n} for (kind, pointer), n in findings.frequent()],
            "reasons": [{"reason": why, "documents": n} for why, n in ranked(findings.reasons)],
            "edits": [{"kind": kind, "grade": grade, "documents": n} for (kind, grade), n in ranked(findings.edits)],
            "sample": [judgement_json(judgement) for judgement in findings.sample],
            "mended": [judgement_json(judgement) for judgement in findings.mended],
            "doubtful": [judgement_json(judgement) for judgement in findings.doubtful],
        },
        ascii=True,
    )


def as_junit(findings: Findings) -> str:
    """JUnit XML with a test per threshold. The text of a failed test lists the invalid documents.

    JUnit knows no warnings: the output of a passed test says that a threshold which only warns is missed.
    """
    checks = findings.checks()
    failed = len(findings.missed("error"))
    suite = Element("testsuite", name=surfaces.xml(f"structout validate {findings.source}"))
    suite.attrib |= {"tests": str(len(checks)), "failures": str(failed), "errors": "0"}
    for check in checks:
        name = surfaces.xml(check.name)
        case = SubElement(suite, "testcase", classname=surfaces.xml(findings.schema), name=name)
        if check.level == "warning" and not check.passed:
            SubElement(case, "system-out").text = f"warning: {name}: found {check.found}"
        elif not check.passed:
            failure = SubElement(case, "failure", message=f"{name}: found {check.found}")
            failure.text = surfaces.xml("\n".join(map(str, findings.sample)))
    if alone := told_alone(findings):
        SubElement(suite, "system-out").text = surfaces.xml(alone)
    return tostring(suite, encoding="unicode", xml_declaration=True)


def as_sarif(findings: Findings) -> str:
    """SARIF 2.1.0 (OASIS) with a result per issue: an error if the gate failed, otherwise a warning."""
    kinds = sorted({kind for kind, _ in findings.kinds})
    results = [
        {
            "ruleId": issue.kind,
            "level": _level(findings),
            "message": {"text": surfaces.sarif(_beside(judgement, told(issue)))},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": surfaces.address(judgement.source)},
                        "region": {"startLine": judgement.line},
                    }
                }
            ],
        }
        for judgement in findings.sample
        for issue in judgement.issues
    ]
    driver = {"name": "structout", "rules": [{"id": kind, "shortDescription": {"text": kind}} for kind in kinds]}
    return surfaces.json_text(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        },
        ascii=True,
    )


def as_github(findings: Findings) -> str:
    """Workflow commands of GitHub Actions: an annotation per missed threshold, the summary, and one per document.
    A document is an error if the gate failed, otherwise a warning.

    GitHub shows few annotations of a step, so what decides stands first.
    """
    lines = [
        f"::{c.level} title=structout::{surfaces.github(f'{c.name}: found {c.found}')}"
        for c in findings.checks()
        if not c.passed
    ]
    level = "warning" if findings.missed_alone() and findings.passed else "notice"
    lines.append(f"::{level} title=structout::{surfaces.github(summary(findings))}")
    lines += [
        f"::{_level(findings)} file={surfaces.github_property(v.source)},line={v.line}::"
        + surfaces.github(_beside(v, "; ".join(map(told, v.issues))))
        for v in findings.sample
    ]
    return "".join(line + "\n" for line in lines)


def as_markdown(findings: Findings) -> str:
    """A Markdown page with the verdict and tables of the thresholds, the inputs, the issues, the first invalid
    documents and the edits.
    """
    checks = [
        (surfaces.markdown(c.name), c.found, "passed" if c.passed else f"**{word(c)}**") for c in findings.checks()
    ]
    tables = [_table(("threshold", "found", ""), checks)]
    if findings.sources:
        rows = [
            (surfaces.code(source), share, f"**{surfaces.markdown(alone)}**" if alone else "", *numbers)
            for source, share, alone, *numbers in source_rows(findings)
        ]
        tables.append(_table(SOURCE_HEADS, rows))
    if findings.kinds:
        kinds = [
            (issue_named(findings, kind), surfaces.code(where or "(document)"), f"{n:,}")
            for (kind, where), n in findings.frequent(LISTED)
        ]
        tables += [_table(("issue", "where", "documents"), kinds), SEVERAL]
    if findings.sample:
        rejected = [
            (f"{surfaces.code(v.place)} {surfaces.markdown(v.named)}".strip(), surfaces.markdown(_first(v)))
            for v in findings.sample[:_REJECTED]
        ]
        tables.append(_table(("invalid document", "issues"), rejected))
        if findings.invalid > _REJECTED:
            tables.append(f"The first {_REJECTED} of {findings.invalid:,} invalid documents are listed.")
    if findings.edits:
        edits = [(kind, grade, f"{n:,}") for (kind, grade), n in ranked(findings.edits)]
        tables.append(_table(("edit", "grade", "documents"), edits))
    head = f"# {surfaces.markdown(findings.source)}\n\n{surfaces.markdown(conclusion(findings))}\n\n"
    return head + "\n\n".join(tables) + "\n"


_REJECTED = 20  # invalid documents that the Markdown page lists
_FIRST = 5  # issues of each
_NUMBERS = ("found", "documents", "valid", "repaired", "invalid", "share that passes")


def _first(judgement: Judgement) -> str:
    """The first issues of a document."""
    more = len(judgement.issues) - _FIRST
    first = [told(issue) for issue in judgement.issues[:_FIRST]]
    return "; ".join([*first, f"and {more:,} more"] if more > 0 else first)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, of cells that are escaped already."""
    lines = [heads, ["---:" if head in _NUMBERS else "---" for head in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _beside(judgement: Judgement, told: str) -> str:
    """The kept columns of a document before a text about it."""
    return f"{judgement.named}: {told}" if judgement.named else told


def _number(check: ThresholdCheck) -> str:
    """What was found, for programs: a share as 0.926667."""
    return check.found if check.value is None else f"{check.value:.6g}"


def _counts(counts: Counter[str]) -> dict[str, int]:
    return {"documents": counts.total(), **{one: counts[one] for one in ("valid", "repaired", "invalid")}}


def _level(findings: Findings) -> str:
    """How grave an invalid document is: an error if the gate failed, otherwise a warning."""
    return "warning" if findings.passed else "error"


FORMATS: dict[str, Callable[[Findings], str]] = {
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
    "github": as_github,
    "html": as_html,
    "md": as_markdown,
}
