"""Reports of the gate, for pipelines and for people."""

import sys
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from structout import pages, surfaces
from structout.errors import SpecError
from structout.gate.conclusion import conclusion, issue_named, summary
from structout.gate.findings import MOST_EDITS, Findings, Judgement, ThresholdCheck
from structout.gate.written import judgement_json
from structout.tables.whole_file import replacing

_LISTED = 50  # kinds of issue
_SHOWN_EDITS = 10  # edits of one document
_SEVERAL = "A document can have several issues, and counts in the line of each."
_COLOURS = {"error": "bad", "warning": "doubtful"}


def write_report(target: str, findings: Findings) -> None:
    """Write the report `FORMAT=PATH`; the path `-` is stdout. Raises `OutputError`, and `SpecError` for the target."""
    name, _, path = target.partition("=")
    if name not in FORMATS or not path:
        raise SpecError(
            f"invalid report: got {target!r}, expected FORMAT=PATH", hint=f"use one of {', '.join(FORMATS)}"
        )
    written = FORMATS[name](findings)
    if path == "-":
        sys.stdout.write(written)
        return
    with replacing(path) as stream:
        stream.write(written.encode())


def as_json(findings: Findings) -> str:
    """The findings as one JSON object."""
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
                {"name": c.name, "found": c.found, "passed": c.passed, "level": c.level} for c in findings.checks()
            ],
            "kinds": [{"kind": kind, "pointer": pointer, "documents": n} for (kind, pointer), n in findings.frequent()],
            "reasons": [{"reason": why, "documents": n} for why, n in findings.reasons.most_common()],
            "edits": [
                {"kind": kind, "grade": grade, "documents": n} for (kind, grade), n in findings.edits.most_common()
            ],
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
    return tostring(suite, encoding="unicode", xml_declaration=True)


