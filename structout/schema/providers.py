"""What each provider takes of a JSON Schema: dated, sourced facts, read from `providers.toml`."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any, Literal

from structout.document import Json
from structout.errors import SpecError
from structout.schema.keywords import RESTRICTING
from structout.schema.provider_rules import types_of

Verdict = Literal[
    "rejected",  # the provider answers an error
    "ignored",  # the provider takes the keyword, and does not hold answers to it
    "slow",  # the provider holds answers to the keyword, at a price in time
    "unknown",  # no source says what the provider does, or it depends on how the server is run
]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact about a provider, in our own words. `providers.toml` says what each field means."""

    verdict: Literal["held"] | Verdict
    means: str
    source: str
    read: date
    keywords: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    unless: tuple[Json, ...] | None = None
    containing: tuple[str, ...] = ()
    rule: str = ""
    count: str = ""
    most: int = 0

    def fits(self, node: Mapping[str, Any], keyword: str) -> bool:
        """Whether the fact is about a keyword of this subschema."""
        if keyword not in self.keywords and not ("*" in self.keywords and keyword in RESTRICTING):
            return False
        declared, value = types_of(node), node[keyword]
        return (
            (not self.types or not declared or not set(declared).isdisjoint(self.types))
            and (not self.beside or any(key in node for key in self.beside))
            and (self.unless is None or not _is_among(value, self.unless))
            and (not self.containing or any(text in str(value) for text in self.containing))
        )


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider, or a server, and the facts about it. `key` is its name in `audit --for`, and so is each of `also`."""

    key: str
    also: tuple[str, ...]
    name: str
    about: str
    source: str
    read: date
    facts: tuple[Fact, ...]

    def fact(self, node: Mapping[str, Any], keyword: str) -> Fact | None:
        """The fact that decides what the provider does with a keyword of a subschema."""
        return next((fact for fact in self.facts if fact.fits(node, keyword)), None)


@cache
def providers() -> tuple[Provider, ...]:
    """All providers that facts are known about."""
    text = resources.files("structout.schema").joinpath("providers.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return tuple(_provider(key, tables) for key in tables)


def provider(name: str) -> Provider:
    """The provider with a name, such as `openai`; a model's name, such as `openai:MODEL`, means its provider.

    Raises `SpecError` for an unknown provider.
    """
    key = name.partition(":")[0].strip().lower()
    known = {other: one for one in providers() for other in (one.key, *one.also)}
    if key in known:
        return known[key]
    near = get_close_matches(key, known, 1)
    meant = f"did you mean {near[0]}? " if near else ""
    names = ", ".join(one.key for one in providers())
    raise SpecError(f"no facts about the provider {name!r}", hint=f"{meant}known: {names}")


def _provider(key: str, tables: Mapping[str, Any]) -> Provider:
    table = tables[key]
    own = [*table.get("facts", ())]
    own += tables[table["like"]].get("facts", ()) if "like" in table else []
    facts = tuple(map(_fact, own))
    return Provider(
        key=key,
        also=tuple(table.get("also", ())),
        name=table["name"],
        about=table["about"],
        source=table["source"],
        read=table["read"],
        facts=facts,
    )


def _fact(table: Mapping[str, Any]) -> Fact:
    fields: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in table.items()}
    return Fact(**fields)


def _is_among(value: Json, values: tuple[Json, ...]) -> bool:
    """Whether a JSON value is one of others; 0 is not false."""
    return json.dumps(value, sort_keys=True) in {json.dumps(one, sort_keys=True) for one in values}
