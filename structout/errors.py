"""The few errors that structout raises; bad model output is never one of them, it is a `Result` with issues."""

from importlib.util import find_spec
from typing import Any

from structout.surfaces import line


class StructoutError(Exception):
    """Something that the caller can act on: what is wrong, and in `hint` what to do about it. It is `retryable` where
    the work stopped and can go on: the same again does better once the cause is gone. As text it is one line that a
    terminal or a log can take, whoever wrote the names in it; `message` holds them as they are.
    """

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return line(f"{self.message} ({self.hint})" if self.hint else self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args, vars(self))  # whatever the arguments of a subclass are


def _remade(kind: type[StructoutError], args: tuple[Any, ...], state: dict[str, Any]) -> StructoutError:
    """An error that was pickled."""
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


class SchemaError(StructoutError):
    """A schema that cannot be found, read or understood."""


class CodeError(StructoutError):
    """Code that was named but may not run here."""


class DataError(StructoutError):
    """An input file or a data set that cannot be read."""


class SpecError(StructoutError):
    """A strategy, model or sampling setting that is none."""


class ModelError(StructoutError):
    """A model that cannot be loaded, or that failed while it answered."""

    retryable = True


class NoModelError(ModelError):
    """What is named is no model, or lacks what it needs: to try the same again is no use."""

    retryable = False


class JournalError(StructoutError):
    """A journal that cannot be used: in use, or on a disk that takes no more."""

    retryable = True


class OtherRunError(JournalError):
    """A journal of another run or version, which the same command will not be able to use later either."""

    retryable = False


class DamagedError(JournalError):
    """A journal in which something is no longer what was written: the cause lies in the file or on the disk."""

    retryable = False


class OutputError(StructoutError):
    """An output that cannot be written."""

    retryable = True


class BudgetError(StructoutError):
    """The budget of a run is used up. What was done is kept: the same command goes on with a higher one."""

    retryable = True


class StructoutWarning(UserWarning):
    """Something that works, but hardly as it was meant to; said once, on one line like an error."""

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
    """Raise `MissingExtraError` for a package that is not installed, before the work that needs the package begins."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra)
