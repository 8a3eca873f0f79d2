"""Nothing is silently different: a run that resumes, a cluster and a batch give what a plain run gives."""

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.pipeline.kills import Sink
from benchmarks.trust.nursery import Order, nursery
from benchmarks.trust.part import MODEL, REPAIRED, SCHEMA, Part, answer, row
from benchmarks.trust.trial import Trial, Tried
from structout import Completion, Prompt, Scripted, Usage, extract_many

_MOST = 8  # cases that a report shows
_STRATEGIES = (
    "Prompted()",
    "Repair(Prompted())",
    "Reask(Repair(Prompted()), limit=2)",
    "Vote(Repair(Prompted(temperature=0.7)), n=3)",
    "Cascade(Prompted(), Repair(Prompted()))",
    "Verify(Repair(Prompted()), Grounded())",
)


def _model() -> Scripted:
    """A model whose answer depends on the prompt and the number of the sample."""

    def say(prompt: Prompt) -> Completion:
        words = prompt.messages[-1].content if len(prompt.messages) < 3 else prompt.messages[1].content
        number = int(next(word for word in words.split() if word.isdigit()))
        chosen = number + 1 if prompt.sample and (number + prompt.sample) % 3 == 0 else number
        return Completion(answer(chosen), Usage(calls=1, input_tokens=9, output_tokens=5))

    return Scripted(say)


def resumed(count: int, seed: int, extract: Any = extract_many) -> Tried:
    """Results of calls with a journal that stop at random places, against the results of one call without a journal."""
    times, broken = 0, list[str]()
    for number in range(count):
        rng = Random(f"resumed {seed} {number}")
        strategy, size = rng.choice(_STRATEGIES), rng.randrange(1, 20)
        listed = [row(rng.randrange(1, 40))["text"] for _ in range(size)]
        how: dict[str, Any] = {"chunk": rng.choice([1, 3, 8])}
        whole = [shown(one) for one in extract_many(listed, Part, _model(), strategy, **how)]
        with tempfile.TemporaryDirectory(prefix="trust-") as place:
            found: list[Any] = []
            for stop in [*sorted(rng.sample(range(size), min(size, 2))), size]:
                with closing(extract(listed, Part, _model(), strategy, journal=Path(place, "j"), **how)) as results:
                    found = [shown(one) for one, _ in zip(results, range(stop), strict=False)]
                times += 1
                if found != whole[:stop]:
                    broken.append(f"{strategy} over {listed}, stopped after {stop}: {found[-1:]} for {whole[stop - 1]}")
    return Tried(times, tuple(broken[:_MOST]))


def shown(result: Any) -> Any:
    """What a caller sees of a result, without times."""
    edits = [(edit.kind, edit.where) for edit in result.edits]
    issues = [(issue.pointer, issue.kind) for issue in result.issues]
    texts = [attempt.completion.text for attempt in result.attempts]
    value = None if result.value is None else result.value.model_dump()
    return result.status, value, result.document, edits, issues, texts, result.usage.output_tokens


def clusters(count: int, seed: int) -> Tried:
    """The output of a local Ray against that of one process."""
    broken = list[str]()
    with tempfile.TemporaryDirectory(prefix="trust-") as place, nursery(Path(place)) as made:
        for number in range(count):
            contents = []
            for engine in ("local", "ray"):
                sink = Sink("jsonl", Path(place, f"{number}-{engine}"))
                sink.folder.mkdir()
                source = sink.folder / "in.jsonl"
                rows = [row(Random(f"{seed} {number} {n}").randrange(1, 500)) for n in range(40)]
                source.write_text("".join(json.dumps({**one, "id": n}) + "\n" for n, one in enumerate(rows)))
                words = ["run", "-i", str(source), "-o", sink.output, *sink.beside, "-s", SCHEMA, "-m", MODEL]
                words += ["--strategy", REPAIRED, "--key", "id", "--chunk", "4", "--engine", engine]
                ended = made.run(Order(words, {"ASKED": str(sink.folder / "asked")}))
                contents.append((ended.code, sink.content(), (sink.folder / "rest.jsonl").read_text().count("\n")))
            if contents[0] != contents[1]:
                broken.append(f"Ray comes to {contents[1]}, one process to {contents[0]}")
    return Tried(count, tuple(broken[:_MOST]))


