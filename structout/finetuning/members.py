"""Several adapters for one schema, trained with different seeds, that decide together."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from structout.errors import SpecError
from structout.evaluation import Dataset
from structout.finetuning.finetuner import finetune
from structout.finetuning.training import Training, TrainingStep
from structout.result import Example
from structout.strategies import Constrained, Ensemble, On, spec
from structout.tables.whole_file import replacing

STRATEGY = "members.strategy"


def finetune_members(
    model: str,
    dataset: Dataset,
    out: str | Path,
    training: Training | None = None,
    *,
    members: int = 3,
    more: Sequence[Example] = (),
    fresh: bool = False,
    tell: Callable[[TrainingStep], None] = lambda step: None,
) -> Ensemble:
    """Fine-tune `members` models on the same records, each with its own seed, and save them in the folders OUT/1, OUT/2
    and so on.

    The seeds count up from that of `training`: a seed decides the order of the records, the records that are held out
    and the varied texts. The file OUT/members.strategy holds the returned strategy, which asks each of them
    (`Constrained(quote=True)`). A run that was killed resumes: a member that is complete is not trained again. The
    other arguments, and the errors, are as of `finetune`; `SpecError` also for fewer than 2 members.
    """
    if members < 2:
        raise SpecError(f"invalid members: got {members}", hint="give 2 or more, such as 3")
    training, folder = training or Training(), Path(out)
    places = [folder / str(number) for number in range(1, members + 1)]
    for number, place in enumerate(places):
        seeded = replace(training, seed=training.seed + number)
        finetune(model, dataset, place, seeded, more=more, fresh=fresh, tell=tell)
    made = Ensemble(*(On(f"path:{place}", Constrained(quote=True)) for place in places))
    with replacing(str(folder / STRATEGY)) as stream:
        stream.write(f"{spec(made)}\n".encode())
    return made
