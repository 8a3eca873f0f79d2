"""Options that several commands share, and functions that interpret their values."""

import decimal
import inspect
import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer

from structout import defaults
from structout.cli.console import say
from structout.errors import SpecError
from structout.source import allow_code, refuse_code
from structout.tables.place import DocumentFormat, Format

if TYPE_CHECKING:
    from structout.completion import Sampling
    from structout.parsing import Decimal, Policy
    from structout.result import Example

T = TypeVar("T")
_TAKEN = frozenset({"kind", "model", "status"})  # labels of the metrics

# By parameter: its spelling now and before.
_FORMER = {
    "source": ("INPUT", "--input"),
    "output": ("--output", "--out"),
    "column": ("--column", "--text"),
}


def current_spelling(context: typer.Context, parameter: typer.CallbackParam, value: T) -> T:
    """The callback of a parameter that also has a former spelling. Raises `SpecError` if both are given."""
    name = parameter.name or ""
    source = context.get_parameter_source(name)
    if source is not None and source.name == "COMMANDLINE" and name in (context.default_map or {}):
        raise SpecError(f"both {' and '.join(_FORMER[name])} are given", hint="omit one of them")
    return value


def _former_spelling(name: str) -> Callable[[typer.Context, Any], Any]:
    """The callback of a hidden, eager option: its value becomes the default of the parameter `name`."""

    def note(context: typer.Context, value: T) -> T:
        if value:
            context.default_map = {**(context.default_map or {}), name: value}
        return value

    return note


_SETTINGS = "structout.model_settings"


def model_with_settings(context: typer.Context, value: T) -> T:
    """The callback of --model: adds the file of --model-settings to the names of models that take settings."""
    file = context.meta.get(_SETTINGS)
    if file is None:
        return value
    from structout.models.providers.name import takes_settings, with_settings

    names: list[Any] = value if isinstance(value, list) else [value or ""]
    if not any(map(takes_settings, names)):
        hint = "name such a model, as in --model anthropic:MODEL"
        raise SpecError("--model-settings is for models of hosted providers and servers", hint=hint)
    found = [with_settings(name, file) if takes_settings(name) else name for name in names]
    return found if isinstance(value, list) else found[0]  # type: ignore[return-value]


def _note_settings(context: typer.Context, value: str | None) -> str | None:
    if value is not None:
        context.meta[_SETTINGS] = value
    return value


