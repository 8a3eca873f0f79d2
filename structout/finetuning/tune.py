"""From labelled records to a model that was taught them."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from structout.completion import Sampling
from structout.errors import DataError, MissingExtraError, SpecError
from structout.evaluation import Dataset, evaluate
from structout.finetuning.demonstrations import Demonstration, demonstrate, hold_out
from structout.finetuning.demonstrations import fingerprint as data_fingerprint
from structout.finetuning.training import Step, Training
from structout.models import Model, load_model
from structout.models.tuning import Tuning, checksum
from structout.prompts import fingerprint as prompt_fingerprint
from structout.result import Example
from structout.schema import Schema

# What a model is judged by before and after.
MEASURED = ("Prompted()", "Repair(Prompted())", "Constrained()")


def finetune(
    model: str,
    dataset: Dataset,
    out: str | Path,
    training: Training | None = None,
    *,
    measure: Dataset | None = None,
    sampling: Sampling | None = None,
    fresh: bool = False,
    tell: Callable[[Step], None] = lambda step: None,
) -> Model:
    """Teach a local model the train records of a data set, and leave the result in the folder `out`.

    `model` is a name for `load_model`, and so is `path:OUT` afterwards. A run that was killed goes on where it was; a
    folder that holds another run is refused unless `fresh`. With `measure`, records that are not among those learnt,
    the model is judged on them before and after. Raises `DataError`, `SpecError`, `ModelError`, `MissingExtraError`.
    """
    training = training or Training()
    folder = Path(out)
    demonstrations = demonstrate(dataset.examples, dataset.schema, training.show)
    if not demonstrations:
        raise DataError(f"{dataset.name} has no records to learn from", hint="give records in the train split")
    kept, held = hold_out(demonstrations, training.held_out, training.seed)
    planned = {"base": model, "data": data_fingerprint(demonstrations), "training": asdict(training)}
    done = _claim(folder, planned, fresh=fresh)
    if done is None:
        done = _learn(model, dataset.schema, kept, held, training, folder, tell)
    if measure is not None and not done.evaluation:
        done = replace(done, evaluation=_judge(model, f"path:{folder}", measure, sampling))
        done.write(folder)
    return load_model(f"path:{folder}")


def _claim(folder: Path, planned: dict[str, Any], *, fresh: bool) -> Tuning | None:
    """Make the folder ours. Returns the tuning in it, if what is planned was done before."""
    if fresh and (Tuning.read(folder) or (folder / ".training").is_dir()):
        shutil.rmtree(folder)
    known = Tuning.read(folder)
    found: dict[str, Any] | None = None
    if known is not None:
        found = {"base": known.base, "data": known.data, "training": known.training}
    elif (folder / ".training" / "plan.json").is_file():
        found = json.loads((folder / ".training" / "plan.json").read_text(encoding="utf-8"))
    if found is not None and found != planned:
        changed = ", ".join(key for key in planned if found.get(key) != planned[key])
        raise DataError(f"{folder} holds a run with another {changed}", hint="name another folder, or start afresh")
    if found is None:
        if folder.exists() and any(folder.iterdir()):
            raise DataError(f"{folder} is not empty", hint="name a new folder")
        (folder / ".training").mkdir(parents=True, exist_ok=True)
        (folder / ".training" / "plan.json").write_text(json.dumps(planned), encoding="utf-8")
    return known


def _learn(
    base: str,
    schema: Schema[Any],
    demonstrations: Sequence[Demonstration],
    held_out: Sequence[Demonstration],
    training: Training,
    folder: Path,
    tell: Callable[[Step], None],
) -> Tuning:
    network = local(base)
    before = checksum(network.network)
    try:
        from structout.finetuning.supervised import train
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "peft", "finetuning") from error
    began = time.perf_counter()
    log = train(network, demonstrations, held_out, training, folder / ".training", tell)
    tuning = Tuning(
        base=base,
        checksum=before,
        show=training.show,
        prompt=prompt_fingerprint(schema, training.show),
        schema=schema.name,
        fingerprint=schema.fingerprint(),
        data=data_fingerprint([*demonstrations, *held_out]),
        training=asdict(training),
        log=tuple(log),
    )
