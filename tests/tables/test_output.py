import csv
import errno
import gzip
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_serializer

from structout import DataError, OutputError, Schema, SpecError
from structout.document import Json
from structout.tables.arrow import columns_of
from structout.tables.output import check_distinct, check_field_names, check_target, writing
from structout.tables.whole_file import replacing
from tests.conftest import ROOT


class Inner(BaseModel):
    size: float


class Wide(BaseModel):
    name: str
    kind: Literal["a", "b"] | None = None
    count: int = 0
    on: bool = False
    day: date | None = None
    at: datetime | None = None
    inner: Inner | None = None
    many: list[Inner] = []
    tags: list[str] = []
    free: dict[str, Any] = {}
    either: int | str = 0
    price: Decimal = Decimal(0)


SCHEMA = Schema.of(Wide)
FULL = SCHEMA.dump(
    Wide(
        name="ä, \"b\"", kind="a", count=3, on=True, day=date(2026, 1, 2), at=datetime(2026, 1, 2, 3, tzinfo=UTC),
        inner=Inner(size=1.5), many=[Inner(size=2)], tags=["x", "y"], free={"k": [1]}, either="z", price=Decimal("1.5"),
    )
)  # fmt: skip
BESIDE = {"_key": 7, "_status": "valid", "_edits": [], "_strategy": "s", "_attempts": 1, "_tokens": 2, "_cost": None}


def write(target: Path | str, rows: list[Json], schema: Schema[Any] = SCHEMA, *, bare: bool = False) -> None:
    with writing(str(target), schema, bare=bare) as one:
        for row in rows:
            one(row, dict(BESIDE))


def test_columns_are_typed_by_the_schema() -> None:
    types = {name: column.type for name, column in columns_of(SCHEMA).items()}
    inner = pa.struct([("size", pa.float64())])
    assert types == {
        "name": pa.string(), "kind": pa.string(), "count": pa.int64(), "on": pa.bool_(), "day": pa.date32(),
        "at": pa.timestamp("us", tz="UTC"), "inner": inner, "many": pa.list_(inner), "tags": pa.list_(pa.string()),
        "free": pa.string(), "either": pa.string(), "price": pa.string(),
    }  # fmt: skip
    assert list(columns_of(Schema.of(list[int]))) == ["value"]


def test_parquet_and_duckdb_hold_typed_values(tmp_path: Path) -> None:
    write(tmp_path / "o.parquet", [FULL, SCHEMA.dump(Wide(name="n"))])
    first, second = pq.read_table(tmp_path / "o.parquet").to_pylist()
    assert (first["day"], first["at"]) == (date(2026, 1, 2), datetime(2026, 1, 2, 3, tzinfo=UTC))
    assert (first["many"], first["inner"], first["either"]) == ([{"size": 2.0}], {"size": 1.5}, '"z"')
    assert (first["_key"], first["_tokens"], first["_cost"]) == ("7", 2, None)
    assert (second["kind"], second["inner"], second["tags"]) == (None, None, [])
    write(f"{tmp_path / 'd.duckdb'}#o", [FULL])
    write(f"{tmp_path / 'd.duckdb'}#o", [FULL, FULL], bare=True)
    with duckdb.connect(str(tmp_path / "d.duckdb")) as database:
        assert database.execute('SELECT "inner".size, day FROM o').fetchall() == [(1.5, date(2026, 1, 2))] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.duckdb", "o.parquet"]


def test_jsonl_and_csv(tmp_path: Path) -> None:
    write(tmp_path / "o.jsonl.gz", [FULL], bare=True)
    with gzip.open(tmp_path / "o.jsonl.gz", "rt", encoding="utf-8") as stream:
        assert json.loads(stream.read()) == FULL
    packed = (tmp_path / "o.jsonl.gz").read_bytes()
    write(tmp_path / "o.jsonl.gz", [FULL], bare=True)
    assert (tmp_path / "o.jsonl.gz").read_bytes() == packed
    write(tmp_path / "o.csv", [FULL])
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["name"], row["count"], row["on"], row["many"]) == ('ä, "b"', "3", "true", '[{"size": 2.0}]')
    assert (row["_key"], row["_cost"]) == ("7", "")
    write(tmp_path / "list.jsonl", [[1, 2]], Schema.of(list[int]), bare=True)
    assert json.loads((tmp_path / "list.jsonl").read_text()) == {"value": [1, 2]}


