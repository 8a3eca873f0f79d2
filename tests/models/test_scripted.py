import json
from pathlib import Path

import pytest

from structout import Completion, Message, Model, ModelError, Prompt, Scripted, SpecError, load_model
from structout.models import Memo


def ask(*texts: str) -> list[Prompt]:
    return [Prompt((Message("user", text),)) for text in texts]


def test_answers_by_part_of_the_record_and_in_turn() -> None:
    model = Scripted({"bolt": ["one", "two"], "nut": "three"})
    answers = [completion.text for _ in range(3) for completion in model.complete(ask("a bolt", "a nut"))]
    assert answers == ["one", "three", "two", "three", "two", "three"]
    assert model.calls == 6
    with pytest.raises(ModelError, match="washer"):
        model.complete(ask("a washer"))


def test_a_script_of_another_type_is_refused_with_a_hint() -> None:
    with pytest.raises(SpecError, match="invalid script: got list, expected a text, a mapping or a function"):
        Scripted(["first", "second"])  # type: ignore[arg-type]


def test_a_script_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "script.json").write_text(json.dumps({"bolt": "yes"}))
    model: Model = load_model(f"scripted:{tmp_path / 'script.json'}")
    assert model.complete(ask("bolt"))[0].text == "yes"
    (tmp_path / "script.json").write_text("[1]")
    with pytest.raises(ModelError, match="invalid script"):
        load_model(f"scripted:{tmp_path / 'script.json'}")


@pytest.mark.parametrize("name", ["", "gpt", "path:", "path:/no/such/folder", "scripted:/no/such/file", "hf:"])
def test_what_is_no_model_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(name)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Path", "json", "ask", "Model"])
def test_an_object_that_is_no_model_is_refused_with_a_hint(name: str) -> None:
    with pytest.raises(ModelError, match="model") as caught:
        load_model(f"py:{__file__}:{name}")
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_memo_asks_once_and_charges_each_time() -> None:
    inner = Scripted(lambda prompt: Completion(f"answer {inner.calls}"))
    memo = Memo(inner)
    first = memo.complete(ask("a", "b", "a"))
    again = memo.complete(ask("b", "c"))
    assert inner.calls == 3
    assert first[0] is first[2]
    assert again[0] is first[1]
    other_sample = Prompt(ask("a")[0].messages, sample=1)
    memo.complete([other_sample])
    assert inner.calls == 4
