"""Emulated providers: small HTTP servers on 127.0.0.1 that refuse and hold what the APIs are known to refuse and hold.

    with serving(OpenAI(speaker)) as server:
        ...  # ask at server.url, then read server.log

A provider answers requests with what a speaker says: see `benchmarks.emulated.speakers`. No provider calls out.
"""

from benchmarks.emulated.server import Asked, Log, Provider, Reply, Request, Server, serving
from benchmarks.emulated.speakers import Speaker, careful, careless, marked, scripted

__all__ = [
    "Asked",
    "Log",
    "Provider",
    "Reply",
    "Request",
    "Server",
    "Speaker",
    "careful",
    "careless",
    "marked",
    "scripted",
    "serving",
]
