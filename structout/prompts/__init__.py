"""What the model reads."""

from structout.prompts.compose import Format, answer, compose, objection
from structout.prompts.render import Show, render, resolve

__all__ = ["Format", "Show", "answer", "compose", "objection", "render", "resolve"]
