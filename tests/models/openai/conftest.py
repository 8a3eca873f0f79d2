import pytest


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the user's own server."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
