"""The kinds of servers that speak OpenAI's protocol: their usual addresses, and the dialects that they prefer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from structout.models.openai.dialects import Dialect


@dataclass(frozen=True)
class Kind:
    """A kind of server. The probe tries the `preferred` dialects first."""

    url: str
    preferred: tuple["Dialect", ...] = ()


# By the part of a model's name before the first colon.
KINDS: Final[dict[str, Kind]] = {
    "openai": Kind(""),
    "vllm": Kind("http://localhost:8000/v1", ("structured_outputs",)),
    "ollama": Kind("http://localhost:11434/v1", ("json_schema", "ollama")),
    "lmstudio": Kind("http://localhost:1234/v1"),
    "llamacpp": Kind("http://localhost:8080/v1", ("json_schema", "json_object")),
    "sglang": Kind("http://localhost:30000/v1"),
}
