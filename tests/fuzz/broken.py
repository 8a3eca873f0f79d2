"""What the fuzzer must find, to try the fuzzer itself."""

import os
import signal
import time
from pathlib import Path
from random import Random

from tests.fuzz.target import Case


def make(rng: Random) -> Case:
    return {"how": rng.choice(["raise", "odd", "well"])}


def check(case: Case, folder: Path) -> str:
    how = case["how"]
    if how == "raise":
        raise ValueError(how)
    while how == "hang":
        pass
    if how == "wait":
        time.sleep(600)
    if how == "swell":
        return str(len("x" * 2**40))
    if how == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    return "it is odd" if how == "odd" else ""
