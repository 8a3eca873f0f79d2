"""Guidance: the user's own words in a prompt, beside the schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from structout.errors import SpecError

PARTS: Final = ("task", "instructions", "schema", "record", "answer")
ORDER: Final = " ".join(PARTS)


def read_instructions(file: str | Path) -> str:
    """The instructions in a text file. Raises `SpecError` if the file cannot be read, or is empty."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot read the instructions {file}: {error}", hint="give a text file in UTF-8") from error
    if not text:
        raise SpecError(f"{file} is empty", hint="write the instructions into the file")
    return text


@dataclass(frozen=True, slots=True)
class Guidance:
    """The user's own words in the first message of a prompt, and the order of its parts.

    The parts are the `task` (what to do; `system` replaces structout's own sentence), the user's `instructions`, the
    `schema`, what is said of the `record` (that its tags hold data), and the form of the `answer`. `order` names all
    five, separated by spaces. Raises `SpecError` for any other order.
    """

    instructions: str = ""
    system: str = ""
    order: str = ORDER

    def __post_init__(self) -> None:
        if sorted(self.order.split()) != sorted(PARTS):
            raise SpecError(f"invalid order: got {self.order!r}", hint=f"give all of: {ORDER}")

    def arranged(self, parts: dict[str, str]) -> str:
        """The texts of the parts, by name, as one text in this order. `parts` holds structout's own texts."""
        own = {"task": self.system.strip(), "instructions": self.instructions.strip()}
        said = {name: own.get(name) or parts.get(name, "") for name in self.order.split()}
        return "\n".join(text for text in said.values() if text)
