"""A budget is a promise, also to a server whose probe is far cheaper than its rows."""

from pathlib import Path
from typing import Any

import pytest

from structout import BudgetError, Sampling, SpecError
from structout.models.openai.client import OpenAIModel
from structout.pipeline.budget import Budget
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.run import local, process
from structout.schema import Schema
from structout.strategies import Constrained
from structout.tables.rows import rows_of
from tests.conftest import Bolt, needs
from tests.models.openai.servers import Proxy, serving

pytestmark = needs("openai")
BOLT = '{"kind": "hex", "size_mm": 6}'


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """Heeds `json_schema`; the probe takes 30 tokens, a row 1,000."""
    is_probe = "probe" in str(body.get("response_format"))
    text = '{"word": "zinc-31-quill"}' if is_probe else BOLT
    usage = (
        {"prompt_tokens": 20, "completion_tokens": 10} if is_probe else {"prompt_tokens": 900, "completion_tokens": 100}
    )
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], "usage": usage}


@pytest.mark.parametrize(("dialect", "limit", "least"), [
    ("", 3_000, 0), ("", 10_000, 0), ("", 30_000, 1), ("", 60_000, 20),
    ("json_schema", 3_000, 1), ("json_schema", 10_000, 7), ("json_schema", 30_000, 27),
])  # fmt: skip
def test_nothing_is_sent_that_could_exceed_the_budget(tmp_path: Path, dialect: Any, limit: int, least: int) -> None:
    with serving(Proxy(answer)) as proxy:
        model = OpenAIModel("m", proxy.url, dialect=dialect or None)
        texts = [f"{n} mm bolt, " + "zinc plated, " * 40 for n in range(1, 101)]
        job = Job(Schema.of(Bolt), model, Constrained(), sampling=Sampling(max_tokens=200))
        with Journal(tmp_path / "j", job.identity()) as journal:
            with pytest.raises((BudgetError, SpecError)) as caught:
                process(rows_of(texts), job, journal, local(32, Budget(tokens=limit)))
            spent = sum(one.input_tokens + one.output_tokens for one in journal.spent().values())
            done = journal.counts().get("valid", 0)
        assert spent <= limit
        assert done >= least
        assert isinstance(caught.value, SpecError) == (done == 0)
        assert len(proxy.requests) == done + (not dialect and done > 0)
