"""A run that stops early leaves the rows that are done, marked as partial, and the same command completes them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structout.tables.partial import Partial, mark_of, read_mark, write_mark
from tests.bolt import BOLT
from tests.conftest import Done, Shell, needs
from tests.pipeline.conftest import rows

STOP, ENOUGH = ["--budget-tokens", "1400"], ["--budget-tokens", "100000"]
FAILING = """
from structout.errors import ModelError
from tests.pipeline.conftest import bolt, number

class Model:
    name = "tiny"

    def complete(self, prompts):
        if any(number(prompt) == 5 for prompt in prompts):
            raise ModelError("the server is busy with 'secret'")
        return [bolt(prompt) for prompt in prompts]
"""


@pytest.fixture
def going(words: list[str], bolts: Callable[[int], Path], shell: Shell) -> Callable[..., Done]:
    """Runs 60 bolts to an output."""
    source = bolts(60)
    return lambda output, *more: shell("run", "-i", source, "-o", output, "--chunk", "5", *words, *more)


def test_a_stopped_run_leaves_its_rows_with_a_mark_and_the_same_command_completes_them(
    tmp_path: Path, going: Callable[..., Done], shell: Shell
) -> None:
    out, mark, rest = (tmp_path / f"out.jsonl{end}" for end in ("", ".partial", ".quarantine.jsonl"))
    stopped = going(out, *STOP)
    assert stopped.returncode == 3
    accepted, others = rows(out), rows(rest)
    done = len(accepted) + len(others)
    assert 0 < done < 60
    told = f"structout: {done} of 60 rows are done: {len(accepted)} in {out} and {len(others)} in {rest}, which are"
    assert f"{told} partial" in stopped.stderr
    found = json.loads(mark.read_text())
    assert (found["rows"], found["total"]) == (done, 60)
    assert "of 1,400 tokens are spent" in found["reason"]
    shown = " ".join(shell("status", f"{out}.journal").stdout.split())
    assert f"is partial: {done} of 60 rows are done" in shown
    warning = f"structout: {out} is partial: {done} of 60 rows are done"
    assert warning in shell("validate", out, "--schema", BOLT).stderr
    assert warning in shell("run", "-i", out, "-o", tmp_path / "next.jsonl", "--schema", BOLT, "--dry-run").stderr
    whole = going(out, *ENOUGH)
    assert whole.returncode == 1
    assert not mark.exists()
    assert len(rows(out)) + len(rows(rest)) == 60
    assert [row for row in rows(out) if row in accepted] == accepted
    assert "partial" not in shell("status", f"{out}.journal").stdout + shell("validate", out, "--schema", BOLT).stderr


def test_kept_columns_stand_beside_rows_that_an_earlier_run_has_done(
    tmp_path: Path, going: Callable[..., Done]
) -> None:
    out = tmp_path / "out.jsonl"
    assert going(out, *STOP, "--keep", "text").returncode == 3
    before = rows(out)
    assert before
    again = going(out, "--budget-tokens", "1401", "--keep", "text")  # stops at once, before it has read these rows
    assert again.returncode == 3
    assert rows(out) == before
    assert all(row["text"] for row in before)


def test_less_never_replaces_a_complete_output(tmp_path: Path, going: Callable[..., Done]) -> None:
    out = tmp_path / "out.jsonl"
    assert going(out, "--limit", "8").returncode == 1
    before = out.read_bytes()
    stopped = going(out, *STOP, "--journal", tmp_path / "other", "--no-cache")
    assert stopped.returncode == 3
    assert f"{out} is of an earlier run and was left as it was: the " in stopped.stderr
    assert out.read_bytes() == before
    assert not mark_of(str(out)).exists()
    out.unlink()
    left = (tmp_path / "out.jsonl.quarantine.jsonl").read_bytes()
    stopped = going(out, *STOP, "--journal", tmp_path / "other")
    assert "out.jsonl.quarantine.jsonl is of an earlier run and was left" in stopped.stderr
    assert (out.exists(), (tmp_path / "out.jsonl.quarantine.jsonl").read_bytes()) == (False, left)


def test_a_crash_leaves_no_partial_output_without_its_mark(tmp_path: Path, going: Callable[..., Done]) -> None:
    out = tmp_path / "out.jsonl"
    going(out, *STOP)
    part = out.read_bytes()
    out.unlink()  # as if the run had been killed after it wrote the mark
    assert going(out, *STOP).returncode == 3
    assert out.read_bytes() == part
    assert going(out).returncode == 1
    whole = out.read_bytes()
    write_mark(str(out), Partial(3, 60, "x", ""))  # as if the run had been killed before it removed the mark
    assert going(out).returncode == 1
    assert (out.read_bytes(), mark_of(str(out)).exists()) == (whole, False)


def test_a_stream_takes_no_partial_output(tmp_path: Path, going: Callable[..., Done]) -> None:
    beside = ["--journal", tmp_path / "j", "--quarantine", tmp_path / "q.jsonl"]
    stopped = going("-", *STOP, *beside)
    assert (stopped.returncode, stopped.stdout) == (3, "")
    assert "stdout takes no partial output: the " in stopped.stderr
    assert not (tmp_path / "q.jsonl").exists()
    (tmp_path / "null.jsonl").symlink_to("/dev/null")
    assert f"{tmp_path / 'null.jsonl'} takes no partial" in going(tmp_path / "null.jsonl", *STOP, *beside).stderr


@needs("duckdb")
def test_a_table_of_a_database_is_marked_like_a_file(tmp_path: Path, going: Callable[..., Done], shell: Shell) -> None:
    import duckdb

    file = tmp_path / "x.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute("CREATE TABLE other AS SELECT 1 AS a")
    stopped = going(f"{file}#parts", *STOP)
    assert stopped.returncode == 3, stopped.stderr
    mark = tmp_path / "x.duckdb.parts.partial"
    with duckdb.connect(str(file)) as database:
        (count,) = database.execute("SELECT count(*) FROM parts").fetchone() or (0,)
    assert 0 < count <= json.loads(mark.read_text())["rows"] < 60
    assert "is partial" in shell("validate", f"{file}#parts", "--schema", BOLT).stderr
    assert "is partial" not in shell("validate", f"{file}#other", "--schema", BOLT).stderr
    assert "is of an earlier run" in going(f"{file}#other", *STOP, "--journal", tmp_path / "j").stderr
    assert going(f"{file}#parts").returncode == 1
    assert not mark.exists()


def test_rows_on_which_the_model_fails_make_the_output_partial(tmp_path: Path, going: Callable[..., Done]) -> None:
    out, mark = tmp_path / "out.jsonl", tmp_path / "out.jsonl.partial"
    (tmp_path / "failing.py").write_text(FAILING)
    model = ["--model", f"py:{tmp_path / 'failing.py'}:Model"]
    failed = going(out, *model)
    assert failed.returncode == 3
    assert f"{out} and {out}.quarantine.jsonl are partial until then" in failed.stderr
    found = json.loads(mark.read_text())
    assert (found["rows"], found["reason"]) == (59, "the model failed on 1")  # and no word of the server
    (tmp_path / "failing.py").write_text(FAILING.replace("== 5", "== -1"))
    assert (going(out, *model).returncode, mark.exists()) == (1, False)
    whole = out.read_bytes()
    (tmp_path / "failing.py").write_text(FAILING)
    failed = going(out, *model, "--journal", tmp_path / "other")
    assert failed.returncode == 3
    assert f"60 rows in = 51 to {out} + 9 to " in failed.stderr, "a row that always fails does not keep back the others"
    assert (len(rows(out)), mark.exists()) == (len(whole.splitlines()) - 1, True)


def test_nothing_is_written_where_no_row_is_done(tmp_path: Path, going: Callable[..., Done]) -> None:
    (tmp_path / "failing.py").write_text(FAILING.replace("== 5", "> 0"))
    stopped = going(tmp_path / "out.jsonl", "--model", f"py:{tmp_path / 'failing.py'}:Model")
    assert stopped.returncode == 3
    assert "no row is done" in stopped.stderr
    assert not list(tmp_path.glob("out.jsonl*.partial")) + list(tmp_path.glob("*.quarantine.jsonl"))


@given(st.binary(max_size=80) | st.sampled_from([b'{"rows": 5}', b'{"rows":1,"total":"x","reason":"","time":""}']))
def test_a_damaged_mark_is_a_mark(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    mark = tmp_path_factory.mktemp("marks") / "out.jsonl.partial"
    mark.write_bytes(data)
    found = read_mark(mark)
    assert found is not None
    assert found.rows == -1
    assert "cannot be read" in str(found)
