"""The validation of a text and of its beginning: whether it complies with a schema, and whether it still can."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from structout.grammar.prefix import Prefix, read_prefix
from structout.issue import Steps, pointer
from structout.schema import Schema

# Errors of an open container that remain, however the container goes on.
_LASTING = ("type", "maxItems", "maxProperties", "additionalProperties", "propertyNames", "falseSchema")
# Errors under these keywords depend on a condition that may still change.
_CONDITIONAL = frozenset({"then", "else", "dependentSchemas", "dependencies"})
_MOST_ERRORS = 100


@dataclass(frozen=True)
class PrefixValidator:
    """Validates texts against the whole schema, including keywords that a mask cannot enforce."""

    schema: Schema[Any]

    def accepts(self, text: str) -> bool:
        """Whether a text is a document that complies with the schema."""
        return self.schema.check_text(text).ok

    def refuses(self, beginning: bytes, text: str) -> bool:
        """Whether no text with this beginning can comply; False if that is unknown. `text` has the beginning and does
        not comply.

        Only final errors count: any error at a complete value, and an error at an open container that remains.
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
        # Pydantic's own checks need a whole document; their errors at complete values are final too.
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
    """The paths of all complete values."""
    stack: list[tuple[Steps, Any]] = [((), prefix.document)]
    while stack:
        path, node = stack.pop()
        if path not in prefix.open:
            yield path
        children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        stack += [((*path, step), child) for step, child in children]
