"""Prompts: everything that a model reads."""

from structout.prompts.compose import Format, answer, compose, fingerprint, objection, response
from structout.prompts.render import Show, render

__all__ = ["Format", "Show", "answer", "compose", "fingerprint", "objection", "render", "response"]
