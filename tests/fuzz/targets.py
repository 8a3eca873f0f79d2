"""All targets, by name; each is imported when it is wanted, since some take a while."""

from functools import cache
from importlib import import_module

from tests.fuzz.target import Target

# Where each one stands, and how many tries are made of it where time is short.
TARGETS = {
    "repair": ("texts", 1200),
    "schemas": ("schemas", 120),
    "journals": ("journals", 30),
    "rows": ("rows", 150),
    "expressions": ("expressions", 500),
    "replies": ("replies", 250),
    "broken": ("broken", 0),
}
NAMES = [name for name in TARGETS if name != "broken"]


@cache
def target(name: str) -> Target:
    module, tries = TARGETS[name]
    found = import_module(f"tests.fuzz.{module}")
    return Target(found.make, found.check, tries)