def read(target: Path) -> list[dict[str, Any]]:
    """The rows of a table, JSON text in them read."""
    if target.suffix == ".csv":
        with target.open(encoding="utf-8", newline="") as stream:
            found: list[dict[str, Any]] = list(csv.DictReader(stream))
    elif target.suffix == ".parquet":
        found = pq.read_table(target).to_pylist()
    else:
        with duckdb.connect(str(target)) as database:
            rows = database.execute("SELECT * FROM t")
            names = [column[0] for column in rows.description or []]
            found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return [{name: parsed(cell) for name, cell in row.items()} for row in found]


def parsed(cell: Any) -> Any:
    try:
        return json.loads(cell)
    except (TypeError, ValueError):
        return cell


class Tree(BaseModel):
    name: str
    parts: list["Tree"] = []


EITHER = {"oneOf": [{"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]} for name in "ab"]}


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.duckdb"])
def test_a_record_of_any_form_is_whole_in_a_table(tmp_path: Path, name: str) -> None:
    target = f"{tmp_path / name}#t" if name.endswith(".duckdb") else tmp_path / name
    cases: list[tuple[Any, Json]] = [
        (EITHER, {"a": 1}),
        ({"anyOf": EITHER["oneOf"]}, {"b": 2}),
        (dict[str, int], {"x": 1, "y": 2}),
        (dict[str, int], {"value": 1}),
        (list[int], [1, 2]),
        (int, 5),
    ]
    for schema, record in cases:
        write(target, [record], Schema.of(schema))
        (row,) = read(tmp_path / name)
        assert row["value"] == record
        assert str(row["_key"]) == "7"
    write(target, [{"name": "a", "parts": [{"name": "b", "parts": []}]}], Schema.of(Tree), bare=True)
    (row,) = read(tmp_path / name)
    assert (row["name"], row["parts"][0]["name"]) == ("a", "b")
    write(target, [{"value": 1}], Schema.of({"type": "object", "properties": {"value": {}}}), bare=True)
    assert read(tmp_path / name)[0]["value"] == 1


class Renamed(BaseModel):
    model_config = ConfigDict(extra="allow")

    n: int = Field(serialization_alias="number")

    price: Decimal = Decimal("1.50")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return 2 * self.n

    @field_serializer("n")
    def roman(self, n: int) -> str:
        return "I" * n


@pytest.mark.parametrize("name", ["o.csv", "o.parquet", "o.duckdb"])
def test_fields_without_a_column_of_their_own_are_kept(tmp_path: Path, name: str) -> None:
    target = f"{tmp_path / name}#t" if name.endswith(".duckdb") else tmp_path / name
    inner = {"type": "object", "properties": {"x": {"type": "integer"}}}
    loose = Schema.of({"type": "object", "properties": {"n": {"type": "integer"}, "inner": inner}})
    write(target, [{"n": 1, "colour": "red", "inner": {"x": 2, "y": 3}, "_key": 9}, {"n": 2}], loose)
    first, second = read(tmp_path / name)
    assert (first["_more"], second["_more"] or None) == ({"colour": "red", "_key": 9}, None)
    kept = first["inner"]
    assert (kept if name == "o.csv" else kept | json.loads(kept.pop("_more"))) == {"x": 2, "y": 3}
    schema = Schema.of(Renamed)
    write(target, [schema.dump(Renamed.model_validate({"n": 1, "other": 2}))], schema.serialization())
    (row,) = read(tmp_path / name)
    assert (row["number"], row["double"], row["price"], row["_more"]) == ("I", 2, 1.5, {"other": 2})
    write(target, [{"name": "n"}])
    assert "_more" not in read(tmp_path / name)[0]


def test_a_field_with_a_name_of_the_outputs_own_is_refused_first() -> None:
    named = {name: Schema.of({"type": "object", "properties": {name: {}}}) for name in ("_key", "_status", "_more")}
    for target in ("-", "o.jsonl", "o.csv", "o.parquet", "d.duckdb#t"):
        for name in ("_key", "_status"):
            with pytest.raises(SpecError, match=f"field '{name}'.*--bare"):
                check_field_names(target, named[name])
            check_field_names(target, named[name], bare=True)
        check_field_names(target, SCHEMA)
    with pytest.raises(SpecError, match="field '_key'"):
        check_field_names("o.jsonl", Schema.of({"oneOf": [{"type": "object", "properties": {"_key": {}}}, False]}))
    with pytest.raises(SpecError, match=r"field '_more'.*JSONL"):
        check_field_names("o.csv", named["_more"], bare=True)
    check_field_names("o.jsonl", named["_more"])


def test_a_record_that_would_overwrite_how_it_came_about_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="its own field '_key'"):
        write(tmp_path / "o.jsonl", [{"_key": 1}], Schema.of(dict[str, int]))
    write(tmp_path / "o.jsonl", [{"_key": 1}], Schema.of(dict[str, int]), bare=True)
    assert json.loads((tmp_path / "o.jsonl").read_text()) == {"_key": 1}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (int, 10**20),
        (float, 2**53 + 1),
        ({"type": "string", "format": "date-time"}, "2026-12-31T23:59:60Z"),
        (str, "\ud800"),
        (list[int], [1, 2**63]),
    ],
)
def test_what_a_typed_column_cannot_hold_is_said_before_the_row_is_written(
    tmp_path: Path, schema: Any, value: Any
) -> None:
    contract = Schema.of({"type": "object", "properties": {"v": Schema.of(schema).json_schema}})
    with writing(str(tmp_path / "o.parquet"), contract) as one:
        one({"v": None}, dict(BESIDE))
        with pytest.raises(DataError, match="typed column 'v' cannot hold"):
            one({"v": value}, dict(BESIDE))
    assert [row["v"] for row in read(tmp_path / "o.parquet")] == [None]


