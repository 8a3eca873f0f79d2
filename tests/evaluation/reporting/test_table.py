"""The table for a terminal: whole words at every width."""

import pytest
from rich.console import Console

from structout import Prompted, Repair, Report, Scripted, Verify, evaluate
from structout.evaluation import share
from structout.evaluation.reporting.table import cells, markdown, table
from structout.verifiers import Grounded
from tests.evaluation.test_metrics import RIGHT, bolts

LONG = "openai:a-model-with-a-rather-long-name@http://localhost:8000/v1"
NAMED = "Repair(Prompted(examples=3))"


def shown(report: Report, width: int) -> list[str]:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table(report, width))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [200, 120, 80, 50])
def test_two_models_have_a_part_each_and_nothing_is_cut(width: int) -> None:
    models = [Scripted(RIGHT, name=f"{LONG}-1"), Scripted("no", name=f"{LONG}-2")]
    report = evaluate({"Prompted()": Prompted(), NAMED: Repair(Prompted())}, models, bolts(*map(str, range(20))))
    lines = shown(report, width)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    heads = [" ".join(line.split()) for line in lines]
    assert sum("accuracy accuracy but-valid" in head for head in heads) == 2, "a part for each model"
    assert all(name in "".join(lines) for name in ("Prompted()", NAMED, "constant answer", "100 %"))
    assert ("Left out at this width" in " ".join(heads)) is (width <= 80)
    if width == 200:
        assert f"Prompted() on {LONG}-1 over" in " ".join(heads)


def test_a_rate_of_no_record_is_a_dash_and_null() -> None:
    nothing = {"long": lambda outcomes: share([], lambda one: True)}
    report = evaluate(Verify(Prompted(), Grounded()), Scripted("{}"), bolts("1", "2"), metrics=nothing)
    assert report.rows()[0].rates["long"].n == 0
    (row,) = report.to_json()["rows"]
    assert row["rates"]["long"] == {"value": None, "low": None, "high": None, "n": 0, "effective": 0.0}
    assert row["rates"]["yield"]["low"] == 0
    heads, line, *_ = cells(report)
    assert line[heads.index("long")] == "–"
    assert "0–100" not in " ".join(shown(report, 200))
    assert "| – |" in markdown(report)
    assert report.to_table().to_pylist()[0]["long"] is None


def right_in(first: int) -> Scripted:
    """A model that is right in the first records."""
    answers = {f"bolt {n}.": RIGHT if n < first else "no" for n in range(20)}
    return Scripted(answers, name=f"m{first}")


def test_pairs_say_what_is_corrected() -> None:
    texts = [f"bolt {n}." for n in range(20)]
    report = evaluate(Prompted(), [right_in(n) for n in (20, 13, 14, 15, 16, 17)], bolts(*texts))
    said = " ".join(" ".join(shown(report, 200)).split())
    assert "No pair is shown to differ after the correction for 15 pairs." in said
    assert "An interval is for its pair alone, so it may leave out 0 although p is above 0.05." in said
    two = " ".join(" ".join(shown(evaluate(Prompted(), [right_in(20), right_in(9)], bolts(*texts)), 200)).split())
    assert "correction" not in two
