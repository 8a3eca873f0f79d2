"""Verifiers: checks of results, used by `Verify`."""

import warnings
from typing import Any

from structout.verifiers.agreement import Agreement
from structout.verifiers.base import Verdict, Verifier, verify
from structout.verifiers.combine import AllOf, AnyOf
from structout.verifiers.confident import Confident
from structout.verifiers.grounded import Grounded
from structout.verifiers.judge import Judge
from structout.verifiers.learned import Head, Judged, Learned, read_head, write_head
from structout.verifiers.roundtrip import RoundTrip
from structout.verifiers.rule import Rule

__all__ = [
    "Agreement", "AllOf", "AnyOf", "Confident", "Grounded", "Head", "Judge", "Judged", "Learned", "RoundTrip", "Rule",
    "Verdict", "Verifier", "read_head", "verify", "write_head",
]  # fmt: skip

_RENAMED = {"All": AllOf, "Any": AnyOf}


def __getattr__(name: str) -> Any:
    if name not in _RENAMED:
        raise AttributeError(f"module 'structout.verifiers' has no attribute {name!r}")
    warnings.warn(f"structout.verifiers.{name} is now {name}Of", DeprecationWarning, stacklevel=2)
    return _RENAMED[name]
