"""What the tests of the Ray engine run in a process of their own, `map FOLDER` and `run COMMANDS`, and its models."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from structout.cli import main
from structout.completion import Completion, Prompt
from structout.models.base import PartialAnswerError
from tests.pipeline.conftest import bolt, number

ROWS = 120
POISON = 50
KILLER = 60


class Model:
    """Notes its process, takes its time, and breaks on one record with an error of its own."""

    name = "tiny"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        folder = Path(os.environ["NOTES"])
        (folder / f"{os.getpid()}.pid").touch()
        time.sleep(0.05)
        if any(number(prompt) == POISON for prompt in prompts):
            raise RuntimeError("a poison row")
        return [bolt(prompt) for prompt in prompts]


class Counting:
    """Notes every answer that it charges for, fails on one record only, and is killed by another."""

    name = "counting"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        folder = Path(os.environ["NOTES"])
        numbers = [number(prompt) for prompt in prompts]
        if KILLER in numbers:
            os._exit(1)
        answers = [None if n == POISON else bolt(prompt) for n, prompt in zip(numbers, prompts, strict=True)]
        for n in numbers:
            if n != POISON:
                (folder / f"{n}-{uuid4().hex}.paid").touch()
        if None in answers:
            raise PartialAnswerError("a poison row", answers)
        return [answer for answer in answers if answer is not None]


def kill_one(folder: Path) -> None:
    """Kill the first worker that shows itself."""
    while not (found := list(folder.glob("*.pid"))):
        time.sleep(0.05)
    os.kill(int(found[0].stem), signal.SIGKILL)
    (folder / "killed").touch()


def run(commands: list[list[str]]) -> None:
    """Run commands on one Ray, and note the exit code of each with how many answers were charged for until then."""
    folder, ran = Path(os.environ["NOTES"]), []
    for words in commands:
        sys.argv = ["structout", *words]
        try:
            main()
        except SystemExit as left:
            ran.append((left.code or 0, len(list(folder.glob("*.paid")))))
    (folder / "ran.json").write_text(json.dumps(ran))


def map_rows(folder: Path) -> None:
    import ray

    import structout.ray

    threading.Thread(target=kill_one, args=(folder,), daemon=True).start()
    structout.ray.start()
    rows = ray.data.from_items([{"n": n, "text": f"{n} mm bolt"} for n in range(1, ROWS + 1)])
    done = structout.ray.map(rows, "tests/bolt.py:Bolt", "py:tests.pipeline.ray_program:Model", "Prompted()", batch=8)
    (folder / "rows.json").write_text(json.dumps(done.take_all()))


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(json.loads(sys.argv[2]))
    else:
        map_rows(Path(sys.argv[2]))
