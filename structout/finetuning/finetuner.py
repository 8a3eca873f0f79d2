"""From labelled records to a model that was taught them."""

import json
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structout.completion import Sampling
from structout.document import load_json
from structout.errors import DataError, MissingExtraError, SpecError, StructoutWarning, check_installed
from structout.evaluation import Dataset, evaluate
from structout.evaluation.outcome import Outcome
from structout.finetuning.demonstrations import fingerprint as data_fingerprint
from structout.finetuning.demonstrations import hold_out
from structout.finetuning.order import reading_order
from structout.finetuning.training import Training, TrainingStep
from structout.models import Model, load_model
from structout.models.tuning import Tuning, checksum, reordered
from structout.prompts import fingerprint as prompt_fingerprint
from structout.result import Example
from structout.schema import Schema
from structout.strategies.quotes import quoted_fields

if TYPE_CHECKING:
    from structout.models.local import LocalModel

# What a model is judged by before and after.
MEASURED = ("Prompted()", "Repair(Prompted())", "Constrained()")
EVALUATION = "evaluation.jsonl"  # in the folder: the log of that
_WORK = ".training"  # in the folder, until training is done


def finetune(
    model: str,
    dataset: Dataset,
    out: str | Path,
    training: Training | None = None,
    *,
    more: Sequence[Example] = (),
    measure: Dataset | None = None,
    sampling: Sampling | None = None,
    fresh: bool = False,
    tell: Callable[[TrainingStep], None] = lambda step: None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Model:
    """Teach a local model the train records of a data set, and leave the result in the folder `out`.

    `model` is a name for `load_model`, and so is `path:OUT` afterwards. `more` are labelled records from elsewhere, say
    generated ones: each is learnt once, a part of them in each pass, and none is held out. A run that was killed goes
    on where it was; a folder that holds another run is refused unless `fresh`. With `measure` the model is judged on
    these records before and after; a `StructoutWarning` says if some of them are also learnt. `tell` is called with
    each step, `progress` with each judged outcome. Raises `DataError`, `SpecError`, `ModelError`, `MissingExtraError`.
    """
    training = training or Training()
    training = replace(training, learning_rate=training.rate)  # defaults may change: what was done is written down
    folder = Path(out)
    examples = dataset.examples
    if not examples:
        raise DataError(f"{dataset.name} has no records to learn from", hint="give records in the train split")
    if measure is not None:
        check_measure(measure, [*examples, *more])
    schema = dataset.schema
    planned = {
        "base": model,
        "data": data_fingerprint([*examples, *more]),
        "schema": schema.fingerprint(),
        "prompt": prompt_fingerprint(schema, training.show),
        "training": asdict(training),
    }
    done = None if fresh else _done(folder, planned)
    if done is None:
        check_installed("finetuning", "peft")
        base = local(model)  # before anything in the folder is touched
        _claim(folder, planned, fresh=fresh)
        done = _learn(base, model, schema, examples, more, training, folder, tell)
    if measure is not None:
        measured = {"data": measure.fingerprint(), "sampling": json.dumps(asdict(sampling or Sampling()))}
        if done.evaluation.get("measured") != measured:
            if done.evaluation:
                (folder / EVALUATION).unlink(missing_ok=True)  # of other records, or asked otherwise
            judged = _judge(model, folder, measure, sampling, progress)
            done = replace(done, evaluation={"measured": measured, **judged})
            done.write(folder)
    return load_model(f"path:{folder}")


def check_measure(measure: Dataset, learnt: Iterable[Example]) -> None:
    """Raise `DataError` if there is nothing to measure on, and warn where what is measured on is learnt as well."""
    if not measure.records:
        raise DataError(f"{measure.name} holds no records to measure on", hint="name another split or data set")
    known = {example.text for example in learnt}
    if both := sum(record.text in known for record in measure):
        message = f"{both} of the {len(measure)} records to measure on are learnt as well: the figures will flatter"
        warnings.warn(message, StructoutWarning, stacklevel=3)


def local(name: str) -> "LocalModel":
    """The model of this name, which must be one whose weights are here to be trained. Raises `SpecError`."""
    from structout.models.local import LocalModel

    model = load_model(name)
    if not isinstance(model, LocalModel):
        raise SpecError(f"{name} cannot be fine-tuned", hint="give embedded, hf:NAME or path:FOLDER")
    if model.tuning is not None:
        raise SpecError(f"{name} is fine-tuned already", hint=f"begin with what it began as, {model.tuning.base}")
    return model


def _done(folder: Path, planned: dict[str, Any]) -> Tuning | None:
    """The tuning in the folder, if what is planned was done before. Raises `DataError` for another run's folder."""
    known, plan = Tuning.read(folder), folder / _WORK / "plan.json"
    found: dict[str, Any] | None = None
    if known is not None:
        found = {**asdict(known), "schema": known.fingerprint}
    elif plan.is_file():
        try:
            found = dict(load_json(plan.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"cannot read {plan}: {error}", hint="name another folder, or start afresh") from error
    elif folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty", hint="name a new folder")
    changed = [key for key, value in planned.items() if found is not None and found.get(key) != value]
    if changed:
        said = " and ".join(changed)
        raise DataError(f"{folder} holds a run with another {said}", hint="name another folder, or start afresh")
    return known


def _claim(folder: Path, planned: dict[str, Any], *, fresh: bool) -> None:
    """Make the folder ours: with `fresh` a run that is in it is removed."""
    if fresh and (Tuning.read(folder) or (folder / _WORK).is_dir()):
        shutil.rmtree(folder)
    plan = folder / _WORK / "plan.json"
    if folder.exists() and any(folder.iterdir()) and not plan.is_file():
        raise DataError(f"{folder} is not empty", hint="name a new folder")
    plan.parent.mkdir(parents=True, exist_ok=True)
    plan.write_text(json.dumps(planned), encoding="utf-8")


def _learn(
    model: "LocalModel",
    base: str,
    schema: Schema[Any],
    examples: Sequence[Example],
    more: Sequence[Example],
    training: Training,
    folder: Path,
    tell: Callable[[TrainingStep], None],
) -> Tuning:
    before = checksum(model.network)
    try:
        from structout.finetuning.supervised import train
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "peft", "finetuning") from error
    kept, held = hold_out(examples, training.held_out, training.seed)
    orders = reading_order(examples, schema) if training.order == "reading" else {}
    clock, processor = time.perf_counter(), time.process_time()
    log = train(model, kept, held, more, reordered(schema, orders), training, folder / _WORK, tell)
    tuning = Tuning(
        base=base,
        checksum=before,
        show=training.show,
        prompt=prompt_fingerprint(schema, training.show),
        schema=schema.name,
        fingerprint=schema.fingerprint(),
        data=data_fingerprint([*examples, *more]),
        training=asdict(training),
        log=tuple(log),
        orders=orders,
        quotes=tuple(sorted(quoted_fields(examples))),
        cost=cost(len(examples) + len(more), time.perf_counter() - clock, time.process_time() - processor),
    )
    for made in (folder / _WORK / "best").iterdir():
        made.replace(folder / made.name)
    if training.rank:
        tidy(folder, base)
    else:
        model.tokenizer.save_pretrained(str(folder))
    tuning.write(folder)  # last: a folder with it is whole
    shutil.rmtree(folder / _WORK)
    return tuning


def cost(records: int, seconds: float, processor: float) -> dict[str, float]:
    """What training cost, as far as this process did it: a run that was resumed cost more."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"records": records, "seconds": round(seconds), "cpu_seconds": round(processor), "peak_mb": round(peak)}


def tidy(folder: Path, base: str) -> None:
    """Leave of an adapter's folder what loading needs: factors in 16 bits, and no place on this machine."""
    import torch
    from safetensors.torch import load_file, save_file

    (folder / "README.md").unlink(missing_ok=True)
    file, about = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    factors = load_file(file)
    save_file({name: tensor.to(torch.float16).contiguous() for name, tensor in factors.items()}, file)
    named = {**json.loads(about.read_text(encoding="utf-8")), "base_model_name_or_path": base.rpartition("/")[2]}
    about.write_text(json.dumps(named, indent=1) + "\n", encoding="utf-8")


def _judge(
    base: str, folder: Path, measure: Dataset, sampling: Sampling | None, progress: Callable[[Outcome], None]
) -> dict[str, Any]:
    """The base and the fine-tuned model on the same records; every attempt is logged in the folder."""
    models = [base, f"path:{folder}"]
    report = evaluate(MEASURED, models, measure, sampling=sampling, log=folder / EVALUATION, progress=progress)
    before, after = ([asdict(row) for row in report.rows() if row.model == model] for model in models)
    return {"records": len(measure), "before": before, "after": after}
