"""No test calls out: the bar itself."""

import asyncio
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.loopback import CalledOutError, assert_none

OTHER = "192.0.2.1"  # of a network that documents speak of, and nobody has


@pytest.fixture
def called(_loopback: list[str]) -> Iterator[list[str]]:
    """The calls of this test, which is allowed to try."""
    yield _loopback
    _loopback.clear()


def test_another_machine_is_refused_at_once(called: list[str]) -> None:
    with pytest.raises(CalledOutError, match=r"may not call out: \('192\.0\.2\.1', 80\)"):
        socket.create_connection((OTHER, 80), timeout=5)
    with socket.socket() as plain, pytest.raises(CalledOutError):
        plain.connect_ex((OTHER, 80))
    with socket.socket(socket.AF_INET6) as plain, pytest.raises(CalledOutError):
        plain.connect(("2001:db8::1", 80))
    assert len(called) == 3


def test_a_name_of_another_machine_is_not_looked_up(called: list[str]) -> None:
    with pytest.raises(OSError, match=r"may not call out: api\.example\.com"):
        urllib.request.urlopen("http://api.example.com/v1", timeout=5)
    assert called == ["api.example.com"]


def test_a_connection_of_asyncio_is_refused(called: list[str]) -> None:
    with pytest.raises(CalledOutError):
        asyncio.run(asyncio.open_connection(OTHER, 443))
    assert called


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        socket.create_connection(("localhost", port), timeout=5).close()


def test_a_call_whose_refusal_is_swallowed_fails_the_test(called: list[str]) -> None:
    with suppress(OSError):
        socket.create_connection((OTHER, 80), timeout=5)
    with pytest.raises(AssertionError, match=r"a test may not call out: it called .*192\.0\.2\.1"):
        assert_none(called)
    assert_none(called)  # which are forgotten then: the next test may pass
