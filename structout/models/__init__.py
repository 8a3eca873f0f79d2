"""Models: local, behind a server, scripted or user-defined, and the wrappers around them."""

from structout.models.base import Model
from structout.models.lazy import LazyModel, identity
from structout.models.load import load_model
from structout.models.scripted import Scripted
from structout.models.wrappers.memo import Memo
from structout.models.wrappers.strict import Strict, model_of

__all__ = ["LazyModel", "Memo", "Model", "Scripted", "Strict", "identity", "load_model", "model_of"]