def as_sarif(findings: Findings) -> str:
    """SARIF 2.1.0 (OASIS) with a result per issue: an error if the gate failed, otherwise a warning."""
    kinds = sorted({kind for kind, _ in findings.kinds})
    results = [
        {
            "ruleId": issue.kind,
            "level": _level(findings),
            "message": {"text": surfaces.sarif(_beside(judgement, str(issue)))},
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
    """Workflow commands of GitHub Actions: an annotation per listed document, and one per missed threshold.

    A document is an error if the gate failed, otherwise a warning.
    """
    lines = [
        f"::{_level(findings)} file={surfaces.github_property(v.source)},line={v.line}::"
        + surfaces.github(_beside(v, "; ".join(map(str, v.issues))))
        for v in findings.sample
    ]
    lines += [
        f"::{c.level} title=structout::{surfaces.github(f'{c.name}: found {c.found}')}"
        for c in findings.checks()
        if not c.passed
    ]
    return "".join(line + "\n" for line in [*lines, f"::notice title=structout::{surfaces.github(summary(findings))}"])


def as_markdown(findings: Findings) -> str:
    """A Markdown page with the verdict and tables of the thresholds and of the issues."""
    rows = [("threshold", "found", ""), ("---", "---:", "---")]
    rows += [
        (surfaces.markdown(c.name), c.found, "passed" if c.passed else f"**{_word(c)}**") for c in findings.checks()
    ]
    kinds = [("issue", "where", "documents"), ("---", "---", "---:")]
    kinds += [
        (issue_named(findings, kind), surfaces.code(where or "(document)"), str(n))
        for (kind, where), n in findings.frequent(_LISTED)
    ]
    edits = [("edit", "grade", "documents"), ("---", "---", "---:")]
    edits += [(kind, grade, str(n)) for (kind, grade), n in findings.edits.most_common()]
    found = (rows, kinds, edits) if findings.edits else (rows, kinds)
    tables = ["\n".join(f"| {' | '.join(row)} |" for row in table) for table in found]
    tables[1] += f"\n\n{_SEVERAL}" if findings.kinds else ""
    head = f"# {surfaces.markdown(findings.source)}\n\n{surfaces.markdown(conclusion(findings))}\n\n"
    return head + "\n\n".join(tables) + "\n"


def as_html(findings: Findings) -> str:
    """An HTML page with the verdict and tables of the thresholds, the issues and the listed documents."""
    checks = [
        [c.name, c.found, pages.tag(_word(c), "good" if c.passed else _COLOURS[c.level])] for c in findings.checks()
    ]
    kinds = [
        [issue_named(findings, kind), where or "(document)", f"{n:,}"]
        for (kind, where), n in findings.frequent(_LISTED)
    ]
    edits = [[kind, grade, f"{n:,}"] for (kind, grade), n in findings.edits.most_common()]
    mended = [[_place(v), _changes(v)] for v in findings.mended]
    sample = [[_place(v), "; ".join(map(str, v.issues))] for v in findings.sample]
    doubtful = [[_place(v), "; ".join(map(str, v.notices))] for v in findings.doubtful]
    colour = _COLOURS["error"] if not findings.passed else _COLOURS["warning"] if findings.missed("warning") else "good"
    told = conclusion(findings)
    parts = [f'<p class="verdict {colour}">{surfaces.html(told)}</p>\n']
    parts += ["<h2>Thresholds</h2>\n", pages.table(["threshold", "found", "result"], checks, "thresholds")]
    if kinds:
        parts += ["<h2>Issues</h2>\n", pages.table(["issue", "where", "documents"], kinds, "issues")]
        parts.append(f'<p class="note">{_SEVERAL}</p>\n')
    if len(findings.kinds) > _LISTED:
        parts.append(f'<p class="note">The {_LISTED} most frequent of {len(findings.kinds):,} are listed.</p>\n')
    if sample:
        parts += ["<h2>Invalid documents</h2>\n", pages.table(["document", "issues"], sample, "invalid documents")]
    parts.append(_rest(sample, findings.invalid, "--rejects FILE holds all of them."))
    if mended:
        parts += ["<h2>Edits</h2>\n", pages.table(["edit", "grade", "documents"], edits, "edits")]
        parts += ["<h2>Repaired documents</h2>\n", pages.table(["document", "edits"], mended, "repaired documents")]
    parts.append(_rest(mended, findings.repaired, "--output FILE --provenance holds all of them."))
    if (most := max((v.edits for v in findings.mended), default=0)) > _SHOWN_EDITS:
        held = f"--report json=FILE holds the first {MOST_EDITS} of each document"
        held += ", and structout repair --edits shows all of one document." if most > MOST_EDITS else "."
        parts.append(f'<p class="note">The first {_SHOWN_EDITS} edits of each document are listed. {held}</p>\n')
    if doubtful:
        heads = ["document", "what looks wrong"]
        parts += ["<h2>Values that look wrong</h2>\n", pages.table(heads, doubtful, "values that look wrong")]
    parts.append(_rest(doubtful, findings.noticed, "--json tells all of them."))
    title = f"{findings.source or 'documents'} against {findings.schema}"
    return pages.page(title, pages.Html("".join(parts)), told=told)


def _beside(judgement: Judgement, told: str) -> str:
    """The kept columns of a document before what is told of it."""
    return f"{judgement.named}: {told}" if judgement.named else told


def _place(judgement: Judgement) -> str:
    """The place of a document on a page: its line, and its kept columns below."""
    named = f'<small class="wraps">{surfaces.html(judgement.named)}</small>' if judgement.named else ""
    return pages.Html(pages.line_of(judgement.source, judgement.line) + named)


def _rest(listed: Sequence[object], count: int, elsewhere: str) -> str:
    """A note under a table that lists the first documents only; it says where all of them are."""
    if len(listed) >= count:
        return ""
    return f'<p class="note">The first {len(listed):,} of {count:,} are listed. {elsewhere}</p>\n'


def _changes(judgement: Judgement) -> str:
    """The edits of a judgement, the first ones in words."""
    more = judgement.edits - _SHOWN_EDITS
    told = [str(edit) for edit in judgement.changes[:_SHOWN_EDITS]]
    return "; ".join([*told, f"and {more:,} more"] if more > 0 else told)


def _word(check: ThresholdCheck) -> str:
    return "passed" if check.passed else "failed" if check.level == "error" else "warning"


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
