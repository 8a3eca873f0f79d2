"""A model whose answers are kept in a file, so that a run that was interrupted goes on where it was.

Its seconds are CPU seconds of this process, shared out in proportion: what else the machine does is not counted.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from structout import Completion, Prompt, Usage
from structout.evaluation import read_log
from structout.models import Model
from structout.models.tuning import Tuning
from structout.records import completion_json, completion_of


class Recorded:
    """Answers what it was asked before from `file` (JSONL, by the prompt's key), with the cost that it had then.

    The model itself is loaded when it is first asked something new; `tuning` is how it was fine-tuned. Answers that
    were `taken` over from elsewhere are marked so in the file: their seconds are of another clock.
    """

    def __init__(self, name: str, load: Callable[[], Model], file: Path, tuning: Tuning | None = None) -> None:
        self.name, self.tuning = name, tuning
        self._load, self._file = load, file
        self._known: dict[str, Completion] = {}
        self.taken: set[str] = set()
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.endswith("}"):  # a last line that was cut off is asked again
                    row = json.loads(line)
                    key = row.pop("key")
                    if row.pop("taken", False):
                        self.taken.add(key)
                    self._known[key] = completion_of(row)

    @cached_property
    def _inner(self) -> Model:
        return self._load()

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        keys = [prompt.key() for prompt in prompts]
        new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._known}
        if new:
            model = self._inner
            began = time.process_time()
            completions = model.complete(list(new.values()))
            spent = time.process_time() - began
            waited = sum(completion.usage.seconds for completion in completions)
            with self._file.open("a", encoding="utf-8") as stream:
                for key, one in zip(new, completions, strict=True):
                    completion = replace(one, usage=_scaled(one.usage, spent / waited if waited else 0.0))
                    self._known[key] = completion
                    stream.write(json.dumps({"key": key, **completion_json(completion)}) + "\n")
        return [self._known[key] for key in keys]

    def take(self, log: Path) -> None:
        """Take over the completions of a log that `evaluate` wrote, where they answer what was not asked yet."""
        outcomes = read_log(log).outcomes
        found = {
            row["key"]: call
            for one in outcomes
            for row, call in zip((*one.attempts, *one.checks), one.calls, strict=True)
        }
        with self._file.open("a", encoding="utf-8") as stream:
            for key, call in found.items():
                if key not in self._known:
                    row = {"key": key, "taken": True, **completion_json(call.completion)}
                    stream.write(json.dumps(row) + "\n")
                    self._known[key] = call.completion
                    self.taken.add(key)


def _scaled(usage: Usage, by: float) -> Usage:
    return replace(
        usage,
        seconds=by * usage.seconds,
        model_seconds=by * usage.model_seconds,
        mask_seconds=by * usage.mask_seconds,
    )
