import json
from typing import Any

from structout import Constrained, Draft, Example, Prompt, Prompted, Reask, Repair, Scripted, Task, Think, Vote, preview
from structout.completion import Completion
from structout.schema import Schema
from tests.bolt import Bolt

SCHEMA = Schema.of(Bolt)
KINDS = ("hex", "flange", "hex")
GOOD = '{"kind": "hex", "size_mm": 6}'


def free_then_constrained(free: str) -> Scripted:
    return Scripted(lambda prompt: GOOD if prompt.constraint else free)


def test_a_draft_is_free_and_stands_before_the_constrained_answer() -> None:
    model = free_then_constrained("It is a hex bolt, 6 mm.")
    (result,) = Draft(Constrained()).run([Task("x", SCHEMA)], model)
    free, held = (batch[0] for batch in model.batches)
    assert (free.constraint, held.constraint) == (None, SCHEMA)
    assert held.messages[: len(free.messages)] == free.messages
    assert [message.role for message in held.messages[-2:]] == ["assistant", "user"]
    assert held.messages[-2].content == "It is a hex bolt, 6 mm."
    assert (result.status, result.text, result.usage.calls) == ("valid", GOOD, 2)


def test_a_draft_that_was_mended_or_elected_is_shown_as_its_document() -> None:
    fenced = free_then_constrained(f"Here it is:\n```json\n{GOOD}\n```")
    Draft(Constrained(), Repair(Prompted())).run([Task("x", SCHEMA)], fenced)
    assert json.loads(fenced.batches[-1][0].messages[-2].content) == json.loads(GOOD)
    ballots = [
        {"kind": k, "size_mm": size, "note": note} for k, size, note in zip(KINDS, (6, 6, 7), "abb", strict=True)
    ]
    many = Scripted(lambda prompt: GOOD if prompt.constraint else json.dumps(ballots[prompt.sample]))
    Draft(Constrained(), Vote(Prompted(), n=3)).run([Task("x", SCHEMA)], many)
    said = json.loads(many.batches[-1][0].messages[-2].content)
    assert said == {"kind": "hex", "size_mm": 6, "note": "b"}


def test_thoughts_are_short_and_stand_before_the_answer() -> None:
    model = free_then_constrained("The record names a bolt.")
    (result,) = Think(Constrained(), max_tokens=20).run([Task("a bolt, 6 mm", SCHEMA)], model)
    thought, held = (batch[0] for batch in model.batches)
    assert thought.sampling.max_tokens == 20
    assert "size_mm" in thought.messages[0].content
    assert "a bolt, 6 mm" in thought.messages[-1].content
    assert held.messages[-2].content == "The record names a bolt."
    assert (result.text, result.usage.calls) == (GOOD, 2)


def test_a_model_that_says_nothing_is_asked_as_ever() -> None:
    for strategy in (Draft(Constrained()), Think(Constrained())):
        model = free_then_constrained("")
        strategy.run([Task("x", SCHEMA)], model)
        assert model.batches[1][0].messages[-1].role == "user"
        assert len(model.batches[1][0].messages) == 2


def test_a_re_ask_drafts_anew_with_the_last_answer_and_its_issues() -> None:
    model = Scripted(lambda prompt: "no" if prompt.constraint else "a draft")
    (result,) = Reask(Draft(Constrained())).run([Task("x", SCHEMA)], model)
    assert (result.status, result.usage.calls) == ("invalid", 4)
    roles = [message.role for message in model.batches[3][0].messages]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]


def test_the_preview_is_of_what_is_asked_first() -> None:
    for strategy in (Draft(Constrained(), first=Prompted(examples=1)), Think(Constrained())):
        asked: list[Prompt] = []

        def answer(prompt: Prompt, asked: list[Prompt] = asked) -> Completion:
            asked.append(prompt)
            return Completion(GOOD)

        examples = (Example("M8", {"kind": "hex", "size_mm": 8}),)
        strategy.run([Task("x", SCHEMA, examples)], Scripted(answer))
        shown: Any = preview("x", SCHEMA, strategy, examples=examples)
        assert shown == asked[0]
