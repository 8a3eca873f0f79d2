"""Expressions: a strategy, a model's name or a price is read, and written again as the same, or refused in words."""

from dataclasses import MISSING, fields
from pathlib import Path
from random import Random

from structout import load_model
from structout.models import identity
from structout.prices import read_price
from structout.strategies import load_strategy, spec
from structout.strategies.expression import NAMES
from tests.fuzz import noise
from tests.fuzz.target import Case, whole

_VALUES = [
    "0", "1", "3", "-1", "0.5", "1e400", "None", "True", "'typescript'", "'yaml'", "'majority'",
    "'openai:m@http://127.0.0.1:9/v1'",
    "(1, 2)", "[]", "{}", "{1, 2}", "b'x'", "...", "lambda: 1", "f'{x}'", "__import__('os')", "1 + 2", "1j", "*x",
    "**x", "x.y",
    "'module:function'", "'\\0'", "9" * 400, "Prompted", "int", "'" + "x" * 3000 + "'",
]  # fmt: skip
_OPTIONS = [
    "logprobs",
    "n",
    "8",
    "0",
    "timeout=5",
    "timeout=x",
    "key=HOME",
    "key=sk-1",
    "none",
    "ollama",
    "odd",
    "",
    "=",
    "٣",
]
_URLS = [
    "http://127.0.0.1:9/v1", "http://[::1]:9/v1", "http://[::1", "https://h", "http://", "http://u:p@h/v1",
    "http://h?k=1", "x",
    "http://h:99999", "http://ex\u200bample", "http://\ud800", "http://h/\n", "http://*", "http://h:x", "",
    "http://h#a#b", "httpx:",
]  # fmt: skip


def make(rng: Random) -> Case:
    kind = rng.random()
    if kind < 0.75:
        text = _call(rng, 3)
        return {"strategy": noise.spoiled(rng, text) if rng.random() < 0.4 else text}
    if kind < 0.8:
        before, after = rng.choice(
            [("Repair(", ")"), ("(", ")"), ("-", ""), ("[", "]"), ("Prompted(x=", ")"), ("not ", ""), ("a.", "")]
        )
        deep = rng.choice([50, 300, 3000, 100_000])
        return {"strategy": [(before, deep), ("Prompted()", 1), (after, deep)]}
    if kind < 0.95:
        name = f"m@{rng.choice(_URLS)}#{','.join(rng.choice(_OPTIONS) for _ in range(rng.randrange(3)))}"
        return {"model": noise.spoiled(rng, name) if rng.random() < 0.4 else name}
    return {"price": noise.spoiled(rng, f"{noise.number(rng)},{noise.number(rng)}", rng.randrange(2))}


def _call(rng: Random, depth: int) -> str:
    name = rng.choice(list(NAMES))
    written = []
    for one in fields(NAMES[name]):
        needed = one.default is MISSING and one.default_factory is MISSING
        if needed or rng.random() < 0.25:
            inner = depth > 0 and (needed or rng.random() < 0.2)
            value = _call(rng, depth - 1) if inner else rng.choice(_VALUES)
            written.append(value if needed and rng.random() < 0.8 else f"{one.name}={value}")
    if rng.random() < 0.05:
        written.append(rng.choice(["*[1]", "**{'a': 1}", "x=1", "1", "Prompted()"]))
    return f"{name}({', '.join(written)})"


def check(case: Case, folder: Path) -> str:
    if "strategy" in case:
        strategy = load_strategy(whole(case["strategy"]))
        again = load_strategy(spec(strategy))
        return (
            "" if again == strategy and spec(again) == spec(strategy) else "a strategy that is written as another one"
        )
    if "model" in case:
        model = load_model(f"openai:{case['model']}")
        return "" if model.name == identity(f"openai:{case['model']}") else "a model of another identity"
    read_price(case["price"])
    return ""
