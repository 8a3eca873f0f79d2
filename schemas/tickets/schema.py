"""A mail to a shop's support desk: what it is about, how urgent it is, what is wanted, and whom and what it names."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Ticket"]


class Category(StrEnum):
    """The desk that a mail goes to."""

    BILLING = "billing"
    DELIVERY = "delivery"
    RETURN = "return"
    TECHNICAL = "technical"
    ACCOUNT = "account"
    PRODUCT_QUESTION = "product_question"
    CANCELLATION = "cancellation"
    FEEDBACK = "feedback"
    OTHER = "other"


class Priority(StrEnum):
    """How soon somebody must look at it."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Wish(StrEnum):
    """What the sender asks for."""

    REFUND = "refund"
    REPLACEMENT = "replacement"
    REPAIR = "repair"
    INFORMATION = "information"
    CHANGE = "change"
    CANCELLATION = "cancellation"
    NOTHING = "nothing"


class Tongue(StrEnum):
    """The language of the mail."""

    EN = "en"
    DE = "de"
    FR = "fr"
    ES = "es"
    NL = "nl"


class Ticket(BaseModel):
    """One mail to support; leave out what it does not say."""

    model_config = ConfigDict(extra="forbid")

    category: Category
    priority: Priority
    wish: Wish
    language: Tongue
    contacted_before: Annotated[bool, Field(description="whether the sender wrote or called about it before")] = False
    customer: Annotated[str | None, Field(max_length=60, description="the sender's name, as signed")] = None
    email: Annotated[str | None, Field(max_length=80, description="of the sender, as printed")] = None
    phone: Annotated[str | None, Field(max_length=30, description="of the sender, as printed")] = None
    order_numbers: Annotated[list[str], Field(max_length=4, description="as printed")] = []
    products: Annotated[list[str], Field(max_length=4, description="as printed")] = []
