"""An invoice or a receipt: its lines, and sums that are checked to add up."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Invoice"]

_CENT = 0.011  # what rounding to cents may put two figures apart
_ROUNDED = 0.021  # a tax, where each line's tax may have been rounded


class Currency(StrEnum):
    """What the amounts are in."""

    EUR = "EUR"
    USD = "USD"
    GBP = "GBP"
    CHF = "CHF"
    SEK = "SEK"
    CAD = "CAD"


Money = Annotated[float, Field(ge=0)]


class Line(BaseModel):
    """One item, as printed."""

    model_config = ConfigDict(extra="forbid")

    description: Annotated[str, Field(min_length=1, max_length=80, description="as printed")]
    quantity: Annotated[float | None, Field(gt=0)] = None
    unit_price: Annotated[Money | None, Field(description="price of one")] = None
    amount: Annotated[Money | None, Field(description="the line's own sum, if printed")] = None


class Invoice(BaseModel):
    """One invoice; every figure as printed, nothing computed; leave out what the text does not say."""

    model_config = ConfigDict(extra="forbid")

    number: Annotated[str | None, Field(max_length=40, description="as printed")] = None
    seller: Annotated[str | None, Field(max_length=60, description="who bills, as printed")] = None
    buyer: Annotated[str | None, Field(max_length=60, description="who is billed, as printed")] = None
    issued: Annotated[date | None, Field(description="YYYY-MM-DD")] = None
    due: Annotated[date | None, Field(description="YYYY-MM-DD, only if a date is printed")] = None
    currency: Currency | None = None
    lines: Annotated[list[Line], Field(max_length=8)] = []
    subtotal: Annotated[Money | None, Field(description="sum of the lines before discount and tax")] = None
    discount: Annotated[Money | None, Field(description="taken off the whole, in money")] = None
    tax_rate: Annotated[float | None, Field(ge=0, le=100, description="percent")] = None
    tax: Money | None = None
    tax_included: Annotated[bool, Field(description="whether the prices contain the tax")] = False
    total: Annotated[Money | None, Field(description="of the whole invoice, before what was paid already")] = None
    adds_up: Annotated[bool, Field(description="whether the printed figures agree with one another")] = True

    @model_validator(mode="after")
    def _says_truly_whether_it_adds_up(self) -> Self:
        if self.adds_up and (problem := self._problem()):
            raise ValueError(f"the figures do not add up: {problem}")
        if not self.adds_up and not self._problem():
            raise ValueError("adds_up is false, but the figures agree")
        return self

    def _problem(self) -> str:
        """The first figure that disagrees with those that it is made of; what is not printed is not missed."""
        sums: list[float | None] = []
        for line in self.lines:
            product = None
            if line.unit_price is not None:
                product = line.unit_price * (1 if line.quantity is None else line.quantity)
            if product is not None and line.amount is not None and abs(product - line.amount) > _CENT:
                return f"{line.description} is {product:.2f}, not {line.amount:.2f}"
            sums.append(product if line.amount is None else line.amount)
        net = self.subtotal
        if sums and None not in sums:
            lines = sum(amount for amount in sums if amount is not None)
            if net is not None and abs(lines - net) > _CENT:
                return f"the lines make {lines:.2f}, the subtotal is {net:.2f}"
            net = lines if net is None else net
        if net is None:
            return ""
        net -= self.discount or 0
        if self.tax is not None and self.tax_rate is not None:
            share = self.tax_rate / (100 + self.tax_rate) if self.tax_included else self.tax_rate / 100
            if abs(net * share - self.tax) > _ROUNDED:
                return f"{self.tax_rate:g} % tax is {net * share:.2f}, not {self.tax:.2f}"
        if self.total is not None and (self.tax_included or self.tax is not None or not self.tax_rate):
            total = net if self.tax_included else net + (self.tax or 0)
            if abs(total - self.total) > _CENT:
                return f"the whole makes {total:.2f}, the total is {self.total:.2f}"
        return ""
