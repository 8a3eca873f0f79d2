"""The base class of models that wrap another model."""

from typing import Any

from structout.models.base import Model


class Wrapper:
    """A model that wraps another model and has its name and tuning; the subclass defines `complete`."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The name of the wrapped model."""
        return self.inner.name

    @property
    def tuning(self) -> Any:
        """How the wrapped model was fine-tuned; None if it was not. Strategies read its prompt."""
        return getattr(self.inner, "tuning", None)


def innermost(model: Any) -> Any:
    """The model itself, without its wrappers. Loads a lazy model."""
    while hasattr(model, "inner"):
        model = model.inner
    return model
