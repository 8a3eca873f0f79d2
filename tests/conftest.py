"""What several tests need: a small schema, and the embedded model, loaded once."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict

from structout.models import Model, load_model

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
