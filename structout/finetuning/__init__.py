"""Teach: a small model made good at one schema."""

from structout.finetuning.training import Step, Training
from structout.finetuning.tune import EVALUATION, finetune

__all__ = ["EVALUATION", "Step", "Training", "finetune"]
