"""The embedded model, fine-tuned to read windows: `python -m benchmarks.long.learning` (about 25 CPU minutes).

It learns lines of generated documents that no measurement reads, in small windows, labelled by a reader without errors.
"""

import random
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoTokenizer

from benchmarks.long.documents import KINDS, document, read
from structout import Dataset, Schema
from structout.evaluation.dataset import Record
from structout.finetuning import Training, TrainingStep, finetune
from structout.models.embedded import embedded_folder
from structout.result import Example
from structout.strategies.windows import cut

FOLDER = Path(".structout/long")
FIELDS: Final = ("code", "quantity", "amount")
LINES: Final[dict[str, Any]] = {
    "title": "Lines",
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "quantity": {"type": "integer"},
                    "amount": {"type": "number"},
                },
                "required": list(FIELDS),
                "additionalProperties": False,
            },
        }
    },
    "required": ["lines"],
    "additionalProperties": False,
}
_FIRST: Final = 10_000  # the seed of the first document to learn from; measurements take seeds from 0
_SIZES: Final = (80, 120, 160, 200)  # tokens of a window
TRAINING: Final = Training(passes=1, held_out=0, vary=0.0)


def lines_of(text: str) -> dict[str, Any]:
    """What a part of a document says of its lines, read perfectly."""
    return {"lines": [{name: line[name] for name in FIELDS} for line in read(text)["lines"]]}


def examples(number: int) -> list[Example]:
    """Windows of documents of all kinds, with their lines."""
    tokenizer = AutoTokenizer.from_pretrained(embedded_folder())
    chance, found = random.Random(1), list[Example]()

    def count(text: str) -> float:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    seed = _FIRST
    while len(found) < number:
        made = document(KINDS[seed % len(KINDS)], chance.randrange(20, 90), seed)
        windows = cut(made.text, chance.choice(_SIZES), 0, count)
        # The first window, the last one, and some between them.
        chosen = {0, len(windows) - 1, *(chance.randrange(len(windows)) for _ in range(4))}
        found += [Example(windows[at].text, lines_of(windows[at].text)) for at in sorted(chosen)]
        seed += 1
    return found[:number]


def main() -> None:
    torch.set_num_threads(1)
    records = tuple(
        Record(f"{number}", one.text, one.document, one.document, "train") for number, one in enumerate(examples(480))
    )
    dataset = Dataset("long", Schema.of(LINES), records)
    finetune("embedded", dataset, FOLDER, TRAINING, tell=_tell)


def _tell(step: TrainingStep) -> None:
    print(f"step {step.step} of {step.steps}: loss {step.loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
