"""The document in YAML, with the mistakes that models make in it."""

import re
from collections.abc import Callable
from random import Random
from typing import Any

Write = Callable[[Random, Any], "str | None"]


def _dump(document: Any) -> str | None:
    import yaml

    if not isinstance(document, dict) or not document:
        return None
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=10_000)
    return str(text)


def block(rng: Random, document: Any) -> str | None:
    return _dump(document)


def fenced(rng: Random, document: Any) -> str | None:
    text = _dump(document)
    return f"Here is the record:\n\n```{rng.choice(['yaml', 'yml'])}\n{text}```\n" if text else None


def unquoted(rng: Random, document: Any) -> str | None:
    """Texts with a colon inside stand without their quotes."""
    text = _dump(document)
    if text is None:
        return None
    made = re.sub(r"^(\s*(?:- )?[\w.-]+: )'([^'\n\"#]*[A-Za-z][^'\n\"#]*)'$", r"\1\2", text, flags=re.MULTILINE)
    return made if made != text else None


def tabs(rng: Random, document: Any) -> str | None:
    text = _dump(document)
    if text is None or "|" in text or ">" in text or "\n\n" in text:
        return None
    made = re.sub(r"^(?:  )+", lambda found: "\t" * (len(found.group()) // 2), text, flags=re.MULTILINE)
    return made if made != text else None


def indented_lists(rng: Random, document: Any) -> str | None:
    """Lists are indented under their key, and comments stand between."""
    text = _dump(document)
    if text is None or "\n- " not in text or "|" in text:
        return None
    lines, deeper = [], False
    for line in text.splitlines():
        deeper = line.startswith("- ") or (deeper and line.startswith(" "))
        lines.append("  " + line if deeper else line)
    return "# the record\n" + "\n".join(lines) + "\n"


def json_values(rng: Random, document: Any) -> str | None:
    """The outermost keys in YAML, their values in JSON."""
    import json

    if not isinstance(document, dict) or not all(re.fullmatch(r"[\w.-]+", key) for key in document):
        return None
    return "\n".join(f"{key}: {json.dumps(value)}" for key, value in document.items()) or None


KINDS: dict[str, Write] = {kind.__name__: kind for kind in (block, fenced, unquoted, tabs, indented_lists, json_values)}
