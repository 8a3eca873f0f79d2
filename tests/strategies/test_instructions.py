"""A user's own instructions: where they stand in the prompt, and what depends on them."""

import json
from pathlib import Path

import pytest

from structout import Constrained, Judge, Prompted, Reask, Scripted, Verify, load_strategy, preview
from structout.completion import Prompt
from structout.errors import SpecError
from structout.finetuning.demonstrations import demonstrate
from structout.pipeline.job import Job
from structout.prompts.compose import fingerprint
from structout.prompts.guidance import ORDER, Guidance
from structout.result import Example, Task
from structout.schema import Schema
from structout.strategies import instructed, spec
from tests.bolt import BOLT, Bolt
from tests.conftest import Shell

OWN = "Sizes are in millimetres. {braces} and 'quotes' stay.\nNever guess."


@pytest.mark.parametrize("kind", [Prompted, Constrained])
def test_instructions_stand_before_the_record_and_outside_its_tags(kind: type[Prompted] | type[Constrained]) -> None:
    strategy = kind(instructions=OWN)
    first, *_, last = preview("</record> M6", Bolt, strategy).messages
    plain, *_ = preview("</record> M6", Bolt, kind()).messages
    lines = first.content.split("\n")
    assert "\n".join(lines[1:3]) == OWN
    assert "\n".join([lines[0], *lines[3:]]) == plain.content
    assert OWN not in last.content
    assert load_strategy(spec(strategy)) == strategy


def test_the_system_text_and_the_order_of_the_parts_are_the_users() -> None:
    order = "schema task answer instructions record"
    message, *_ = preview("M6", Bolt, Prompted(instructions="Third.", system="Second.", order=order)).messages
    assert message.content.startswith("The answer must have this type")
    places = [message.content.index(text) for text in ("Second.", "Answer with one JSON", "Third.")]
    assert places == sorted(places)
    assert "Read the record" not in message.content
    with pytest.raises(SpecError, match="invalid order") as caught:
        Prompted(order="task schema")
    assert ORDER in caught.value.hint


def test_a_judge_reads_its_own_instructions() -> None:
    read: list[str] = []

    def answer(prompt: Prompt) -> str:
        read.append("\n".join(message.content for message in prompt.messages))
        return "yes" if "right" in read[-1] else '{"kind": "hex", "size_mm": 6}'

    strategy = Verify(Prompted(), Judge(instructions=OWN))
    assert strategy.run([Task("M6", Schema.of(Bolt))], Scripted(answer))[0].ok
    assert [OWN in text for text in read] == [False, *[True] * (len(read) - 1)]


def test_they_are_part_of_the_identity_of_runs_and_adapters() -> None:
    model = Scripted("{}")
    plain, own = (Job(Schema.of(Bolt), model, Prompted(instructions=text)) for text in ("", OWN))
    assert plain.fingerprint != own.fingerprint
    assert spec(Prompted(instructions="")) == "Prompted()"
    schema = Schema.of(Bolt)
    assert fingerprint(schema, "brief") != fingerprint(schema, "brief", guidance=Guidance(OWN))
    (taught,) = demonstrate([Example("M6", {"kind": "hex"})], schema, "brief", Guidance(OWN))
    assert OWN in taught.prompt[0].content


def test_a_file_gives_instructions_to_each_part_that_has_none(tmp_path: Path) -> None:
    (tmp_path / "own.md").write_text(f"\ufeff{OWN}\n", encoding="utf-8")
    strategy = Reask(Verify(Prompted(instructions="Mine."), Judge()))
    assert load_strategy(instructed(strategy, tmp_path / "own.md")) == Reask(
        Verify(Prompted(instructions="Mine."), Judge(instructions=OWN))
    )
    (tmp_path / "empty.md").write_text(" \n")
    for file, reason in (("none.md", "cannot read"), ("empty.md", "is empty")):
        with pytest.raises(SpecError, match=reason):
            instructed(strategy, tmp_path / file)
    with pytest.raises(SpecError, match="takes no further instructions"):
        instructed(Prompted(instructions="Mine."), tmp_path / "own.md")


def test_commands_take_a_file_and_compare_several(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "a.md").write_text("Answer shortly.")
    (tmp_path / "b.md").write_text("Answer shortly.\nSizes are in mm.")
    shown = shell("preview", "--schema", BOLT, "--instructions", tmp_path / "b.md", "--json")
    assert "Sizes are in mm." in json.loads(shown.stdout)["messages"][0]["content"]
    rows = [{"text": f"bolt {n}", "expected": {"kind": "hex", "size_mm": n}} for n in range(1, 9)]
    (tmp_path / "bolts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "script.json").write_text(json.dumps({"bolt 3": '{"kind": "hex", "size_mm": 3}', "bolt": "no"}))
    command = ["bench", tmp_path / "bolts.jsonl", "--schema", BOLT, "--model", f"scripted:{tmp_path / 'script.json'}"]
    files = f"instructions=,{tmp_path / 'a.md'},{tmp_path / 'b.md'}"
    more = [
        "--strategy",
        "Prompted()",
        "--split",
        "all",
        "--log",
        tmp_path / "log.jsonl",
        "--html",
        tmp_path / "r.html",
    ]
    done = shell(*command, *more, "--vary", files, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["rows"]) == 3
    assert len(report["pairs"]) == 3
    page = (tmp_path / "r.html").read_text()
    assert "+ Sizes are in mm." in page
    assert "+ Answer shortly." in page
    wrong = shell(*command, *more, "--vary", "examples=1,2")
    assert (wrong.returncode, "invalid --vary" in wrong.stderr) == (2, True)
