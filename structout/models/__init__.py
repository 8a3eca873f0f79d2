"""Who answers."""

from structout.models.base import Model
from structout.models.load import load_model
from structout.models.memo import Memo
from structout.models.named import Named, identity
from structout.models.scripted import Scripted

__all__ = ["Memo", "Model", "Named", "Scripted", "identity", "load_model"]
