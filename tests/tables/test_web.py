"""Files of web servers, and the stores of Google and Azure, as servers on this machine emulate them."""

import gzip
import http.server
import io
import json
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from structout import DataError, Schema, SpecError
from structout.tables import objects, stores
from structout.tables.output import check_target, writing
from structout.tables.rows import count_rows, read_rows
from tests.bolt import BOLT
from tests.conftest import Shell, needs

pytestmark = needs("obstore")
WORDS = Schema.of({"properties": {"text": {"type": "string"}}, "required": ["text"]})
LINES = "".join(f'{{"text": "{number}"}}\n' for number in range(20_000)).encode()
SECRET = "not-to-be-told"


class Server(http.server.ThreadingHTTPServer):
    """Serves and takes files by their paths. A fault is the first part of a path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/in.jsonl": LINES}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault."""


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as servers of files do, with ranges, or as servers do that are broken."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        self.server.asked.append(f"{self.command} {self.path}")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        fault, _, name = self.path.partition("?")[0].removeprefix("/").partition("/")
        content = self.server.files.get(f"/{name}" if name == "in.jsonl" else self.path.partition("?")[0])
        if fault.isdigit():
            self.send_error(int(fault))
        elif fault == "moved":
            self.answer(302, b"", Location=f"/{name}?moved=1")
        elif content is None:
            self.send_error(404)
        elif fault == "unsized":
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
        elif fault in ("whole", "short", "drip"):
            self.answer(200, content, fault)
        else:
            begin, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
            part = content[int(begin) : int(end or len(content)) + 1]
            last = int(begin) + len(part) - 1
            tag = begin if fault == "changed" else "1"
            total = {"Content-Range": f"bytes {begin}-{last}/{len(content)}"} if "Range" in self.headers else {}
            self.answer(206 if total else 200, part, fault, ETag=f'"{tag}"', **total)

    def answer(self, status: int, content: bytes, fault: str = "", **headers: str) -> None:
        self.send_response(status)
        extra = b"x" * 10_000_000 if fault == "more" else b""
        headers = {"Content-Length": str(len(content + extra)), "Last-Modified": formatdate(0, usegmt=True), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault.startswith("drip"):
            for byte in content:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)
        self.wfile.write(content[:-9] if fault.startswith("short") else content + extra)
        self.close_connection = fault != ""

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if "?" not in self.path:
            self.server.files[self.path] = content
        self.answer(201, b"", ETag='"1"')

    def do_POST(self) -> None:
        names = "".join(f"<{name}>x</{name}>" for name in ("Bucket", "Key", "UploadId"))
        self.answer(200, f"<InitiateMultipartUploadResult>{names}</InitiateMultipartUploadResult>".encode())

    def do_DELETE(self) -> None:
        self.answer(204, b"")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for module in (objects, stores):
        monkeypatch.setattr(module, "SILENCE", timedelta(seconds=1))
    monkeypatch.setattr(stores, "_TIMEOUT", timedelta(seconds=2))
    monkeypatch.setattr(stores, "_RETRIES", 1)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def texts(source: str) -> list[Any]:
    return [row.wrong or row.text for row in read_rows(source)]


@pytest.mark.parametrize("way", ["", "/whole", "/moved"])
def test_a_file_is_read_whatever_its_server_knows(server: Server, way: str) -> None:
    found = texts(f"{server.url}{way}/in.jsonl?X-Amz-Signature={SECRET}&x=a.b#top")
    assert found == [str(number) for number in range(20_000)]
    assert server.asked[0] == f"GET {way}/in.jsonl?X-Amz-Signature={SECRET}&x=a.b"


