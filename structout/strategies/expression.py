"""Strategies as text: expressions that can be read, saved and run again."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from types import FunctionType
from typing import Any

from structout.errors import SpecError, StructoutError
from structout.field_types import misfit, tupled
from structout.prompts.guidance import read_instructions
from structout.source import import_object, reading, source_of
from structout.strategies.base import Strategy
from structout.strategies.cascade import Cascade, On
from structout.strategies.continued import Continued
from structout.strategies.draft import Draft, Think
from structout.strategies.ensemble import Ensemble
from structout.strategies.generate import Constrained, Prompted
from structout.strategies.missed import Missed
from structout.strategies.parts import with_field
from structout.strategies.reask import Reask
from structout.strategies.repair import Repair
from structout.strategies.select import BestOf, Vote
from structout.strategies.verify import Verify
from structout.strategies.windowed import Windowed
from structout.verifiers import Agreement, AllOf, AnyOf, Confident, Grounded, Head, Judge, Learned, RoundTrip, Rule

_PARTS = (
    Agreement, AllOf, AnyOf, BestOf, Cascade, Confident, Constrained, Continued, Draft, Ensemble, Grounded, Head, Judge,
    Learned, Missed, On, Prompted, Reask, Repair, RoundTrip, Rule, Think, Verify, Vote, Windowed,
)  # fmt: skip
NAMES: dict[str, Any] = {part.__name__: part for part in _PARTS}
_OLD_NAMES: dict[str, Any] = {"All": AllOf, "Any": AnyOf}  # renamed, since they shadowed names of typing
_CODE = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<code>(?<![\w./\\~-])(?:[A-Za-z]:(?=[\\/]))?[\w./\\~-]++:[A-Za-z_]\w*(?:\.\w+)*)"""
)
_STANDS_FOR_CODE = "_code_{}"
_HINT = "write e.g. Repair(Prompted()) or path/to/file.py:Name()"


def spec(part: Any) -> str:
    """The shortest expression that makes a strategy: defaults are left out.

    A part that structout does not define is written with the place of its code: `path/to/file.py:Name(...)`, or
    `package.module:Name(...)`.
    """
    if isinstance(part, Cascade | Ensemble | AllOf | AnyOf):
        (inner,) = (getattr(part, one.name) for one in fields(part))
        return f"{type(part).__name__}({', '.join(map(spec, inner))})"
    if isinstance(part, FunctionType):
        return repr(source_of(part))
    if isinstance(part, tuple) and any(hasattr(one, "run") or hasattr(one, "check") for one in part):
        return f"({''.join(f'{spec(one)}, ' for one in part).rstrip()})"
    if hasattr(part, "complete") and not isinstance(part, type):
        return repr(getattr(part, "name", part))  # a model is written by its name
    if isinstance(part, type) or not (is_dataclass(part) or hasattr(part, "run") or hasattr(part, "check")):
        return repr(part)
    if not is_dataclass(part):  # arguments that it keeps under their own names
        own = [spec(vars(part)[name]) for name in signature(type(part)).parameters if name in vars(part)]
        return f"{source_of(type(part))}({', '.join(own)})"
    written: list[str] = []
    for one in fields(part):
        value = getattr(part, one.name)
        default = one.default_factory() if one.default_factory is not MISSING else one.default
        if not one.init:
            continue
        if default is MISSING:
            written.append(f"{one.name}={spec(value)}" if one.kw_only else spec(value))
        elif value != default:
            written.append(f"{one.name}={spec(value)}")
    name = type(part).__name__ if NAMES.get(type(part).__name__) is type(part) else source_of(type(part))
    return f"{name}({', '.join(written)})"


