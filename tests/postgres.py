"""A real PostgreSQL for tests: a new cluster on a port of loopback, run by an unprivileged user."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

PASSWORD = "s3cret/of?tests"
_INSTALLED = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # Debian keeps the server's programs off the PATH


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None if PostgreSQL is not installed."""
    found = shutil.which("initdb")
    named = Path(os.path.realpath(found)).parent if found else None
    return next((one for one in [*_INSTALLED[::-1], named] if one and (one / "pg_ctl").exists()), None)


@contextmanager
def running(place: Path) -> Iterator[str]:
    """The address of a database, until the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="structout-postgres-"))
    words = folder / "password"
    words.write_text(PASSWORD, encoding="utf-8")
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses root
        import pwd

        user = pwd.getpwnam("nobody")
        owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        for one in (folder, words):
            os.chown(one, user.pw_uid, user.pw_gid)

    def run(program: str, *arguments: str) -> None:
        with (folder / "said").open("wb") as said:  # not a pipe: the server would hold it open
            command = [str(place / program), "-D", str(folder / "data"), *arguments]
            code = subprocess.run(command, cwd=folder, stdout=said, stderr=said, check=False, **owner).returncode
        assert code == 0, (folder / "said").read_text() + _read(folder / "log")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        run("initdb", "-U", "tester", "-A", "scram-sha-256", f"--pwfile={words}", "--no-locale", "-E", "UTF8", "-N")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def execute(address: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements, and return the rows of the last."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements[:-1]:
            cursor.execute(statement)
        cursor.execute(statements[-1])
        rows: list[tuple[Any, ...]] = cursor.fetchall() if cursor.description else []
    return rows


def _read(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
