"""Fine-tuning of local models on labelled records."""

import json
import shutil
import sys
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

# The strategies that evaluate a model before and after training.
MEASURED = ("Prompted()", "Repair(Prompted())", "Constrained()")
EVALUATION = "evaluation.jsonl"  # the log of the evaluation, in the model's folder
_WORK = ".training"  # in the model's folder until training is done


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
    """Fine-tune a local model on the train records of a data set, and save the result in the folder `out`.

    `model` is a name for `load_model`; so is `path:OUT` afterwards. `more` are labelled records from elsewhere, such as
    generated ones: each is learned once, spread over the passes, and none is held out. A run that was killed resumes;
    a folder of another run is refused unless `fresh`. With `measure`, the model is evaluated on these records before
    and after; a `StructoutWarning` says if some of them are also learned. `tell` is called with each step, `progress`
    with each evaluated outcome. Raises `DataError`, `SpecError`, `ModelError`, `MissingExtraError`.
    """
    training = training or Training()
    training = replace(training, learning_rate=training.rate)  # record the actual rate, since defaults may change
    folder = Path(out)
    examples = dataset.examples
    if not examples:
        raise DataError(f"{dataset.name} holds no records to learn from", hint="give records in the train split")
    if measure is not None:
        check_measure(measure, [*examples, *more])
    schema = dataset.schema
    planned = {
        "base": model,
        "data": data_fingerprint([*examples, *more]),
        "schema": schema.fingerprint(),
        "prompt": prompt_fingerprint(schema, training.show, guidance=training.guidance),
        "training": training.settings(),
    }
    done = None if fresh else _done(folder, planned)
    if done is None:
        check_installed("finetuning", "peft")
        base = local(model)  # may raise, so before the folder changes
        _claim(folder, planned, fresh=fresh)
        done = _learn(base, model, schema, examples, more, training, folder, tell)
    if measure is not None:
        measured = {"data": measure.fingerprint(), "sampling": json.dumps(asdict(sampling or Sampling()))}
        if done.evaluation.get("measured") != measured:
            if done.evaluation:
                (folder / EVALUATION).unlink(missing_ok=True)  # of other records or another sampling
            judged = _judge(model, folder, measure, sampling, progress)
            done = replace(done, evaluation={"measured": measured, **judged})
            done.write(folder)
    return load_model(f"path:{folder}")


def check_measure(measure: Dataset, learnt: Iterable[Example]) -> None:
    """Raise `DataError` if there are no records to measure on, and warn if some of them are also learned."""
    if not measure.records:
        raise DataError(f"{measure.name} holds no records to measure on", hint="name another split or data set")
    known = {example.text for example in learnt}
    if both := sum(record.text in known for record in measure):
        message = f"{both} of the {len(measure)} records to measure on are also learned: the results will be too good"
        warnings.warn(message, StructoutWarning, stacklevel=3)


def local(name: str) -> "LocalModel":
    """The model of this name. Raises `SpecError` for a model that is not local, or that was fine-tuned already."""
    from structout.models.local import LocalModel

    model = load_model(name)
    if not isinstance(model, LocalModel):
        raise SpecError(f"cannot fine-tune {name}", hint="give embedded, hf:NAME or path:FOLDER")
    if model.tuning is not None:
        raise SpecError(f"{name} is fine-tuned already", hint=f"start from its base model, {model.tuning.base}")
    return model


def _done(folder: Path, planned: dict[str, Any]) -> Tuning | None:
    """The tuning in the folder, if the planned run is complete. Raises `DataError` for the folder of another run."""
    known, plan = Tuning.read(folder), folder / _WORK / "plan.json"
    found: dict[str, Any] | None = None
    if known is not None:
        found = {**asdict(known), "schema": known.fingerprint}
    elif plan.is_file():
        try:
            found = dict(load_json(plan.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            hint = "name another folder, or start anew with --fresh"
            raise DataError(f"cannot read {plan}: {error}", hint=hint) from error
    elif folder.is_file():
        raise DataError(f"{folder} is not a folder", hint="name a new folder")
    elif folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty", hint="name a new folder")
    changed = [key for key, value in planned.items() if found is not None and found.get(key) != value]
    if changed:
        problem = f"{folder} holds a run with another {' and '.join(changed)}"
        raise DataError(problem, hint="name another folder, or start anew with --fresh")
    return known


def _claim(folder: Path, planned: dict[str, Any], *, fresh: bool) -> None:
    """Write the plan of the run into the folder; `fresh` removes an earlier run."""
    if fresh and (Tuning.read(folder) or (folder / _WORK).is_dir()):
        shutil.rmtree(folder)
    plan = folder / _WORK / "plan.json"
    if folder.exists() and any(folder.iterdir()) and not plan.is_file():
        raise DataError(f"{folder} is not empty", hint="name a new folder")
    plan.parent.mkdir(parents=True, exist_ok=True)
    plan.write_text(json.dumps(planned), encoding="utf-8", newline="\n")


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
        prompt=prompt_fingerprint(schema, training.show, guidance=training.guidance),
        schema=schema.name,
        fingerprint=schema.fingerprint(),
        data=data_fingerprint([*examples, *more]),
        training=training.settings(),
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
    tuning.write(folder)  # last: it marks the folder as complete
    shutil.rmtree(folder / _WORK)
    return tuning


def cost(records: int, seconds: float, processor: float) -> dict[str, float]:
    """The cost of training in this process; a resumed run cost more in total. Windows does not tell `peak_mb`."""
    spent: dict[str, float] = {"records": records, "seconds": round(seconds), "cpu_seconds": round(processor)}
    peak = peak_mb()
    return spent if peak is None else {**spent, "peak_mb": round(peak)}


def peak_mb() -> float | None:
    """The most memory that this process has used, in MB; None where the system does not tell it."""
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 / (1024 if sys.platform == "darwin" else 1)  # macOS counts bytes, Linux counts KiB


def tidy(folder: Path, base: str) -> None:
    """Reduce an adapter's folder to what loading needs: factors in 16 bits, and no path of this machine."""
    import torch
    from safetensors.torch import load_file, save_file

    (folder / "README.md").unlink(missing_ok=True)
    file, about = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    factors = load_file(file)
    save_file({name: tensor.to(torch.float16).contiguous() for name, tensor in factors.items()}, file)
    named = {**json.loads(about.read_text(encoding="utf-8")), "base_model_name_or_path": base.rpartition("/")[2]}
    about.write_text(json.dumps(named, indent=1) + "\n", encoding="utf-8", newline="\n")


def _judge(
    base: str, folder: Path, measure: Dataset, sampling: Sampling | None, progress: Callable[[Outcome], None]
) -> dict[str, Any]:
    """Evaluate the base and the fine-tuned model on the same records, with a log in the folder."""
    models = [base, f"path:{folder}"]
    report = evaluate(MEASURED, models, measure, sampling=sampling, log=folder / EVALUATION, progress=progress)
    before, after = ([asdict(row) for row in report.rows() if row.model == model] for model in models)
    return {"records": len(measure), "before": before, "after": after}
