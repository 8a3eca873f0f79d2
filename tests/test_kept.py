"""docs/kept.md names every file that structout writes, and says what it keeps."""

import re

import pytest

from structout.cli.commands import app
from tests.conftest import ROOT

PAGE = (ROOT / "docs/kept.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## To forget a row")[0]

# What writes a file, and the row of the table that says what the file keeps.
WRITERS = {
    "cli/certify.py": "recommended `.strategy`",
    "cli/console.py": "metrics",
    "cli/label.py": "labels",
    "cli/recommend.py": "recommended `.strategy`",
    "cli/starter.py": "folder of `structout init`",
    "gate/outputs.py": "documents of the gate",
    "evaluation/forgetting.py": "bench log",
    "evaluation/log.py": "bench log",
    "evaluation/mistakes.py": "values that are not right",
    "evaluation/reporting/index.py": "index of reports",
    "evaluation/reporting/figures.py": "figures",
    "evaluation/reporting/page.py": "HTML report",
    "evaluation/reporting/trend.py": "history of runs",
    "finetuning/curve.py": "figures",
    "finetuning/dpo.py": "folder of a fine-tuned model",
    "finetuning/finetuner.py": "folder of a fine-tuned model",
    "finetuning/members.py": "recommended `.strategy`",
    "finetuning/supervised.py": "unfinished training",
    "gate/reports.py": "gate reports",
    "models/embedded.py": "cache",
    "models/tuning.py": "folder of a fine-tuned model",
    "pipeline/journal/database.py": "journal",
    "pipeline/run.py": "quarantine",
    "pipeline/status.py": "state of a run",
    "tables/kept_rows.py": "output",
    "tables/lock.py": "`.NAME.lock`",
    "tables/output.py": "output",
    "tables/partial.py": "mark of a partial output",
    "tables/streams.py": "output",
    "tables/whole_file.py": "output",
    "verifiers/learned.py": "head of a verifier",
}
WRITES = re.compile(
    r"""\breplacing\(|\.write_text\(|\.write_bytes\(|\.open\("[awx]|\bopen\([^)\n]*"[awx]b?"|"wb"|\.savefig\("""
    r"|\.save_pretrained|\bsave_file\(|\bos\.replace\(|\bO_CREAT\b"
)


def test_every_module_that_writes_a_file_has_its_row() -> None:
    found = {
        file.relative_to(ROOT / "structout").as_posix()
        for file in (ROOT / "structout").rglob("*.py")
        if WRITES.search(file.read_text(encoding="utf-8"))
    }
    assert found == set(WRITERS)


@pytest.mark.parametrize("row", sorted(set(WRITERS.values())))
def test_each_row_is_in_the_table(row: str) -> None:
    assert re.search(rf"^\| {re.escape(row)}\b", TABLE, re.MULTILINE) or f"| {row}" in TABLE


def test_every_command_that_writes_is_named() -> None:
    named = {one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands}
    silent = {"extract", "preview", "repair", "audit", "forget", "status", "doctor"}  # they write to stdout, or remove
    assert {name for name in named - silent if f"`{name}`" not in TABLE} == set()


def test_the_pages_that_promise_link_to_it() -> None:
    for page in ("README.md", "SECURITY.md"):
        assert "(docs/kept.md)" in (ROOT / page).read_text(encoding="utf-8")
