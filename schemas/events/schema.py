"""One event out of a message: what, when, and where, with its dates resolved against the day the message was sent."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Event"]


class Kind(StrEnum):
    """What takes place."""

    MEETING = "meeting"
    CALL = "call"
    TALK = "talk"
    CLASS = "class"
    PERFORMANCE = "performance"
    CELEBRATION = "celebration"
    MEAL = "meal"
    APPOINTMENT = "appointment"
    TRIP = "trip"
    SPORT = "sport"
    DEADLINE = "deadline"


class Status(StrEnum):
    """Whether it stands as first announced."""

    SCHEDULED = "scheduled"
    MOVED = "moved"
    CANCELLED = "cancelled"


Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Event(BaseModel):
    """One event; dates as YYYY-MM-DD, times as HH:MM of 24 hours; leave out what the text does not say."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    status: Status = Status.SCHEDULED
    title: Annotated[str | None, Field(max_length=80, description="its own name as printed, if it has one")] = None
    day: Annotated[date | None, Field(description="the first day; the new one if it was moved")] = None
    time: Annotated[Clock | None, Field(description="when it begins")] = None
    last_day: Annotated[date | None, Field(description="only if it is not the first")] = None
    end_time: Annotated[Clock | None, Field(description="when it ends, worked out from a duration too")] = None
    utc_offset: Annotated[
        str | None,
        Field(pattern=r"^[+-][01][0-9]:[0-5][0-9]$", description="of the named time zone on that day, e.g. +01:00"),
    ] = None
    location: Annotated[str | None, Field(max_length=80, description="the place as printed")] = None
    link: Annotated[str | None, Field(max_length=80, description="as printed")] = None
    reply_by: Annotated[date | None, Field(description="last day to answer or sign up")] = None
