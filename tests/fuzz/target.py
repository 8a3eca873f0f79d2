"""What is tried: how a case is made, and what must not come of it."""

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from structout.errors import StructoutError

Case = dict[str, Any]  # as JSON holds it; bytes are written as Latin-1, and a long text as `whole` reads it
ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Target:
    """`make` makes a case of nothing but its random numbers; `check` tries the case in the given empty folder, and says
    what is wrong with what came of it (nothing: ""). It may raise a `StructoutError` that says what to do.

    `tries` is how many are made where time is short.
    """

    make: Callable[[Random], Case]
    check: Callable[[Case, Path], str]
    tries: int


def whole(text: Any) -> str:
    """A text that is written out, or as a list of pieces and how often each comes."""
    return text if isinstance(text, str) else "".join(piece * times for piece, times in text)


def wrong(target: Target, case: Case, folder: Path) -> str:
    """What is wrong with what comes of a case, in one line that is the same for the same fault; "" if nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return target.check(case, folder)
    except StructoutError as error:
        return "" if error.hint else f"{type(error).__name__} without a hint at {_place(error)}"
    except Exception as error:
        return f"{type(error).__name__} at {_place(error)}"


def _place(error: BaseException) -> str:
    """The innermost line of ours that an error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if str(ROOT / "structout") in frame.filename] or frames
    return f"{ours[-1].filename.removeprefix(f'{ROOT}/')}:{ours[-1].name}" if ours else "?"