def test_the_suffix_stands_before_the_query(server: Server) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [str(number) for number in range(50_000)]}), sink, row_group_size=1000)
    server.files |= {"/a.csv.gz": gzip.compress(b"text\n1,5\n"), "/a.parquet": sink.getvalue(), "/bare": b"one\n"}
    assert texts(f"{server.url}/a.csv.gz?x=b.jsonl") == [
        "line 2 has 2 cells, the header 1: quote the cell that holds ','"
    ]
    assert texts(f"{server.url}/a.parquet?x=1") == [str(number) for number in range(50_000)]
    assert count_rows(f"{server.url}/a.parquet?x=1") == 50_000
    assert texts(f"{server.url}/bare?x=1.5") == ["one"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("404/in.jsonl", "the file does not exist"),
        ("403/in.jsonl", "access is denied (403 Forbidden) (check the address and its signature)"),
        ("503/in.jsonl", "the server answers 503 Service Unavailable"),
        ("drip/in.jsonl", "the server is too slow"),
        ("drip-part/in.jsonl", "the server is too slow"),
        ("short/in.jsonl", "the server ended before the end of the file"),
        ("short-part/in.jsonl", "the server ended before the end of the file"),
        ("more/in.jsonl", "the server sends more than it was asked for"),
        ("unsized/in.jsonl", "the server does not say how long the file is"),
        ("changed/in.jsonl", "it changed while it was read"),
    ],
)
def test_a_fault_of_a_server_is_told_without_the_signature(server: Server, path: str, said: str) -> None:
    with pytest.raises(DataError) as raised:
        texts(f"{server.url}/{path}?sig={SECRET}")
    assert str(raised.value).startswith(f"cannot read {server.url}/{path}?sig=***: {said}")
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_an_address_that_leads_nowhere_is_told(server: Server) -> None:
    for address, said in {
        f"http://me:{SECRET}@127.0.0.1:1/in.jsonl": "the server cannot be reached",
        f"{server.url.replace('http', 'https')}/in.jsonl?token={SECRET}": "the server cannot be reached",
        f"http://127.0.0.1:99999/?token={SECRET}": "invalid port number",
    }.items():
        with pytest.raises((DataError, SpecError), match=said) as raised:
            texts(address)
        assert SECRET not in "".join(traceback.format_exception(raised.value))
    with pytest.raises(SpecError, match="at a web server"):
        check_target(f"{server.url}/out.jsonl")


def test_no_output_of_a_command_shows_a_signature(server: Server, shell: Shell, tmp_path: Path) -> None:
    server.files |= {"/a.jsonl": b'{"kind": "hex", "size_mm": 1}\n{"kind": "no"}\n', "/b.jsonl": b"no\n"}
    addresses = [f"{server.url}/{one}?sig={SECRET}" for one in ("a.jsonl", "b.jsonl")]
    report = tmp_path / "report.xml"
    done = shell("validate", *addresses, "--schema", BOLT, "--report", f"junit={report}")
    assert done.returncode == 1
    assert f"{server.url}/a.jsonl?sig=***:2" in done.stdout
    assert SECRET not in done.stdout + done.stderr + report.read_text()


@pytest.mark.parametrize("scheme", ["az", "gs"])
def test_google_and_azure_are_reached_by_their_environment(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """The emulation knows what a client sends, and nothing of what these stores refuse."""
    account = {"gcs_base_url": server.url, "disable_oauth": True, "client_email": "", "private_key": ""}
    (tmp_path / "account.json").write_text(json.dumps({**account, "private_key_id": ""}))
    environment = {
        "GOOGLE_SERVICE_ACCOUNT": str(tmp_path / "account.json"),
        "AZURE_STORAGE_ACCOUNT_NAME": "someone",
        "AZURE_STORAGE_ACCOUNT_KEY": "a2V5",
        "AZURE_STORAGE_ENDPOINT": f"{server.url}/someone",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    target = f"{scheme}://shop/a b/x.jsonl.gz"
    check_target(target)
    assert list(server.files) == ["/in.jsonl"]
    with writing(target, WORDS, bare=True) as write:
        write({"text": "a"}, {})
    assert len(server.files) == 2
    assert texts(target) == ["a"]


def test_a_store_without_settings_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    for scheme, named in (("gs", "GOOGLE_APPLICATION_CREDENTIALS"), ("az", "AZURE_STORAGE_ACCOUNT_NAME")):
        with pytest.raises(SpecError, match=named):
            check_target(f"{scheme}://shop/x.jsonl")