SchemaOption = Annotated[
    str, typer.Option("--schema", "-s", help="A folder, a .json file, path/to/schema.py:Name or package.module:Name.")
]
SourceArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        callback=current_spelling,
        help="JSONL, CSV, JSON, text (one record per line), also compressed (.gz, .bz2, .xz, .zst); Parquet; a folder "
        "or a pattern of such files, also at s3://, gs://, az:// or https://; NAME.duckdb#TABLE, .sql, sql:QUERY, "
        "postgresql://...#TABLE (or #QUERY); or - "
        "for stdin, the default.",
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", help="The format of INPUT, if its name has no suffix or another one."),
]
DocumentFormatOption = Annotated[
    DocumentFormat | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="The format of INPUT, if its name does not say it, or says another one: jsonl, csv, tsv, parquet, json, "
        "text, yaml, openai-batch, anthropic-batch or google-batch.",
    ),
]
DelimiterOption = Annotated[
    str, typer.Option("--delimiter", metavar="CHAR", help="The delimiter of CSV in INPUT: ; or | or tab, for example.")
]
FormerInputOption = Annotated[
    list[str] | None, typer.Option("--input", "-i", hidden=True, is_eager=True, callback=_former_spelling("source"))
]
FormerOutOption = Annotated[
    str | None, typer.Option("--out", hidden=True, is_eager=True, callback=_former_spelling("output"))
]
FormerTextOption = Annotated[
    str | None, typer.Option("--text", hidden=True, is_eager=True, callback=_former_spelling("column"))
]
ColumnOption = Annotated[str, typer.Option("--column", callback=current_spelling, help="The column of INPUT to read.")]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        callback=model_with_settings,
        help=f"{defaults.MODEL_NAMES}.",
    ),
]
ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", "-m", callback=model_with_settings, help="A model. Repeatable.")
]
ModelSettingsOption = Annotated[
    str | None,
    typer.Option(
        "--model-settings",
        is_eager=True,
        callback=_note_settings,
        help="The TOML or JSON file with settings of a model of a provider or server, such as thinking.",
    ),
]
StrategyOption = Annotated[
    str, typer.Option("--strategy", help="An expression such as 'Reask(Repair(Prompted(examples=3)), limit=2)'.")
]
InstructionsOption = Annotated[
    str | None,
    typer.Option("--instructions", help="The file with your own instructions for the model, beside the schema."),
]
ExamplesOption = Annotated[
    str | None, typer.Option("--examples", help="The data set whose train records strategies may show.")
]
MaxTokensOption = Annotated[int, typer.Option("--max-tokens", help="The maximum number of tokens per answer.")]
TemperatureOption = Annotated[
    float,
    typer.Option(
        "--temperature", help="The sampling temperature; 0 is greedy. A strategy's own temperature overrides it."
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="The seed of sampling. With a seed above 0, equal prompts are asked once.")
]
PRICE_HELP = (
    "[MODEL=]INPUT,OUTPUT[,HOUR][,cached=C]: US dollars per million tokens and per hour. "
    "Hosted models have the prices of genai-prices."
)
PricesOption = Annotated[list[str] | None, typer.Option("--price", help=PRICE_HELP)]
ForecastOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only say how many prompts, tokens and dollars it would take. Unlike run --dry-run, it asks no model.",
    ),
]
LogOption = Annotated[
    str | None, typer.Option("--log", help="The log: known answers are read from it, new answers are added.")
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", help="The column that identifies a record: a field of the schema, or a column beside them."),
]
FoldsOption = Annotated[
    int | None,
    typer.Option(
        "--folds",
        min=2,
        help="Test every labelled record once, in this many folds; examples and verifiers come from the other folds.",
    ),
]
CodeOption = Annotated[
    bool,
    typer.Option(
        "--no-code",
        callback=lambda given: refuse_code() if given else None,
        help="Refuse every name that imports Python: path/to/file.py:NAME and package.module:NAME.",
    ),
]
AllowCodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        callback=lambda given: allow_code() if given else None,
        help="Allow a .strategy file to import Python.",
    ),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="COLUMNS", help="Columns of INPUT beside each record: A,B or all. Repeatable."),
]
DecimalOption = Annotated[
    str | None,
    typer.Option("--decimal", help="The decimal sign of numbers in text: . or , (1,200 is ambiguous without it)."),
]
CompleteOption = Annotated[
    bool,
    typer.Option("--complete", help="No answer was cut off: closers that are missing at the very end are lossless."),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option("--tag", help="NAME=VALUE for the journal, metrics and spans, such as team=catalogue. Repeatable."),
]
WriteSecretsOption = Annotated[
    bool,
    typer.Option("--write-secrets", help="Write secrets and excluded fields of a Pydantic type into the files."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]


def example(*commands: str) -> str:
    """The end of a command's help: commands that can be copied. `\\b` keeps the lines as they are."""
    return "Example:\n\n\b\n" + "\n".join(f"  {one}" for one in commands)


def add(app: typer.Typer, command: Callable[..., None], shown: str) -> None:
    """Add a command with an example. The list of commands has the first sentence of its help, which is never cut."""
    told = (inspect.getdoc(command) or "").partition("\n\n")[0].replace("\n", " ")
    sentence = re.split(r"(?<=[.]) |[:;] ", told, maxsplit=1)[0].rstrip(".")
    app.command(short_help=f"{sentence}.", epilog=example(shown))(command)


def sampling(max_tokens: int, temperature: float = 0.0, seed: int = 0) -> "Sampling":
    """The sampling settings, greedy unless a temperature is given."""
    from structout.completion import Sampling

    return Sampling(temperature=temperature, max_tokens=max_tokens, seed=seed)


def tags_of(written: Iterable[str] | None) -> dict[str, str]:
    """The values of `--tag` by name. Raises `SpecError` for an invalid name: it must fit a label of Prometheus."""
    found: dict[str, str] = {}
    for one in written or ():
        name, sign, value = one.partition("=")
        if not (sign and value and re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]{0,63}", name)) or name in _TAKEN:
            hint = f"use letters, digits and _ in NAME, and none of {', '.join(sorted(_TAKEN))}"
            raise SpecError(f"invalid --tag: got {one!r}, expected NAME=VALUE", hint=hint)
        found[name] = value
    return found


def policy_named(name: str) -> "Policy":
    """The repair policy `name`. Raises `SpecError` if it is unknown."""
    from structout.parsing import Policy

    if name not in get_args(Policy):
        raise SpecError(f"unknown repair policy {name!r}", hint=f"give one of {', '.join(get_args(Policy))}")
    return name  # type: ignore[return-value]


def decimal_named(sign: str | None) -> "Decimal | None":
    """The decimal sign of --decimal. Raises `SpecError` if it is unknown."""
    from structout.parsing import Decimal

    if sign not in (None, *get_args(Decimal)):
        raise SpecError(f"invalid --decimal: got {sign!r}", hint="give . or ,")
    return sign  # type: ignore[return-value]


def shares_of(option: str, written: Iterable[str] | None) -> dict[str, float]:
    """The shares of `FIELD=SHARE` by field."""
    found = {}
    for text in written or ():
        name, _, number = text.rpartition("=")
        problem = f"invalid {option}: got {text!r}, expected FIELD=SHARE with a share from 0 to 1"
        share = _share(number)
        if not name or share is None:
            raise SpecError(problem, hint="write FIELD=0.98 or FIELD=98%")
        found[name] = share
    return found


def share_named(text: str) -> float:
    """The share that a user writes: `0.98` or `98%`. Raises `typer.BadParameter`."""
    share = _share(text)
    if share is None:
        raise typer.BadParameter(f"got {text!r:.40}, expected a share from 0 to 1, such as 0.98 or 98%")
    return share


def _share(text: str) -> float | None:
    """A share from 0 to 1, as a number or as a percentage; None for anything else."""
    try:
        share = float(decimal.Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1))
    except ArithmeticError:
        return None
    return share if 0 <= share <= 1 else None


def say_of_unasked(strategy: str, model: str) -> None:
    """Say that a model that the user named is not asked, because the strategy names its own."""
    if model == defaults.MODEL:
        return
    from structout.strategies import load_strategy
    from structout.strategies.given import asks_given

    if not asks_given(load_strategy(strategy)):
        say(f"--model {model} is not asked: each call of the strategy names its own model")


def warn_of_other_models(priced: Iterable[str], models: Collection[str]) -> None:
    """Warn of each price whose model is not among `models`. A price without a name ("") has its model."""
    from structout.prices import without_options

    known = {*models, *map(without_options, models)}
    for name in priced:
        if name and name not in known:
            say(f"--price names {name!r}, but the models are: {', '.join(dict.fromkeys(models))}")


def shown_examples(place: str | None, schema: Any) -> "tuple[Example, ...]":
    """The train records of the data set `place`; none if `place` is None."""
    from structout.evaluation import Dataset

    return Dataset.load(place, schema).examples if place else ()
