"""Preference fine-tuning of a fine-tuned model by direct preference optimisation (arXiv:2305.18290)."""

import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from structout.completion import Prompt, Sampling
from structout.errors import DataError, MissingExtraError, NoModelError, SpecError, check_installed
from structout.finetuning.finetuner import cost, local, tidy
from structout.finetuning.preference_pairs import Preference
from structout.finetuning.training import TrainingStep
from structout.models import Model, load_model
from structout.models.local import LocalModel
from structout.models.tuning import Tuning, checksum, has_adapter


@dataclass(frozen=True)
class Preferring:
    """Settings of preference fine-tuning. `beta` keeps the model close to its start; the rest is as in `Training`."""

    passes: int = 1
    learning_rate: float = 1e-4
    beta: float = 0.1
    batch: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1 or self.batch < 1 or self.learning_rate <= 0 or self.beta <= 0:
            raise SpecError(f"invalid {self}: expected numbers above 0", hint="give numbers above 0")


def prefer(
    model: str,
    pairs: Sequence[Preference],
    out: str | Path,
    preferring: Preferring | None = None,
    *,
    tell: Callable[[TrainingStep], None] = lambda step: None,
) -> Model:
    """Train a fine-tuned model (`path:FOLDER`, with an adapter) to prefer the better answer of each pair.

    The adapter is trained against a frozen copy of itself. The loss also keeps the better answers likely; otherwise
    both answers may become less likely. The folder `out` is as `finetune` leaves it, and appears only when it is
    complete. `tell` is called with each step. Raises `DataError`, `SpecError`, `ModelError`, `MissingExtraError`.
    """
    how = preferring or Preferring()
    kind, _, place = model.partition(":")
    before = Tuning.read(Path(place)) if kind == "path" else None
    if before is None or not has_adapter(Path(place)):
        problem = f"{model} does not hold an adapter that structout made"
        raise SpecError(problem, hint="fine-tune a model first, and give path:FOLDER")
    if not pairs:
        problem = "got no pairs to learn from"
        raise DataError(problem, hint="log more answers to the same records, at a temperature above 0")
    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty", hint="name a new folder")
    check_installed("finetuning", "peft", "trl")
    base = local(before.base)
    if checksum(base.network) != before.checksum:
        raise NoModelError(f"{model} was made for other weights than {before.base} has", hint="fine-tune it again")
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    clock, processor = time.perf_counter(), time.process_time()
    try:
        losses = _train(base, Path(place), pairs, how, made, tell)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "trl", "finetuning") from error
    tidy(made, before.base)
    training = {**before.training, "preference": {**asdict(how), "pairs": len(pairs)}}
    spent = cost(len(pairs), time.perf_counter() - clock, time.process_time() - processor)
    both = {**before.cost, **{f"preference_{name}": value for name, value in spent.items()}}
    replace(before, training=training, log=(*before.log, *losses), evaluation={}, cost=both).write(made)
    if folder.exists():
        folder.rmdir()  # it is empty
    made.rename(folder)
    return load_model(f"path:{folder}")


def _train(
    base: LocalModel,
    adapter: Path,
    pairs: Sequence[Preference],
    how: Preferring,
    folder: Path,
    tell: Callable[[TrainingStep], None],
) -> list[dict[str, Any]]:
    import torch
    from datasets import Dataset, disable_progress_bars
    from peft import PeftModel
    from transformers import PrinterCallback
    from transformers.utils import logging
    from trl import DPOConfig, DPOTrainer

    from structout.finetuning.supervised import Told, multiplies_bf16

    class Encoded(DPOTrainer):  # type: ignore[misc]
        """Takes token ids as they are, so that the model learns the prompt that it will see."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

        def _send_telemetry(self) -> None:
            """Send nothing, whether or not the user has set `HF_HUB_DISABLE_TELEMETRY`."""

    logging.set_verbosity_error()
    disable_progress_bars()
    torch.manual_seed(how.seed)
    on_cpu = base.network.device.type == "cpu"
    with TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that both packages will change
        network = PeftModel.from_pretrained(base.network, str(adapter), is_trainable=True)
        trainer = Encoded(
            model=network,
            args=DPOConfig(
                output_dir=scratch,
                num_train_epochs=how.passes,
                learning_rate=how.learning_rate,
                beta=how.beta,
                loss_type=["sigmoid", "sft"],
                loss_weights=[1.0, 1.0],
                per_device_train_batch_size=how.batch,
                warmup_steps=2,
                lr_scheduler_type="cosine",
                logging_steps=1,
                save_strategy="no",
                gradient_checkpointing=False,
                disable_tqdm=True,
                report_to=[],
                seed=how.seed,
                use_cpu=on_cpu,
                bf16=on_cpu and multiplies_bf16(),
            ),
            train_dataset=Dataset.from_list([_encode(base, pair) for pair in pairs]),
            processing_class=base.tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Told(tell, how.passes * -(-len(pairs) // how.batch)))
        trainer.train()
        # "auto" would look up the name in the base model's place, a name that this package shortens, on a hub
        network.save_pretrained(str(folder), selected_adapters=["default"], save_embedding_layers=False)
    shutil.rmtree(folder / "ref", ignore_errors=True)
    return [
        {"preference_step": entry["step"], "loss": entry["loss"], "margin": entry.get("rewards/margins")}
        for entry in trainer.state.log_history
        if "loss" in entry
    ]


def _encode(model: LocalModel, pair: Preference) -> dict[str, list[int]]:
    chosen, rejected = model.encode_answer(pair.chosen), model.encode_answer(pair.rejected)
    prompt = model.encode(Prompt(pair.prompt, Sampling(max_tokens=max(len(chosen), len(rejected)))))
    if isinstance(prompt, str):
        raise DataError(prompt, hint="leave this pair out")
    return {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
