"""A scripted model that answers at once: `py:benchmarks/pipeline/model.py:scripted`.

It answers each record with one of the hand-written documents, by the record's hash, and holds nothing else in memory.
"""

import json
import time
import zlib
from collections.abc import Sequence
from functools import cache

from structout import Completion, Prompt, Scripted, Usage


@cache
def documents() -> list[str]:
    with open("schemas/parts/records.jsonl", encoding="utf-8") as lines:
        return [json.dumps(json.loads(line)["expected"], ensure_ascii=False) for line in lines]


def _answer(prompt: Prompt) -> Completion:
    record = prompt.messages[-1].content
    text = documents()[zlib.crc32(record.encode()) % len(documents())]
    return Completion(text, Usage(calls=1, input_tokens=len(record) // 4, output_tokens=len(text) // 4))


def scripted() -> Scripted:
    return Scripted(_answer, keep=False)


class Busy:
    """The same answers, but each takes a twentieth of a second of the processor, as a model would."""

    name = "busy"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        until = time.thread_time() + 0.05 * len(prompts)
        while time.thread_time() < until:
            sum(range(1000))
        return [_answer(prompt) for prompt in prompts]
