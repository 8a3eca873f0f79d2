"""Language-model output that programs can rely on: validated records, measured compliance, honest cost."""

from structout.completion import Completion, Message, Prompt, Sampling, Usage
from structout.errors import (
    DataError,
    MissingExtraError,
    ModelError,
    SchemaError,
    SpecError,
    StructoutError,
)
from structout.evaluation import Dataset, Report, evaluate
from structout.issue import Issue
from structout.models import Model, Scripted, load_model
from structout.pipeline import extract, extract_many, preview
from structout.repair import Edit, repair
from structout.result import Attempt, Example, InvalidResultError, Result, Task
from structout.schema import Schema
from structout.strategies import Cascade, Constrained, On, Prompted, Reask, Repair, Strategy, load_strategy, spec

__all__ = [
    "Attempt",
    "Cascade",
    "Completion",
    "Constrained",
    "DataError",
    "Dataset",
    "Edit",
    "Example",
    "InvalidResultError",
    "Issue",
    "Message",
    "MissingExtraError",
    "Model",
    "ModelError",
    "On",
    "Prompt",
    "Prompted",
    "Reask",
    "Repair",
    "Report",
    "Result",
    "Sampling",
    "Schema",
    "SchemaError",
    "Scripted",
    "SpecError",
    "Strategy",
    "StructoutError",
    "Task",
    "Usage",
    "evaluate",
    "extract",
    "extract_many",
    "load_model",
    "load_strategy",
    "preview",
    "repair",
    "spec",
]
