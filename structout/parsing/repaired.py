"""The result of a repair."""

from typing import Generic, NamedTuple, TypeVar

from pydantic_core import to_jsonable_python

from structout import pages
from structout.document import Json, scalars
from structout.issue import Issue
from structout.parsing.edits import Edit

T = TypeVar("T")


class Repaired(NamedTuple, Generic[T]):
    """A repaired text: the value, if there are no issues, and the edits that led to it.

    `notices` name values that comply and still look wrong, such as a control character inside a word. If there are
    issues, `document` is the closest document found, and `edits` are the edits that would lead to it, including those
    that the policy does not allow. (A tuple, as `Checked` is.)
    """

    value: T | None
    document: Json
    issues: tuple[Issue, ...] = ()
    edits: tuple[Edit, ...] = ()
    notices: tuple[Issue, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there are no issues, so that `value` counts."""
        return not self.issues

    @property
    def truncated(self) -> bool:
        """Whether the text ended before the document did, even if repair could close the document."""
        if not self.edits and not self.issues:
            return False
        return any(edit.kind == "unclosed" for edit in self.edits) or any(
            issue.kind == "truncated" for issue in self.issues
        )

    def _repr_html_(self) -> str:
        """The repair in a notebook: the values, the edits and the issues."""
        made = to_jsonable_python(self.value, by_alias=True, fallback=str) if self.ok else self.document
        values = [[place or "(document)", str(one)] for place, one in scalars(made).items()]
        head = pages.tag("repaired" if self.ok else "invalid", "good" if self.ok else "bad")
        shown = pages.table(["place", "value"], values[: pages.LINES], "values") if values else ""
        told = {"edits": self.edits, "issues": self.issues, "notices": self.notices}
        return pages.fragment(pages.Html(head + shown + pages.lists(told)))
