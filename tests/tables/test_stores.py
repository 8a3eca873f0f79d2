"""Files in object stores, on a server of S3 on this machine."""

import gzip
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from structout import DataError, MissingExtraError, OutputError, Schema, SpecError
from structout.tables import objects
from structout.tables.documents import read_documents
from structout.tables.output import check_distinct, check_target, is_there, writing
from structout.tables.place import Place, places
from structout.tables.rows import count_rows, read_rows
from tests.conftest import ROOT, Shell
from tests.pipeline.conftest import asked, rows, words

if MISSING := [one for one in ("boto3", "moto", "obstore") if find_spec(one) is None]:
    told = f"the server of S3 is missing: install {', '.join(MISSING)}"
    if os.environ.get("CI"):
        raise RuntimeError(told)
    pytest.skip(told, allow_module_level=True)

WORDS = Schema.of({"properties": {"text": {"type": "string"}}, "required": ["text"]})
__all__ = ["words"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    """A bucket, as its owner sees it."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def put(self, key: str, content: str | bytes, **more: Any) -> None:
        self.client.put_object(Bucket="shop", Key=key, Body=content, **more)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket="shop", Key=key)["Body"].read()
        return data

    @property
    def keys(self) -> list[str]:
        return [one["Key"] for one in self.client.list_objects_v2(Bucket="shop").get("Contents", [])]

    @property
    def unfinished(self) -> list[str]:
        return [one["Key"] for one in self.client.list_multipart_uploads(Bucket="shop").get("Uploads", [])]


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    import boto3

    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-told",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="shop")
    return Bucket(client)


def texts(source: str | list[str]) -> list[Any]:
    return [row.wrong or row.text for row in read_rows(source)]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz", ".zst"])
def test_every_format_comes_back_as_it_was_written(bucket: Bucket, suffix: str, packing: str) -> None:
    target = f"s3://shop/out/x.{suffix}{packing}"
    if (suffix, packing) == ("parquet", packing) and packing:
        with pytest.raises(SpecError, match="Parquet compresses itself"):
            check_target(target)
        return
    written = [f"Räder {number}" for number in range(3000)]
    check_target(target)
    assert bucket.keys == []
    with writing(target, WORDS, bare=True) as write:
        for word in written:
            write({"text": word}, {})
        assert bucket.keys == []
    assert texts(target) == written
    assert [json.loads(one.text)["text"] if one.data else one.parsed["text"] for one in documents(target)] == written
    assert count_rows(target) == (3000 if suffix == "parquet" else None)  # counting other files would fetch them twice


def keys(output: str) -> list[Any]:
    """The keys of the rows in an output of a run."""
    return [row.text for row in read_rows(output, text="_key")]


def documents(source: str) -> list[Any]:
    return list(read_documents(source, WORDS))


@pytest.mark.parametrize(
    "key", ["a b.jsonl", "ü/数.jsonl", "a#1.jsonl", "50%.jsonl", "a%20b.jsonl", "why?.jsonl", "[a]*.jsonl"]
)
def test_a_key_is_taken_as_it_is(bucket: Bucket, key: str) -> None:
    with writing(f"s3://shop/{key}", WORDS, bare=True) as write:
        write({"text": key}, {})
    assert bucket.keys == [key]
    assert texts(f"s3://shop/{key}") == [key]
    assert texts("s3://shop") == [key]


@pytest.mark.parametrize(
    "name", ["s3://shop/a//b.jsonl", "s3://shop/../b.jsonl", "s3:///b.jsonl", "s3://shop//b.jsonl"]
)
def test_a_key_that_stores_read_differently_is_refused(bucket: Bucket, name: str) -> None:
    for use in (lambda: check_target(name), lambda: texts(name)):
        with pytest.raises(SpecError, match="invalid name s3://"):
            use()


def test_folders_and_patterns_are_read_as_on_a_disk(bucket: Bucket) -> None:
    with writing("s3://shop/in/year=2026/month=a%2Fb/1.parquet", WORDS, bare=True) as write:
        write({"text": "1"}, {})
    bucket.put("in/year=2025/2.csv.gz", gzip.compress(b"text\n2\n"))
    bucket.put("in/year=2025/_SUCCESS", b"")
    bucket.put("in/_old/3.jsonl", '{"text": "3"}')
    bucket.put("in/.hidden/3.jsonl", '{"text": "3"}')
    bucket.put("in/read.me", "hello")
    bucket.put("in/", b"")
    bucket.put("inner/4.jsonl", '{"text": "4"}')
    for folder in ("s3://shop/in", "s3://shop/in/"):
        found = list(read_rows(folder))
        assert [row.record for row in found] == [
            {"year": "2025", "text": "2"},
            {"year": "2026", "month": "a/b", "text": "1", "_more": None},
        ]
    assert texts("s3://shop/") == ["2", "1", "4"]
    for pattern, names in {
        "*/*.jsonl": ["inner/4.jsonl"],
        "in/**/*.parquet": ["in/year=2026/month=a%2Fb/1.parquet"],
        "in/year=202[0-5]/*": ["in/year=2025/2.csv.gz", "in/year=2025/_SUCCESS"],
        "in*/?.jsonl": ["inner/4.jsonl"],
    }.items():
        assert [one.name for one in places(f"s3://shop/{pattern}")] == [f"s3://shop/{one}" for one in names]
    for nothing, said in {
        "none/": "holds no objects",
        "in/*.csv": "no object matches",
        "none.jsonl": "the object does not exist",
    }.items():
        with pytest.raises(DataError, match=said):
            texts(f"s3://shop/{nothing}")


def test_an_object_is_read_in_pieces_of_one_version(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_PIECE", 1 << 16)
    lines = "".join(f'{{"text": "{number}"}}\n' for number in range(20_000))
    bucket.put("in.jsonl", lines)
    assert texts("s3://shop/in.jsonl") == [str(number) for number in range(20_000)]
    found = read_rows("s3://shop/in.jsonl")
    assert next(found).text == "0"
    bucket.put("in.jsonl", lines.replace("1", "2"))
    with pytest.raises(DataError, match=r"s3://shop/in\.jsonl: it changed while it was read"):
        list(found)
    assert texts("s3://shop/in.jsonl")[1] == "2"


def test_what_is_stored_as_gzip_is_unpacked_once(bucket: Bucket) -> None:
    data = gzip.compress(b'{"text": "a"}\n')
    for key, encoding, found in (("a.jsonl", "gzip", ["a"]), ("b.jsonl.gz", "gzip", ["a"]), ("c.jsonl.gz", "", ["a"])):
        bucket.put(key, data, **({"ContentEncoding": encoding} if encoding else {}))
        assert texts(f"s3://shop/{key}") == found
    bucket.put("d.jsonl", data, ContentEncoding="br")
    bucket.put("empty.jsonl", b"")
    assert texts("s3://shop/empty.jsonl") == []
    with pytest.raises(DataError, match="unknown content encoding 'br'"):
        texts("s3://shop/d.jsonl")


def test_a_check_of_a_target_shows_nothing_to_readers(bucket: Bucket) -> None:
    bucket.put("old.jsonl", "old")
    for key in ("old.jsonl", "new.parquet"):
        check_target(f"s3://shop/{key}")
    assert (bucket.keys, bucket.get("old.jsonl"), bucket.unfinished) == (["old.jsonl"], b"old", [])


def test_a_fault_of_a_store_is_told_in_a_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bucket.put("in.jsonl", '{"text": "a"}')
    with pytest.raises(SpecError, match=r"cannot write s3://none/x\.jsonl: the bucket does not exist"):
        check_target("s3://none/x.jsonl")
    with pytest.raises(DataError, match=r"cannot read s3://none/x\.jsonl: the bucket does not exist"):
        texts("s3://none/x.jsonl")
    with pytest.raises(SpecError, match=r"a database is a file of this machine"):
        check_target("s3://shop/x.duckdb#t")
    for query in ("s3://shop/x.duckdb#t", "s3://shop/x.sql"):
        with pytest.raises(SpecError, match="databases and queries are read on this machine"):
            texts(query)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(OutputError, match="the server cannot be reached"):
        check_target("s3://shop/x.jsonl")
    with pytest.raises(DataError, match="the server cannot be reached"):
        texts("s3://shop/in.jsonl")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(SpecError, match=r"no credentials were found \(set AWS_ACCESS_KEY_ID"):
        check_target("s3://shop/x.jsonl")
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(SpecError, match="cannot use the profile of AWS"):
        check_target("s3://shop/x.jsonl")
    monkeypatch.setitem(sys.modules, "obstore", None)
    for use in (lambda: check_target("s3://shop/x.jsonl"), lambda: texts("s3://shop/in.jsonl")):
        with pytest.raises(MissingExtraError, match=r"structout\[stores\]"):
            use()


def test_a_rejected_key_is_told_before_anything_is_asked(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto import settings
    from moto.core.responses import ActionAuthenticatorMixin

    bucket.put("in.jsonl", '{"text": "a"}')
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
    monkeypatch.setattr(ActionAuthenticatorMixin, "request_count", 0)
    denied = r"s3://shop/.*: access is denied \(403 Forbidden InvalidAccessKeyId\)"
    with pytest.raises(SpecError, match=f"cannot write {denied}"):
        check_target("s3://shop/x.jsonl")
    with pytest.raises(DataError, match=f"cannot read {denied}") as raised:
        texts("s3://shop/in.jsonl")
    assert "not-to-be-told" not in str(raised.value)
    with pytest.raises(DataError, match="access is denied"):
        texts("s3://shop/")


def test_a_profile_is_read_by_boto3(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("[work]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_PROFILE", "work")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    check_target("s3://shop/x.jsonl")
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "obstore.auth.boto3", raising=False)
    with pytest.raises(SpecError, match="AWS_PROFILE needs the package 'boto3'"):
        check_target("s3://shop/x.jsonl")


def test_no_output_replaces_an_input(bucket: Bucket) -> None:
    with pytest.raises(SpecError, match="are the same file"):
        check_distinct({"INPUT": "s3://shop/a.jsonl", "--output": "S3://shop/a.jsonl"})
    check_distinct({"INPUT": "s3://shop/a.jsonl", "--output": "s3://other/a.jsonl", "--journal": "a.jsonl"})
    query = "sql:SELECT * FROM 's3://shop/a.parquet'"
    with pytest.raises(SpecError, match="the query may read the file of --output"):
        check_distinct({"INPUT": query, "--output": "s3://shop/a.parquet"})
    check_distinct({"INPUT": query, "--output": "s3://other/a.parquet"})


def test_a_block_that_fails_leaves_the_old_object(bucket: Bucket) -> None:
    bucket.put("out.jsonl", "old")
    line = "x" * 2**20

    def fail(lines: int) -> None:
        with writing("s3://shop/out.jsonl", WORDS, bare=True) as write:
            for _ in range(lines):
                write({"text": line}, {})
            raise KeyError("on purpose")

    for lines in (1, 20):  # more than a part of an upload
        with pytest.raises(KeyError):
            fail(lines)
        assert (bucket.get("out.jsonl"), bucket.unfinished) == (b"old", [])


KILLED = """
import sys
from structout.tables.objects import uploading
from structout.tables.place import Place

with uploading(Place.of("s3://shop/out.jsonl")) as stream:
    for _ in range(40):
        stream.write(b"x" * 2**20)
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_killed_upload_leaves_the_old_object_whole(bucket: Bucket) -> None:
    bucket.put("out.jsonl", "old")
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert (bucket.keys, bucket.get("out.jsonl"), bucket.unfinished) == (["out.jsonl"], b"old", ["out.jsonl"])
    with writing("s3://shop/out.jsonl", WORDS, bare=True) as write:
        write({"text": "new"}, {})
    assert texts("s3://shop/out.jsonl") == ["new"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run, in which its journal is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(ROOT)
    return tmp_path


def bolts(count: int) -> str:
    return "".join(json.dumps({"id": f"k{n}", "text": f"{n} mm bolt"}) + "\n" for n in range(1, count + 1))


@pytest.mark.parametrize("suffix", ["jsonl.zst", "parquet"])
def test_a_run_from_a_bucket_into_a_bucket(
    words: list[str], here: Path, bucket: Bucket, shell: Shell, suffix: str
) -> None:
    bucket.put("in/bolts.jsonl.gz", gzip.compress(bolts(50).encode()))
    output = f"s3://shop/out/bolts.{suffix}"
    command = ["run", "s3://shop/in/", "-o", output, *words]
    for _ in range(2):  # the second run asks for nothing, and writes the same again
        done = shell(*command)
        assert (
            done.returncode,
            f"50 rows in = 43 to {output} + 7 to bolts.{suffix}.quarantine.jsonl" in done.stderr,
        ) == (1, True)
        assert keys(output) == [f"k{n}" for n in range(1, 51) if n % 7]
        assert len(rows(here / f"bolts.{suffix}.quarantine.jsonl")) == 7
        assert len(asked(here)) == 50
    assert bucket.keys == ["in/bolts.jsonl.gz", f"out/bolts.{suffix}"]
    assert json.loads((here / f"bolts.{suffix}.journal.status").read_text())["output"] == output
    checked = shell("validate", output, "--schema", words[1], "--output", "s3://shop/checked.jsonl")
    assert (checked.returncode, bucket.get("checked.jsonl").count(b"\n")) == (0, 43)
    refused = shell("forget", f"bolts.{suffix}.journal", "--key", "k1", "--output", output)
    assert (refused.returncode, "cannot remove rows from s3://" in refused.stderr) == (2, True)
    forgotten = shell("forget", f"bolts.{suffix}.journal", "--key", "k1")
    assert (forgotten.returncode, "the output is not beside the journal" in forgotten.stderr) == (0, True)
    assert shell(*command).returncode == 1
    assert "k1" not in keys(output)


def test_what_stays_on_this_machine_is_refused_elsewhere(
    words: list[str], here: Path, bucket: Bucket, shell: Shell
) -> None:
    bucket.put("in.jsonl", bolts(1))
    command = ["run", "s3://shop/in.jsonl", *words]
    for option in ("--quarantine", "--journal", "--metrics"):
        done = shell(*command, "-o", "s3://shop/out.jsonl", option, "s3://shop/x")
        assert (done.returncode, f"invalid {option}: got s3://shop/x" in done.stderr) == (2, True)
    for target, said in (
        ("s3://none/out.jsonl", "the bucket does not exist"),
        ("https://127.0.0.1/x.jsonl", "at a web server"),
    ):
        done = shell(*command, "-o", target)
        assert (done.returncode, said in done.stderr) == (2, True)
    assert sorted(one.name for one in here.iterdir()) == ["model.py"]


def test_an_upload_that_fails_costs_no_answer(words: list[str], here: Path, bucket: Bucket, shell: Shell) -> None:
    (here / "in.jsonl").write_text(bolts(6))
    losing = "import boto3\n" + (here / "model.py").read_text().replace(
        "        return", "        boto3.client('s3').delete_bucket(Bucket='shop')\n        return"
    )
    (here / "model.py").write_text(losing)
    command = ["run", "in.jsonl", "-o", "s3://shop/out.jsonl", *words]
    done = shell(*command)
    assert (done.returncode, "cannot write s3://shop/out.jsonl: the bucket does not exist" in done.stderr) == (3, True)
    bucket.client.create_bucket(Bucket="shop")
    assert shell(*command).returncode == 0
    assert (bucket.get("out.jsonl").count(b"\n"), len(asked(here))) == (6, 6)


def test_a_run_that_keeps_no_texts_finds_its_output(words: list[str], here: Path, bucket: Bucket, shell: Shell) -> None:
    (here / "in.jsonl").write_text(bolts(3))
    command = ["run", "in.jsonl", "-o", "s3://shop/out.jsonl", "--keep-text", "hash", *words]
    assert [shell(*command).returncode for _ in range(2)] == [0, 0]
    assert is_there(Place.of("s3://shop/out.jsonl"))
    bucket.client.delete_object(Bucket="shop", Key="out.jsonl")
    done = shell(*command)
    assert (done.returncode, "its files cannot be written again" in done.stderr) == (2, True)


def test_labels_go_to_a_bucket_and_their_journal_stays(
    words: list[str], here: Path, bucket: Bucket, shell: Shell
) -> None:
    bucket.put("in.txt", "1 mm bolt\n2 mm bolt\n")
    label = ["label", "s3://shop/in.txt", "--schema", words[1], "--model", words[3], "--strategy", "Prompted()"]
    done = shell(*label, "-o", "s3://shop/labels.jsonl")
    assert (done.returncode, bucket.get("labels.jsonl").count(b"\n")) == (0, 2)
    assert (here / "labels.jsonl.journal").is_file()


def test_a_place_of_a_bucket_is_known_by_its_address() -> None:
    assert Place.of("S3://shop/a.csv.gz").identity == Place.of("s3://shop/a.csv.gz").identity
    assert Place.of("s3://shop/A.csv").identity != Place.of("s3://shop/a.csv").identity
