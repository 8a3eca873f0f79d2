"""Fine-tuning of small local models on one schema.

The names below are imported at their first use, so that the package and the commands start at once.
"""

from typing import TYPE_CHECKING

from structout.exports import lazy

if TYPE_CHECKING:
    from structout.finetuning.curve import Point, learning_curve
    from structout.finetuning.dpo import Preferring, prefer
    from structout.finetuning.finetuner import EVALUATION, finetune
    from structout.finetuning.labels import label
    from structout.finetuning.members import finetune_members
    from structout.finetuning.preference_pairs import Preference, preferences
    from structout.finetuning.synthetic import synthesize
    from structout.finetuning.training import Training, TrainingStep

__all__ = [
    "EVALUATION",
    "Point",
    "Preference",
    "Preferring",
    "Training",
    "TrainingStep",
    "finetune",
    "finetune_members",
    "label",
    "learning_curve",
    "prefer",
    "preferences",
    "synthesize",
]  # fmt: skip

__getattr__, __dir__ = lazy(
    __name__,
    {
        "dpo": "Preferring prefer",
        "finetuner": "EVALUATION finetune",
        "labels": "label",
        "members": "finetune_members",
        "curve": "Point learning_curve",
        "preference_pairs": "Preference preferences",
        "synthetic": "synthesize",
        "training": "TrainingStep Training",
    },
)
