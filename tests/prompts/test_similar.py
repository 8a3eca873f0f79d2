from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from structout import Constrained, Dataset, Scripted, evaluate
from structout.evaluation.dataset import Record
from structout.prompts.similar import Similar
from structout.result import Example
from structout.schema import Schema
from tests.bolt import Bolt

EXAMPLES = tuple(Example(text, {}) for text in ("brake pad set", "oil filter 12", "BRAKE disc, front", "air filter"))


def test_the_most_similar_example_stands_next_to_the_record() -> None:
    shown = Similar(EXAMPLES).find("brake disc rear", 2)
    assert [example.text for example in shown] == ["brake pad set", "BRAKE disc, front"]


def test_rare_words_count_more_and_numbers_by_their_shape() -> None:
    assert Similar(EXAMPLES).find("filter 34", 1)[0].text == "oil filter 12"
    assert [example.text for example in Similar(EXAMPLES).find("nothing alike", 2)] == [
        "oil filter 12",
        "brake pad set",
    ]


def test_the_record_itself_is_never_shown() -> None:
    assert "air filter" not in [example.text for example in Similar(EXAMPLES).find("Air  FILTER!", 4)]


@given(st.lists(st.text(max_size=8), max_size=6), st.text(max_size=8), st.integers(0, 7))
def test_as_many_as_there_are_and_none_twice(texts: list[str], text: str, count: int) -> None:
    examples = tuple(Example(one, i) for i, one in enumerate(texts))
    shown = Similar(examples).find(text, count)
    assert len(shown) <= min(count, len(texts))
    assert len({example.document for example in shown}) == len(shown)
    assert all(example in examples for example in shown)


def test_no_label_of_a_test_record_is_ever_shown() -> None:
    def record(i: int, split: Any) -> Record:
        document: Any = {"kind": "hex", "size_mm": i, "note": f"{split} label {i}"}
        return Record(f"{split} {i}", f"hex bolt number {i % 20}", document, document, split)

    train = [record(i, "train") for i in range(20, 30)]
    held_out = [record(i, split) for i, split in enumerate(["dev", "test"] * 10)]
    dataset = Dataset("bolts", Schema.of(Bolt), (*held_out, *train))
    model = Scripted('{"kind": "hex", "size_mm": 1}')
    evaluate([Constrained(examples=3, choose="similar")], model, dataset.split("test"), examples=dataset)
    prompts = [prompt for batch in model.batches for prompt in batch]
    assert len(prompts) == 10
    for prompt in prompts:
        shown = [message.content for message in prompt.messages if message.role == "assistant"]
        assert len(shown) == 3
        assert all("train label" in label for label in shown)
        text = prompt.messages[-1].content
        assert all(message.content != text for message in prompt.messages[:-1])
