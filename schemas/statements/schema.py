"""A long order confirmation or account statement: its lines, and what it says of them all, which is checked."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Statement"]

_CENT = Decimal("0.005")


class Line(BaseModel):
    """One line, as printed."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str | None, Field(description="article number, or reference of the entry, as printed")] = None
    text: Annotated[str, Field(min_length=1, description="description, wrapped lines joined by a space")]
    quantity: Annotated[float | None, Field(gt=0)] = None
    amount: Annotated[float, Field(description="sum of the line; below zero for what leaves an account, and credits")]


class Statement(BaseModel):
    """One document; every figure as printed, nothing computed; leave out what the text does not say."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[str | None, Field(description="of the document, as printed")] = None
    lines: list[Line]
    count: Annotated[int | None, Field(description="how many lines the document says it has")] = None
    opening: Annotated[float | None, Field(description="balance before the first line")] = None
    closing: Annotated[float | None, Field(description="balance after the last line")] = None
    total: Annotated[float | None, Field(description="sum of all lines, before tax and discount")] = None

    @model_validator(mode="after")
    def _has_all_lines(self) -> Self:
        found = sum((Decimal(str(line.amount)) for line in self.lines), Decimal(0))
        if self.count is not None and self.count != len(self.lines):
            raise ValueError(f"there are {len(self.lines)} lines, and the document says {self.count}")
        if self.total is not None and abs(found - Decimal(str(self.total))) > _CENT:
            raise ValueError(f"the lines add up to {found}, and the document says {self.total}")
        if self.opening is not None and self.closing is not None:
            change = Decimal(str(self.closing)) - Decimal(str(self.opening))
            if abs(found - change) > _CENT:
                raise ValueError(f"the lines add up to {found}, and the balance changes by {change}")
        return self