class Tiny:
    """A tiny decoder with random weights, and its tokenizer, as the tests of the engine have it."""

    def __init__(self) -> None:
        from tests.decoding import conftest

        self.tokenizer = conftest.tokenizer.__wrapped__()  # type: ignore[attr-defined]
        self.model = conftest.model.__wrapped__(self.tokenizer)  # type: ignore[attr-defined]
        self.ask = conftest.ask.__wrapped__(self.model, self.tokenizer)  # type: ignore[attr-defined]


_SCHEMAS: tuple[Any, ...] = (
    None,
    {"type": "integer", "minimum": 0, "maximum": 999},
    {"enum": ["red", "true", "blue"]},
    {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"enum": ["or", "and"]}}, "required": ["a"]},
    {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
)


def engines(count: int, seed: int, make: Any = None) -> Tried:
    """The engine against the plain loop: random orders of admission, mixed constraints, threads, cancellations. `make`
    makes another engine.
    """
    from structout.decoding.engine import Engine
    from structout.decoding.loop import generate

    tiny, ends = Tiny(), frozenset({0})
    times, broken = 0, list[str]()
    for number in range(count):
        rng = Random(f"engine {seed} {number}")
        engine = (make or Engine)(tiny.model, ends, slots=rng.choice([1, 2, 3, 8]))
        calls = [_requests(rng, tiny) for _ in range(rng.choice([1, 2, 3]))]
        plain = [[one.tokens for one in generate(tiny.model, list(_again(call)), ends, forced=True)] for call in calls]
        lefts = [rng.choice([None, None, rng.randrange(3)]) for _ in calls]
        found: dict[int, dict[int, list[int]]] = {}

        def work(at: int, calls: Any = calls, lefts: Any = lefts, engine: Any = engine, found: Any = found) -> None:
            stream = engine.stream(_again(calls[at]))
            found[at] = {}
            for done, (place, output) in enumerate(stream):
                found[at][place] = output.tokens
                if done == lefts[at]:
                    break
            stream.close()

        threads = [threading.Thread(target=work, args=(at,)) for at in range(len(calls))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for at, call in enumerate(plain):
            times += len(found[at])
            wrong = [place for place, tokens in found[at].items() if tokens != call[place]]
            lost = lefts[at] is None and len(found[at]) != len(call)
            if wrong or lost:
                broken.append(f"seed {seed}, batch {number}: answers {wrong} differ, {len(found[at])} of {len(call)}")
    return Tried(times, tuple(broken[:_MOST]))


def _requests(rng: Random, tiny: Tiny) -> list[Any]:
    words = ("red", "true 42", "an orange one", "blue or black", "This is what some of the records begin with: 7")
    made = []
    for _ in range(rng.randrange(1, 6)):
        sampling: dict[str, Any] = {"max_tokens": rng.choice([1, 5, 30])}
        if rng.random() < 0.4:
            sampling["temperature"] = 1.0
        made.append((rng.choice(words), rng.choice(_SCHEMAS), rng.randrange(99), sampling))
    return [(tiny, one) for one in made]


def _again(call: Sequence[tuple[Tiny, Any]]) -> Iterator[Any]:
    """The requests of a call, with new matchers."""
    for tiny, (text, schema, seed, sampling) in call:
        yield replace(tiny.ask(text, schema, **sampling), seed=seed)


TRIALS = (
    Trial("calls with a journal that are left at random places and made again, against one call; six strategies",
          25, 3_000, resumed),
    Trial("the engine against the plain loop: random admission orders, threads, cancellations, mixed constraints",
          6, 1_500, engines),
    Trial("a local Ray against one process", 0, 3, clusters),
)  # fmt: skip
