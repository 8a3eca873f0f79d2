"""Supervised fine-tuning of a local model's weights on demonstrations; a killed run resumes where it was."""

import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainingArguments

from structout.completion import Prompt, Sampling
from structout.errors import DataError
from structout.finetuning.demonstrations import Demonstration
from structout.finetuning.training import Step, Training
from structout.models.local import LocalModel

_IGNORED = -100  # the label of a token that is not learnt: what PyTorch's cross entropy leaves out
_BUCKET = 16  # batches within which records are sorted by length: little padding, and still a random order
_CHECKPOINTS = 4  # a pass
_STATE = "trainer_state.json"  # the file that transformers writes last: a checkpoint without it is not whole


@dataclass(frozen=True, slots=True)
class Encoded:
    """A demonstration in tokens; the answer begins at `start`."""

    tokens: tuple[int, ...]
    start: int


def encode(model: LocalModel, demonstrations: Sequence[Demonstration]) -> list[Encoded]:
    """Demonstrations as the model will see them when it is asked. Raises `DataError` for one that it cannot take."""
    encoded = []
    for number, one in enumerate(demonstrations, 1):
        answer = model.encode_answer(one.response)
        prompt = model.encode(Prompt(one.prompt, Sampling(max_tokens=len(answer))))
        if isinstance(prompt, str):
            raise DataError(f"demonstration {number}: {prompt}", hint="shorten it or leave it out")
        encoded.append(Encoded((*prompt, *answer), len(prompt)))
    return encoded


def plan(lengths: Sequence[int], training: Training) -> list[int]:
    """The order in which demonstrations are learnt, all passes one after the other: batches come at random, and those in
    a batch are of about one length. What does not fill a batch begins the next pass.
    """
    draw = random.Random(training.seed)
    queue: list[int] = []
    for _ in range(training.passes):
        queue += draw.sample(range(len(lengths)), len(lengths))
    order: list[int] = []
    for start in range(0, len(queue), bucket := training.batch * _BUCKET):
        part = sorted(queue[start : start + bucket], key=lambda place: lengths[place])
        batches = [part[i : i + training.batch] for i in range(0, len(part), training.batch)]
        draw.shuffle(batches)
        batches.sort(key=lambda batch: len(batch) < training.batch)  # the one that is not full goes last
        order += [place for batch in batches for place in batch]
    return order


def collate(batch: Sequence[Encoded], pad: int) -> dict[str, torch.Tensor]:
    """Demonstrations side by side: `input_ids`, `attention_mask` and `labels`, each of shape (batch, longest)."""
    longest = max(len(one.tokens) for one in batch)
    tokens = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), _IGNORED)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    for row, one in enumerate(batch):
        tokens[row, : len(one.tokens)] = torch.tensor(one.tokens)
        labels[row, one.start : len(one.tokens)] = torch.tensor(one.tokens[one.start :])
        mask[row, : len(one.tokens)] = 1
    return {"input_ids": tokens, "attention_mask": mask, "labels": labels}


