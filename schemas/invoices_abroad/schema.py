"""The invoice of `../invoices`, with the currencies of other countries."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from structout.source import import_object

__all__ = ["Invoice"]

_Invoice: Any = import_object(f"{Path(__file__).parent.parent / 'invoices' / 'schema.py'}:Invoice", "schema")


class Currency(StrEnum):
    """What the amounts are in."""

    EUR = "EUR"
    CHF = "CHF"
    USD = "USD"
    PLN = "PLN"
    TRY = "TRY"
    SAR = "SAR"
    AED = "AED"
    EGP = "EGP"
    MAD = "MAD"
    INR = "INR"
    CNY = "CNY"
    TWD = "TWD"
    JPY = "JPY"


class Invoice(_Invoice):  # type: ignore[misc]
    """One invoice; every figure as printed, nothing computed; leave out what the text does not say."""

    currency: Currency | None = None