def load_strategy(text: str) -> Strategy:
    """Read a strategy from an expression such as `Reask(Repair(Prompted(examples=3)), limit=2)`, or from the file of an
    expression, whose name must end in `.strategy`.

    An expression may contain strategies, verifiers and plain values. Your own strategies and verifiers are written with
    the place of their code, `path/to/file.py:Name(...)` or `package.module:Name(...)`. The code is imported, so load
    only expressions that you would run. A file that names code is refused unless `allow_code` was called. A `Rule`
    imports and calls its function when it runs, and an `On` or a `Judge` loads its model.

    Raises `SpecError` for an invalid expression or part, `SchemaError` for code that cannot be imported, and
    `CodeError` for refused code.

        load_strategy("Verify(Repair(Prompted()), checks.py:HasNumber(digits=2))")
    """
    if not text.strip().endswith(".strategy"):
        return _read(text)
    file = text.strip()
    try:
        written = Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot read the strategy {file}: {error}", hint="check the path") from error
    with reading(file):
        return _read(written)


def parsed(text: str) -> tuple[ast.expr, str, dict[str, str]]:
    """The syntax tree of an expression, the Python that it was parsed from, and the places of code by the names that
    stand for them there. Imports nothing. Raises `SpecError`.
    """
    codes: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        if found["text"] is not None:
            return found["text"]
        name = _STANDS_FOR_CODE.format(len(codes))
        codes[name] = found["code"]
        return name

    pure = _CODE.sub(stand_in, text.strip())
    try:
        return ast.parse(pure, mode="eval").body, pure, codes
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:  # MemoryError: nested too deep for the parser
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise SpecError(f"invalid strategy {text!r}: {reason}", hint=_HINT) from error


def _read(text: str) -> Strategy:
    tree, pure, codes = parsed(text)
    strategy = _Builder(text, pure, codes).build(tree)
    if not isinstance(strategy, Strategy) or isinstance(strategy, type):
        raise SpecError(f"invalid strategy {text!r}: it has no run(tasks, model)", hint=_HINT)
    return strategy


def strategy_of(given: Strategy | str) -> Strategy:
    """The strategy itself, or the one that a text describes. Raises `SpecError` for anything else."""
    strategy = load_strategy(given) if isinstance(given, str) else given
    if not isinstance(strategy, Strategy) or isinstance(strategy, type):
        raise SpecError(f"invalid strategy: got {given!r}, expected e.g. Repair(Prompted())", hint=_HINT)
    return strategy


def instructed(strategy: Strategy | str, file: str | Path) -> str:
    """The expression of a strategy with the text of a file as the `instructions` of each part that leaves them empty.

    Raises `SpecError` if all parts have instructions or take none, and as `read_instructions`.
    """
    text = read_instructions(file)
    before = spec(strategy_of(strategy))
    after = spec(with_field(strategy_of(strategy), "instructions", text))
    if before == after:
        hint = "write Prompted, Constrained or Judge into it, without instructions"
        raise SpecError(f"{before[:80]} takes no further instructions", hint=hint)
    return after


