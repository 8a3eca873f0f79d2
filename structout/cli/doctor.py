"""`structout doctor`: what is installed, and which models answer."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from structout.cli.codes import INCOMPLETE, PASSED, USAGE
from structout.cli.console import put_json, put_table
from structout.cli.installation import EXTRAS, device, known_keys, system
from structout.cli.options import CodeOption, JsonOption, ModelSettingsOption, ModelsOption
from structout.surfaces import line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from structout.models.check import ModelCheck
    from structout.models.openai.servers import Server


def doctor(
    model: ModelsOption = None,
    model_settings: ModelSettingsOption = None,
    servers: Annotated[
        bool, typer.Option("--servers", help="Also ask the usual local addresses of servers for their models.")
    ] = False,
    as_json: JsonOption = False,
    no_code: CodeOption = False,
) -> None:
    """Show what is installed, what each extra would bring, which keys are set, and which models answer.

    Without --model and --servers, nothing is asked and nothing leaves this machine. --model asks a few short questions,
    which a provider bills. Keys are shown by name, never by value.

    Exit 0: every model of --model answers; 2: a model cannot be loaded; 3: a model does not answer.
    """
    from structout.models.embedded import present
    from structout.models.openai.servers import local_servers
    from structout.version import __version__

    asked = [_asked(name) for name in model or ()]
    place = present()
    found = Findings(
        structout=__version__,
        system=system(),
        device=device(),
        embedded=None if place is None else str(place),
        servers=tuple(local_servers()) if servers else None,
        models=tuple(check for check, _ in asked),
    )
    if as_json:
        put_json(found.to_json())
    else:
        put_table(lambda _: found)
    codes = [code for _, code in asked]
    raise typer.Exit(next((code for code in (USAGE, INCOMPLETE) if code in codes), PASSED))


def _asked(name: str) -> "tuple[ModelCheck, int]":
    """The check of a model, and its exit code. A model that cannot be loaded hides no other model."""
    from structout.errors import CodeError, StructoutError
    from structout.models.check import ModelCheck, check_model

    try:
        found = check_model(name)
    except CodeError:
        raise  # --no-code refuses the command
    except StructoutError as error:
        return ModelCheck(name, problem=str(error)), INCOMPLETE if error.retryable else USAGE
    return found, PASSED if found.ok else INCOMPLETE


@dataclass(frozen=True)
class Findings:
    """What `structout doctor` found. `embedded` is the place of the embedded model, None if it is not fetched."""

    structout: str
    system: str
    device: str
    embedded: str | None
    servers: "tuple[Server, ...] | None"
    models: "tuple[ModelCheck, ...]"

    def to_json(self) -> dict[str, Any]:
        """The findings as a JSON object."""
        extras = [
            {
                "extra": one.name,
                "installed": not one.missing,
                "missing": one.missing,
                "brings": one.brings,
                "install": one.line,
            }
            for one in EXTRAS
        ]
        return {
            "structout": self.structout,
            "system": self.system,
            "device": self.device,
            "extras": extras,
            "embedded": self.embedded,
            "keys": known_keys(),
            "servers": None if self.servers is None else [asdict(one) for one in self.servers],
            "models": [one.to_json() for one in self.models],
        }

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        fetched = f"fetched, in {self.embedded}" if self.embedded else "not fetched: structout model fetch"
        extras = [(one.name, _state(one.missing), one.brings) for one in EXTRAS]
        lacking = [one.line for one in EXTRAS if one.missing]
        found = [(name, "set") for name, is_set in known_keys().items() if is_set]
        unset = [name for name, is_set in known_keys().items() if not is_set]
        parts: list[RenderableType] = [
            Text(line(f"structout {self.structout}, {self.system}, {self.device}")),
            *_section("extras", extras),
            *(Text(f"to install: {one}") for one in lacking),
            *_section("embedded model", [(fetched,)]),
            *_section("keys", [*found, *([("not set", ", ".join(unset))] if unset else [])]),
        ]
        if self.servers is not None:
            parts += _section("local servers", [(one.kind, one.url, _answer(one)) for one in self.servers])
        for check in self.models:
            parts += [Text(""), check]
        return Group(*parts)


def _state(missing: tuple[str, ...]) -> str:
    return f"missing {', '.join(missing)}" if missing else "installed"


def _answer(server: "Server") -> str:
    return server.problem or ", ".join(server.models) or "answers, but has no model"


def _section(title: str, rows: Sequence[tuple[str, ...]]) -> "list[RenderableType]":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(Text(line(cell), overflow="fold") for cell in row))
    return [Text(""), Text(title, "bold"), table]
