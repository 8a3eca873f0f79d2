"""The progress of a run, for people and for machines."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from structout.completion import Usage
from structout.models.tokens import uncounted_told
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.spending import Spending, Spent
from structout.pipeline.watch import Watch
from structout.prices import Prices
from structout.records import are, is_amount, require, understood, versions_of
from structout.surfaces import prometheus

_ACCEPTED = ("valid", "repaired")


@dataclass
class Tally:
    """The state of a run of `total` rows (None: unknown). This process has read `done` of them, and asked for `asked`.

    `errors` counts the rows with each kind of issue that were not accepted, `confidence` the accepted rows by their
    confidence in hundredths (`RowOutcome.sureness`), `overruled` the accepted rows with text that the token limit
    forced, and `versions` the answers of each model by the version that its server reported. `watch` sees each row.
    """

    total: int | None = None
    done: int = 0
    asked: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    spent: Mapping[str, Usage] = field(default_factory=dict)
    cost: float | None = None
    began: float = field(default_factory=time.monotonic)
    tags: Mapping[str, str] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)
    spending: Spending = field(default_factory=Spending)
    errors: Counter[str] = field(default_factory=Counter)
    confidence: Counter[int] = field(default_factory=Counter)
    overruled: int = 0
    versions: dict[str, Counter[str]] = field(default_factory=dict)
    watch: Watch | None = None

    def add(self, outcome: RowOutcome) -> str:
        """Count an outcome. Returns a warning if another version of a model answered than before, otherwise ""."""
        self.counts[outcome.standing] += 1
        self.spending.add(outcome, self.prices)
        if self.watch is not None:
            self.watch.see(outcome)
        if not outcome.ok:
            self.errors.update({issue.kind for issue in outcome.issues})
        elif (sure := outcome.sureness) is not None:
            self.confidence[min(99, int(100 * sure))] += 1
        self.overruled += outcome.ok and any(edit.kind == "steered" for edit in outcome.edits)
        changed = ""
        for model, version in versions_of((*outcome.attempts, *outcome.checks)):
            known = self.versions.setdefault(model, Counter())
            before, now = {one.partition(" ")[0] for one in known}, version.partition(" ")[0]
            if before and now not in before:
                changed = (
                    f"{model} now answers as {now}, before as {', '.join(sorted(before))}: _version marks the rows"
                )
            known[version] += 1
        return changed

    def state(self) -> dict[str, Any]:
        """What `add` has counted besides the statuses, as JSON for `restore`."""
        return {
            "spending": {"by_kind": _sums(self.spending.by_kind), "by_tag": _sums(self.spending.by_tag)},
            "errors": dict(self.errors),
            "confidence": list(self.confidence.items()),
            "overruled": self.overruled,
            "versions": {model: dict(found) for model, found in self.versions.items()},
            **({"watch": self.watch.state()} if self.watch is not None else {}),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Count what `state` has kept. Raises `DataError` for anything else, and counts nothing of it then."""
        with understood("a tally"):
            spent = {name: {of: Spent(**one) for of, one in sums.items()} for name, sums in state["spending"].items()}
            versions = {model: Counter(found) for model, found in state["versions"].items()}
            errors, confidence = Counter(state["errors"]), Counter(dict(state["confidence"]))
            amounts = [one for sums in spent.values() for each in sums.values() for one in vars(each).values()]
            require("amounts", all(one is None or is_amount(one) for one in amounts))
            counts = [count for found in (errors, confidence, *versions.values()) for count in found.values()]
            require("counts", are(int, (*counts, *confidence, state["overruled"])))
            spending = Spending(**spent)
            if self.watch is not None:
                self.watch.restore(state["watch"])
        self.spending, self.errors, self.confidence = spending, errors, confidence
        self.overruled, self.versions = state["overruled"], versions

    @property
    def rows(self) -> int:
        """The number of rows that have an outcome."""
        return sum(self.counts.values())

    @property
    def accepted(self) -> int:
        """The number of accepted rows."""
        return sum(self.counts[status] for status in _ACCEPTED)

    @property
    def quarantined(self) -> int:
        """The number of rows in the quarantine."""
        return self.rows - self.accepted - self.counts["forgotten"]

    @property
    def seconds(self) -> float:
        """The seconds since the run began in this process."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """The rows per second that this process asks for."""
        return self.asked / self.seconds if self.seconds else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """The expected seconds until the end, or None if the total or the rate is unknown."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.rows) / self.rate

    @property
    def paid(self) -> Usage:
        """The usage of all models."""
        return sum(self.spent.values(), Usage())

    @property
    def tokens(self) -> int:
        """The input and output tokens that were spent on all models."""
        return self.paid.input_tokens + self.paid.output_tokens

    @property
    def estimated_tokens(self) -> int:
        """The tokens that nobody counted, and that are estimated at the most, of the calls behind the outcomes."""
        return sum(spent.estimated for spent in self.spending.by_kind.values())

    @property
    def uncounted(self) -> str:
        """How many answers behind the outcomes had no token count, as a sentence; "" if all had one."""
        spent = self.spending.by_kind.values()
        return uncounted_told(sum(one.uncounted for one in spent), sum(one.calls for one in spent))

    def line(self) -> str:
        """The progress as one line for people."""
        of = f"/{self.total:,}" if self.total is not None else ""
        eta, known = self.remaining_seconds, self.accepted + self.quarantined
        parts = [
            f"{self.rows:,}{of} rows",
            *([f"{self.rate:,.1f} rows/s"] if self.asked else []),
            *([f"ETA {clock(eta)}"] if eta is not None else []),
            f"yield {100 * self.accepted / known:.1f} %" if known else "yield –",
            tokens_told(self.tokens, self.estimated_tokens),
            cost_told(self.cost, self.estimated_tokens),
        ]
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The progress as JSON for machines."""
        return {
            "rows": self.rows,
            "total": self.total,
            "asked": self.asked,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "statuses": dict(self.counts),
            "rows_per_second": round(self.rate, 3),
            "remaining_seconds": self.remaining_seconds,
            "seconds": round(self.seconds, 3),
            "tokens": self.tokens,
            "estimated_tokens": self.estimated_tokens,
            "cost_usd": self.cost,
            "calls": self.paid.calls,
            "tags": dict(self.tags),
            "spending": self.spending.to_json(self.paid, self.cost),
            "errors": dict(self.errors.most_common()),
            "confidence": self._tenths(),
            "overruled": self.overruled,
            "versions": {model: dict(found) for model, found in self.versions.items()},
        }

    def _tenths(self) -> dict[str, int]:
        """The accepted rows by their confidence in tenths."""
        tenths: Counter[int] = Counter()
        for hundredth in sorted(self.confidence):
            tenths[hundredth // 10] += self.confidence[hundredth]
        return {f"{tenth / 10:.1f}": count for tenth, count in tenths.items()}

    def prometheus(self) -> str:
        """The progress in the Prometheus text format 0.0.4, with the tags as labels."""
        lines = ["# HELP structout_rows_total Rows by status.", "# TYPE structout_rows_total counter"]
        lines += [f"structout_rows_total{self._labels(status=status)} {n}" for status, n in sorted(self.counts.items())]
        for kind in ("calls", "input_tokens", "output_tokens", "seconds"):
            lines += [
                f"# HELP structout_{kind}_total Spent on models: {kind}.",
                f"# TYPE structout_{kind}_total counter",
            ]
            for model, usage in sorted(self.spent.items()):
                lines.append(f"structout_{kind}_total{self._labels(model=model)} {getattr(usage, kind)}")
        lines += ["# HELP structout_spent_tokens Tokens by what they were for.", "# TYPE structout_spent_tokens gauge"]
        for kind, spent in self.spending.kinds(self.paid, self.cost).items():
            lines.append(f"structout_spent_tokens{self._labels(kind=kind)} {spent.tokens}")
        lines += [
            "# HELP structout_estimated_tokens Tokens that nobody counted, estimated at the most.",
            "# TYPE structout_estimated_tokens gauge",
            f"structout_estimated_tokens{self._labels()} {self.estimated_tokens}",
        ]
        if self.cost is not None:
            lines += [
                "# HELP structout_cost_usd_total Spent, in US dollars.",
                "# TYPE structout_cost_usd_total counter",
                f"structout_cost_usd_total{self._labels()} {self.cost}",
            ]
        lines += [
            "# HELP structout_rows_per_second Rows a second of this process.",
            "# TYPE structout_rows_per_second gauge",
            f"structout_rows_per_second{self._labels()} {self.rate}",
        ]
        return "\n".join(lines) + "\n"

    def _labels(self, **own: str) -> str:
        labels = [f'{name}="{prometheus(value)}"' for name, value in {**own, **self.tags}.items()]
        return f"{{{','.join(labels)}}}" if labels else ""


@dataclass(frozen=True)
class Progress:
    """How far `extract_many` is: `done` results of `total` (None: unknown), of which `accepted` have a value.

    `tokens`, read and written, and `cost`, in US dollars (None: a price is unknown), are those of the calls behind the
    results; results that a journal keeps, or that share an answer, count theirs too. `estimated_tokens` nobody counted:
    then both are upper bounds. `seconds` have passed since the call.
    """

    done: int
    total: int | None
    accepted: int
    tokens: int
    estimated_tokens: int
    cost: float | None
    seconds: float

    @property
    def told(self) -> str:
        """The yield, the tokens and the cost as text."""
        share = f"yield {100 * self.accepted / self.done:.1f} %, " if self.done else ""
        estimated = self.estimated_tokens
        return f"{share}{tokens_told(self.tokens, estimated)}, {cost_told(self.cost, estimated)}"


def tokens_told(tokens: int, estimated: int) -> str:
    """A number of tokens as text: at the most, if some are estimated."""
    return f"at most {tokens:,} tokens ({estimated:,} estimated)" if estimated else f"{tokens:,} tokens"


def cost_told(cost: float | None, estimated: int) -> str:
    """A cost in US dollars as text: at the most, if some of its tokens are estimated."""
    if cost is None:
        return "cost unknown"
    return f"at most ${cost:,.4f}" if estimated else f"${cost:,.4f}"


def _sums(spent: Mapping[str, Spent]) -> dict[str, Any]:
    return {name: vars(one) for name, one in spent.items()}


def clock(seconds: float) -> str:
    """A duration in seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
