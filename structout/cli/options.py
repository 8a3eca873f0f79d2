"""Options that several commands take, and what their values become."""

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from structout.errors import SpecError
from structout.source import allow_code, refuse_code

if TYPE_CHECKING:
    from structout.completion import Sampling
    from structout.parsing import Policy
    from structout.result import Example

SchemaOption = Annotated[
    str, typer.Option("--schema", "-s", help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="JSONL, CSV (.gz), Parquet, NAME.duckdb#TABLE, .sql, sql:QUERY, text (a record a line), or - for stdin.",
    ),
]
ColumnOption = Annotated[str, typer.Option("--column", help="The column of INPUT to read.")]
ModelOption = Annotated[
    str,
    typer.Option("--model", "-m", help="embedded, hf:NAME, path:FOLDER, openai:NAME@URL, scripted:FILE, py:FILE:NAME."),
]
StrategyOption = Annotated[
    str, typer.Option("--strategy", help="An expression such as 'Reask(Repair(Prompted(examples=3)), limit=2)'.")
]
ExamplesOption = Annotated[
    str | None, typer.Option("--examples", help="A data set whose train records strategies may show.")
]
MaxTokensOption = Annotated[int, typer.Option("--max-tokens", help="The most tokens an answer may have.")]
TemperatureOption = Annotated[
    float, typer.Option("--temperature", help="0 takes the likeliest tokens; what a strategy says itself goes first.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Makes sampling repeatable, so that like prompts are asked once; 0: it is not.")
]
PricesOption = Annotated[
    list[str] | None,
    typer.Option("--price", help="\\[MODEL=]INPUT,OUTPUT\\[,HOUR]: US dollars for a million tokens and for an hour."),
]
LogOption = Annotated[
    str | None, typer.Option("--log", help="What was asked before is read from here, what is new added.")
]
CodeOption = Annotated[
    bool,
    typer.Option(
        "--no-code",
        callback=lambda given: refuse_code() if given else None,
        help="Refuse all that would import Python: path/to/file.py:NAME and package.module:NAME, wherever it is named.",
    ),
]
AllowCodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        callback=lambda given: allow_code() if given else None,
        help="Import Python that a .strategy file names.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]


def sampling(max_tokens: int, temperature: float = 0.0, seed: int = 0) -> "Sampling":
    """Sampling within this limit, greedy unless a temperature is given."""
    from structout.completion import Sampling

    return Sampling(temperature=temperature, max_tokens=max_tokens, seed=seed)


def policy_named(name: str) -> "Policy":
    """The repair policy of this name. Raises `SpecError`."""
    from structout.parsing import Policy

    if name not in get_args(Policy):
        raise SpecError(f"no repair policy is called {name!r}", hint=f"give {', '.join(get_args(Policy))}")
    return name  # type: ignore[return-value]


def shown_examples(place: str | None, schema: Any) -> "tuple[Example, ...]":
    """The train records of the data set that `--examples` names."""
    from structout.evaluation import Dataset

    return Dataset.load(place, schema).examples if place else ()
