"""Places at which runs of batches find an emulated provider, and a parent that starts and kills these runs."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.emulated import Log, Reply, Request, serving
from benchmarks.emulated.anthropic import Anthropic
from benchmarks.emulated.google import Google
from benchmarks.emulated.openai import OpenAI
from tests.bolt import BOLT
from tests.conftest import ROOT

COUNT, CHUNK = 24, 8
HOSTS: dict[str, tuple[Callable[..., Any], str, str, str]] = {
    "anthropic": (Anthropic, "anthropic:claude-sonnet-4-5", "ANTHROPIC_BASE_URL", ""),
    "openai": (OpenAI, "openai:gpt-4o", "OPENAI_BASE_URL", "/v1"),
    "google": (Google, "google:gemini-2.5-flash", "GOOGLE_GEMINI_BASE_URL", ""),
}


def speak(schema: Any, prompt: str) -> str:
    """A bolt of the size in the record; a multiple of seven needs a second question."""
    number = int(re.findall(r"(\d+) mm bolt", prompt)[-1])
    if number % 7 == 0 and "again, please" not in prompt:
        return "again, please"
    return json.dumps({"kind": "hex", "size_mm": number})


@dataclass
class Desk:
    """A provider that takes a little time over a submission, before and after it makes the job."""

    inner: Any
    log: Log
    pause: float = 0.0
    made: dict[str, dict[str, str]] = field(default_factory=dict)  # the prompts of each job, by their custom ids
    refuse: Reply | None = None
    refuse_at: tuple[str, ...] = ("/batches", ":batchGenerateContent")
    stop_at: str = ""  # the moment of a submission that lasts until `go`
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    busy: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(5))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Reply:
        creates = request.method == "POST" and request.path.endswith(("/batches", ":batchGenerateContent"))
        with self.lock:
            self.busy += 1
        try:
            if creates:
                self._pause("before")
            with self.lock:
                is_refused = request.method == "POST" and request.path.endswith(self.refuse_at)
                reply: Reply = self.refuse if is_refused and self.refuse else self.inner.answer(request)
                if creates and reply.status == 200:
                    self._note()
            if creates:
                self._pause("after")
            return reply
        finally:
            with self.lock:
                self.busy -= 1

    def jobs(self) -> dict[str, list[str]]:
        """The prompts of each job, once nothing is under way."""
        while self.busy:
            time.sleep(0.005)
        return {name: list(asked.values()) for name, asked in self.made.items()}

    def _pause(self, moment: str) -> None:
        time.sleep(self.dice.uniform(0, self.pause))
        if self.stop_at == moment:
            self.reached.set()
            self.go.wait(20)
            if moment == "before":
                raise ConnectionResetError  # the request is lost on its way

    def _note(self) -> None:
        for name, job in self.inner.batches.items():
            if name not in self.made:
                if isinstance(self.inner, OpenAI):
                    asked = list(map(json.loads, self.inner.files[job["input_file_id"]].splitlines()))
                else:
                    asked = job["requests"] if isinstance(self.inner, Anthropic) else job["rows"]
                ids = [str(row.pop("key", "") or row["custom_id"]) for row in map(dict, asked)]
                rest = [{name: part for name, part in row.items() if name not in ("key", "custom_id")} for row in asked]
                self.made[name] = dict(zip(ids, map(json.dumps, rest), strict=True))


@dataclass
class Place:
    """A provider on loopback, and the commands that ask it."""

    desk: Desk
    host: str
    folder: Path
    environment: dict[str, str]
    parent: "Parent"

    @property
    def output(self) -> Path:
        return self.folder / "out.jsonl"

    @property
    def journal(self) -> Path:
        return self.folder / "out.jsonl.journal"

    def words(self, count: int = COUNT, chunk: int = CHUNK) -> list[object]:
        """The words of a run over so many bolts."""
        source = self.folder / "in.jsonl"
        source.write_text("\n".join(json.dumps({"id": f"k{n}", "text": f"{n} mm bolt"}) for n in range(1, count + 1)))
        model = f"{HOSTS[self.host][1]}#batch"
        beside = ["--strategy", "Reask(Prompted())", "--key", "id", "--chunk", chunk, "-o", self.output]
        return ["run", "-i", source, "--schema", BOLT, "--model", model, *beside]

    def start(self, *words: object) -> int:
        """Start a command in a process of its own, and return its id."""
        return self.parent.start([str(word) for word in words], self.folder / "stderr", self.environment)

    def end(self) -> tuple[int, str]:
        """The exit code of the command (below zero if a signal ended it) and its stderr, once it has ended."""
        return self.parent.read(), (self.folder / "stderr").read_text()

    def run(self, *words: object) -> tuple[int, str]:
        self.start(*words)
        return self.end()


class Parent:
    """The process from which those of all commands are forked."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "tests.pipeline.batch_runs"]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._running = 0
        self._line()  # it has imported everything

    def start(self, words: list[str], log: Path, environment: dict[str, str]) -> int:
        assert self._process.stdin is not None
        self.stop()
        self._process.stdin.write(json.dumps([words, str(log), environment]) + "\n")
        self._process.stdin.flush()
        self._running = self._line()
        return self._running

    def read(self) -> int:
        """The exit code of the command, once it has ended."""
        code = self._line()
        self._running = 0
        return code

    def stop(self) -> None:
        """Kill a command that a test left running."""
        if self._running:
            os.kill(self._running, signal.SIGKILL)
            self.read()

    def _line(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self.stop()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


@contextmanager
def placed(host: str, folder: Path, parent: Parent, **options: Any) -> Iterator[Place]:
    """`fate` decides what becomes of a row, by its prompt."""
    kind, _, variable, end = HOSTS[host]
    made: dict[str, dict[str, str]] = {}
    if fate := options.pop("fate", None):
        options["fate"] = lambda name: fate(*(asked[name] for asked in made.values() if name in asked))
    inner = kind(speak, **{"polls": 2, **options})
    desk = Desk(inner, inner.log, made=made)
    keys = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GOOGLE_API_KEY"), "sk-test-0123456789")
    with serving(desk) as server:
        yield Place(desk, host, folder, {variable: server.url + end, **keys}, parent)
