"""The progress of a run, for people and for machines."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from structout.completion import Usage
from structout.surfaces import prometheus

_ACCEPTED = ("valid", "repaired")


@dataclass
class Tally:
    """The state of a run: `done` rows of `total` (None: unknown), of which this process asked for `asked`."""

    total: int | None = None
    done: int = 0
    asked: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    spent: Mapping[str, Usage] = field(default_factory=dict)
    cost: float | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def accepted(self) -> int:
        """The number of accepted rows."""
        return sum(self.counts[status] for status in _ACCEPTED)

    @property
    def quarantined(self) -> int:
        """The number of rows in the quarantine."""
        return sum(self.counts.values()) - self.accepted - self.counts["forgotten"]

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
        return max(0, self.total - self.done) / self.rate

    @property
    def tokens(self) -> int:
        """The input and output tokens that were spent on all models."""
        return sum(usage.input_tokens + usage.output_tokens for usage in self.spent.values())

    def line(self) -> str:
        """The progress as one line for people."""
        of = f"/{self.total:,}" if self.total is not None else ""
        eta, known = self.remaining_seconds, self.accepted + self.quarantined
        parts = [
            f"{self.done:,}{of} rows",
            f"{self.rate:,.1f} rows/s",
            *([f"ETA {clock(eta)}"] if eta is not None else []),
            f"yield {100 * self.accepted / known:.1f} %" if known else "yield –",
            f"{self.tokens:,} tokens",
            f"${self.cost:,.4f}" if self.cost is not None else "cost unknown",
        ]
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        """The progress as JSON for machines."""
        return {
            "rows": self.done,
            "total": self.total,
            "asked": self.asked,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "statuses": dict(self.counts),
            "rows_per_second": round(self.rate, 3),
            "remaining_seconds": self.remaining_seconds,
            "seconds": round(self.seconds, 3),
            "tokens": self.tokens,
            "cost_usd": self.cost,
            "calls": sum(usage.calls for usage in self.spent.values()),
        }

    def prometheus(self) -> str:
        """The progress in the Prometheus text format 0.0.4."""
        lines = ["# HELP structout_rows_total Rows by status.", "# TYPE structout_rows_total counter"]
        lines += [f'structout_rows_total{{status="{status}"}} {n}' for status, n in sorted(self.counts.items())]
        for kind in ("calls", "input_tokens", "output_tokens", "seconds"):
            lines += [
                f"# HELP structout_{kind}_total Spent on models: {kind}.",
                f"# TYPE structout_{kind}_total counter",
            ]
            for model, usage in sorted(self.spent.items()):
                lines.append(f'structout_{kind}_total{{model="{prometheus(model)}"}} {getattr(usage, kind)}')
        if self.cost is not None:
            lines += [
                "# HELP structout_cost_usd_total Spent, in US dollars.",
                "# TYPE structout_cost_usd_total counter",
                f"structout_cost_usd_total {self.cost}",
            ]
        lines += [
            "# HELP structout_rows_per_second Rows a second of this process.",
            "# TYPE structout_rows_per_second gauge",
            f"structout_rows_per_second {self.rate}",
        ]
        return "\n".join(lines) + "\n"


def clock(seconds: float) -> str:
    """A duration in seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
