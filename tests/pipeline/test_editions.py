"""A run that began with structout 0.1 goes on with the prompts of that version."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from structout import Scripted, extract_many
from structout.completion import Prompt
from structout.errors import StructoutWarning
from structout.pipeline.job import Job, begun
from structout.pipeline.journal.journal import Journal
from structout.schema import Schema
from structout.strategies import Prompted


class Size(BaseModel):
    """A size of something."""

    mm: float


class Bolt(BaseModel):
    size: Size


class Plain(BaseModel):
    mm: float


def test_a_run_goes_on_with_the_prompts_that_it_began_with(tmp_path: Path) -> None:
    read: list[str] = []

    def answer(prompt: Prompt) -> str:
        read.append(prompt.messages[0].content)
        return '{"size": {"mm": 6}}'

    model, place = Scripted(answer), tmp_path / "run.journal"
    job = Job(Schema.of(Bolt), model, Prompted())
    with Journal(place, replace(job, edition=1).identity()):
        pass
    with pytest.warns(StructoutWarning, match="begun with structout 0.1"):
        assert [one.ok for one in extract_many(["a", "b"], Bolt, model, Prompted(), journal=place)] == [True, True]
    assert not any("A size of something" in text for text in read)
    assert [one.ok for one in extract_many(["a"], Bolt, model, Prompted(), journal=tmp_path / "new.journal")] == [True]
    assert "A size of something" in read[-1]


def test_a_schema_that_reads_the_same_in_both_editions_tells_nothing(tmp_path: Path) -> None:
    job = Job(Schema.of(Plain), Scripted('{"mm": 1}'), Prompted())
    assert replace(job, edition=1).identity() == job.identity()
    with Journal(tmp_path / "j", job.identity()):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert begun(job, tmp_path / "j") is job
        assert begun(job, tmp_path / "none") is job
