"""Strategies as text: what runs can be read, written to a file, and run again."""

import ast
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from types import FunctionType
from typing import Any

from structout.errors import SpecError, StructoutError
from structout.field_types import misfit
from structout.strategies.base import Strategy
from structout.strategies.cascade import Cascade, On
from structout.strategies.draft import Draft, Think
from structout.strategies.generate import Constrained, Prompted
from structout.strategies.reask import Reask
from structout.strategies.repair import Repair
from structout.strategies.select import BestOf, Vote
from structout.strategies.verify import Verify
from structout.verifiers import Agreement, All, Confident, Grounded, Head, Judge, Learned, RoundTrip, Rule
from structout.verifiers import Any as Any_

_PARTS = (
    Agreement, All, Any_, BestOf, Cascade, Confident, Constrained, Draft, Grounded, Head, Judge, Learned, On, Prompted,
    Reask, Repair, RoundTrip, Rule, Think, Verify, Vote,
)  # fmt: skip
NAMES: dict[str, Any] = {part.__name__: part for part in _PARTS}


def spec(part: Any) -> str:
    """Write a strategy as the shortest expression that makes it: defaults are left out."""
    if isinstance(part, Cascade | All | Any_):
        parts = part.stages if isinstance(part, Cascade) else part.verifiers
        return f"{type(part).__name__}({', '.join(map(spec, parts))})"
    if isinstance(part, FunctionType):
        return repr(f"{part.__module__}:{part.__qualname__}")
    if not is_dataclass(part) or isinstance(part, type):
        return repr(getattr(part, "name", part))  # a model is written by its name
    written: list[str] = []
    for one in fields(part):
        value = getattr(part, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if default is MISSING:
            written.append(spec(value))
        elif value != default:
            written.append(f"{one.name}={spec(value)}")
    return f"{type(part).__name__}({', '.join(written)})"


def load_strategy(text: str) -> Strategy:
    """Read a strategy from an expression such as `Reask(Repair(Prompted(examples=3)), limit=2)`, or from a file that
    holds one, whose name ends in `.strategy`.

    Only strategies, verifiers and plain values can be written. What they name is used as it is when they run: a `Rule`
    imports and calls its function, an `On` or a `Judge` loads its model; so read no expression that you would not run.
    Raises `SpecError`, also for a part that is not what it must be.
    """
    if text.strip().endswith(".strategy"):
        try:
            text = Path(text.strip()).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SpecError(f"cannot read the strategy {text}: {error}", hint="check the path") from error
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last: nested too deep for the parser
        raise SpecError(f"{text!r} is not a strategy: {error}", hint="write e.g. Repair(Prompted())") from error
    strategy = _build(tree, text)
    if not hasattr(strategy, "run"):
        raise SpecError(f"{text!r} is not a strategy", hint="write e.g. Repair(Prompted())")
    return strategy  # type: ignore[no-any-return]


def strategy_of(given: Strategy | str) -> Strategy:
    """The strategy that is given or written. Raises `SpecError` for what is none."""
    strategy = load_strategy(given) if isinstance(given, str) else given
    if not isinstance(strategy, Strategy) or isinstance(strategy, type):
        raise SpecError(f"{given!r} is not a strategy", hint="give e.g. Repair(Prompted())")
    return strategy


def _build(node: ast.expr, text: str) -> Any:
    if isinstance(node, ast.Name) and node.id in NAMES:
        return _call(node.id, [], {}, text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in NAMES:
            raise SpecError(f"no strategy is called {node.func.id}", hint=_there_are(node.func.id, sorted(NAMES)))
        if any(isinstance(one, ast.Starred) for one in node.args) or any(word.arg is None for word in node.keywords):
            raise SpecError(f"* and ** cannot stand in a strategy: {text!r}", hint="write the values out")
        keywords = {str(word.arg): _build(word.value, text) for word in node.keywords}
        return _call(node.func.id, [_build(one, text) for one in node.args], keywords, text)
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        wrong = ast.get_source_segment(text.strip(), node)
        raise SpecError(f"{wrong!r} cannot stand in a strategy", hint="write names, numbers and texts") from error


def _call(name: str, positional: list[Any], keywords: dict[str, Any], text: str) -> Any:
    known = [one.name for one in fields(NAMES[name])]
    for word in keywords:
        if word not in known:
            raise SpecError(f"{name} in {text!r} has no {word!r}", hint=_there_are(word, known))
    try:
        made = NAMES[name](*positional, **keywords)
        if problem := misfit(made):
            raise TypeError(problem)
    except StructoutError:
        raise
    except Exception as error:  # of a part's own checks, too, which expect values of the right types
        raise SpecError(f"{name} in {text!r}: {error}", hint=f"see help(structout.{name})") from error
    return made


def _there_are(word: str, names: Sequence[str]) -> str:
    """Which names there are, the one first that may have been meant."""
    near = get_close_matches(word, names, 1)
    return f"{f'perhaps {near[0]}; ' if near else ''}there are: {', '.join(names)}"
