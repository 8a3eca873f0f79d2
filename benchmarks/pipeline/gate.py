"""(d) Valid documents of about 1 KB, judged by `structout validate` and by peers."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema_rs
from pydantic import TypeAdapter

from structout.schema import Schema
from structout.source import import_object

COUNT = 100_000
FEW = 2_000  # for what is slow


def measure(options: argparse.Namespace) -> dict[str, Any]:
    schema = Schema.of("schemas/parts")
    documents = _documents(schema)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contract = folder / "schema.json"
        contract.write_text(json.dumps(schema.json_schema))
        many, few = folder / "many.jsonl", folder / "few.json"
        many.write_text("\n".join(documents[place % len(documents)] for place in range(COUNT)))
        few.write_text(json.dumps([json.loads(documents[place % len(documents)]) for place in range(FEW)]))
        array = folder / "array.json"
        array.write_text(json.dumps(_array_of(schema.json_schema)))
        python = [sys.executable, "-m"]
        judge = [*python, "structout", "validate", str(many), "-s"]
        rows.append(_row("structout validate, Pydantic type", COUNT, _processor([*judge, "schemas/parts"])))
        rows.append(_row("structout validate, JSON Schema", COUNT, _processor([*judge, str(contract)])))
        lines = many.read_text().splitlines()
        validator = jsonschema_rs.validator_for(schema.json_schema)
        seconds = _loop(lambda text: validator.is_valid(json.loads(text)), lines)
        rows.append(_row("json.loads and jsonschema-rs, a loop", COUNT, seconds))
        adapter: TypeAdapter[Any] = TypeAdapter(import_object("schemas/parts/schema.py:Part"))
        seconds = _loop(lambda text: bool(adapter.validate_json(text)), lines)
        rows.append(_row("pydantic validate_json, a loop", COUNT, seconds))
        peer = [*python, "check_jsonschema", "--schemafile", str(array), str(few)]
        rows.append(_row("check-jsonschema, one array", FEW, _processor(peer)))
    size = sum(map(len, documents)) / len(documents)
    note = (
        f"{len(documents)} different documents of {size:.0f} bytes in the mean, repeated; seconds of one processor, "
        "the start of the commands included. A strict verdict reads each document twice for a Pydantic type (once for "
        "duplicate keys and the JSON Schema, once for Pydantic in strict mode): that is what limits it. The loops "
        "accept duplicate keys, and pydantic's also what it coerces."
    )
    return {"title": "`structout validate`, valid documents", "rows": rows, "note": note}


def _documents(schema: Schema[Any]) -> list[str]:
    """Hand-written records, defaults filled in, with vehicles added until they are about 1 KB long."""
    found = []
    for line in Path("schemas/parts/records.jsonl").read_text(encoding="utf-8").splitlines():
        record: Any = schema.dump(schema.check(json.loads(line)["expected"]).value)
        while len(json.dumps(record)) < 1000 and len(record["fitment"]) < 8:
            record["fitment"].append({"make": "Volkswagen", "model": "Golf", "year_from": 1998, "year_to": 2004})
        found.append(json.dumps(record))
    return [text for text in found if schema.check_text(text).ok]


def _array_of(root: Any) -> dict[str, Any]:
    """A schema for a list of documents: the definitions stay at the root, where its references point."""
    item = {name: part for name, part in root.items() if name != "$defs"}
    return {"$defs": root.get("$defs", {}), "type": "array", "items": item}


def _processor(command: list[str]) -> float:
    """Processor seconds of a command that must pass."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def _loop(judge: Callable[[str], bool], lines: Iterable[str]) -> float:
    began = time.process_time()
    assert all(judge(line) for line in lines)
    return time.process_time() - began


def _row(name: str, count: int, seconds: float) -> dict[str, Any]:
    return {"": name, "documents": f"{count:,}", "s": f"{seconds:.2f}", "documents/s": f"{count / seconds:,.0f}"}
