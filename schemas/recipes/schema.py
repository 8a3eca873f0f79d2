"""A recipe: its ingredients with amounts and units, for how many, how long, how hot."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Recipe"]


class Unit(StrEnum):
    """What an amount is measured in; what is counted by the piece has none."""

    GRAM = "g"
    KILOGRAM = "kg"
    MILLILITRE = "ml"
    DECILITRE = "dl"
    LITRE = "l"
    TEASPOON = "tsp"
    TABLESPOON = "tbsp"
    CUP = "cup"
    OUNCE = "oz"
    POUND = "lb"
    PINCH = "pinch"
    HANDFUL = "handful"
    CLOVE = "clove"
    SLICE = "slice"
    STALK = "stalk"
    BUNCH = "bunch"
    CAN = "can"
    PACK = "pack"


class Scale(StrEnum):
    """The scale of a temperature."""

    CELSIUS = "C"
    FAHRENHEIT = "F"
    GAS_MARK = "gas"


class Oven(BaseModel):
    """How hot the oven is."""

    model_config = ConfigDict(extra="forbid")

    temperature: Annotated[int, Field(ge=1, le=600)]
    scale: Scale


class Ingredient(BaseModel):
    """One ingredient."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=60, description="as printed, lower case")]
    amount: Annotated[float | None, Field(gt=0, description="the lower one of a range")] = None
    amount_to: Annotated[float | None, Field(gt=0, description="the upper one of a range")] = None
    unit: Unit | None = None
    optional: bool = False


class Recipe(BaseModel):
    """One recipe; amounts as printed, nothing converted; leave out what the text does not say."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str | None, Field(max_length=60, description="as printed")] = None
    serves: Annotated[int | None, Field(ge=1, description="people, or pieces made")] = None
    prep_minutes: Annotated[int | None, Field(ge=0)] = None
    cook_minutes: Annotated[int | None, Field(ge=0, description="on the stove or in the oven")] = None
    oven: Oven | None = None
    ingredients: Annotated[list[Ingredient], Field(max_length=12)] = []
