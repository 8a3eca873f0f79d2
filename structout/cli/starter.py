"""The folder that `structout init` writes: a schema, records, and the commands to run."""

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structout.errors import OutputError, SpecError
from structout.surfaces import json_text

RECORDS, README = "records.jsonl", "README.md"
_RESERVED = ("schema.py", "schema.json", RECORDS, "records.csv", README)  # a data set of these names would be unclear
_FEW = 12  # texts: fewer are not divided
STUB_FIELD = "subject"
STUB = f'''"""The schema of a record. Fill it in."""

from pydantic import BaseModel, Field

__all__ = ["Record"]


class Record(BaseModel):
    """What a text says."""

    # Write a field for each value that a model should extract. The model reads names, types and descriptions, as in:
    #     quantity: int = Field(ge=1, description="the number of pieces")
    #     unit: Literal["kg", "pcs"]
    #     due: date | None = Field(default=None, description="null if none is stated")
    {STUB_FIELD}: str = Field(description="what the text is about, in a few words")
'''


@dataclass(frozen=True)
class Starter:
    """A data set with its model. `schema_file` names the file of the schema, `schema_name` a name in the file, perhaps
    "", and `schema` is its text; it `is_stub` if it is still to be written. `records` are rows as `Dataset` reads them,
    without labels if not `is_labelled`. Each has a `key` if `has_key`, and `keep` names the columns that stand beside
    the records.
    """

    schema_file: str
    schema_name: str
    schema: str
    records: Sequence[Mapping[str, Any]]
    model: str
    is_labelled: bool
    has_key: bool = False
    keep: tuple[str, ...] = ()
    is_stub: bool = False

    def write(self, folder: Path) -> None:
        """Check the files in a folder of their own, then write them. Raises `OutputError`, `SpecError` for files that
        exist, and the errors of a schema or of labels that do not fit.
        """
        check_free(folder)
        with tempfile.TemporaryDirectory(prefix="structout-init-") as scratch:
            for name, text in self.files(Path(scratch)).items():
                (Path(scratch) / name).write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
            files = self.files(folder, tests=self._check(Path(scratch)))
        written: list[Path] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                with (folder / name).open(
                    "x", encoding="utf-8", errors="surrogateescape", newline="\n"
                ) as stream:  # another program may have been faster
                    written.append(folder / name)
                    stream.write(text)
        except OSError as error:
            for file in written:
                with suppress(OSError):
                    file.unlink()
            raise OutputError(f"cannot write {folder}: {error.strerror}", hint="name another folder") from error

    def files(self, folder: Path, tests: int | None = None) -> dict[str, str]:
        """The text of each file, by name. `tests` is the number of test records, None if it is not known yet."""
        records = "".join(json_text(dict(one)) + "\n" for one in self.records)
        return {self.schema_file: self.schema, RECORDS: records, README: self._readme(self.commands(folder, tests))}

    def commands(self, folder: Path, tests: int | None = None) -> list[tuple[str, str]]:
        """What to run in the folder, each with what it does. Without labels there is nothing to measure."""
        schema = f"--schema {shlex.quote(self.schema_file + (f':{self.schema_name}' if self.schema_name else ''))}"
        model = f"--model {shlex.quote(_seen_from(self.model, folder))}"
        many = len({str(one["text"]) for one in self.records}) >= _FEW
        folds = many and not self.model.startswith("path:")  # which may be fine-tuned on these records
        all_rows = " --folds 5" if folds else "" if many and tests else " --split all"
        key = " --key key" if self.has_key else ""
        keep = f" --keep {shlex.quote(','.join(self.keep))}" if self.keep else ""
        run = f"structout run {RECORDS} {schema} {model}{key}{keep} --output out.jsonl"
        bench = f"structout bench {RECORDS} {schema} {model}{all_rows}"
        return [
            (
                run,
                "Extract a record from each text. Rows that fail go to `out.jsonl.quarantine.jsonl`, with reasons.",
            ),
            *([(bench, "Measure strategies on the labels: compliance, accuracy and cost.")] * self.is_labelled),
            (f"structout validate out.jsonl {schema}", "Check the records against the schema, as a gate would."),
        ]

    def _check(self, folder: Path) -> int:
        """Load the schema and each record as the commands do; returns the number of test records."""
        from structout.evaluation import Dataset
        from structout.schema import Schema

        place = str(folder / self.schema_file)
        contract = Schema.of(f"{place}:{self.schema_name}" if self.schema_name else place)
        return len(Dataset.load(folder / RECORDS, contract).split("test")) if self.is_labelled else 0

    def _readme(self, commands: Sequence[tuple[str, str]]) -> str:
        steps = "\n\n".join(f"{told}\n\n```console\n$ {command}\n```" for command, told in commands)
        labels = (
            "Each record has its label under `expected`."
            if self.is_labelled
            else f"The records have no labels. To measure a strategy, add a label to lines of `{RECORDS}`, as in "
            '`{"text": "...", "expected": {...}}`, remove the lines without a label, and run '
            f"`structout bench {RECORDS} --schema {self.schema_file}`."
        )
        about = (
            f"`{self.schema_file}` is a stub: write the fields that a model should extract before you run a command."
            if self.is_stub
            else f"`{self.schema_file}` is the schema: read it first, and change it where the sample misleads.\n"
            "Closed lists hold the values of the sample only: add the values that are missing."
        )
        choice = (
            f" `structout recommend {RECORDS} --folds 5 ...` chooses a strategy, and `structout certify` finds the "
            "confidence to require."
        )
        return _README.format(
            choice=choice if self.is_labelled else "",
            steps=steps,
            labels=labels,
            about=about,
            schema=self.schema_file,
            records=RECORDS,
        )


_README = """# Records from texts

`structout init` wrote this folder. {about}
`{records}` holds the sample. {labels}

Run these commands in this folder.

{steps}

For a whole file, name its column of texts, its key, and the columns to keep: `structout run FILE.csv --column TEXT
--key ID --keep A,B --schema ... --model ... --output out.parquet --dry-run` says what the run costs, and asks a few
rows. Without `--dry-run` it runs, and the same command resumes a run that was interrupted. If the strategy shows
examples, add `--examples {records}`.{choice}

`structout audit {schema}` says what constrained decoding enforces of the schema; it needs the extra `masks`
(`pip install "structout[masks]"`), except for hosted providers (`--for openai`). `structout doctor` says what is
installed, and `structout COMMAND --help` shows every option with an example.
"""


def check_free(folder: Path) -> None:
    """Raise `SpecError` if writing into the folder would replace a file, or leave two schemas or two data sets."""
    if folder.exists() and not folder.is_dir():
        raise SpecError(f"{folder} is a file", hint="name another folder")
    if found := next((name for name in _RESERVED if os.path.lexists(folder / name)), None):
        raise SpecError(f"{folder} already holds {found}", hint="name another folder: nothing is overwritten")


def _seen_from(model: str, folder: Path) -> str:
    """The name of a model whose relative file is named from `folder`."""
    kind, _, rest = model.partition(":")
    place, colon, name = rest.rpartition(":") if kind == "py" else (rest, "", "")
    is_file = kind in ("scripted", "path") or (kind == "py" and place.endswith(".py"))
    if not is_file or os.path.isabs(place):
        return model
    return f"{kind}:{os.path.relpath(place, folder)}{colon}{name}"
