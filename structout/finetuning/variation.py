"""Variation of labelled records by exchanging texts between records."""

import random
import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from structout.document import Json
from structout.finetuning.answer_layout import AnswerLayout
from structout.issue import Steps
from structout.result import Example
from structout.schema import Schema


class Variation:
    """Varies labelled records.

    If a text of the document occurs literally and only once in the record, it is replaced in both by a text that
    another record has in the same place of the schema. So the model has to learn from the surrounding words, and cannot
    memorise records (cf. mention replacement, Dai and Adel 2020, arXiv:2010.11683).
    """

    def __init__(self, examples: Sequence[Example], schema: Schema[Any], share: float) -> None:
        self._share, self._layout = share, AnswerLayout(schema)
        self._others: dict[int, list[str]] = {}
        for example in examples:
            for _, _, kind, text in self._found(example):
                self._others.setdefault(kind, []).append(text)

    def vary(self, example: Example, draw: random.Random) -> Example:
        """The record with each such text replaced with the probability `share`."""
        text, document, free = example.text, deepcopy(example.document), len(example.text) + 1
        for at, path, kind, old in sorted(self._found(example), key=lambda found: found[0], reverse=True):
            if at + len(old) >= free or draw.random() >= self._share:
                continue
            new, free = draw.choice(self._others[kind]), at
            text = text[:at] + new + text[at + len(old) :]
            document = _put(document, path, new)
        return Example(text, document)

    def _found(self, example: Example) -> list[tuple[int, Steps, int, str]]:
        found = []
        for path, kind, text in self._layout.texts(example.document):
            places = [place.start() for place in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", example.text)]
            if text and len(places) == 1:
                found.append((places[0], path, kind, text))
        return found


def _put(document: Json, path: Steps, text: str) -> Json:
    node: Any = document
    for step in path[:-1]:
        node = node[step]
    if not path:
        return text
    node[path[-1]] = text
    return document
