"""Does `Continued` give every row once, whatever the token limit? `python -m benchmarks.long.lists` (two minutes).

A scripted server reads without an error and writes a bounded number of characters at a time. Asked to go on, it begins
with the first place where the items that it is shown stand.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.long import report
from benchmarks.long.__main__ import LINES, perfect
from benchmarks.long.documents import KINDS, SCHEMA, document
from structout import Completion, Continued, Prompt, Prompted, Schema, Task
from structout.completion import Usage
from structout.result import GO_ON

_LIMITS: Final = (600, 2000, 8000)  # characters of an answer
HEAD: Final = """## Lists beyond the token limit

`python -m benchmarks.long.lists`: `Continued(Prompted(), limit=2000)` on whole documents. A scripted server reads
without an error, writes at most so many characters at a time, and goes on as it is asked. 3 % of the rows are equal to
the row before them. "Exact" counts documents whose whole record is right and accepted.

"""


class Server:
    """A model that reads perfectly and is cut off."""

    name = "server"

    def __init__(self, most: int) -> None:
        self.most = most

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> Completion:
        is_rest = prompt.messages[-1].content == GO_ON
        asked = Prompt(prompt.messages[:-2]) if is_rest else prompt
        found: dict[str, Any] = json.loads(perfect(asked))
        if is_rest:
            shown = json.loads(prompt.messages[-2].content)["lines"]
            rows = found["lines"]
            first = next(n for n in range(len(rows)) if rows[n : n + len(shown)] == shown)
            found = {**found, "lines": rows[first:]}
        text = json.dumps(found)
        return Completion(text[: self.most], Usage(1), "length" if len(text) > self.most else "stop")


def main() -> None:
    schema, table = (
        Schema.of(SCHEMA),
        ["| lines | characters an answer | answers a document | rows | missing | doubled or wrong | exact |"],
    )
    table.append("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for lines in LINES:
        for most in _LIMITS if lines < 2000 else _LIMITS[1:]:  # hundreds of answers take many minutes
            rows = missing = extra = exact = answers = documents = 0
            for kind in KINDS:
                made = document(kind, lines, 1)
                (result,) = Continued(Prompted(), limit=2000).run([Task(made.text, schema)], Server(most))
                found: Any = result.document or {"lines": []}
                wanted, got = (Counter(map(json.dumps, one["lines"])) for one in (made.truth, found))
                rows += lines
                missing += sum((wanted - got).values())
                extra += sum((got - wanted).values())
                exact += result.ok and result.document == made.truth
                answers += len(result.attempts)
                documents += 1
            each = answers / documents
            table.append(
                f"| {lines:,} | {most:,} | {each:.1f} | {rows:,} | {missing} | {extra} | {exact}/{documents} |"
            )
            print(table[-1], flush=True)
    report.write("lists", HEAD + "\n".join(table))


if __name__ == "__main__":
    main()
