"""The gate in words: whether documents pass, why, and what to look at first. Every surface shows these sentences."""

from collections.abc import Iterable, Iterator

from structout.gate.findings import Findings, Judgement, ThresholdCheck, pattern, ranked

_REASONS = 8  # reasons that are named beside a kind of issue
_NAMED = 3  # lines with values that look wrong, and inputs that alone miss a threshold
_LONGEST = 200  # characters of an example


def conclusion(findings: Findings) -> str:
    """The paragraph in plain text: it still has to be escaped for its surface."""
    return " ".join([*_told(findings), *_advice(findings)])


def summary(findings: Findings) -> str:
    """The verdict and the counts in one line: the beginning of the paragraph."""
    return " ".join(_told(findings))


def counts(findings: Findings) -> str:
    """The counts alone."""
    return " ".join(_counts(findings))


def told_alone(findings: Findings) -> str:
    """The inputs that alone miss a threshold, in a sentence; "" if no input does."""
    missed = findings.missed_alone()
    named = [f"{source} ({_all(checks)})" for source, checks in list(missed.items())[:_NAMED]]
    if not named:
        return ""
    more = [f"and {len(missed) - len(named):,} more"] if len(missed) > len(named) else []
    verb = "misses" if len(missed) == 1 else "miss"
    return (
        f"Alone, {len(missed):,} of {len(findings.sources):,} inputs {verb} a threshold: {', '.join([*named, *more])}."
    )


def issue_named(findings: Findings, kind: str) -> str:
    """A kind of issue; for texts that are not JSON, with the most frequent reasons and how often each is found."""
    if kind != "not_json" or not findings.reasons:
        return kind
    return f"{kind}: {_reasons(findings)}"


def _told(findings: Findings) -> Iterator[str]:
    if not findings.total:
        yield "The gate fails: the input holds no documents."
        return
    failed, warned = findings.missed("error"), findings.missed("warning")
    if findings.unread:
        yield f"The gate fails: the input broke off ({findings.unread})."
    elif failed:
        yield f"The gate fails: {_all(failed)}."
    elif warned:
        yield f"The gate passes with a warning: {_all(warned)}."
    else:
        yield "The gate passes."
    if warned and (failed or findings.unread):
        yield f"The gate also warns: {_all(warned)}."
    if alone := told_alone(findings):
        yield alone
    yield from _counts(findings)


def _counts(findings: Findings) -> Iterator[str]:
    as_they_are = " as they are" if findings.repaired else ""
    yield f"{findings.valid:,} of {findings.total:,} documents are valid{as_they_are}."
    if findings.repaired:
        yield f"Repair makes {findings.repaired:,} more valid."
    if findings.noticed:
        documents = _count(findings.noticed, "document that passes holds", "documents that pass hold")
        yield f"{documents} values that look wrong: {_lines(findings, findings.doubtful, findings.noticed)}."
    if findings.blank:
        yield f"{_count(findings.blank, 'blank line holds', 'blank lines hold')} no document."


def _advice(findings: Findings) -> Iterator[str]:
    if not findings.total:
        return
    if findings.kinds:
        (kind, place), count = findings.frequent(1)[0]
        where = f" at {place}" if place else ""
        documents = _count(count, "document has", "documents have")
        yield f"The most frequent issue is {kind}{where}: {documents} it."
        if kind == "not_json" and findings.reasons:
            yield f"The reasons are: {_reasons(findings)}."
        yield from _example(findings, kind, place)
    yield "A valid document fits the schema. Only labels or a verifier can tell whether its values are right."


def _all(missed: list[ThresholdCheck]) -> str:
    return "; ".join(check.told for check in missed)


def _reasons(findings: Findings) -> str:
    told = [f"{why} ({count:,})" for why, count in ranked(findings.reasons)[:_REASONS]]
    return ", ".join([*told, "..."] if len(findings.reasons) > _REASONS else told)


def _example(findings: Findings, kind: str, place: str) -> Iterator[str]:
    """The first listed issue of a kind at a place, with its line."""
    for judgement in findings.sample:
        for issue in judgement.issues:
            if issue.kind == kind and pattern(issue.place) == place:
                said = (str(issue) if issue.pointer else issue.message)[:_LONGEST]
                yield f"An example is {_line(findings, judgement)}: {said}."
                return


def _lines(findings: Findings, judgements: Iterable[Judgement], count: int) -> str:
    """The first lines of some documents in words."""
    named = [_line(findings, judgement) for judgement, _ in zip(judgements, range(_NAMED), strict=False)]
    more = [f"{count - len(named):,} more"] if count > len(named) else []
    *first, last = [*named, *more]
    return f"{', '.join(first)} and {last}" if first else last


def _line(findings: Findings, judgement: Judgement) -> str:
    is_only = judgement.source == findings.source
    named = f" ({judgement.named})" if judgement.named else ""
    return f"line {judgement.line}" + ("" if is_only else f" of {judgement.source}") + named


def _count(number: int, one: str, several: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {several}"
