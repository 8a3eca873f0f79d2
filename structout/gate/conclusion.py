"""The closing paragraph of the gate: whether documents pass, why, and what to look at first."""

from collections.abc import Iterator

from structout.gate.findings import Findings, ThresholdCheck, pattern

_REASONS = 8  # reasons that are named beside a kind of issue


def conclusion(findings: Findings) -> str:
    """The paragraph in plain text: it still has to be escaped for its surface."""
    return " ".join(_sentences(findings))


def summary(findings: Findings) -> str:
    """The counts as one line."""
    repaired = f", {findings.repaired:,} more after repair" if findings.repaired else ""
    noticed = f", {findings.noticed:,} with values that look wrong (see --json)" if findings.noticed else ""
    lines = "1 blank line holds" if findings.blank == 1 else f"{findings.blank:,} blank lines hold"
    blank = f", {lines} no document" if findings.blank else ""
    return f"{findings.valid:,} of {findings.total:,} documents are valid{repaired}{noticed}{blank}"


def issue_named(findings: Findings, kind: str) -> str:
    """A kind of issue; for texts that are not JSON, with the most frequent reasons and how often each is found."""
    if kind != "not_json" or not findings.reasons:
        return kind
    told = [f"{why} ({count:,})" for why, count in findings.reasons.most_common(_REASONS)]
    return f"{kind}: {', '.join([*told, '...'] if len(findings.reasons) > _REASONS else told)}"


def _sentences(findings: Findings) -> Iterator[str]:
    if not findings.total:
        yield "No document was checked, and the gate does not pass."
        return
    if findings.unread:
        yield f"The gate fails: the input broke off ({findings.unread})."
    elif failed := findings.missed("error"):
        yield f"The gate fails: {_all(failed)}."
    elif warned := findings.missed("warning"):
        yield f"The gate passes with a warning: {_all(warned)}."
    else:
        yield "The gate passes: every threshold holds."
    yield f"{summary(findings)}."
    if findings.kinds:
        (kind, place), count = findings.frequent(1)[0]
        where = f" at {place}" if place else ""
        documents = "1 document" if count == 1 else f"{count:,} documents"
        example = _example(findings, kind, place)
        named = issue_named(findings, kind)
        yield f"The most frequent issue is {named}{where} ({documents}){example}: look at it first."
    yield "A valid document fits the schema: only labels or a verifier can tell whether its values are right."


def _all(missed: list[ThresholdCheck]) -> str:
    return " and ".join(f"{check.name} was demanded and {check.found} was found" for check in missed)


def _example(findings: Findings, kind: str, place: str) -> str:
    """The first listed issue of a kind at a place, with its line; "" if none is listed."""
    for judgement in findings.sample:
        for issue in judgement.issues:
            if issue.kind == kind and pattern(issue.pointer) == place:
                is_only = judgement.source == findings.source
                line = f"line {judgement.line}" + ("" if is_only else f" of {judgement.source}")
                return f", as in {line}, {str(issue)[:200]}"
    return ""
