"""Help: every option is shown whole in a narrow terminal, and every example is a command that exists."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from structout.cli.commands import app
from tests.conftest import Shell

ROOT_COMMAND: Any = typer.main.get_command(app)


def commands(node: Any = ROOT_COMMAND, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group with the words that name it."""
    yield path, node
    for name, inner in getattr(node, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = dict(commands())


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_cuts_no_option(path: tuple[str, ...], width: int, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = shell(*path, "--help").stdout
    assert "…" not in shown
    assert "..." not in shown.partition("Commands:")[2].partition("Example:")[0]
    options = [one for one in ALL[path].params if one.param_type_name == "option" and not one.hidden]
    assert "-h, --help" in shown
    for option in options:
        for name in (*option.opts, *option.secondary_opts):
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", shown), name
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_shows_an_example_that_its_parser_takes(
    path: tuple[str, ...], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = shell(*path, "--help").stdout.partition("Example:\n")[2]
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert lines
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "structout"
        if words[0] == "COMMAND":
            continue
        depth = 2 if words[0] == "model" else 1
        assert tuple(words[: len(path)]) == path
        # The parser's own errors are those of a user who copies the line.
        ALL[tuple(words[:depth])].make_context("structout", words[depth:])
