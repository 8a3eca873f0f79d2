"""Measurement of strategies and models on labelled records."""

from structout.evaluation.calibration import calibrate
from structout.evaluation.certification import certify
from structout.evaluation.completeness import found_share, least_missing, plant
from structout.evaluation.dataset import Dataset, Record
from structout.evaluation.field_certification import certify_fields
from structout.evaluation.harness import evaluate, read_log
from structout.evaluation.lessons import judged
from structout.evaluation.metrics import share
from structout.evaluation.mistakes import mistakes
from structout.evaluation.outcome import Outcome
from structout.evaluation.recommendation import recommend
from structout.evaluation.report import Report
from structout.evaluation.scoring.comparison import Compare
from structout.evaluation.suspects import Suspect, suspects

__all__ = [
    "Compare",
    "Dataset",
    "Outcome",
    "Record",
    "Report",
    "Suspect",
    "calibrate",
    "certify",
    "certify_fields",
    "evaluate",
    "found_share",
    "judged",
    "least_missing",
    "mistakes",
    "plant",
    "read_log",
    "recommend",
    "share",
    "suspects",
]