@dataclass(frozen=True)
class _Builder:
    """Builds the parts of one expression. `codes` maps placeholder names in `pure` to the places of code."""

    text: str
    pure: str
    codes: Mapping[str, str]

    def build(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and self._is_known(node.id):
            return self._call(node.id, [], {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if not self._is_known(name):
                raise SpecError(f"unknown strategy {name}", hint=_known(name, sorted(NAMES)))
            if any(isinstance(one, ast.Starred) for one in node.args) or any(
                word.arg is None for word in node.keywords
            ):
                raise SpecError(f"invalid strategy {self.text!r}: got * or **", hint="write the values out")
            words = [str(word.arg) for word in node.keywords]
            if twice := next((word for word in words if words.count(word) > 1), ""):
                raise SpecError(f"invalid strategy {self.text!r}: it gives {twice} twice", hint="omit one of them")
            keywords = {str(word.arg): self.build(word.value) for word in node.keywords}
            return self._call(name, [self.build(one) for one in node.args], keywords)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = self._as_written(ast.get_source_segment(self.pure, node.func) or "")
            raise SpecError(f"invalid strategy {self.text!r}: it calls {called}", hint=_in_place_of(called))
        if isinstance(node, ast.Tuple | ast.List) and not _is_literal(node):
            return tuple(map(self.build, node.elts))
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError) as error:
            wrong = self._as_written(ast.get_source_segment(self.pure, node) or "")
            problem = f"invalid strategy {self.text!r}: got {wrong!r}"
            sweep = "; a name in {braces} needs --sweep NAME=VALUE,..." if wrong.startswith("{") else ""
            raise SpecError(problem, hint=f"write names, numbers and texts{sweep}") from error

    def _is_known(self, name: str) -> bool:
        return name in NAMES or name in _OLD_NAMES or name in self.codes

    def _as_written(self, text: str) -> str:
        return re.sub(r"\b_code_\d+\b", lambda found: self.codes.get(found[0], found[0]), text)

    def _call(self, name: str, positional: list[Any], keywords: dict[str, Any]) -> Any:
        shown = self.codes.get(name, name)
        part = import_object(shown, "strategy") if name in self.codes else NAMES.get(name) or _OLD_NAMES[name]
        if not callable(part):
            if positional or keywords or not (hasattr(part, "run") or hasattr(part, "check")):
                raise SpecError(f"{shown} is neither a strategy nor a verifier", hint=_HINT)
            return part
        if is_dataclass(part):
            known = [one.name for one in fields(part)]
            for word in keywords:
                if word not in known:
                    problem = f"unknown field {word!r} of {shown} in {self.text!r}"
                    raise SpecError(problem, hint=_known(word, known))
            missing = [name for name in _required(part)[len(positional) :] if name not in keywords]
            if missing:
                example = "; for example, Repair(Prompted())" if "inner" in missing else ""
                hint = f"write {', '.join(missing)} between the parentheses{example}"
                raise SpecError(f"{shown} in {self.text!r} lacks {', '.join(missing)}", hint=hint)
            types = {one.name: one.type for one in fields(part)}
            positional = list(map(tupled, positional, [*types.values(), *[Any] * len(positional)]))
            keywords = {word: tupled(value, types[word]) for word, value in keywords.items()}
        try:
            made = part(*positional, **keywords)
            if is_dataclass(made) and (problem := misfit(made)):
                raise TypeError(problem)
        except StructoutError:
            raise
        except Exception as error:  # a part's own checks may fail on values of the wrong type
            hint = f"see help(structout.{name})" if name in NAMES else f"check what {shown} takes"
            if isinstance(part, FunctionType):  # called here, although another part was to take its name
                hint = f"to give the function itself, quote its name: {shown!r}"
            raise SpecError(f"{shown} in {self.text!r}: {error}", hint=hint) from error
        return made


def _in_place_of(called: str) -> str:
    """A hint that shows what to write in the place of a method of a part, whose result a program has."""
    name, _, method = called.rpartition(".")
    if name == "Grounded":
        return "name the fields that are copied from the text: Grounded(fields=('/quantity', '/unit_price'))"
    if name == "Learned":
        return "name the file that write_head wrote: Learned('head.json')"
    if name in NAMES:
        return f"write the part itself: {name}(...). In Python, structout.spec({called}(...)) shows it"
    return f"an expression holds parts and values: call {method or called} in Python, and write its result"


def _required(part: Any) -> list[str]:
    """The fields of a dataclass that have no default."""
    return [one.name for one in fields(part) if one.init and one.default is MISSING and one.default_factory is MISSING]


def _is_literal(node: ast.expr) -> bool:
    return not any(isinstance(one, ast.Name | ast.Call) for one in ast.walk(node))


def _known(word: str, names: Sequence[str]) -> str:
    """A hint with the known names, and first the name that may have been meant."""
    near = get_close_matches(word, names, 1)
    return f"{f'did you mean {near[0]}? ' if near else ''}known: {', '.join(names)}"
