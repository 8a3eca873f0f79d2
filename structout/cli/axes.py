"""The axes of a sweep, as `bench --sweep` and `--vary` name them."""

from typing import Any

from structout.document import load_json
from structout.errors import SpecError


def axes(swept: list[str], varied: list[str]) -> dict[str, list[Any]]:
    """The values of `--sweep` and `--vary` by axis. Raises `SpecError`."""
    from structout.evaluation.harness import VARIED

    for written in varied:
        if not written.startswith(f"{VARIED}="):
            raise SpecError(f"invalid --vary: got {written!r}, expected {VARIED}=FILE,...", hint="name files of text")
    files = [file for written in varied for file in written.partition("=")[2].split(",")]
    return dict(map(_axis, swept)) | ({VARIED: files} if files else {})


def _axis(written: str) -> tuple[str, list[Any]]:
    name, sign, values = written.partition("=")
    if not (name and sign and values):
        raise SpecError(
            f"invalid --sweep: got {written!r}, expected NAME=VALUE,...", hint="write --sweep temperature=0,0.5,1"
        )
    return name, [_value(one) for one in values.split(",")]


def _value(written: str) -> Any:
    try:
        return load_json(written)
    except ValueError:
        return written
