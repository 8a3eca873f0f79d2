"""A pytest plugin for tests of a strategy's measured rates.

    @pytest.mark.structout("schemas/parts", strategies=["Constrained(examples=3)"], limit=48)
    def test_parts(structout_report):
        assert structout_report["Constrained"].compliance.lower >= 0.9

The mark takes a data set and fields of `Experiment`, or the path of an experiment's TOML file. Answers in the
experiment's log are not asked again, and tests with the same mark share one run.
"""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from structout.evaluation import Report

_REPORTS = pytest.StashKey[dict[str, "Report"]]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark `structout`, and make room for its reports."""
    line = "structout(target, **experiment): the experiment that the fixture structout_report measures."
    config.addinivalue_line("markers", line)
    config.stash[_REPORTS] = {}


@pytest.fixture
def structout_report(request: pytest.FixtureRequest) -> "Report":
    """The report of the experiment that the test's `structout` mark describes."""
    from structout.evaluation.experiment import Experiment

    mark = request.node.get_closest_marker("structout")
    if mark is None or len(mark.args) != 1:
        raise pytest.UsageError('mark the test: @pytest.mark.structout("schemas/parts", strategies=[...])')
    given: dict[str, Any] = dict(mark.kwargs)
    if str(mark.args[0]).endswith(".toml"):
        experiment = Experiment.load(mark.args[0]).changed(**given)
    else:
        experiment = Experiment.of({"dataset": str(mark.args[0]), **given})
    known = request.config.stash[_REPORTS]
    name = experiment.to_toml()
    if name not in known:
        known[name] = experiment.run()
    return known[name]
