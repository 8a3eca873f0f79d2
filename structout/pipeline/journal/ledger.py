"""The journal as the ledger of a model that works in batches."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from structout.completion import Completion, Usage
from structout.errors import SpecError
from structout.models.ledger import Wave
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.tables import keep_completions
from structout.pipeline.journal.waves import LOST, in_doubt, put, waves_in


class JournalLedger:
    """The waves of one model in a journal. `key` gives the journal's key of a prompt's answer.

    At most one wave of a journal is in doubt: `intend` raises `BatchError` as long as there is one.
    """

    def __init__(self, journal: Journal, model: str, key: Callable[[str], bytes]) -> None:
        self._journal = journal
        self._model = model
        self._key = key

    def waves(self) -> list[Wave]:
        """The waves of the model, the oldest first."""
        return [wave for model, wave in self._journal.waves() if model == self._model]

    def intend(self, wave: Wave) -> None:
        """Keep a wave before it is submitted."""
        for _, other in self._journal.waves():
            if not other.job:
                raise in_doubt(other)
        with self._journal.transaction(durable=True) as db:
            put(db, self._model, wave)

    def submitted(self, wave: Wave, job: str) -> None:
        """Keep the id of the job of a wave."""
        (now,) = (one for one in self.waves() if one.id == wave.id)
        with self._journal.transaction(durable=True) as db:
            put(db, self._model, replace(now, job=job))
        self._journal.heed()

    def collected(self, wave: Wave, answers: Mapping[str, Completion], failed: Mapping[str, Usage]) -> None:
        """Keep answers and usage, and drop their keys from the wave, all at once. A rejection is not kept: the next run
        asks again.
        """
        gone = {*answers, *failed}
        held: set[str] = set()
        with self._journal.transaction(durable=True) as db:
            for model, one in waves_in(db, self._journal.path):
                if one.id == wave.id:
                    held = gone.intersection(one.keys)
                    put(db, model, replace(one, keys=tuple(key for key in one.keys if key not in gone)))
            found = {key: answer for key, answer in answers.items() if key in held}
            costs = [*(answer.usage for answer in found.values()), *(failed[key] for key in failed if key in held)]
            new = {self._key(key): answer for key, answer in found.items() if not answer.is_rejection}
            usage = sum(costs, Usage())
            if usage != Usage() or new:
                keep_completions(db, self._model, new, usage)
        self._journal.heed()

    def has_answered(self) -> bool:
        """Whether the journal knows an answer of the model."""
        return self._journal.spent().get(self._model, Usage()).output_tokens > 0


def decide(journal: Journal, adopt: str | None, *, resubmit: bool) -> None:
    """Settle the wave in doubt: it has the job `adopt`, or it is forgotten, so that its rows are submitted again.

    Raises `SpecError` if no wave is in doubt.
    """
    if adopt is None and not resubmit:
        return
    waves = [(model, wave) for model, wave in journal.waves() if not wave.job]
    if adopt is not None:
        waves = [(model, wave) for model, wave in waves if wave.id != LOST.id]
    if not waves:
        option = "--batch-resubmit" if adopt is None else "--batch-adopt"
        raise SpecError(f"invalid {option}: {journal.path} has no batch in doubt", hint="leave it out")
    model, wave = waves[0]  # the wave that the run named
    with journal.transaction(durable=True) as db:
        if adopt is not None:
            put(db, model, replace(wave, job=adopt))
        else:
            db.execute("DELETE FROM batches WHERE id = ?", [wave.id])


def settle(journal: str | Path, *, adopt: str | None = None, resubmit: bool = False) -> None:
    """Settle the batch in doubt of a journal that no run uses, such as one of `extract_many`: `adopt` is its job at the
    provider, and `resubmit` submits its rows again. Raises `JournalError`, and `SpecError` if no batch is in doubt.
    """
    with Journal(journal, {}, only=(), adopt=False) as opened:
        decide(opened, adopt, resubmit=resubmit)
