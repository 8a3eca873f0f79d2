"""The audit of a schema for one provider: what it rejects, ignores or compiles slowly, and which rewrite it takes."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from structout import pages
from structout.schema.contract import Schema
from structout.schema.keywords import RESTRICTING
from structout.schema.provider_rewrite import Rewrite, loosened, restated
from structout.schema.provider_rules import COUNTS, RULES, nodes
from structout.schema.providers import Provider, Verdict, provider
from structout.surfaces import line as shown

_ORDER: Final = ("rejected", "ignored", "slow", "unknown")
_COLOURS: Final = {"rejected": "red", "ignored": "yellow", "slow": "yellow", "unknown": "cyan"}
_ROWS = 16  # of the table for people; `--json` has all findings
_PLACES = 3  # in one row


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider does with a keyword at one place of a schema; `source` says so, and was read on `read`.

    A finding about the whole schema has the pointer "". If no source says anything, `source` is "" and `read` is None.
    """

    pointer: str
    keyword: str
    verdict: Verdict
    means: str
    source: str = ""
    read: date | None = None


@dataclass(frozen=True, slots=True, repr=False)
class ProviderAudit:
    """The audit of one schema for one provider.

    `passes` says whether the provider takes the schema as it is, as far as is known. If not, `rewrite` is the least
    rewrite that it takes, or None if no rewrite was found. `held` of `keywords` keywords are held without a rewrite.
    """

    name: str
    provider: str
    title: str
    about: str
    source: str
    read: date
    passes: bool
    held: int
    keywords: int
    findings: tuple[Finding, ...]
    rewrite: Rewrite | None

    @property
    def is_taken(self) -> bool:
        """Whether the provider takes the schema, as it is or after the rewrite."""
        return self.passes or self.rewrite is not None

    def to_json(self) -> dict[str, Any]:
        """The audit as a JSON object; dates are written as in ISO 8601."""
        made = asdict(self)
        made["read"] = self.read.isoformat()
        for finding in made["findings"]:
            finding["read"] = finding["read"] and finding["read"].isoformat()
        return made

    def __repr__(self) -> str:
        taken = "taken as it is" if self.passes else "taken after a rewrite" if self.rewrite else "rejected"
        return (
            f"ProviderAudit({self.name!r} for {self.provider}: {taken}, {self.held} of {self.keywords} keywords held)"
        )

    def _repr_html_(self) -> str:
        """The audit in a notebook."""
        return pages.drawn(self)

    def __rich__(self) -> RenderableType:
        verdict, colour = (
            ("passes as it is", "green")
            if self.passes
            else ("passes after a rewrite", "yellow")
            if self.rewrite
            else ("rejected, and no rewrite is known", "red")
        )
        head = Text.assemble((shown(self.name), "bold"), f" for {self.title}: ", (verdict, colour))
        parts: list[RenderableType] = [head, Text(shown(self.about))]
        parts.append(Text(f"{self.held} of {self.keywords} keywords held; facts read {self.read}: {self.source}"))
        if self.findings:
            parts.append(_table(self.findings))
        if self.rewrite is not None:
            parts += [Text(shown(f"rewrite: {change}")) for change in self.rewrite.changes]
            if self.rewrite.only_validated:
                names = dict.fromkeys(keyword for _, keyword in self.rewrite.only_validated)
                parts.append(Text(shown(f"only validated afterwards: {', '.join(names)}")))
            parts.append(Text("--json holds the schema after the rewrite"))
        return Group(*parts)


