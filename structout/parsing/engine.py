"""Repair: find the document in an answer, read it tolerantly, fit it to the schema, and list the edits."""

import warnings
from typing import Any, Final, TypeVar, get_args, overload

from structout.document import read_json, scalars
from structout.errors import SpecError, StructoutWarning
from structout.issue import Issue
from structout.language import Choice
from structout.parsing.allowance import allowance_for
from structout.parsing.edits import Decimal, Policy
from structout.parsing.fast_path import single
from structout.parsing.fit.coercer import same
from structout.parsing.languages import bare
from structout.parsing.locate.candidates import Format
from structout.parsing.notices import notices
from structout.parsing.repaired import Repaired
from structout.parsing.search import Search
from structout.parsing.syntax.wide import narrowed, with_narrowed
from structout.schema import Schema

T = TypeVar("T")

_POLICIES: Final = get_args(Policy)


@overload
def repair(
    text: str,
    schema: type[T] | Schema[T],
    policy: Policy = ...,
    *,
    decimal: Decimal | None = ...,
    complete: bool = ...,
    format: Format | None = ...,
) -> Repaired[T]: ...
@overload
def repair(
    text: str,
    schema: Any,
    policy: Policy = ...,
    *,
    decimal: Decimal | None = ...,
    complete: bool = ...,
    format: Format | None = ...,
) -> Repaired[Any]: ...
def repair(
    text: str,
    schema: Any,
    policy: Policy = "lossless",
    *,
    decimal: Decimal | None = None,
    complete: bool = False,
    format: Format | None = None,  # noqa: A002  (the usual word)
) -> Repaired[Any]:
    """Read `text` as a document of `schema`, in any form that `Schema.of` takes.

    The default policy accepts lossless edits only; `lossy` and `any` accept more. `decimal` is the decimal sign of
    numbers written as text: without it, `"1,200"` is ambiguous. `complete` says that the text was not cut off (its
    finish reason is `stop`): adding closers at its very end is then lossless, otherwise lossy. `format` restricts
    reading to JSON or to YAML; by default, YAML is tried if the text holds no JSON. If the schema is a language (a
    choice, a statement), only wrapping is removed. The time is linear in the length of the text. No text makes `repair`
    raise: a bug in repair gives an issue and a warning. Raises `SpecError` for an invalid argument, and `SchemaError`.
    """
    if type(text) is not str or policy not in _POLICIES or decimal is not None or format is not None:
        _check(text, policy, decimal, format)
    schema = Schema.of(schema)
    try:
        found = attempt(text, schema, policy, decimal=decimal, complete=complete, format=format)
        if not found.issues and (noticed := notices(text, found.document)):
            return found._replace(notices=noticed)
        return found
    except Exception as error:
        message = f"repair failed on this text, which is a fault of structout: {type(error).__name__}"
        warnings.warn(f"{message}: {error}"[:300], StructoutWarning, stacklevel=2)
        return Repaired(None, None, (Issue("", "not_json", message),))


def _check(text: Any, policy: Any, decimal: Any, format: Any) -> None:  # noqa: A002
    """Raise `SpecError` for an invalid argument of `repair`."""
    if not isinstance(text, str):
        raise SpecError(f"invalid text: got {text!r:.80}, expected a str", hint="decode bytes first: text.decode()")
    for name, given, choices in (
        ("policy", policy, get_args(Policy)),
        ("decimal", decimal, (None, *get_args(Decimal))),
        ("format", format, (None, *get_args(Format))),
    ):
        if given not in choices:
            raise SpecError(f"invalid {name}: got {given!r}", hint=f"give {' or '.join(map(repr, choices))}")


def attempt(
    text: str,
    schema: Schema[T],
    policy: Policy = "lossless",
    *,
    decimal: Decimal | None = None,
    complete: bool = False,
    format: Format | None = None,  # noqa: A002
) -> Repaired[T]:
    """`repair` without its safety net: a bug raises here, so that tests can find it."""
    if schema.language is not None:
        return _bare(text, schema)
    try:
        document = read_json(text)
    except ValueError as error:
        if format != "yaml":
            reading = single(text, str(error), allowance_for(text, 2), complete=complete)
            found = schema.check_briefly(reading.document) if reading else None
            if reading and found:
                return Repaired(found.value, found.document, (), reading.edits)
        checked = schema.check_text(text)
    else:
        checked = schema.check(document, text)
        if not checked.issues:
            return Repaired(checked.value, checked.document)
    repaired = Search(text, schema, policy, decimal, complete, format).run(checked)
    plain, edits = narrowed(text)
    other = Search(plain, schema, policy, decimal, complete, format).run(checked) if edits else repaired
    if not other.ok or (repaired.ok and same(repaired.document, other.document)):
        return repaired
    values = [value for value in scalars(other.document).values() if isinstance(value, str)]
    if any(value not in text and value in plain for value in values):
        return repaired  # a full-width sign became content
    if repaired.ok:
        message = "the text can be read with its full-width signs as content, or as signs of JSON"
        return Repaired(None, repaired.document, (Issue("", "ambiguous", message),), repaired.edits)
    return other._replace(edits=with_narrowed(other.edits, text, edits))


def _bare(text: str, schema: Schema[T]) -> Repaired[T]:
    checked = schema.check_text(text)
    if checked.ok:
        return Repaired(checked.value, checked.document)
    choices = schema.language.values if isinstance(schema.language, Choice) else ()
    for reading, edits in bare(text, choices):
        found = schema.check_text(reading)
        if found.ok:
            return Repaired(found.value, found.document, (), edits)
    return Repaired(None, None, checked.issues)
