"""The corpus, and a number of tries of each target, always the same ones; and whether the fuzzer finds anything."""

import json
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.child import Child
from tests.fuzz.search import corpus, made, shrunk
from tests.fuzz.target import wrong
from tests.fuzz.targets import NAMES, target

SEED = 17


@pytest.mark.parametrize("name", NAMES)
def test_whatever_others_wrote_comes_to_a_typed_error_or_a_well_formed_answer(name: str) -> None:
    cases = {**corpus(name), **{f"{SEED}-{n}": made(name, SEED, n) for n in range(target(name).tries)}}
    with Child(name) as child:
        wrongs = ((origin, reason) for origin, case in cases.items() if (reason := child.attempt(case)))
        found = dict(islice(wrongs, 5))  # each may take a while
    assert not found, f"see them again by: python -m tests.fuzz --replay {' '.join(f'{name}/{one}' for one in found)}"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_tries(name: str) -> None:
    first, again = (json.dumps([made(name, SEED, n) for n in range(5)]) for _ in range(2))
    assert first == again
    assert first != json.dumps([made(name, SEED + 1, n) for n in range(5)])


def test_the_fuzzer_finds_what_raises_hangs_waits_swells_and_dies_and_goes_on(tmp_path: Path) -> None:
    with Child("broken", cpu=0.5) as child:
        found = {how: child.attempt({"how": how}) for how in ("well", "raise", "odd", "hang", "swell", "die", "well")}
    with Child("broken", wall=0.2) as child:
        found["wait"] = child.attempt({"how": "wait"})
    assert found == {
        "well": "",
        "raise": "ValueError at tests/fuzz/broken.py:check",
        "odd": "it is odd",
        "hang": "more than 0.5 CPU seconds",
        "swell": "MemoryError at tests/fuzz/broken.py:check",
        "die": "killed by SIGSEGV",
        "wait": "more than 0.2 seconds",
    }
    assert wrong(target("broken"), {"how": "raise"}, tmp_path) == found["raise"]


def test_what_is_found_is_made_smaller() -> None:
    case = {"how": "raise", "texts": ["x" * 50, "y" * 50], "more": {"a": "z" * 50}}
    with Child("broken") as child:
        small = shrunk(child, case, reason := child.attempt(case))
        assert child.attempt(small) == reason == "ValueError at tests/fuzz/broken.py:check"
    assert small == {"how": "raise", "texts": [], "more": {"a": ""}}
