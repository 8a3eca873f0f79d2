"""The settings of a run over files, as `structout run` takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from structout import defaults
from structout.completion import Sampling
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.recipe import Recipe
from structout.pipeline.watch import OnShift
from structout.prices import Prices, named, with_known
from structout.result import Example
from structout.strategies import spec
from structout.strategies.given import priced_models
from structout.tables.partial import mark_of, takes_marks
from structout.tables.place import Format, local_stem
from structout.tables.staging import Load, Mode


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of a run. If `quarantine` or `journal` is None, its file is named after `output`.

    `source` is one input or several (see `structout.tables.place.places`), `format` overrules their suffixes, and
    `delimiter` is the one of CSV. `keep` names the columns of the input that stand beside each record ("all": each).
    `mode` says what becomes of the rows of a table of PostgreSQL that exists (see `structout.tables.staging.Load`).
    `schema`, `model` and `strategy` are arguments of `Schema.of`, `load_model` and `load_strategy`. `prices` are by
    model name; the name "" stands for `model`. A schema with secrets or excluded fields needs `write_secrets`, which
    writes them, or `by_serialization`, which writes what the Pydantic type writes. With `keep_text="hash"`, the
    quarantine holds no texts, and the journal holds none once the run is complete. `chunk` is the number of rows that
    are worked on together (None: as the model prefers). If the journal has a batch in doubt, `batch_adopt` is its job
    at the provider, and `batch_resubmit` submits its rows again. `watch` is a file of confidences that `certify` wrote,
    and `on_shift` says what happens when the rows stop looking like the labelled records.
    """

    schema: str
    source: str | Sequence[str]
    output: str
    model: str = defaults.MODEL
    strategy: str = defaults.STRATEGY
    examples: tuple[Example, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    prices: Prices = field(default_factory=Prices)
    budget: Budget = field(default_factory=Budget)
    text: str = "text"
    key: str | None = None
    keep: tuple[str, ...] = ()
    format: Format | None = None
    delimiter: str = ""
    limit: int | None = None
    bare: bool = False
    mode: Mode = "replace"
    quarantine: str | None = None
    journal: str | None = None
    fresh: bool = False
    retry_quarantine: bool = False
    cache: bool = True
    chunk: int | None = None
    max_errors: int = 10
    engine: Literal["local", "ray"] = "local"
    actors: int = 2
    telemetry: bool = False
    metrics: str | None = None
    private: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    keep_text: Literal["all", "hash"] = "all"
    write_secrets: bool = False
    by_serialization: bool = False
    batch_adopt: str | None = None
    batch_resubmit: bool = False
    watch: str | None = None
    on_shift: OnShift = "warn"

    @property
    def rest(self) -> str:
        """The file of the quarantine."""
        return self.quarantine or f"{self._stem}.quarantine.jsonl"

    @property
    def place(self) -> str:
        """The file of the journal."""
        return self.journal or f"{self._stem}.journal"

    @property
    def mark(self) -> str:
        """The file that marks a partial output; "" for an output that is never partial."""
        return str(mark_of(self.output)) if takes_marks(self.output) else ""

    @property
    def load(self) -> Load:
        """How rows reach the output."""
        return Load(self.mode, self.key)

    @property
    def _stem(self) -> str:
        return local_stem(self.output)

    def job(self) -> Job:
        """The job, with its model loaded. Raises what `Schema.of`, `load_strategy` and `load_model` raise."""
        job = Recipe(
            self.schema, self.model, self.strategy, self.examples, self.sampling, max_errors=self.max_errors
        ).job()
        priced = priced_models(job.strategy, job.model.name)
        return Job(
            schema=job.schema,
            model=job.model,
            strategy=job.strategy,
            examples=job.examples,
            sampling=job.sampling,
            prices=Prices(with_known(named(self.prices.table, priced), job.models())),
            max_errors=job.max_errors,
            tags=self.tags,
        )

    def recipe(self, job: Job) -> Recipe:
        """The recipe from which another process, which may run in another folder, makes the job."""
        place = str(Path(self.schema).resolve()) if Path(self.schema).exists() else self.schema
        return Recipe(
            schema=place,
            model=self.model,
            strategy=spec(job.strategy),  # not `self.strategy`, which may be a file that only this process reads
            examples=self.examples,
            sampling=self.sampling,
            prices=dict(job.prices.table),
            max_errors=self.max_errors,
            edition=job.edition,
            tags=dict(self.tags),
        )
