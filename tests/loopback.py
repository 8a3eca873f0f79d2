"""The bar against calls out: a connection of this process goes to this machine, or fails."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch


class CalledOutError(OSError):
    """A connection to another machine, which tests may not open."""


@contextmanager
def on_loopback() -> Iterator[list[str]]:
    """Refuse every connection to another machine, and every look-up of its name; yields the addresses refused.

    Connections to 127.0.0.0/8, ::1, `localhost` and files of this machine are let through. Processes of their own are
    not held.
    """
    called: list[str] = []

    def check(host: Any, what: object) -> None:
        if not is_here(host.decode() if isinstance(host, bytes) else str(host)):
            called.append(str(what))
            raise CalledOutError(f"tests may not call out: {what}")

    def checked(connect: Any) -> Any:
        def call(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6):
                check(address[0], address[:2])
            return connect(self, address)

        return call

    def look_up(host: Any, *others: Any, **named: Any) -> Any:
        if host is not None and not _is_address(host):  # an address needs no look-up
            check(host, host)
        return getaddrinfo(host, *others, **named)

    getaddrinfo = socket.getaddrinfo
    with (
        patch.object(socket.socket, "connect", checked(socket.socket.connect)),
        patch.object(socket.socket, "connect_ex", checked(socket.socket.connect_ex)),
        patch.object(socket, "getaddrinfo", look_up),
    ):
        yield called


def assert_none(called: list[str]) -> None:
    """Fail if there were calls; they are forgotten then."""
    told = ", ".join(called)
    called.clear()
    assert not told, f"a test may not call out: it called {told}"


def is_here(host: str) -> bool:
    """Whether an address or a name is one of this machine."""
    return ip_address(host).is_loopback if _is_address(host) else host in ("", "localhost")


def _is_address(host: str | bytes) -> bool:
    try:
        ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
