"""What the model reads."""

from structout.prompts.compose import Format, answer, compose, objection
from structout.prompts.render import Show, render

__all__ = ["Format", "Show", "answer", "compose", "objection", "render"]