def answers(network: Any, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (n, vocabulary), labels (n) and rows (n) of all the tokens that are learnt.

    Logits before the first answer of the batch begins are not even computed.
    """
    labels = inputs["labels"]
    learnt = labels != _IGNORED
    first = int(learnt.any(0).nonzero()[0])
    count = labels.shape[1] - first + 1
    output = network(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], logits_to_keep=count)
    learnt = learnt[:, first:]
    return output.logits[:, -count:-1][learnt], labels[:, first:][learnt], learnt.nonzero()[:, 0]


class Supervised(Trainer):  # type: ignore[misc]
    """Learns the answers only: the loss is the mean over their tokens, of all that one step accumulates."""

    loss_is_scaled_for_ga = True

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        logits, labels, _ = answers(model, inputs)
        total = cross_entropy(logits, labels, reduction="sum")
        return total / (num_items_in_batch if num_items_in_batch is not None else len(labels))


@torch.no_grad()
def judge(network: Any, encoded: Sequence[Encoded], pad: int, at_once: int) -> dict[str, float]:
    """How well answers are known: `loss` per token, and `right`, the share that greedy decoding gets to the letter."""
    network.eval()
    total, tokens, right = 0.0, 0, 0
    by_length = sorted(encoded, key=lambda one: len(one.tokens))
    for start in range(0, len(by_length), at_once):
        batch = by_length[start : start + at_once]
        logits, labels, rows = answers(network, collate(batch, pad))
        total += float(cross_entropy(logits, labels, reduction="sum"))
        tokens += len(labels)
        right += len(batch) - len(set(rows[logits.argmax(-1) != labels].tolist()))
    network.train()
    return {"loss": total / tokens, "right": right / len(encoded)}


class Passes(TrainerCallback):  # type: ignore[misc]
    """Judges the model after each pass, keeps the best in `folder`/best, and ends what no longer helps."""

    def __init__(
        self, measure: Callable[[], dict[str, float]], folder: Path, every: int, steps: int, patience: int
    ) -> None:
        self._measure, self._folder = measure, folder
        self._every, self._steps, self._patience = every, steps, patience
        self.log: list[dict[str, Any]] = []

    def rewind(self, step: int) -> None:
        """Take up the log of an interrupted run that goes on after `step`."""
        file = self._folder / "passes.json"
        known = json.loads(file.read_text()) if step and file.is_file() else []
        self.log = [entry for entry in known if entry["step"] <= step]

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        if state.global_step % self._every and state.global_step != self._steps:
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
    """Tells of each step."""

    def __init__(self, tell: Callable[[Step], None], steps: int) -> None:
        self._tell, self._steps = tell, steps

    def on_log(self, args: Any, state: Any, control: Any, *, logs: Any, **_: Any) -> None:
        if "loss" in logs:
            self._tell(Step(state.global_step, self._steps, logs["loss"]))


def train(
    model: LocalModel,
    demonstrations: Sequence[Demonstration],
    held_out: Sequence[Demonstration],
    training: Training,
    folder: Path,
    tell: Callable[[Step], None],
) -> list[dict[str, Any]]:
    """Fine-tune `model` in place, and leave the adapter (or all weights) of the best pass in `folder`/best.

    Beside it are checkpoints, from which the same call goes on. Returns what was measured after each pass: `step`, and
    `loss` and `right` of what was held out.
    """
    learnt, judged = encode(model, demonstrations), encode(model, held_out)
    order = plan([len(one.tokens) for one in learnt], training)
    micro = max(1, min(training.batch, training.tokens_at_once // max(len(one.tokens) for one in learnt)))
    accumulated = -(-training.batch // micro)
    steps = -(-len(order) // (micro * accumulated))
    every = max(1, steps // training.passes)
    torch.manual_seed(training.seed)
    network = model.network
    if training.rank:
        linear = LoraConfig(
            r=training.rank, lora_alpha=2 * training.rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        network = get_peft_model(network, linear)

    def measure() -> dict[str, float]:
        return judge(network, judged, model.pad, micro) if judged else {}

    passes = Passes(measure, folder, every, steps, training.patience)
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=accumulated,
        num_train_epochs=1,  # the plan holds all passes
        train_sampling_strategy="sequential",
        learning_rate=training.rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 20),
        max_grad_norm=1.0,
        logging_steps=1,
        save_steps=max(1, every // _CHECKPOINTS),
        save_total_limit=2,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        seed=training.seed,
        use_cpu=network.device.type == "cpu",
    )
    trainer = Supervised(
        model=network,
        args=arguments,
        train_dataset=[learnt[place] for place in order],
        data_collator=lambda batch: collate(batch, model.pad),
        callbacks=[passes, Told(tell, steps)],
    )
    checkpoint = last_checkpoint(folder)
    passes.rewind(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return passes.log


def last_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint that is whole; those that a kill left half-written are removed."""
    whole = []
    for found in folder.glob("checkpoint-*"):
        if (found / _STATE).is_file():
            whole.append(found)
        else:
            shutil.rmtree(found)
    return max(whole, key=lambda found: int(found.name.rpartition("-")[2]), default=None)


def _merit(entry: dict[str, Any]) -> tuple[float, float]:
    return entry.get("right", 0.0), -entry.get("loss", -entry["step"])  # without a held-out share the last is best


def _replace(folder: Path, write: Callable[[str], Any]) -> None:
    """Write a folder anew, so that it is there whole or as it was."""
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    shutil.rmtree(fresh, ignore_errors=True)
    write(str(fresh))
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)


def _write(file: Path, text: str) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    os.replace(fresh, file)
