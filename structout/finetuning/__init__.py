"""Teach: a small model made good at one schema.

The names below are imported when they are first used, so that the package and the commands start at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structout.finetuning.curve import Point, learning_curve
    from structout.finetuning.labels import label
    from structout.finetuning.preference import Preference, preferences
    from structout.finetuning.preferring import Preferring, prefer
    from structout.finetuning.synthetic import synthesize
    from structout.finetuning.training import Step, Training
    from structout.finetuning.tune import EVALUATION, finetune

__all__ = [
    "EVALUATION", "Point", "Preference", "Preferring", "Step", "Training", "finetune", "label", "learning_curve",
    "prefer", "preferences", "synthesize",
]  # fmt: skip

_HOMES = {
    "curve": "Point learning_curve",
    "labels": "label",
    "preference": "Preference preferences",
    "preferring": "Preferring prefer",
    "synthetic": "synthesize",
    "training": "Step Training",
    "tune": "EVALUATION finetune",
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names.split()), None)
    if home is None:
        raise AttributeError(f"module 'structout.finetuning' has no attribute {name!r}")
    value = getattr(import_module(f"structout.finetuning.{home}"), name)
    globals()[name] = value
    return value
