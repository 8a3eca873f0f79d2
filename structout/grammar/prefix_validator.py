"""The judgement of a text and of its beginning: whether it fits a schema, and whether it still can."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from structout.grammar.prefix import Prefix, read_prefix
from structout.issue import Steps, pointer
from structout.schema import Schema

# What an open container cannot lose again, however it goes on.
_LASTING = ("type", "maxItems", "maxProperties", "additionalProperties", "propertyNames", "falseSchema")
# What stands under these counts only if something else holds, and that may still come.
_CONDITIONAL = frozenset({"then", "else", "dependentSchemas", "dependencies"})
_MOST_ERRORS = 100


@dataclass(frozen=True)
class PrefixValidator:
    """Judges texts by everything that a schema says, which is more than a mask can enforce."""

    schema: Schema[Any]

    def accepts(self, text: str) -> bool:
        """Whether a text is a document that complies."""
        return self.schema.check_text(text).ok

    def refuses(self, beginning: bytes, text: str) -> bool:
        """Whether every text with this beginning is refused, as `text`, which has it, is; False if that is not known.

        Only what cannot change counts: an error at a value that is complete, or at an open one an error that lasts.
        """
        if self.schema.language is not None:
            return False
        prefix = read_prefix(beginning)
        if prefix.is_lost:
            return True
        if not isinstance(prefix.document, dict | list):
            return False
        errors = islice(self.schema.validator.errors(prefix.document), _MOST_ERRORS)
        if any(_stays(error, prefix) for error in errors):
            return True
        # Pydantic's own checks need a whole document; what they say of a complete value does not change either.
        checked = self.schema.check_text(text)
        if checked.document is None or not self.schema.validator.is_valid(checked.document):
            return False
        complete = set(map(pointer, _complete(prefix)))
        return any(issue.pointer in complete for issue in checked.issues)


def _stays(error: jsonschema_rs.ValidationError, prefix: Prefix) -> bool:
    path = tuple(error.instance_path)
    if _CONDITIONAL.intersection(map(str, error.schema_path)):
        return False
    if path not in prefix.open:
        return True
    items = error.instance
    if error.kind.name != "uniqueItems" or not isinstance(items, list):
        return error.kind.name in _LASTING
    complete = [json.dumps(item, sort_keys=True) for n, item in enumerate(items) if (*path, n) not in prefix.open]
    return len(set(complete)) < len(complete)


def _complete(prefix: Prefix) -> Iterator[Steps]:
    """The paths of all values that are complete."""
    stack: list[tuple[Steps, Any]] = [((), prefix.document)]
    while stack:
        path, node = stack.pop()
        if path not in prefix.open:
            yield path
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        stack += [((*path, step), child) for step, child in children]
