"""A part as an automotive catalogue lists it: the typed row that a supplier's description becomes."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Part"]


class Category(StrEnum):
    """The shelf a part belongs to."""

    BRAKES = "brakes"
    SUSPENSION = "suspension"
    STEERING = "steering"
    ENGINE = "engine"
    COOLING = "cooling"
    FUEL = "fuel"
    EXHAUST = "exhaust"
    IGNITION = "ignition"
    ELECTRICAL = "electrical"
    LIGHTING = "lighting"
    FILTERS = "filters"
    TRANSMISSION = "transmission"
    WHEELS = "wheels"
    BODY = "body"


class Position(StrEnum):
    """Where on the vehicle the part is mounted."""

    FRONT = "front"
    REAR = "rear"
    LEFT = "left"
    RIGHT = "right"
    FRONT_LEFT = "front_left"
    FRONT_RIGHT = "front_right"
    REAR_LEFT = "rear_left"
    REAR_RIGHT = "rear_right"


class Measure(StrEnum):
    """What a dimension measures."""

    LENGTH = "length"
    WIDTH = "width"
    HEIGHT = "height"
    DIAMETER = "diameter"
    INNER_DIAMETER = "inner_diameter"
    OUTER_DIAMETER = "outer_diameter"
    THICKNESS = "thickness"


class Unit(StrEnum):
    """The unit a dimension is printed in."""

    MM = "mm"
    CM = "cm"
    INCH = "in"


Year = Annotated[int, Field(ge=1900, le=2100)]


class Fitment(BaseModel):
    """One vehicle that the part fits."""

    model_config = ConfigDict(extra="forbid")

    make: Annotated[str, Field(min_length=1, max_length=40, description="full name, e.g. Volkswagen")]
    model: Annotated[str | None, Field(max_length=60, description="e.g. Golf")] = None
    year_from: Annotated[Year | None, Field(description="four digits")] = None
    year_to: Annotated[Year | None, Field(description="four digits; null if open")] = None


class Dimension(BaseModel):
    """One measurement with its unit."""

    model_config = ConfigDict(extra="forbid")

    measure: Measure
    value: Annotated[float, Field(gt=0)]
    unit: Unit


class Part(BaseModel):
    """One automotive part from a supplier's description; leave out what the text does not say."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str,
        Field(min_length=1, max_length=80, description="lower case, abbreviations spelled out"),
    ]
    category: Category
    brand: Annotated[str | None, Field(max_length=40, description="maker of the part")] = None
    part_numbers: Annotated[list[str], Field(max_length=8, description="as printed")] = []
    fitment: Annotated[list[Fitment], Field(max_length=8)] = []
    position: Position | None = None
    quantity: Annotated[int | None, Field(ge=1, description="pieces in the pack")] = None
    dimensions: Annotated[list[Dimension], Field(max_length=6)] = []
