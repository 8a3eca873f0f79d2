"""Know: strategies and models measured on labelled records."""

from structout.evaluation.dataset import Dataset, Record
from structout.evaluation.harness import evaluate, read_log
from structout.evaluation.judged import judged
from structout.evaluation.report import Report

__all__ = ["Dataset", "Record", "Report", "evaluate", "judged", "read_log"]
