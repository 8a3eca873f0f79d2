"""What an emulated model says: a speaker makes a text of the schema that it was shown, or None, and the prompt."""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.emulated.holding import fitted

Speaker = Callable[[Any, str], str]
PROSE = "Sure! Here is what I found: it is about twelve, though I am not certain."
_MARK = re.compile(r"\[row (\S+) (careful|hasty|careless)\] ")


def careless(schema: Any, prompt: str) -> str:
    """Prose, whatever the schema. A server that holds the answer forces a document upon it, of the schema's types."""
    return PROSE


def careful(schema: Any, prompt: str) -> str:
    """A document of the schema that the speaker was shown; prose without a schema."""
    return PROSE if schema is None else json.dumps(fitted("a word", schema), ensure_ascii=False)


def scripted(answers: Mapping[str, str], otherwise: Speaker = careless) -> Speaker:
    """The answer whose key is part of the prompt; else what `otherwise` says."""

    def speak(schema: Any, prompt: str) -> str:
        return next((answer for key, answer in answers.items() if key in prompt), None) or otherwise(schema, prompt)

    return speak


def row(name: str, temper: str, document: Any) -> str:
    """A record for the speaker `marked`: the document that the model has in mind, and its temper.

    A careful model writes the document in the form of the schema; a hasty model does so when asked again; a careless
    model never does.
    """
    return f"[row {name} {temper}] {json.dumps(document, ensure_ascii=False)}"


def marked() -> Speaker:
    """A speaker for records by `row`. Without a schema in the request, it reads the schema in the prompt, if any."""
    asked: dict[str, int] = {}
    lock = threading.Lock()

    def speak(schema: Any, prompt: str) -> str:
        found = list(_MARK.finditer(prompt))
        if not found:
            return PROSE
        name, temper = found[0].groups()
        document, _ = json.JSONDecoder().raw_decode(prompt[found[0].end() :])
        with lock:
            asked[name] = asked.get(name, 0) + 1
            first = asked[name] == 1
        if temper == "careless" or (temper == "hasty" and first):
            return PROSE
        shown = _schema_in(prompt) if schema is None else schema
        return json.dumps(document if shown is None else fitted(document, shown), ensure_ascii=False)

    return speak


def _schema_in(prompt: str) -> Any:
    """The first JSON Schema of an object in a prompt; None without one."""
    for place in re.finditer(r"\{\s*\"", prompt):
        try:
            found, _ = json.JSONDecoder().raw_decode(prompt[place.start() :])
        except ValueError:
            continue
        if isinstance(found, dict) and (
            "properties" in found or "$defs" in found or isinstance(found.get("type"), str)
        ):
            return found
    return None