def judge(schema: Any, name: str) -> ProviderAudit:
    """Audit a schema for the provider `name`, such as `openai` or `anthropic`, by the facts in `providers.toml`.

    `schema` is any source that `Schema.of` takes. Raises `SpecError` for an unknown provider and `SchemaError`.
    """
    schema, one = Schema.of(schema), provider(name)
    findings = tuple(found(schema.json_schema, one))
    passes = _is_taken(findings)
    keywords = [(place, key) for place, node in nodes(schema.json_schema) for key in node if key in RESTRICTING]
    loose = {(finding.pointer, finding.keyword) for finding in findings if finding.verdict != "slow"}
    return ProviderAudit(
        name=schema.shown,
        provider=one.key,
        title=one.name,
        about=one.about,
        source=one.source,
        read=one.read,
        passes=passes,
        held=len([one for one in keywords if one not in loose]),
        keywords=len(keywords),
        findings=findings,
        rewrite=None if passes else _rewrite(schema.json_schema, one, findings),
    )


def found(json_schema: Any, one: Provider) -> Iterator[Finding]:
    """What a provider does with a JSON Schema, keyword by keyword; what it holds is left out."""
    judged: set[str] = set()
    for fact in one.facts:
        if fact.verdict == "held":
            continue
        if fact.rule and fact.rule not in judged:
            judged.add(fact.rule)
            for place, keyword in RULES[fact.rule](json_schema):
                yield Finding(place, keyword, fact.verdict, fact.means, fact.source, fact.read)
        if fact.count and fact.count not in judged and (number := COUNTS[fact.count](json_schema)) > fact.most:
            judged.add(fact.count)
            limit = f", at most {fact.most:,}" if fact.most else ""
            means = f"{fact.count}: {number:,}{limit}: {fact.means}"
            yield Finding("", "", fact.verdict, means, fact.source, fact.read)
    for place, node in nodes(json_schema):
        for keyword in node:
            decides = one.fact(node, keyword)
            if decides is None and keyword in RESTRICTING:
                yield Finding(place, keyword, "unknown", "the sources do not say")
            elif decides is not None and decides.verdict != "held":
                yield Finding(place, keyword, decides.verdict, decides.means, decides.source, decides.read)


def _is_taken(findings: tuple[Finding, ...]) -> bool:
    return not any(finding.verdict == "rejected" for finding in findings)


def _rewrite(json_schema: Any, one: Provider, findings: tuple[Finding, ...]) -> Rewrite | None:
    """The least rewrite that a provider takes: looser first, since its answers need no way back."""
    first = loosened(json_schema, _rejected(findings))
    if _is_taken(tuple(found(first.schema, one))):
        return first.compared(json_schema, _ignored(first.schema, one))
    strict = restated(json_schema)
    further = loosened(strict.schema, _rejected(tuple(found(strict.schema, one))))
    if not _is_taken(tuple(found(further.schema, one))):
        return None
    both = Rewrite((*strict.changes, *further.changes), (), further.schema)
    return both.compared(json_schema, _ignored(further.schema, one))


def _rejected(findings: tuple[Finding, ...]) -> list[tuple[str, str]]:
    return [(one.pointer, one.keyword) for one in findings if one.verdict == "rejected"]


def _ignored(json_schema: Mapping[str, Any], one: Provider) -> set[tuple[str, str]]:
    return {(finding.pointer, finding.keyword) for finding in found(json_schema, one) if finding.verdict == "ignored"}


def _table(findings: tuple[Finding, ...]) -> RenderableType:
    """The findings for people: one row for each meaning."""
    rows: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda one: _ORDER.index(one.verdict)):
        rows.setdefault((finding.verdict, finding.means), []).append(finding)
    table = Table("verdict", "keywords", "what it means", "where", box=None, pad_edge=False)
    for (verdict, means), same in list(rows.items())[:_ROWS]:
        keywords = ", ".join(dict.fromkeys(one.keyword for one in same))
        places = list(dict.fromkeys(one.pointer or "(schema)" for one in same))
        more = f" and {len(places) - _PLACES} more" if len(places) > _PLACES else ""
        cells = (keywords, means, f"{', '.join(places[:_PLACES])}{more}")
        table.add_row(Text(verdict, _COLOURS[verdict]), *(Text(shown(cell)) for cell in cells))
    if len(rows) > _ROWS:
        table.add_row("", "", f"{len(rows) - _ROWS} more: see --json", "")
    return table
