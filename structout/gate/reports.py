"""Reports of the gate, for pipelines and for people."""

import sys
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from structout import surfaces
from structout.errors import SpecError
from structout.gate.conclusion import conclusion, summary
from structout.gate.gate import Findings, Judgement
from structout.tables.output import replacing


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
            "checks": [{"name": c.name, "found": c.found, "passed": c.passed} for c in findings.checks()],
            "kinds": [
                {"kind": kind, "pointer": pointer, "documents": n}
                for (kind, pointer), n in findings.kinds.most_common()
            ],
            "sample": [judgement_json(judgement) for judgement in findings.sample],
        },
        ascii=True,
    )


def judgement_json(judgement: Judgement) -> dict[str, Any]:
    """One judgement as JSON."""
    issues = [{"pointer": i.pointer, "kind": i.kind, "message": i.message} for i in judgement.issues]
    notices = [{"pointer": i.pointer, "kind": i.kind, "message": i.message} for i in judgement.notices]
    more = {"notices": notices} if notices else {}
    told = {"source": judgement.source} if judgement.source else {}
    return {
        **told,
        "line": judgement.line,
        "status": judgement.status,
        "issues": issues,
        "edits": judgement.edits,
        **more,
    }


def as_junit(findings: Findings) -> str:
    """JUnit XML with a test per threshold. The text of a failed test lists the invalid documents."""
    checks = findings.checks()
    failed = sum(not check.passed for check in checks)
    suite = Element("testsuite", name=surfaces.xml(f"structout validate {findings.source}"))
    suite.attrib |= {"tests": str(len(checks)), "failures": str(failed), "errors": "0"}
    for check in checks:
        name = surfaces.xml(check.name)
        case = SubElement(suite, "testcase", classname=surfaces.xml(findings.schema), name=name)
        if not check.passed:
            failure = SubElement(case, "failure", message=f"{name}: found {check.found}")
            failure.text = surfaces.xml("\n".join(_line(judgement) for judgement in findings.sample))
    return tostring(suite, encoding="unicode", xml_declaration=True)


def as_sarif(findings: Findings) -> str:
    """SARIF 2.1.0 (OASIS) with a result per issue."""
    kinds = sorted({kind for kind, _ in findings.kinds})
    results = [
        {
            "ruleId": issue.kind,
            "level": "error",
            "message": {"text": surfaces.sarif(str(issue))},
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
    """Workflow commands of GitHub Actions: an annotation per listed document, and one per missed threshold."""
    lines = [
        f"::error file={surfaces.github_property(v.source)},line={v.line}::"
        + surfaces.github("; ".join(map(str, v.issues)))
        for v in findings.sample
    ]
    lines += [
        f"::error title=structout::{surfaces.github(f'{c.name}: found {c.found}')}"
        for c in findings.checks()
        if not c.passed
    ]
    return "".join(line + "\n" for line in [*lines, f"::notice title=structout::{surfaces.github(summary(findings))}"])


def as_markdown(findings: Findings) -> str:
    """A Markdown page with tables of the thresholds and of the issues."""
    rows = [("threshold", "found", ""), ("---", "---:", "---")]
    rows += [(surfaces.markdown(c.name), c.found, "passed" if c.passed else "**failed**") for c in findings.checks()]
    kinds = [("issue", "where", "documents"), ("---", "---", "---:")]
    kinds += [
        (kind, surfaces.code(where or "(document)"), str(n)) for (kind, where), n in findings.kinds.most_common(50)
    ]
    tables = ["\n".join(f"| {' | '.join(row)} |" for row in table) for table in (rows, kinds)]
    head = f"# {surfaces.markdown(findings.source)}\n\n{surfaces.markdown(conclusion(findings))}\n\n"
    return head + "\n\n".join(tables) + "\n"


def as_html(findings: Findings) -> str:
    """An HTML page with tables of the thresholds, the issues and the listed documents."""

    def table(rows: list[list[str]]) -> str:
        cells = ("".join(f"<td>{surfaces.html(cell)}</td>" for cell in row) for row in rows)
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"

    checks = [[c.name, c.found, "passed" if c.passed else "failed"] for c in findings.checks()]
    kinds = [[kind, where or "(document)", str(n)] for (kind, where), n in findings.kinds.most_common(50)]
    sample = [[f"{v.source}:{v.line}", "; ".join(map(str, v.issues))] for v in findings.sample]
    style = "body{font:14px sans-serif}td{border:1px solid #ccc;padding:2px 8px}table{border-collapse:collapse}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{surfaces.html(findings.source)}</title>'
        f"<style>{style}</style><h1>{surfaces.html(findings.source)}</h1><p>{surfaces.html(conclusion(findings))}</p>"
        f"<h2>Thresholds</h2>{table(checks)}<h2>Issues</h2>{table(kinds)}<h2>Documents</h2>{table(sample)}</html>\n"
    )


FORMATS: dict[str, Callable[[Findings], str]] = {
    "json": as_json,
    "junit": as_junit,
    "sarif": as_sarif,
    "github": as_github,
    "html": as_html,
    "md": as_markdown,
}


def _line(judgement: Judgement) -> str:
    return f"{judgement.source}:{judgement.line}: {'; '.join(map(str, judgement.issues))}"
