"""The answer to `--dry-run`: what a command would ask and cost."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from structout.cli.console import put, put_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structout.evaluation.forecast import Expected


def put_forecast(found: "Sequence[Expected]", max_tokens: int, *, as_json: bool) -> None:
    """Print what a command would ask, for people or as JSON."""
    from structout.evaluation.forecast import lines

    if as_json:
        put_json([asdict(one) for one in found])
    else:
        put("\n".join(lines(found, max_tokens)))
