"""Supervised fine-tuning of a local model's weights on labelled records, with checkpoints."""

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.utils import logging

from structout.errors import DataError
from structout.finetuning.batches import Encoded, answers, collate, encode, plan
from structout.finetuning.demonstrations import demonstrate
from structout.finetuning.training import Training, TrainingStep
from structout.finetuning.variation import Variation
from structout.models.local import LocalModel
from structout.result import Example
from structout.schema import Schema

_CHECKPOINTS = 4  # a pass
_STATE = "trainer_state.json"  # transformers writes this file last: a checkpoint without it is incomplete


class Lessons(torch.utils.data.Dataset[Encoded]):
    """The training data of all passes: `more` once, `examples` in each pass, each time varied anew, if at all."""

    def __init__(
        self,
        model: LocalModel,
        examples: Sequence[Example],
        more: Sequence[Example],
        schema: Schema[Any],
        training: Training,
    ) -> None:
        examples = [*examples, *more]
        self._model, self._examples, self._schema, self._training = model, examples, schema, training
        self._plain = encode(model, demonstrate(examples, schema, training.show, training.guidance))
        self._places = plan([len(one.tokens) for one in self._plain], training, len(more))
        self._variation = Variation(examples, schema, training.vary) if training.vary else None

    @property
    def longest(self) -> int:
        """The number of tokens of the longest record, before variation."""
        return max(len(one.tokens) for one in self._plain)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, position: int) -> Encoded:
        place = self._places[position]
        if self._variation is None:
            return self._plain[place]
        varied = self._variation.vary(self._examples[place], random.Random(f"{self._training.seed}:{position}"))
        try:
            return encode(
                self._model, demonstrate([varied], self._schema, self._training.show, self._training.guidance)
            )[0]
        except DataError:  # the varied record is too long
            return self._plain[place]


