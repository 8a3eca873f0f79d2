"""Language-model output that programs can rely on: validated records, measured compliance, honest cost.

The names in `__all__`, here and in the packages below, are public; everything else may change. Names are imported on
first use, so that `import structout` and the commands start at once.
"""

from typing import TYPE_CHECKING

from structout.exports import lazy

if TYPE_CHECKING:
    from structout.completion import Completion, Message, Prompt, Sampling, Usage
    from structout.errors import (
        AccountError,
        BudgetError,
        CodeError,
        DamagedError,
        DataError,
        JournalError,
        MissingExtraError,
        ModelError,
        NoModelError,
        OtherRunError,
        OutputError,
        SchemaError,
        SpecError,
        StructoutError,
        StructoutWarning,
    )
    from structout.evaluation import Compare, Dataset, Report, certify, evaluate, recommend
    from structout.evaluation.metrics import Metric
    from structout.finetuning import Training, finetune
    from structout.gate.findings import Findings, Thresholds
    from structout.gate.gate import validate
    from structout.grammar.audit import Audit, audit
    from structout.issue import Issue
    from structout.language import Choice, Lark, Regex, Sql
    from structout.models import Model, Scripted, load_model
    from structout.models.providers.hosted import from_pydantic_ai
    from structout.parsing import Edit, Repaired, repair
    from structout.pipeline import extract, extract_many
    from structout.pipeline.budget import Budget
    from structout.pipeline.frames import extract_table
    from structout.pipeline.progress import Progress
    from structout.prices import Price, Prices
    from structout.result import Attempt, Example, InvalidResultError, Result, Task
    from structout.schema import Schema
    from structout.strategies import (
        BestOf,
        Cascade,
        Constrained,
        Continued,
        Draft,
        Ensemble,
        Missed,
        On,
        Prompted,
        Reask,
        Repair,
        Strategy,
        Think,
        Verify,
        Vote,
        Windowed,
        load_strategy,
        preview,
        spec,
    )
    from structout.verifiers import (
        Agreement,
        AllOf,
        AnyOf,
        Confident,
        Grounded,
        Judge,
        Learned,
        RoundTrip,
        Rule,
        Verdict,
        Verifier,
    )
    from structout.version import __version__

__all__ = [
    "AccountError", "Agreement", "AllOf", "AnyOf", "Attempt", "Audit", "BestOf", "Budget", "BudgetError", "Cascade",
    "Choice", "CodeError", "Compare", "Completion", "Confident", "Constrained", "Continued", "DamagedError",
    "DataError", "Dataset", "Draft", "Edit", "Ensemble", "Example", "Findings", "Grounded", "InvalidResultError",
    "Issue", "JournalError", "Judge", "Lark", "Learned", "Message", "Metric", "Missed", "MissingExtraError", "Model",
    "ModelError", "NoModelError", "On", "OtherRunError", "OutputError", "Price", "Prices", "Progress", "Prompt",
    "Prompted", "Reask", "Regex", "Repair", "Repaired", "Report", "Result", "RoundTrip", "Rule", "Sampling", "Schema",
    "SchemaError", "Scripted", "ShiftError", "SpecError", "Sql", "Strategy", "StructoutError", "StructoutWarning",
    "Task", "Think", "Thresholds", "Training", "Usage", "Verdict", "Verifier", "Verify", "Vote", "Windowed",
    "__version__", "audit", "certify", "evaluate", "extract", "extract_many", "extract_table", "finetune",
    "from_pydantic_ai", "load_model", "load_strategy", "preview", "recommend", "repair", "spec", "validate",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "completion": "Completion Message Prompt Sampling Usage",
        "errors": "AccountError "
        "BudgetError CodeError DamagedError DataError JournalError MissingExtraError ModelError NoModelError "
        "OtherRunError OutputError SchemaError ShiftError SpecError StructoutError StructoutWarning",
        "evaluation": "Compare Dataset Report certify evaluate recommend",
        "evaluation.metrics": "Metric",
        "finetuning": "Training finetune",
        "gate.findings": "Findings Thresholds",
        "gate.gate": "validate",
        "grammar": "Audit audit",
        "issue": "Issue",
        "language": "Choice Lark Regex Sql",
        "models": "Model Scripted load_model",
        "models.providers.hosted": "from_pydantic_ai",
        "parsing": "Edit Repaired repair",
        "pipeline": "extract extract_many",
        "pipeline.budget": "Budget",
        "pipeline.frames": "extract_table",
        "pipeline.progress": "Progress",
        "prices": "Price Prices",
        "result": "Attempt Example InvalidResultError Result Task",
        "schema": "Schema",
        "strategies": "BestOf Cascade Constrained Continued Draft Ensemble Missed On Prompted Reask Repair Strategy "
        "Think Verify Vote Windowed load_strategy preview spec",
        "verifiers": "Agreement AllOf AnyOf Confident Grounded Judge Learned RoundTrip Rule Verdict Verifier",
        "version": "__version__",
    },
)
