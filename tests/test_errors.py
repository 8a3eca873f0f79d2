"""Errors travel: to another process, and to whoever reads them."""

import copy
import pickle
from typing import Any

import pytest

from structout import errors
from structout.completion import Completion
from structout.errors import MissingExtraError, StructoutError
from structout.models.base import PartialAnswerError
from structout.models.openai import wire
from structout.result import InvalidResultError, Result

KINDS = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, StructoutError)]
PARTICULAR = [
    MissingExtraError("torch", "local"),
    PartialAnswerError("half", [Completion("a"), None], hint="go on"),
    InvalidResultError(Result("invalid")),
]
GENERAL = [kind("what is wrong", hint="what to do") for kind in KINDS if kind is not MissingExtraError]


@pytest.mark.parametrize("error", [*GENERAL, *PARTICULAR], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("travel", [lambda one: pickle.loads(pickle.dumps(one)), copy.copy, copy.deepcopy])
def test_every_error_arrives_as_it_left(error: StructoutError, travel: Any) -> None:
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert (str(arrived), arrived.message, arrived.hint) == (str(error), error.message, error.hint)
    assert vars(arrived).keys() == vars(error).keys()


def test_every_error_of_the_package_is_one_of_these_kinds() -> None:
    def below(kind: type[Any]) -> set[type[Any]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    ours = {one for one in below(StructoutError) if one.__module__.startswith("structout")}
    tested = {type(one) for one in (*GENERAL, *PARTICULAR)}
    wired = {one for one in vars(wire).values() if isinstance(one, type) and issubclass(one, StructoutError)}
    assert ours - tested - wired == set()
