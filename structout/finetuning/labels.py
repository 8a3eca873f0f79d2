"""Labels from an expensive strategy, for a cheap model to learn from."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Any

from structout.completion import Sampling
from structout.models import Model
from structout.pipeline import extract_many
from structout.result import Example, Result
from structout.schema import Schema
from structout.strategies import Strategy


def label(
    texts: Iterable[str],
    schema: Schema[Any],
    model: Model | str,
    strategy: Strategy | str,
    *,
    examples: Sequence[Example] = (),
    sampling: Sampling | None = None,
) -> Iterator[tuple[Example | None, Result[Any]]]:
    """Label texts with whatever the strategy accepts: a larger model, verified, voted. None where it accepts nothing.

    The document is written as the schema's own type writes it, without what equals a default.
    """
    asked, kept = tee(texts)
    results = extract_many(asked, schema, model, strategy, examples=examples, sampling=sampling)
    for text, result in zip(kept, results, strict=True):
        yield (Example(text, written(schema, result)) if result.ok else None), result


def written(schema: Schema[Any], result: Result[Any]) -> Any:
    """The document as a label: defaults that a type fills in are left out, for shorter answers."""
    if schema.adapter is None:
        return result.document if result.status == "valid" else schema.dump(result.value)
    return schema.adapter.dump_python(result.value, mode="json", by_alias=True, exclude_defaults=True)


def line(example: Example) -> str:
    """A labelled record as a line of a data set, for learning only."""
    return json.dumps({"text": example.text, "expected": example.document, "split": "train"}, ensure_ascii=False)
