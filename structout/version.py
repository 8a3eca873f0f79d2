"""The version of structout."""

from importlib.metadata import version

__version__ = version("structout")