def test_a_value_that_no_column_holds_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "o.parquet").write_text("old")
    with pytest.raises(DataError, match="typed column"):
        write(tmp_path / "o.parquet", [{"name": "n", "count": 2**70}])
    assert (tmp_path / "o.parquet").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_nothing_appears_unless_all_went_well(tmp_path: Path) -> None:
    def fail() -> None:
        with replacing(tmp_path / "o.jsonl") as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_only_its_own_failures_are_the_files(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), replacing(tmp_path / "o.jsonl"):
        raise BrokenPipeError  # of another file that is written meanwhile
    with pytest.raises(OutputError, match=r"cannot write .*o\.jsonl: File too large"), small_files():
        write(tmp_path / "o.jsonl", [FULL] * 100)
    with pytest.raises(OutputError, match="Not a directory"), replacing(Path(__file__) / "o.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with replacing(tmp_path / "pipe", keep=False):
        pass  # whoever only asks whether it can be written waits for no reader
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with replacing(tmp_path / "pipe") as stream:
        stream.write(b"line")
    assert (os.read(reader, 99), (tmp_path / "pipe").is_fifo()) == (b"line", True)
    os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]
    check_distinct({"--quarantine": os.devnull, "--metrics": os.devnull})


@contextmanager
def small_files() -> Iterator[None]:
    """Files of this process take 10 kB, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_that_are_one_by_whatever_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "in.jsonl")
    place, other = str(tmp_path / "in.jsonl"), f"{tmp_path}/../{tmp_path.name}/in.jsonl"
    for same in (place, other, str(tmp_path / "linked.jsonl"), os.path.relpath(place)):
        with pytest.raises(SpecError, match="INPUT and --output are the same file"):
            check_distinct({"INPUT": place, "--quarantine": None, "--output": same})
    with pytest.raises(SpecError):
        check_distinct({"--output": f"{tmp_path}/d.duckdb#t", "--journal": f"{tmp_path}/d.duckdb"})
    with pytest.raises(SpecError):
        check_distinct({"INPUT": "d.duckdb#t", "--output": "./d.duckdb#t"})
    check_distinct({"INPUT": "d.duckdb#t", "--output": "d.duckdb#u", "--journal": "d.duckdb.u.journal"})
    check_distinct({"INPUT": "-", "--output": "-", "--quarantine": place})


def test_where_nothing_can_be_written_is_found_out_first(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot write"):
        check_target(str(tmp_path / "no" / "o.jsonl"))
    with pytest.raises(SpecError):
        check_target("/proc/o.jsonl")
    with pytest.raises(SpecError):
        check_target(str(tmp_path / "o.xls"))
    (tmp_path / "o.jsonl").mkdir()
    with pytest.raises(SpecError, match="may not be written"):
        check_target(str(tmp_path / "o.jsonl"))
    check_target(str(tmp_path / "o.csv"))
    assert os.listdir(tmp_path) == ["o.jsonl"]


@pytest.mark.parametrize("name", ["o.csv", "o.tsv.gz", "o.parquet", "o.duckdb#t"])
def test_a_table_says_what_has_no_form_in_utf_8_and_jsonl_holds_it(tmp_path: Path, name: str) -> None:
    target, any_object = f"{tmp_path / name}", Schema.of({"properties": {"a": {"type": "string"}}})
    with writing(target, any_object) as one:
        for text, key in (("\ud800", "k"), ("x", "\ud800")):
            with pytest.raises(DataError, match="cannot hold"):
                one({"a": text}, {**BESIDE, "_key": key})
        one({"a": "x\x9b\u202e##[y]"}, {**BESIDE, "_key": "k"})
    write(tmp_path / "o.jsonl", [{"a\ud800": "x\x9b\u202e##[y]"}], any_object, bare=True)
    (line,) = (tmp_path / "o.jsonl").read_bytes().decode().splitlines()
    assert json.loads(line) == {"a\ud800": "x\x9b\u202e##[y]"}


def test_a_database_that_is_not_utf_8_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    for target in (f"{tmp_path}/d.duckdb#\udcff", f"{tmp_path}/\udcff.duckdb#t"):
        with pytest.raises(SpecError, match="not UTF-8"):
            check_target(target)


def test_a_write_that_fails_only_as_the_file_is_closed_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="cannot write /dev/null"), replacing("/dev/null") as stream:
        os.close(stream.fileno())


def test_the_name_of_a_file_is_synced_as_well_as_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[str, bool]] = []

    def fsync(number: int) -> None:
        synced.append((os.readlink(f"/proc/self/fd/{number}"), (tmp_path / "o").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(tmp_path / "o") as stream:
        stream.write(b"x")
    assert synced == [(f"{tmp_path}/.o.{os.getpid()}.part", False), (str(tmp_path), True)]


@pytest.mark.parametrize(("code", "passes"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_file_system_that_syncs_no_folder_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, passes: bool
) -> None:
    def fsync(number: int) -> None:
        if os.readlink(f"/proc/self/fd/{number}") == str(tmp_path):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with nullcontext() if passes else pytest.raises(OutputError, match="Input/output"), replacing(tmp_path / "o"):
        pass
    assert (tmp_path / "o").exists()


def test_a_process_that_is_killed_while_it_makes_a_database_leaves_no_part_of_it(tmp_path: Path) -> None:
    program = """if True:
        import os, sys, duckdb
        from structout import Schema
        from structout.tables.output import writing
        made = duckdb.connect
        def connect(name):
            with open(name, "wb") as stream:
                stream.write(b"DUCK" * 1000)
            os._exit(7)
        duckdb.connect = connect
        with writing(sys.argv[1], Schema.of({"type": "object"}), bare=True) as write:
            write({"a": 1}, {})
    """
    target = f"{tmp_path}/d.duckdb#t"
    done = subprocess.run([sys.executable, "-c", program, target], cwd=ROOT, check=False)
    assert (done.returncode, (tmp_path / "d.duckdb").exists()) == (7, False)
    assert len(list(tmp_path.iterdir())) > 1
    with writing(target, Schema.of({"type": "object"}), bare=True) as write:
        write({"a": 1}, {})
    assert [one.name for one in tmp_path.iterdir()] == ["d.duckdb"]
