"""The promises, and how they are tried."""

from functools import partial

from benchmarks.trust import crashes, faults, injection, intervals, judging, reading, repeating, servers, soak, together
from benchmarks.trust.trial import Promise, Trial


def _faults(kind: str, errors: tuple[str, ...], quick: int, full: int) -> Trial:
    what = f"{kind}: {' and '.join(errors)} at system calls of a run that begins and of a run that resumes"
    return Trial(what, quick, full, partial(faults.tried, kind=kind, errors=errors))


PROMISES = {
    "lost": Promise(
        "Nothing is lost or doubled",
        (
            Trial("histories of killed, starved, damaged, changed and finished runs: JSONL", 6, 400,
                  partial(crashes.tried, ways=("jsonl",))),
            Trial("the same histories of `extract_many(journal=)`", 6, 400, partial(crashes.tried, ways=("extract",))),
            Trial("the same histories: Parquet and DuckDB", 4, 400, partial(crashes.tried, ways=("parquet", "duckdb"))),
            Trial("the same histories: PostgreSQL", 0, 200, partial(crashes.tried, ways=("postgres",))),
            Trial("the same histories on a local Ray", 0, 5, partial(crashes.tried, ways=("jsonl",), engine="ray")),
            Trial("two runs at once of one output, with a journal and a strategy each", 3, 400, together.tried),
            *(_faults(kind, errors, quick, full) for kind, errors, quick, full in (
                ("jsonl", ("EIO",), 8, 300),
                ("jsonl", ("ENOSPC",), 8, 300),
                ("jsonl", ("SIGKILL",), 8, 400),
                ("parquet", ("EIO", "ENOSPC", "SIGKILL"), 0, 600),
                ("duckdb", ("EIO", "ENOSPC", "SIGKILL"), 0, 600),
                ("postgres", ("EIO", "ENOSPC", "SIGKILL"), 0, 300),
            )),
        ),
        fixed=(
            "An error of `close`, which a network or a quota may report in place of an error of `write`, ended a run "
            "with a traceback and exit 70. It is an `OutputError` now (exit 3), and the same command goes on.",
            "The name of a replaced file was not synced: after a power failure, a file could be there again as it was, "
            "without the mark of a partial output. The folder is synced now.",
            "A look at the journal of a killed run (`structout status`, and each run that resumes) left a file "
            "`JOURNAL-shm` for good.",
            "A process that was killed while DuckDB made a new database left a file that no later run could open. The "
            "database is made under another name now. What a killed run left beside a database, `OUTPUT.N.parquet`, "
            "stayed for good: the next run removes it.",
            "An error of the disk while a file beside a database was removed ended a run with a traceback and exit 70.",
            "Two runs at once of one output ended with the output of one and the quarantine of the other, so that rows "
            "were in neither file, and both runs said that they were complete; or one removed the unfinished file of "
            "the other. A file has one writer at a time now, and the others wait.",
            "Two benches at once mixed their outcomes in one log, and a log on a full disk ended a bench with a "
            "traceback. The second bench is refused now (exit 3), and a full disk is an error with a hint.",
            "A run whose journal was removed, alone or with its folder, paid on and kept nothing: the next run asked "
            "for every row again. The journal is put back now, with all that the run knows, and a warning says so.",
        ),
        beyond=(
            "Power failures: the order of syncs is tested, but no disk that forgets what was not synced.",
            "Faults of the server of PostgreSQL itself, and of object stores.",
            "Batches at providers: `tests/pipeline/test_batches.py` kills such runs around each call of the provider.",
            "File systems without locks, on which two runs may write one output at once; two machines on one table of "
            "PostgreSQL with `--mode replace`, of which the last one wins.",
            "A clock that jumps: waits are measured by a clock that never jumps, and times of day are only shown.",
            "Windows and macOS.",
        ),
    ),
    "invalid": Promise(
        "Nothing invalid is returned",
        judging.TRIALS,
        fixed=(
            "A mask took `exclusiveMinimum: true` and `exclusiveMaximum: true` of draft 4 for inclusive bounds where "
            "`multipleOf` or a bound with decimals stood beside it, and claimed to be exact. Strict forms wrote the "
            "boolean, which no provider takes, and merged it wrongly.",
            "A strict form gave an answer to a document with a key that its own schema has no place for.",
            "A strict form kept the null of a key that may be absent, where a keyword beside the type of its value, "
            "`propertyNames`, or a keyword that asks which keys are there (`dependentRequired`, `dependencies`, `not`, "
            "`if`) refuses the null: a document that complies came back as one that does not. So did a "
            "document without the key where `maxProperties` counts the keys. And 3 was no answer where an `enum` of "
            "values of several types lists 3.0.",
            "A mask of a list whose items must differ took each value that an `enum` or a `const` of the items names, "
            "also a value that another keyword refuses, such as `null` with `type: string`. So did a mask of the names "
            "of members (`propertyNames`). 1 and 1.0 were two values. The masks claimed to be exact.",
            "A mask took numbers beside a bound of more than 15 digits, which its engine rounds, and claimed to be "
            "exact. The mask moves such a bound inwards now, and the audit says so.",
            "A mask took 1.1 where a number has two bounds at one end (`exclusiveMinimum: 1` and `minimum: 1.3`) and a "
            "near bound at the other end, and claimed to be exact.",
            "An answer in strict form had a key that no `patternProperties` of the schema describe.",
            "A mask with a token limit was empty after a number with two digits of exponent, where the schema takes no "
            "number by a `not` that the mask leaves to validation.",
        ),
        beyond=(
            "Schemas of draft 2019-09 with `unevaluatedItems` or `unevaluatedProperties`, as our judge reads them: the "
            "package jsonschema 4.26 misreads both. Of draft 2020-12 they are tried.",
            "Schemas with `items: true` beside `additionalItems`, which this package fails on.",
            "Schemas with `$dynamicRef`, `$id` and formats; `tests/fuzz` has them, without a second judge.",
            "Pydantic reads `true` as 1 where a `Literal` holds 1. Our judge follows JSON Schema, and refuses it.",
            "A mask writes keys in one order and a number in one way: all orders and `3` for `3.0` are tried for it.",
        ),
    ),
    "different": Promise(
        "Nothing is silently different",
        (*reading.TRIALS, *repeating.TRIALS),
        beyond=("CSV that Python's strict reader refuses: each line of it is a row all the same, by `tests/tables`.",),
    ),
    "servers": Promise(
        "No server holds a run, fills its memory or takes its key",
        servers.TRIALS,
        beyond=("Servers behind TLS, and the clients of hosted providers (see `tests/models/providers`).",),
    ),
    "statistics": Promise(
        "Intervals and guarantees hold as often as they say",
        intervals.TRIALS,
        beyond=("Records that are drawn in another way than they are measured: no interval knows of it.",),
    ),
    "instructions": Promise(
        "A record cannot end its fence (and how often its instructions are followed)",
        injection.TRIALS,
        beyond=("A fence is a sentence that a model may ignore: it is no promise about what a model does.",),
    ),
    "soak": Promise(
        "Memory, handles and speed stay as they are",
        soak.TRIALS,
        beyond=(
            "Growth of less than 48 MB within a soak, such as a few bytes for each row: it passes as none.",
            "Memory of a GPU, the workers of Ray, PostgreSQL, object stores and the clients of hosted providers.",
            "Millions of rows in one journal: `python -m benchmarks.pipeline` measures them.",
        ),
    ),
}  # fmt: skip
