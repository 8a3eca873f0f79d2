"""Plain English: what a person reads says who does what, in the words of the field."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "structout").rglob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]

# A phrase that must be read twice, and what to write instead.
PHRASES = {
    r"\bmend(s|ed|ing)?\b": "repair (an answer), fix (a fault)",
    r"\bnought\b": "zero",
    r"\bis none\b|\bare none\b|\bthat is no\b|\bwhat is no\b": "say what it must be: invalid X: got Y, expected Z",
    r"\bno \w+ is (called |named )?['{]": "unknown X 'y', or invalid X: got 'y'",
    r"\bis no (?!longer|more|other|less|need|way|reason|room)\w+": "is not a ...",
    r"\bare no matter of\b|\bis told\b|\bbetter known\b|\bas (they|it) mostly\b": "say it plainly",
    r"\bwhoever's making\b|\bof whoever\b": "name the person: a user, a caller",
}
# Words of JSON, of code or of others that look like one of them.
SPARED = re.compile(r"`[^`]*`|\bamend\w*|recommend\w*|\bcommend\w*|\bdepend\w*")


def told(text: str) -> list[str]:
    """The phrases of a text that must be read twice."""
    plain = SPARED.sub(" ", text)
    return [
        f"{found[0]!r}: write {instead}" for phrase, instead in PHRASES.items() for found in re.finditer(phrase, plain)
    ]


def written(file: Path) -> Iterator[tuple[int, str]]:
    """What people read in a module: docstrings, comments and texts with words, by line."""
    source = file.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("file", MODULES, ids=lambda one: str(one.relative_to(ROOT / "structout")))
def test_a_module_says_things_plainly(file: Path) -> None:
    if file.parent.name == "prompts":
        return  # what a model reads stays byte for byte
    assert [f"line {line}: {one}" for line, text in written(file) for one in told(text)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda one: one.name)
def test_a_page_says_things_plainly(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [f"line {n}: {one}" for n, line in enumerate(text.splitlines(), 1) for one in told(line)] == []


def undocumented(file: Path) -> Iterator[str]:
    """The public definitions of a module without a docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree):
        yield "the module"
    stack: list[tuple[str, ast.AST]] = [("", tree)]
    while stack:
        outer, holder = stack.pop()
        for node in ast.iter_child_nodes(holder):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            name = f"{outer}{node.name}"
            names = {ast.unparse(one) for one in node.decorator_list}
            if not ast.get_docstring(node) and not names & {"overload", "typing.overload"}:
                yield f"line {node.lineno}: {name}"
            if isinstance(node, ast.ClassDef):
                stack.append((f"{name}.", node))


def protocol_members(file: Path) -> set[str]:
    """The members of the protocols of a module that have a docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    protocols = [
        node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
    ]
    members = [node for one in protocols for node in one.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in members if ast.get_docstring(node)}


@pytest.mark.parametrize("file", MODULES, ids=lambda one: str(one.relative_to(ROOT / "structout")))
def test_every_public_definition_has_a_docstring(file: Path) -> None:
    # A protocol says what these do: a protocol of another module, or of this one.
    told = {"complete", "run", "check"} | protocol_members(file)
    missing = [one for one in undocumented(file) if one.rpartition(".")[2] not in told]
    assert missing == []
