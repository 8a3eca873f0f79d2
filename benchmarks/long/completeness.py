"""What planted rows and comparisons of readings say of what is missing: `python -m benchmarks.long.completeness`.

A scripted reader leaves rows out: each reading its own, or every reading the same hard ones.
"""

import json
import random
import zlib
from typing import Any, Final

from benchmarks.long import report
from benchmarks.long.__main__ import perfect
from benchmarks.long.documents import SCHEMA, document
from structout import Missed, Prompt, Prompted, Schema, Scripted, Strategy, Task, Windowed
from structout.evaluation import found_share, least_missing, plant
from structout.result import MISSED

_LINES, _SEEDS, _PLANTED = 500, 20, 25
_READERS: Final = {  # the share of rows lost by chance in a reading, and of rows that every reading loses
    "loses 10 % by chance": (0.1, 0.0),
    "loses 5 % by chance, 5 % always": (0.05, 0.05),
    "loses 10 % always": (0.0, 0.1),
}
HEAD: Final = f"""## Completeness

`python -m benchmarks.long.completeness`: statements of {_LINES} lines in windows of 400 tokens, read by a scripted
reader that leaves rows out; means of {_SEEDS} documents. "Planted" is the share found of {_PLANTED} rows put into each
text (`plant`, `found_share`), beside the true share of all rows. The bound is `least_missing` of two readings, beside
what both of them truly miss. `Missed` asks up to two times more.

| reader | found, truly | found, planted | missing in both readings | bound | found with `Missed` |
| --- | ---: | ---: | ---: | ---: | ---: |
"""


class Reader:
    """Reads perfectly, and then leaves rows out."""

    def __init__(self, chance: float, hard: float, reading: int) -> None:
        self.chance, self.hard, self.reading = chance, hard, reading

    def __call__(self, prompt: Prompt) -> str:
        is_again = prompt.messages[-1].content == MISSED
        found: dict[str, Any] = json.loads(perfect(Prompt(prompt.messages[:-2]) if is_again else prompt))
        kept = [row for row in found["lines"] if not self._loses(row, is_again)]
        return json.dumps({**found, "lines": kept})

    def _loses(self, row: Any, is_again: bool) -> bool:
        name = json.dumps(row)
        return _share(name) < self.hard or _share(f"{name} {self.reading} {is_again}") < self.chance


def _share(name: str) -> float:
    """A number from 0 to 1 that depends on a text."""
    return random.Random(zlib.crc32(name.encode())).random()


def _rows(strategy: Strategy, text: str, reader: Reader) -> list[Any]:
    (result,) = Windowed(strategy, 400, 0).run([Task(text, Schema.of(SCHEMA))], Scripted(reader, keep=False))
    found: Any = result.document
    return list(found["lines"])


def main() -> None:
    table = []
    for name, (chance, hard) in _READERS.items():
        sums = [0.0] * 5
        for seed in range(_SEEDS):
            made = document("statement", _LINES, seed)
            planted: list[Any] = [
                {"code": f"E9{n:04}", "text": f"Planted pin M{n}", "quantity": n + 1, "amount": n + 0.5}
                for n in range(_PLANTED)
            ]
            lines = [f"{one['code']:<10}{one['text']:<44}{one['quantity']:>8}{one['amount']:>14.2f}" for one in planted]
            text = plant(made.text, lines, seed)
            truth = [*made.truth["lines"], *planted]
            first, second = (_rows(Prompted(), text, Reader(chance, hard, number)) for number in (1, 2))
            again = _rows(Missed(Prompted()), text, Reader(chance, hard, 1))
            sums[0] += found_share(truth, first).value
            sums[1] += found_share(planted, first).value
            sums[2] += sum(row not in first and row not in second for row in truth)
            sums[3] += least_missing([first, second])
            sums[4] += found_share(truth, again).value
        truly, shown, missing, bound, more = (one / _SEEDS for one in sums)
        table.append(f"| {name} | {truly:.1%} | {shown:.1%} | {missing:.1f} | {bound:.1f} | {more:.1%} |")
        print(table[-1], flush=True)
    report.write("completeness", HEAD + "\n".join(table))


if __name__ == "__main__":
    main()
