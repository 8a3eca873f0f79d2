"""Requests of a batch in several threads, which end soon after Ctrl-C or after an error that concerns all of them."""

from collections import deque
from collections.abc import Callable, Sequence

from structout.completion import Completion
from structout.errors import ModelError, StructoutError
from structout.halt import Halt, HaltedError, settle, started
from structout.models.base import HaltedAnswerError, PartialAnswerError

Answers = list[Completion | None]


def ask_in_lanes(
    ask: Callable[[list[int]], Sequence[Completion]],
    groups: Sequence[list[int]],
    most: int,
    charge: Callable[[Answers], None] = lambda answers: None,
) -> list[Completion]:
    """The answers to the prompts of a batch. `ask` answers the prompts at a group's places; at most `most` threads
    call it. `charge` may change the answers before they are returned or raised.

    Raises `PartialAnswerError` with the other answers if there are any, `HaltedAnswerError` if the work was told to
    end, and otherwise the error of `ask`. No request begins after an error that stops the run, or after a halt.
    """
    waiting = deque(groups)
    answers: Answers = [None] * sum(map(len, groups))
    failures: list[Exception] = []
    stopping: list[Exception] = []
    halt = Halt()

    def lane() -> None:
        while not halt.is_called:
            try:
                places = waiting.popleft()
            except IndexError:
                return
            try:
                found = ask(places)
            except HaltedError:
                return
            except Exception as error:
                failures.append(error)
                if not isinstance(error, ModelError) or error.stops:
                    stopping.append(error)
                    halt.call()
            else:
                for place, answer in zip(places, found, strict=True):
                    answers[place] = answer

    settle([started(lane, halt) for _ in range(min(len(groups), most))], halt)
    kept = list(answers)  # a thread that is left behind may still add to `answers`
    charge(kept)
    failure = next(iter(stopping or failures), None)
    if halt.is_called and not stopping and None in kept:
        raise HaltedAnswerError(kept)
    if isinstance(failure, ModelError) and (any(kept) or not failure.stops):
        raise PartialAnswerError.of(failure, kept)
    if failure is not None and any(kept):
        partial = PartialAnswerError(_words(failure), kept, hint=getattr(failure, "hint", ""))
        partial.stops, partial.retryable = True, getattr(failure, "retryable", False)
        raise partial from failure
    if failure is not None:
        raise failure
    return [answer for answer in kept if answer is not None]


def _words(error: Exception) -> str:
    return error.message if isinstance(error, StructoutError) else f"{type(error).__name__}: {error}"
