"""What repair comes to."""

from typing import Generic, NamedTuple, TypeVar

from structout.document import Json
from structout.issue import Issue
from structout.parsing.edits import Edit

T = TypeVar("T")


class Repaired(NamedTuple, Generic[T]):
    """The value, if there are no issues, with the edits that led to it.

    With issues, `document` is the nearest that was read and `edits` are those that would lead to it, also the ones
    that the policy refused. (A tuple, as `Checked` is.)
    """

    value: T | None
    document: Json
    issues: tuple[Issue, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.issues

    @property
    def truncated(self) -> bool:
        """Whether the text ended before the document did, whatever became of it."""
        if not self.edits and not self.issues:
            return False
        return any(edit.kind == "unclosed" for edit in self.edits) or any(
            issue.kind == "truncated" for issue in self.issues
        )
