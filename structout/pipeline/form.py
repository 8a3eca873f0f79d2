"""The form in which accepted records are written: as documents of the schema, or as their Pydantic type writes them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from structout.document import Json
from structout.schema import Schema


@dataclass(frozen=True)
class Form:
    """What is written of a document: `write` makes the record of it, and `schema` describes the record."""

    schema: Schema[Any]
    write: Callable[[Json], Json]

    @classmethod
    def of(cls, schema: Schema[Any], *, by_serialization: bool = False) -> "Form":
        """The form of a schema's documents; `by_serialization` asks its Pydantic type, if it has one."""
        if not by_serialization or schema.adapter is None:
            return cls(schema, lambda document: document)
        return cls(schema.serialization(), lambda document: schema.dump(schema.check(document).value))
