"""Services on loopback for the benchmark: a PostgreSQL, and an object store that speaks as S3 does."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from benchmarks.pipeline.command import MissingServiceError

_STORE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
sys.stdin.read()
"""
BUCKET = "parts"


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a database. Raises `MissingServiceError`."""
    try:
        from tests.postgres import programs, running
    except ModuleNotFoundError as error:
        raise MissingServiceError(f"this state of the code cannot start PostgreSQL: {error}") from error
    if find_spec("adbc_driver_postgresql") is None:
        raise MissingServiceError("the package adbc-driver-postgresql is not installed")
    place = programs()
    if place is None:
        raise MissingServiceError("PostgreSQL is not installed")
    with running(place) as address:
        yield address


@contextmanager
def store() -> Iterator[tuple[Any, dict[str, str]]]:
    """A client of an object store with an empty bucket, and the variables by which a run finds it.

    Raises `MissingServiceError`.
    """
    if missing := [one for one in ("boto3", "moto", "obstore") if find_spec(one) is None]:
        raise MissingServiceError(f"not installed: {', '.join(missing)}")
    import boto3

    server = subprocess.Popen(
        [sys.executable, "-c", _STORE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        address = server.stdout.readline().strip()
        keys = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
        client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
        client.create_bucket(Bucket=BUCKET)
        variables = {name.upper(): value for name, value in keys.items()}
        yield client, {**variables, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1"}
    finally:
        server.stdin.close()
        server.wait(30)
