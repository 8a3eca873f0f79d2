"""What is asked of the servers on loopback, and by whom."""

import json
from typing import Any

from structout import Message, Prompt, Sampling
from structout.models.openai.client import OpenAIModel
from structout.models.openai.dialects import PROBE
from structout.models.retries import Patience
from tests.models.openai.servers import Proxy, completion

SOON = Patience(timeout=10, attempts=4, seconds=20)


def bolt(body: dict[str, Any]) -> dict[str, Any]:
    """Answers with the number in the record, and with what a constraint on one word admits."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    if schema == PROBE.json_schema:
        return completion(json.dumps({"word": schema["properties"]["word"]["enum"][0]}))
    n = int(body["messages"][-1]["content"].split("\n")[1].split()[0])
    return completion(json.dumps({"kind": "hex", "size_mm": n}), read=100 + n)


def ask(text: str, **sampling: Any) -> Prompt:
    return Prompt((Message("user", f"<record>\n{text}\n</record>"),), Sampling(**sampling))


def client(proxy: Proxy, **options: Any) -> OpenAIModel:
    return OpenAIModel("m", proxy.url, **{"patience": SOON, "key": "OPENAI_API_KEY", **options})
