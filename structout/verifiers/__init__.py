"""Who checks: verifiers of results, which `Verify` puts to use.

`Any` is not among the names of `structout` itself, where it would hide that of `typing`.
"""

from structout.verifiers.agreement import Agreement
from structout.verifiers.base import Verdict, Verifier, verify
from structout.verifiers.combine import All, Any
from structout.verifiers.confident import Confident
from structout.verifiers.grounded import Grounded
from structout.verifiers.judge import Judge
from structout.verifiers.learned import Head, Judged, Learned, read_head, write_head
from structout.verifiers.roundtrip import RoundTrip
from structout.verifiers.rule import Rule

__all__ = [
    "Agreement", "All", "Any", "Confident", "Grounded", "Head", "Judge", "Judged", "Learned", "RoundTrip", "Rule",
    "Verdict", "Verifier", "read_head", "verify", "write_head",
]  # fmt: skip
