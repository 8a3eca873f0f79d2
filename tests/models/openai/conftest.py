import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.models.openai.servers import Proxy, completion, serving


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the user's own server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries the client waits a random while, of up to 20 seconds after many."""
    monkeypatch.setattr("structout.models.retries._LONGEST_PAUSE", 0.1)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A server on loopback that goes by a name of Azure's; its URL is the URL of a deployment."""
    find = socket.getaddrinfo

    def found(host: Any, *more: Any, **options: Any) -> Any:
        return find("127.0.0.1" if str(host) == "res.openai.azure.com" else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with serving(Proxy(lambda body: completion("{}"))) as proxy:
        port = proxy.url.rpartition(":")[2].partition("/")[0]
        proxy.url = f"http://res.openai.azure.com:{port}/openai/deployments/d?api-version=2024-10-21"
        yield proxy
