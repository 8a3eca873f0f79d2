"""What several tests need: a small schema, and the embedded model, loaded once."""

from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, settings
from pydantic import BaseModel, ConfigDict

from structout.models import Model, load_model

# How fast a machine is, or how busy, says nothing about what is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

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
