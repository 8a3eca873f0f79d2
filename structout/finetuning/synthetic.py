"""Synthetic records: documents that a model samples and puts into words, kept if they read back."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from structout.completion import Message, Prompt, Sampling
from structout.evaluation.scoring.score import score
from structout.finetuning.labels import written
from structout.models import Model
from structout.prompts import answer, wording
from structout.prompts.compose import fence
from structout.result import Example, Task
from structout.schema import Schema
from structout.strategies import Constrained, Strategy

_SHOWN = 3  # labelled records in a prompt; drawn anew for each prompt, for variety
_CHUNK = 32


def synthesize(
    schema: Schema[Any],
    model: Model,
    count: int,
    *,
    examples: Sequence[Example] = (),
    reader: Strategy | None = None,
    temperature: float = 1.0,
    max_tokens: int = 256,
    seed: int = 0,
) -> Iterator[Example]:
    """Make `count` attempts at a labelled record, and yield the records that survive.

    The model samples a document, constrained to the schema, and puts it into words; then `reader` (by default
    `Constrained(examples=3)`, or fewer) must read the same document from these words. `examples` show what records look
    like. Records that the reader cannot read are dropped, with wrong labels among them; so are records with the words
    of an example or of an earlier record.
    """
    said = {_bare(example.text) for example in examples}
    draw = random.Random(seed)
    read = reader or Constrained(examples=min(_SHOWN, len(examples)))
    creative = Sampling(temperature=temperature, max_tokens=max_tokens, seed=seed)
    for start in range(0, count, _CHUNK):
        samples = range(start, min(start + _CHUNK, count))
        shown = [draw.sample(list(examples), min(_SHOWN, len(examples))) for _ in samples]
        invented = model.complete(
            [
                Prompt(_ask_to_invent(schema, few), creative, schema, sample)
                for few, sample in zip(shown, samples, strict=True)
            ]
        )
        checked = [(schema.check_text(one.text), few) for one, few in zip(invented, shown, strict=True)]
        valid = [(check.document, few) for check, few in checked if check.ok]
        described = model.complete(
            [
                Prompt(_ask_to_tell(schema, document, few), replace(creative, stop=("\n",)), None, start + place)
                for place, (document, few) in enumerate(valid)
            ]
        )
        texts = [one.text.strip() for one in described]
        asked = [(text, document) for text, (document, _) in zip(texts, valid, strict=True) if text]
        tasks: list[Task[Any]] = [
            Task(text, schema, tuple(examples), Sampling(max_tokens=max_tokens)) for text, _ in asked
        ]
        for (text, document), result in zip(asked, read.run(tasks, model) if tasks else [], strict=True):
            if result.ok and score(document, result.document).all_right and _bare(text) not in said:
                said.add(_bare(text))
                yield Example(text, written(schema, result))


def _bare(text: str) -> str:
    return " ".join(text.casefold().split())


def _ask_to_invent(schema: Schema[Any], examples: Sequence[Example]) -> tuple[Message, ...]:
    turns = [Message("system", wording.INVENT.format(name=schema.name))]
    for example in examples:
        turns += [Message("user", wording.ANOTHER), Message("assistant", answer(example.document))]
    return (*turns, Message("user", wording.ANOTHER))


def _ask_to_tell(schema: Schema[Any], document: Any, examples: Sequence[Example]) -> tuple[Message, ...]:
    turns = [Message("system", wording.TELL.format(name=schema.name))]
    for example in examples:
        turns += [Message("user", fence(answer(example.document))), Message("assistant", example.text)]
    return (*turns, Message("user", fence(answer(document))))
