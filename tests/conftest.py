"""What several tests need: a small schema, and the embedded model, loaded once."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from pydantic import BaseModel, ConfigDict

from structout.models import Model, load_model

# How fast a test runs says nothing of what it tests, and a busy machine is slow.
settings.register_profile("structout", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("structout")

ROOT = Path(__file__).parent.parent


class Bolt(BaseModel):
    """A bolt."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hex", "flange"]
    size_mm: float
    note: str | None = None


@pytest.fixture(scope="session")
def embedded() -> Model:
    return load_model("embedded")
