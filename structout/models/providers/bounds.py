"""HTTP clients for providers that bound the bytes of an answer."""

from collections.abc import AsyncIterator
from typing import Any

MOST_BYTES = 64 << 20  # of an answer


def bounded_client(*, legacy: bool) -> Any:
    """The client that pydantic-ai makes for a provider, with at most `MOST_BYTES` an answer. A few compressed bytes may
    expand to very many, so it asks for none and reads none. `legacy` is the kind that Groq's package takes.
    """
    from pydantic_ai.models import create_async_http_client, create_async_httpx2_client

    client: Any = create_async_http_client() if legacy else create_async_httpx2_client()
    if legacy:
        from httpx import AsyncByteStream, ReadError
    else:
        from httpx2 import AsyncByteStream, ReadError  # type: ignore[assignment]

    class Bounded(AsyncByteStream):
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for piece in self._inner:
                size += len(piece)
                if size > MOST_BYTES:
                    raise ReadError(f"an answer of more than {MOST_BYTES:,} bytes")
                yield piece

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def bound(response: Any) -> None:
        if response.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise ReadError("the answer is compressed, though the request forbids it")
        response.stream = Bounded(response.stream)

    client.headers["Accept-Encoding"] = "identity"
    hooks = client.event_hooks
    client.event_hooks = {**hooks, "response": [*hooks.get("response", ()), bound]}
    return client
