import pytest

pytest.importorskip("pydantic_ai")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two tries a model waits a random while, of up to 20 seconds after many."""
    monkeypatch.setattr("structout.models.retries._LONGEST_PAUSE", 0.05)