class Supervised(Trainer):  # type: ignore[misc]
    """A trainer that learns answers only: the loss is the mean over all answer tokens of an accumulated step."""

    loss_is_scaled_for_ga = True

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The loss of a batch."""
        logits, labels, _ = answers(model, inputs)
        total = cross_entropy(logits, labels, reduction="sum")
        return total / (num_items_in_batch if num_items_in_batch is not None else len(labels))


@torch.no_grad()
def judge(network: Any, encoded: Sequence[Encoded], pad: int, at_once: int) -> dict[str, float]:
    """How well the network predicts answers, each token given the right tokens before it.

    Returns the `loss` per token, the share of `tokens` that are predicted right, and the share of `records` with all
    tokens right.
    """
    network.eval()
    total, count, right, whole = 0.0, 0, 0, 0
    by_length = sorted(encoded, key=lambda one: len(one.tokens))
    for start in range(0, len(by_length), at_once):
        batch = by_length[start : start + at_once]
        with quick(network):
            logits, labels, rows = answers(network, collate(batch, pad))
        missed = logits.argmax(-1) != labels
        total += float(cross_entropy(logits, labels, reduction="sum"))
        count += len(labels)
        right += int((~missed).sum())
        whole += len(batch) - len(set(rows[missed].tolist()))
    network.train()
    return {"loss": total / count, "tokens": right / count, "records": whole / len(encoded)}


def multiplies_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 natively: about 1.6 times as fast as float32, while emulation is slow."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def quick(network: Any) -> AbstractContextManager[Any]:
    """A context that multiplies in bfloat16 if the CPU does so natively."""
    on_cpu = network.device.type == "cpu"
    context: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16, enabled=on_cpu and multiplies_bf16())
    return context


class Passes(TrainerCallback):  # type: ignore[misc]
    """Evaluates the model after each pass, keeps the best in `folder`/best, and stops training that no longer helps."""

    def __init__(self, measure: Callable[[], dict[str, float]], folder: Path, ends: set[int], patience: int) -> None:
        self._measure, self._folder, self._ends, self._patience = measure, folder, ends, patience
        self.log: list[dict[str, Any]] = []

    def rewind(self, step: int) -> None:
        """Load the log of an interrupted run that resumes after `step`."""
        file = self._folder / "passes.json"
        known = json.loads(file.read_text(encoding="utf-8")) if step and file.is_file() else []
        self.log = [entry for entry in known if entry["step"] <= step]

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        """At the end of a pass: evaluate, save the best model, and stop when patience runs out."""
        if state.global_step not in self._ends:
            return
        best = max(map(_merit, self.log), default=None)
        self.log.append({"step": state.global_step, **self._measure()})
        if best is None or _merit(self.log[-1]) > best:
            _replace(self._folder / "best", model.save_pretrained)
        _write(self._folder / "passes.json", json.dumps(self.log))
        merits = [_merit(entry) for entry in self.log]
        if len(merits) - 1 - merits.index(max(merits)) >= self._patience:
            control.should_training_stop = True


class Told(TrainerCallback):  # type: ignore[misc]
    """Calls `tell` with each step."""

    def __init__(self, tell: Callable[[TrainingStep], None], steps: int) -> None:
        self._tell, self._steps = tell, steps

    def on_log(self, args: Any, state: Any, control: Any, *, logs: Any, **_: Any) -> None:
        """Report a step that has a loss."""
        if "loss" in logs:
            self._tell(TrainingStep(state.global_step, self._steps, logs["loss"]))


def train(
    model: LocalModel,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    more: Sequence[Example],
    schema: Schema[Any],
    training: Training,
    folder: Path,
    tell: Callable[[TrainingStep], None],
) -> list[dict[str, Any]]:
    """Fine-tune `model` in place, and save the adapter (or all weights) of the best pass in `folder`/best.

    The folder also holds checkpoints, from which the same call resumes. Returns an entry for each pass: its last
    `step`, and the numbers of `judge` on the held-out records.
    """
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # `tell` reports the progress instead
    lessons = Lessons(model, examples, more, schema, training)
    judged = encode(model, demonstrate(held_out, schema, training.show, training.guidance))
    fitting = max(1, training.tokens_at_once // lessons.longest)
    micro = max(size for size in range(1, training.batch + 1) if size <= fitting and training.batch % size == 0)
    accumulated = training.batch // micro
    steps = -(-len(lessons) // (micro * accumulated))
    ends = {round((number + 1) * steps / training.passes) for number in range(training.passes)}
    torch.manual_seed(training.seed)
    network = model.network
    if training.rank:
        network = adapt(network, training.rank)

    def measure() -> dict[str, float]:
        return judge(network, judged, model.pad, 2 * micro) if judged else {}

    passes = Passes(measure, folder, ends, training.patience)
    on_cpu = network.device.type == "cpu"
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulated,
        num_train_epochs=1,  # the lessons hold all passes
        train_sampling_strategy="sequential",
        learning_rate=training.rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 20),
        max_grad_norm=1.0,
        logging_steps=1,
        save_steps=max(1, steps // (training.passes * _CHECKPOINTS)),
        save_total_limit=2,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        seed=training.seed,
        use_cpu=on_cpu,
        bf16=on_cpu and multiplies_bf16(),
    )
    trainer = Supervised(
        model=network,
        args=arguments,
        train_dataset=lessons,
        data_collator=lambda batch: collate(batch, model.pad),
        callbacks=[passes, Told(tell, steps)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(folder)
    passes.rewind(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return passes.log


def adapt(network: Any, rank: int) -> Any:
    """The network with a trainable adapter of this rank on all linear layers but the head; the rest is frozen."""
    factors = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for an attribute by its old name
        return get_peft_model(network, factors)


def last_checkpoint(folder: Path) -> Path | None:
    """The latest complete checkpoint; incomplete checkpoints of a killed run are removed."""
    whole = []
    for found in folder.glob("checkpoint-*"):
        try:
            json.loads((found / _STATE).read_text(encoding="utf-8"))
            whole.append(found)
        except (OSError, ValueError):
            shutil.rmtree(found)
    return max(whole, key=lambda found: int(found.name.rpartition("-")[2]), default=None)


def _merit(entry: dict[str, Any]) -> tuple[float, float]:
    return entry.get("tokens", 0.0), -entry.get(
        "loss", -entry["step"]
    )  # without held-out records the last pass is best


def _replace(folder: Path, write: Callable[[str], Any]) -> None:
    """Replace a folder so that a complete version, old or new, exists at any time."""
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    shutil.rmtree(fresh, ignore_errors=True)
    write(str(fresh))
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)


def _write(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8", newline="\n")
    os.replace(fresh, file)
