import pytest


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the user's own server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries the client waits a random while, of up to 20 seconds after many."""
    monkeypatch.setattr("structout.models.openai.retries._LONGEST_PAUSE", 0.1)
