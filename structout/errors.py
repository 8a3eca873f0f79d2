"""The errors that structout raises. Bad model output raises none of them: it becomes a `Result` with issues."""

from importlib.util import find_spec
from typing import Any

from structout.surfaces import line


class StructoutError(Exception):
    """An error that the caller can act on: `message` says what is wrong, and `hint` says what to do.

    A `retryable` error stopped the work, and the same call can succeed once the cause is gone. `str()` gives one line
    that is safe for a terminal or a log, wherever the names in the message come from; `message` is not escaped.
    """

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return line(f"{self.message} ({self.hint})" if self.hint else self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, vars(self))  # works whatever arguments the subclass takes


def _remade(kind: type[StructoutError], args: tuple[Any, ...], state: dict[str, Any]) -> StructoutError:
    """Rebuild a pickled error."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


class SchemaError(StructoutError):
    """A schema that cannot be found, read or understood."""


class CodeError(StructoutError):
    """A name of code that may not run here."""


class DataError(StructoutError):
    """An input file or a data set that cannot be read."""


class UnavailableError(DataError):
    """An input whose server cannot be reached, or broke off: the same command can succeed later."""

    retryable = True


class SpecError(StructoutError):
    """An invalid strategy, model, price, argument or sampling setting."""


class ModelError(StructoutError):
    """A model that cannot be loaded, or that failed while answering.

    An error that `stops` the run concerns every record, so no further record is asked.
    """

    retryable = True
    stops = False


class NoModelError(ModelError):
    """An unknown model, a rejected key, or a model that lacks something it needs: retrying does not help."""

    retryable = False
    stops = True


class AccountError(ModelError):
    """An account whose money or quota is used up: the same call can succeed once it is paid."""

    stops = True


class JournalError(StructoutError):
    """A journal that cannot be used: another run holds it, or the disk is full."""

    retryable = True


class OtherRunError(JournalError):
    """A journal of another run or version: retrying the same command does not help."""

    retryable = False


class DamagedError(JournalError):
    """A journal whose content changed after it was written: the file or the disk is damaged."""

    retryable = False


class OutputError(StructoutError):
    """An output that cannot be written."""

    retryable = True


class BatchError(StructoutError):
    """A batch at a provider that cannot go on: the provider fails, or it is unknown what was submitted.

    Nothing is lost: the same command collects what was submitted.
    """

    retryable = True


class BudgetError(StructoutError):
    """A budget that is used up. Finished work is kept: the same command continues with a higher budget."""

    retryable = True


class ShiftError(StructoutError):
    """Rows of a run that no longer look like the labelled records that its strategy was certified on.

    Finished work is kept. The same command stops again; it goes on with `--on-shift warn`.
    """

    retryable = True


class SmallBudgetError(BudgetError, SpecError):
    """A budget that is too small for the first row: the same call fails again."""

    retryable = False


class StructoutWarning(UserWarning):
    """A warning about something that works, but probably not as intended. Its text is one line, like an error's."""

    def __init__(self, message: str) -> None:
        super().__init__(line(message))


class MissingExtraError(StructoutError):
    """A feature whose optional packages are not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs the package {package!r}, which is not installed",
            hint=f'pip install "structout[{extra}]"',
        )


def check_installed(extra: str, *packages: str) -> None:
    """Raise `MissingExtraError` if a package is missing, before the work that needs it begins."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra)
