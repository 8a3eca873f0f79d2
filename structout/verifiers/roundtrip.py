"""A verifier that compares the record with the answer written out as text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from structout.document import Json, leaves
from structout.errors import SpecError
from structout.models.base import Model
from structout.prompts import wording
from structout.prompts.questions import ask_whether_alike
from structout.result import Result, Task
from structout.verifiers.base import Verdict, check_threshold
from structout.verifiers.question import Answer, as_verdict, ask
from structout.words import plain_words

CompareBy = Literal["similarity", "model"]


@dataclass(frozen=True)
class RoundTrip:
    """Compares the record with the document written out as text, which reveals omissions.

    By `similarity`, the score is the similarity of the words of both in any order (rapidfuzz's `token_sort_ratio`, in
    [0, 1]), which costs no call. A good `threshold` depends on the schema: choose it on labelled records. By `model`,
    the score is P(yes) that both say the same, which costs the calls of a `Judge`.
    """

    by: CompareBy = "similarity"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.by not in get_args(CompareBy):
            raise SpecError(
                f"invalid by of RoundTrip: got {self.by!r}", hint=f"give {' or '.join(get_args(CompareBy))}"
            )
        check_threshold(self.threshold)

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        pairs = list(zip(tasks, results, strict=True))
        if self.by == "model":
            answers = ask([ask_whether_alike(task, result.document) for task, result in pairs], model)
        else:
            answers = [Answer(similarity(task.text, result.document), ()) for task, result in pairs]
        return [as_verdict(answer, self.threshold, wording.UNLIKE) for answer in answers]


def similarity(text: str, document: Json) -> float:
    """The similarity of the words of a record and of a document's values, in [0, 1]."""
    from rapidfuzz import fuzz

    values = " ".join(map(str, leaves(document).values()))
    return fuzz.token_sort_ratio(" ".join(plain_words(text)), " ".join(plain_words(values))) / 100
