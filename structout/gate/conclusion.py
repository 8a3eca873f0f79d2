"""The closing paragraph of the gate: whether documents pass, why, and what to look at first."""

from collections.abc import Iterator

from structout.gate.gate import Findings


def conclusion(findings: Findings) -> str:
    """The paragraph in plain text: it still has to be escaped for its surface."""
    return " ".join(_sentences(findings))


def _sentences(findings: Findings) -> Iterator[str]:
    if not findings.total:
        yield "No document was checked."
        return
    missed = [check for check in findings.checks() if not check.passed]
    if missed:
        which = " and ".join(f"{check.name} was demanded and {check.found} was found" for check in missed)
        yield f"The gate fails: {which}."
    else:
        yield "The gate passes: every threshold holds."
    fit = findings.valid + findings.repaired
    repaired = f", {findings.repaired:,} of them after repair" if findings.repaired else ""
    yield f"{fit:,} of {findings.total:,} documents fit the schema{repaired}."
    if findings.kinds:
        (kind, place), count = findings.kinds.most_common(1)[0]
        where = f"at {place}" if place else "in the document as a whole"
        documents = "1 document" if count == 1 else f"{count:,} documents"
        yield f"The most frequent issue is {kind} {where} ({documents}): look at it first."
    if findings.noticed:
        has = "1 valid document has" if findings.noticed == 1 else f"{findings.noticed:,} valid documents have"
        yield f"{has} values that look wrong."
    yield "A document that fits the schema may still hold wrong values: only labels or a verifier can tell."
