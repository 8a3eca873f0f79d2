"""What a model that stands before another one has of it."""

from typing import Any

from structout.models.base import Model


class Wrapper:
    """Goes by the name of the model that it wraps; `complete` is for the subclass to say."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def tuning(self) -> Any:
        """With which prompt the model was fine-tuned, if it was: strategies ask for it."""
        return getattr(self.inner, "tuning", None)
