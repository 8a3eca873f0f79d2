"""Language-model output that programs can rely on: validated records, measured compliance, honest cost.

The names below are imported when they are first used, so that `import structout` and the commands start at once.
"""

from typing import TYPE_CHECKING

from structout.exports import lazy

if TYPE_CHECKING:
    from structout.completion import Completion, Message, Prompt, Sampling, Usage
    from structout.errors import (
        BudgetError,
        CodeError,
        DataError,
        JournalError,
        MissingExtraError,
        ModelError,
        OutputError,
        SchemaError,
        SpecError,
        StructoutError,
    )
    from structout.evaluation import Compare, Dataset, Report, certify, evaluate, recommend
    from structout.finetuning import Training, finetune
    from structout.issue import Issue
    from structout.models import Model, Scripted, load_model
    from structout.parsing import Edit
    from structout.pipeline import extract, extract_many
    from structout.result import Attempt, Example, InvalidResultError, Result, Task
    from structout.schema import Schema
    from structout.strategies import (
        BestOf,
        Cascade,
        Constrained,
        Draft,
        On,
        Prompted,
        Reask,
        Repair,
        Strategy,
        Think,
        Verify,
        Vote,
        load_strategy,
        preview,
        spec,
    )
    from structout.verifiers import Agreement, Confident, Grounded, Judge, Learned, RoundTrip, Rule, Verdict, Verifier

__all__ = [
    "Agreement", "Attempt", "BestOf", "BudgetError", "Cascade", "CodeError", "Compare", "Completion", "Confident",
    "Constrained", "DataError", "Dataset", "Draft", "Edit", "Example", "Grounded", "InvalidResultError", "Issue",
    "JournalError", "Judge", "Learned", "Message", "MissingExtraError", "Model", "ModelError", "On", "OutputError",
    "Prompt", "Prompted", "Reask", "Repair", "Report", "Result", "RoundTrip", "Rule", "Sampling", "Schema",
    "SchemaError", "Scripted", "SpecError", "Strategy", "StructoutError", "Task", "Think", "Training", "Usage",
    "Verdict", "Verifier", "Verify", "Vote", "certify", "evaluate", "extract", "extract_many", "finetune", "load_model",
    "load_strategy", "preview", "recommend", "spec",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "completion": "Completion Message Prompt Sampling Usage",
        "errors": (
            "BudgetError CodeError DataError JournalError MissingExtraError ModelError OutputError SchemaError "
            "SpecError StructoutError"
        ),
        "evaluation": "Compare Dataset Report certify evaluate recommend",
        "finetuning": "Training finetune",
        "issue": "Issue",
        "models": "Model Scripted load_model",
        "pipeline": "extract extract_many",
        "parsing": "Edit",
        "result": "Attempt Example InvalidResultError Result Task",
        "schema": "Schema",
        "strategies": "BestOf Cascade Constrained Draft On Prompted Reask Repair Strategy Think Verify Vote "
        "load_strategy preview spec",
        "verifiers": "Agreement Confident Grounded Judge Learned RoundTrip Rule Verdict Verifier",
    },
)
