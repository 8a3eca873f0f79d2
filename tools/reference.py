"""The generated pages of the reference: the public names, and the commands. `python -m tools.reference` writes them."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from structout.cli.commands import app

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"
PACKAGES = (
    "structout",
    "structout.aio",
    "structout.schema",
    "structout.schema.strict_form",
    "structout.models",
    "structout.strategies",
    "structout.verifiers",
    "structout.evaluation",
    "structout.finetuning",
    "structout.parsing",
    "structout.grammar",
    "structout.prompts",
    "structout.testing",
)
_MADE = "<!-- made by `python -m tools.reference` -->\n"


def pages() -> dict[Path, str]:
    """The text of each generated page."""
    return {REFERENCE / "api.md": _MADE + "\n".join(_api()), REFERENCE / "commands.md": _MADE + "\n".join(_commands())}


def public(package: ModuleType) -> list[str]:
    """The public names of a package; those of a module without `__all__` are what it defines itself."""
    if hasattr(package, "__all__"):
        return sorted(package.__all__, key=str.lower)
    return sorted(
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == package.__name__
    )


def home(value: Any, name: str, package: str) -> str:
    """The place where a public name is defined, as `package.module.name`; "" for a value without a place."""
    module = getattr(value, "__module__", None)
    if not (inspect.isclass(value) or inspect.isroutine(value)) or not str(module).startswith("structout"):
        return ""
    return f"{module}.{value.__qualname__}"


def _api() -> Iterator[str]:
    yield "\n# Python\n\nWhat is not on this page may change without notice. All names are imported on first use.\n"
    told: set[str] = set()
    for package in PACKAGES:
        module = importlib.import_module(package)
        yield f"## {package}\n\n{_first_line(module)}\n"
        for name in public(module):
            value = getattr(module, name)
            place = home(value, name, package)
            if place in told:
                continue
            if place:
                told.add(place)
                yield f"::: {place}\n    options:\n      heading_level: 3\n"
            elif name != "__version__":
                yield f"### {name}\n\n{_about(value, module, name)}\n"


def _about(value: Any, module: ModuleType, name: str) -> str:
    """A line on a type alias or a constant."""
    return f"`{name} = {_plain(value)}`"


def _plain(value: Any) -> str:
    return str(value).replace("typing.", "").replace("collections.abc.", "")


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().split("\n")[0]


def _commands() -> Iterator[str]:
    yield "\n# Commands\n\nResults go to stdout, progress and errors to stderr. `-` stands for a pipe.\n"
    for path, command in _each(typer.main.get_command(app), ["structout"]):
        yield f"## {' '.join(path)}\n\n{_help(command)}\n"
        rows = [one for one in map(_row, command.params) if one]
        if rows:
            yield "| option | meaning |\n| --- | --- |"
            yield from rows
            yield ""


def _each(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    """The commands with their names, from those of Typer's own copy of Click."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, one in sorted(inner.items()):
        if not one.hidden:
            yield from _each(one, [*path, name])


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\f", "").replace("\\[", "[")


def _row(option: Any) -> str:
    if getattr(option, "hidden", False) or option.name == "help":
        return ""
    is_option = option.opts[0].startswith("-")
    names = [*option.opts, *option.secondary_opts] if is_option else [(option.metavar or option.name).upper()]
    text = " ".join(str(getattr(option, "help", "") or "").split()).replace("\\[", "[")
    for mark in "|[":
        text = text.replace(mark, f"\\{mark}")
    return f"| {', '.join(f'`{name}`' for name in names)} | {text} |"


def main() -> None:
    """Write the pages."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
