"""Prompts: everything that a model reads."""

from structout.prompts.compose import Format, answer, compose, fingerprint, response
from structout.prompts.objections import objection
from structout.prompts.render import Show, render

__all__ = ["Format", "Show", "answer", "compose", "fingerprint", "objection", "render", "response"]
