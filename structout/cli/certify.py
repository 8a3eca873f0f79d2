"""`structout certify`: accept only what the model is sure of, with a guarantee."""

from types import NoneType
from typing import TYPE_CHECKING, Annotated

import typer

from structout import defaults
from structout.cli.codes import FAILED, PASSED
from structout.cli.console import progress, put, put_json, say
from structout.cli.options import (
    AllowCodeOption,
    CodeOption,
    JsonOption,
    LogOption,
    MaxTokensOption,
    ModelOption,
    StrategyOption,
    sampling,
)

if TYPE_CHECKING:
    from structout.evaluation.stats.rates import Rate


def certify(
    dataset: Annotated[str, typer.Argument(help="A folder, a JSONL or CSV file, or hf:OWNER/NAME.")],
    schema: Annotated[str | None, typer.Option("--schema", "-s", help="The schema, where the folder has none.")] = None,
    strategy: StrategyOption = defaults.STRATEGY,
    model: ModelOption = "embedded",
    max_error: Annotated[
        float, typer.Option("--max-error", min=0.0001, max=0.9999, help="How much of what is accepted may be wrong.")
    ] = 0.05,
    confidence: Annotated[
        str | None, typer.Option("--confidence", help="path/to/file.py:function, from an outcome to how sure it is.")
    ] = None,
    max_tokens: MaxTokensOption = 256,
    log: LogOption = None,
    out: Annotated[str, typer.Option("--out", help="Where the strategy that abstains goes.")] = "certified.strategy",
    as_json: JsonOption = False,
    allow_code: AllowCodeOption = False,
    no_code: CodeOption = False,
) -> None:
    """Find how sure a strategy must be so that what it accepts is seldom wrong. Exit 1 if it cannot be shown."""
    from dataclasses import asdict

    from structout.evaluation import Dataset
    from structout.evaluation import certify as find
    from structout.evaluation.user_functions import own
    from structout.tables.output import replacing

    whole = Dataset.load(dataset, schema)
    by = {"confidence": own(confidence, float, int, NoneType)} if confidence is not None else {}
    with replacing(out, keep=False):
        pass  # can it be written? Better known before anything is asked
    with progress("certify", len(whole.split("dev")) + len(whole.split("test"))) as advance:
        found = find(
            strategy,
            whole,
            max_error,
            model=model,
            sampling=sampling(max_tokens),
            log=log or f".structout/bench-{whole.name}.jsonl",
            progress=lambda outcome: advance(outcome.key),
            **by,
        )
    if as_json:
        put_json(asdict(found))
    else:
        put(f"{found.strategy} on {found.model}, by {found.n} records:")
        put(f"of what it accepts {_percent(found.base_error)} is wrong; to get down to {100 * max_error:g} %")
        put(f"at least {100 * found.bound:.0f} % of that must be turned away, by whatever means")
        if found.threshold is None:
            put("no threshold can be shown to do on so many records")
        else:
            put(f"threshold {found.threshold:.4f} accepts {_percent(found.coverage)} of the records;")
            put(f"{found.errors} of {found.accepted} were wrong, so at most {100 * found.worst:.1f} % are")
    if found.threshold is not None and confidence is None:
        with replacing(out) as stream:
            stream.write(found.written(dataset).encode())
        say(f"the strategy that abstains is in {out}")
    raise typer.Exit(FAILED if found.threshold is None else PASSED)


def _percent(rate: "Rate") -> str:
    return f"{100 * rate.value:.0f} % ({100 * rate.low:.0f}–{100 * rate.high:.0f})"
