"""Corruptions of the surroundings: the document is there, and so is much else."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

# (rng, the text of the document, another document of the kind of a draft or an example)
Wrap = Callable[[Random, str, Any], "str | None"]

BEFORE = [
    "Sure! Here is the JSON you asked for:",
    "Here's the extracted information:",
    "Based on the text, I've filled in the fields as follows.",
    "Of course, happy to help. The record is:",
    "The answer follows below (note: some fields were not mentioned).",
    "I read the text carefully; the result, in JSON:",
]
AFTER = [
    "Let me know if you need anything else!",
    "Note: values that the text doesn't mention were left out.",
    "I hope this helps.",
    "The fields are filled in as they appear in the text; {placeholders} were avoided.",
]


def fence(rng: Random, text: str, draft: Any) -> str | None:
    return f"```{rng.choice(['json', 'json', '', 'JSON', 'javascript'])}\n{text}\n```"


def fence_in_prose(rng: Random, text: str, draft: Any) -> str | None:
    return f"{rng.choice(BEFORE)}\n\n```json\n{text}\n```\n\n{rng.choice(AFTER)}"


def prose_before(rng: Random, text: str, draft: Any) -> str | None:
    return f"{rng.choice(BEFORE)}{rng.choice([' ', chr(10), chr(10) * 2])}{text}"


def prose_after(rng: Random, text: str, draft: Any) -> str | None:
    return f"{text}\n\n{rng.choice(AFTER)}"


def prose_around(rng: Random, text: str, draft: Any) -> str | None:
    return f"{rng.choice(BEFORE)}\n{text}\n{rng.choice(AFTER)}"


def thinking(rng: Random, text: str, draft: Any) -> str | None:
    thought = "The user wants JSON. The schema has {several} fields, [1] the first is plain."
    return f"<think>\n{thought}\n</think>\n\n{text}"


def thinking_draft(rng: Random, text: str, draft: Any) -> str | None:
    tag = rng.choice(["think", "thinking", "reasoning"])
    return f"<{tag}>Maybe {json.dumps(draft)}? No, that's not it.</{tag}>\n{text}"


def example_before(rng: Random, text: str, draft: Any) -> str | None:
    lead = rng.choice(
        ["For example, a record looks like this:", "An example of the format:", "The expected format is:"]
    )
    return f"{lead}\n```json\n{json.dumps(draft)}\n```\n\nHere is the answer for your text:\n```json\n{text}\n```"


def bracketed_prose(rng: Random, text: str, draft: Any) -> str | None:
    lead = rng.choice(
        [
            "Fields [as requested] are below {see the schema}:",
            "I used {name} as the key [see note 2].",
            "Steps: [1] read, [2] extract.",
        ]
    )
    return f"{lead}\n{text}"


def answer_tag(rng: Random, text: str, draft: Any) -> str | None:
    tag = rng.choice(["answer", "json", "output", "result"])
    return f"<{tag}>{text}</{tag}>"


def bold_label(rng: Random, text: str, draft: Any) -> str | None:
    return f"**Answer:** {text}"


def other_document(rng: Random, text: str, draft: Any) -> str | None:
    """A document of another kind stands before the one that fits."""
    other = {"status": "ok", "steps": ["read", "extract"], "confidence": 0.9}
    return f"Log: {json.dumps(other)}\nRecord: {text}"


def quoted_braces(rng: Random, text: str, draft: Any) -> str | None:
    return f'The template "{{title}} - {{id}}" from the text is ignored. {text}'


KINDS: dict[str, Wrap] = {
    kind.__name__: kind
    for kind in (
        fence, fence_in_prose, prose_before, prose_after, prose_around, thinking, thinking_draft, example_before,
        bracketed_prose, answer_tag, bold_label, other_document, quoted_braces,
    )
}  # fmt: skip


def cut(rng: Random, before: str, body: str) -> str | None:
    """Truncation: the text ends somewhere inside the document's outermost container."""
    start = re.search(r"[{\[]", body)
    last = max(body.rfind("}"), body.rfind("]"))
    if not start or last - start.start() < 4:
        return None
    return before + body[: rng.randrange(start.start() + 1, last)]
