"""Which confidence a strategy compares with a threshold."""

import ast
from functools import lru_cache

from structout.errors import SpecError
from structout.strategies.expression import parsed
from structout.verifiers import Confident
from structout.verifiers.confident import Of


@lru_cache
def thresholded(strategy: str) -> Of:
    """The confidence that the outermost `Confident` of an expression (see `spec`) compares with its threshold; "values"
    without a `Confident`. Imports no code of the expression.
    """
    try:
        tree, _, _ = parsed(strategy)
    except SpecError:  # a part of a user may have a name that no expression takes
        return "values"
    for node in ast.walk(tree):  # outer parts before inner parts
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Confident.__name__:
            given = {word.arg: word.value for word in node.keywords}.get("of")
            return "answer" if isinstance(given, ast.Constant) and given.value == "answer" else "values"
    return "values"
