"""What changed between two runs besides their results: versions, models, prompts and records."""

from collections.abc import Iterator, Mapping
from typing import Any

from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report
from structout.records import versions_of

_PARTS = {"structout": "structout", "fingerprint": "the schema", "machine": "the machine"}


def moved(old: Report, new: Report) -> list[str]:
    """What differs between two runs of the same experiment, in one sentence each, beside their strategies."""
    return [*_about(old.about, new.about), *_models(old, new), *_prompts(old, new), *_records(old, new)]


def _about(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, spoken in _PARTS.items():
        if name in old and name in new and old[name] != new[name]:
            yield f"{spoken} changed: {old[name]}, now {new[name]}"
    before, now = old.get("splits") or {}, new.get("splits") or {}
    for split in sorted(before.keys() & now.keys()):
        if before[split] != now[split]:
            yield f"the {split} records changed: fingerprint {before[split]}, now {now[split]}"


def _models(old: Report, new: Report) -> Iterator[str]:
    before, now = old.about.get("identities") or {}, new.about.get("identities") or {}
    for name in sorted(before.keys() & now.keys()):
        if before[name] != now[name]:
            yield f"the model {name} changed: {before[name]}, now {now[name]}"
    if not before.keys() & now.keys() and before and now:
        yield f"the model changed: {', '.join(sorted(before))}, now {', '.join(sorted(now))}"
    earlier, later = _versions(old), _versions(new)
    for name in sorted(earlier.keys() & later.keys()):
        if earlier[name] != later[name]:
            yield f"the version of {name} changed: {', '.join(earlier[name])}, now {', '.join(later[name])}"


def _versions(report: Report) -> dict[str, list[str]]:
    """The versions that the servers of each model reported."""
    found: dict[str, set[str]] = {}
    for one in report.outcomes:
        for model, version in versions_of((*one.attempts, *one.checks)):
            found.setdefault(model, set()).add(version)
    return {model: sorted(versions) for model, versions in found.items()}


def _prompts(old: Report, new: Report) -> Iterator[str]:
    """The arms whose first message changed."""
    before = {_place(arm): _first(outcomes) for arm, outcomes in old.plain.items()}
    for arm, outcomes in new.plain.items():
        text = _first(outcomes)
        if text and before.get(_place(arm)) and text != before[_place(arm)]:
            yield f"the prompt of {arm.label} changed"


def _place(arm: Arm) -> tuple[str, Any]:
    return arm.strategy, arm.setting


def _first(outcomes: list[Outcome]) -> str:
    return next((one.calls[0].prompt.messages[0].content for one in outcomes if one.calls), "")


def _records(old: Report, new: Report) -> Iterator[str]:
    before, now = _labelled(old), _labelled(new)
    same = before.keys() & now.keys()
    counts = {
        "added": len(now.keys() - same),
        "removed": len(before.keys() - same),
        "changed": sum(before[key][0] != now[key][0] for key in same),
        "relabelled": sum(before[key][0] == now[key][0] and before[key][1] != now[key][1] for key in same),
    }
    if any(counts.values()):
        parts = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        yield f"the measured records differ: {parts}; only records with the same text and label are compared"


def _labelled(report: Report) -> dict[str, tuple[str, str]]:
    """The text and the label of each unperturbed record by key."""
    return {one.key: (one.text, repr(one.expected)) for outcomes in report.plain.values() for one in outcomes}
