"""Why Pydantic cannot make a schema of something, and what to give instead."""

from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from structout.schema.writer import Writer

_TYPING: Final = ("builtins", "typing", "types", "typing_extensions", "annotated_types", "pydantic")
_USUAL: Final = "give a Pydantic model, a type, a JSON Schema or path/to/schema.py:Name"


def refusal(source: Any, error: Exception) -> tuple[str, str]:
    """The reason and the hint for an error of Pydantic on a source."""
    reason = str(error).split("\n")[0].partition(" Set `arbitrary_types_allowed")[0]
    if not isinstance(source, type):
        made_of = type(source)
        if isinstance(source, BaseModel) or made_of.__module__.partition(".")[0] not in _TYPING:
            return f"it is an instance of {made_of.__name__}", f"give the class: {made_of.__name__}"
        return reason, _USUAL
    if any(base.__module__.startswith("pydantic.v1") for base in source.__mro__):
        return "it is a model of pydantic.v1", "make it a model of Pydantic 2: derive it from pydantic.BaseModel"
    if hasattr(source, "__attrs_attrs__"):
        return "it is a class of attrs", "write a Pydantic model or a dataclass with the same fields"
    if issubclass(source, BaseModel):
        for name, field in source.model_fields.items():
            kind: Any = field.annotation
            try:
                TypeAdapter(kind).json_schema(schema_generator=Writer)
            except Exception as inner:
                what = str(inner).split("\n")[0].partition(" Set `arbitrary_types_allowed")[0]
                kind = getattr(field.annotation, "__name__", str(field.annotation))
                return (
                    f"its field {name!r} ({kind}): {what}",
                    "give the field a type that JSON can hold, or leave it out",
                )
    return reason, _USUAL
