"""A chat server on loopback that answers each request after some seconds: `python -m benchmarks.pipeline.slow_server`.

It takes any number of requests at once, writes its address to stdout, and ends with its stdin. `GET /seen` says how
many requests it answered, how many were in flight at most, and the seconds from the first request to the last answer.
"""

import asyncio
import json
import sys
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

from benchmarks.pipeline.model import documents


@dataclass
class Seen:
    """What the server has seen."""

    answered: int = 0
    flying: int = 0
    peak: int = 0
    began: float = 0.0
    ended: float = 0.0
    at: list[float] = field(default_factory=list)  # when the answers were sent

    def to_json(self) -> dict[str, Any]:
        return {"answered": self.answered, "peak": self.peak, "seconds": self.ended - self.began, "at": self.at}


async def serve(seconds: float) -> None:
    seen = Seen()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next((one for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")), b":0")
                body = await reader.readexactly(int(length.partition(b":")[2]))
                said = seen.to_json() if head.startswith(b"GET") else await answered(body)
                data = json.dumps(said).encode()
                start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data)
                writer.write(start + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answered(body: bytes) -> dict[str, Any]:
        seen.began = seen.began or time.monotonic()
        seen.flying += 1
        seen.peak = max(seen.peak, seen.flying)
        await asyncio.sleep(seconds)
        seen.flying -= 1
        seen.answered += 1
        seen.ended = time.monotonic()
        seen.at.append(seen.ended - seen.began)
        return _completion(json.loads(body))

    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    record = asked["messages"][-1]["content"]
    text = documents()[zlib.crc32(record.encode()) % len(documents())]
    usage = {"prompt_tokens": len(record) // 4, "completion_tokens": len(text) // 4}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": asked["model"], "choices": [choice], "usage": usage}


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))
