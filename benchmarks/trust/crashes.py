"""Nothing is lost or doubled: histories of runs that are killed, starved of disk, damaged, changed and finished.

A history is drawn by hypothesis. After each step, what is there is compared with `History.Model`, which knows what must
be there: each row of the input in the output or in the quarantine, once, with its only right record; an output that is
whole or absent or marked as partial; a changed input or strategy refused; and no row paid twice without a reason.
"""

import json
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from benchmarks.pipeline.command import MissingServiceError
from benchmarks.pipeline.kills import Sink
from benchmarks.pipeline.services import postgres
from benchmarks.trust.nursery import HANGS, Ended, Nursery, Order, nursery
from benchmarks.trust.part import MODEL, PLAIN, REPAIRED, SCHEMA, is_accepted, record, row
from benchmarks.trust.trial import Tried
from structout.pipeline.journal.tables import LATER, connect
from structout.tables.partial import mark_of

_CHUNK = 2  # rows; two chunks are in flight
_AGAIN = 2 * _CHUNK + 1  # rows that a crash may cost: two chunks, and the answers of a third before it is kept
FINISHED, REFUSED, STOPPED = (0, 1), 2, 3
DAMAGED = "was damaged"


class BrokenError(AssertionError):
    """A promise that did not hold."""


def ensure(holds: object, problem: str) -> None:
    """Raise `BrokenError` with the problem unless something holds."""
    if not holds:
        raise BrokenError(problem)


class History(RuleBasedStateMachine):
    """One history. The class attributes are set by `tried`.

    What a killed run leaves depends on the moment, which is never quite the same, and hypothesis refuses a choice of
    rules that depends on it. So a step that does not fit what is there does nothing.
    """

    nursery: Nursery
    ways: tuple[str, ...] = ("jsonl",)
    address: str = ""
    fault: str = ""
    engine: str = "local"
    steps: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._end = ExitStack()
        self.folder = Path(self._end.enter_context(tempfile.TemporaryDirectory(prefix="trust-")))
        self.source, self.journal = self.folder / "in.jsonl", self.folder / "journal"
        self.strategy = PLAIN
        self.sure: set[str] = set()  # strategies whose runs the journal surely belongs to
        self.used: set[str] = set()  # strategies whose runs it may belong to
        self.known: dict[int, tuple[int, bool]] = {}  # of a complete run: number and acceptance by position
        self.is_certain = True  # whether the journal holds `known` and nothing else
        self.maybe: dict[int, set[int]] = {}  # numbers that the journal may know at a position
        self.allowance = 0  # questions that may be asked a second time
        self.settled = False  # whether nothing has changed since a complete run
        self.told: list[str] = []  # the steps

    def teardown(self) -> None:
        """Remove the files."""
        self._end.close()

    @initialize(way=st.integers(0, 10**6), count=st.integers(3, 12))
    def begin(self, way: int, count: int) -> None:
        """The first input."""
        self.way = self.ways[way % len(self.ways)]
        self.numbers = list(range(1, count + 1))
        self.sink = Sink("jsonl" if self.way == "extract" else self.way, self.folder, self.address)
        if self.way == "postgres":
            self.sink.clear()
        self._write()

    # --- what happens ---

    @rule()
    def run(self) -> None:
        """A run that nothing disturbs."""
        self._run("run")

    @rule(moment=st.integers(1, 200) | st.integers(1, 600))
    def kill(self, moment: int) -> None:
        """A run that is killed, if it is still running at this moment."""
        self._run("kill", kill=moment)

    @precondition(lambda self: self.engine == "local")
    @rule(size=st.sampled_from([4_096, 8_192, 12_288, 20_000, 33_000, 60_000, 100_000]))
    def fill(self, size: int) -> None:
        """A run on a disk that takes no file beyond a size."""
        self._run("full disk", largest=size)

    @rule(count=st.integers(1, 5))
    def append(self, count: int) -> None:
        """More rows."""
        first = max(self.numbers) + 1
        self.numbers += range(first, first + count)
        self.told.append(f"append {count}")
        self._write()

    @rule(place=st.integers(0, 10**6))
    def edit(self, place: int) -> None:
        """Another row at a place."""
        self._edit(place)

    @rule(place=st.integers(0, 10**6))
    def edit_what_is_done(self, place: int) -> None:
        """Another row at a place of a complete run, which then goes on."""
        if self.settled:
            self._edit(place)
            self._run("edited row")

    def _edit(self, place: int) -> None:
        self.told.append(f"edit row {place % len(self.numbers) + 1}")
        self.numbers[place % len(self.numbers)] = max(self.numbers) + 1
        self._write()

    @rule()
    def switch(self) -> None:
        """Another strategy."""
        self.strategy = REPAIRED if self.strategy == PLAIN else PLAIN
        self.settled = False

    @precondition(lambda self: self.way != "extract")
    @rule(moment=st.just(0) | st.integers(1, 500))
    def retry(self, moment: int) -> None:
        """The quarantine again, with the strategy of now."""
        if self.used:
            self._run("retry quarantine", "--retry-quarantine", kill=moment)

    @precondition(lambda self: self.way != "extract")
    @rule(moment=st.just(0) | st.integers(1, 500))
    def start_again(self, moment: int) -> None:
        """A fresh run, that keeps paid answers."""
        if self.used:
            self._run("fresh", "--fresh", kill=moment)

    @rule(seed=st.integers(0, 10**6))
    def flip(self, seed: int) -> None:
        """A bit of the journal, or of its log, is flipped."""
        if not self.journal.exists():
            return
        dice = random.Random(seed)
        file = dice.choice([one for one in (self.journal, Path(f"{self.journal}-wal")) if one.exists()])
        data = bytearray(file.read_bytes())
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            file.write_bytes(data)
        self._note("flip a bit", f" of {file.name}, seed {seed}")
        self.allowance += self._asked_before()
        self._doubt()
        self.sure = set()

    @rule()
    def age(self) -> None:
        """The journal becomes one of version 3."""
        if not self.journal.exists() or not self.settled or Path(f"{self.journal}-wal").exists():
            return
        db = connect(str(self.journal))
        if db.execute("PRAGMA user_version").fetchone() == (4,):
            for column in LATER:
                db.execute(f"ALTER TABLE spent DROP COLUMN {column}")
            db.execute("UPDATE spent SET seal = seal(model, calls, input_tokens, output_tokens, seconds)")
            db.execute("PRAGMA user_version = 3")
            self._note("older journal")
        db.close()

    # --- what must be there ---

    def _note(self, step: str, more: str = "") -> None:
        self.steps[step] += 1
        self.told.append(step + more)

    def _write(self) -> None:
        self.source.write_text("".join(json.dumps(row(number)) + "\n" for number in self.numbers), encoding="utf-8")
        self.settled = False

    def _doubt(self) -> None:
        """The journal may or may not hold what it held, and of what the input has now."""
        self.is_certain = self.settled = False
        for position, number in enumerate(self.numbers):
            self.maybe.setdefault(position, set()).add(number)

    def _asked(self) -> list[int]:
        asked = self.folder / "asked"
        return [int(line) for line in asked.read_text().split()] if asked.exists() else []

    def _asked_before(self) -> int:
        return len(self._asked())

    def _words(self, options: tuple[str, ...]) -> list[str]:
        if self.way == "extract":
            return ["extract", str(self.source), str(self.journal), self.strategy, str(self.folder / "results")]
        files = ["-i", str(self.source), "-o", self.sink.output, *self.sink.beside]
        how = ["-s", SCHEMA, "-m", MODEL, "--strategy", self.strategy, "--key", "id", "--chunk", str(_CHUNK)]
        engine = ["--engine", self.engine] if self.engine != "local" else []
        return ["run", *files, *how, *engine, *options]

    def _run(self, step: str, *options: str, kill: int = 0, largest: int = 0) -> None:
        self._note(step, f" at {kill}" * bool(kill) + f" of {largest}" * bool(largest) + f" ({self.strategy})")
        before, asked, was_settled = self._content(), len(self._asked()), self.settled
        order = Order(self._words(options), {"ASKED": str(self.folder / "asked")}, kill, largest, self.fault)
        ended = self.nursery.run(order)
        try:
            self._judge(step, options, ended, before)
            if was_settled and step == "run":
                ensure(len(self._asked()) == asked, "a complete run asked again")
                ensure(self._content() == before, "a complete run came to something else")
        except BrokenError as error:
            raise BrokenError(f"{self.way}, {len(self.numbers)} rows: {', '.join(self.told)}: {error}") from error

    def _judge(self, step: str, options: tuple[str, ...], ended: Ended, before: list[dict[str, Any]] | None) -> None:
        told = f"{step}, code {ended.code}: {ended.said[-400:]}"
        ensure(ended.code in (*FINISHED, REFUSED, STOPPED, -signal.SIGKILL), f"an unknown end: {told}")
        ensure("Traceback" not in ended.said and HANGS not in ended.said, f"an end without words: {told}")
        is_whole = ended.code in FINISHED or (ended.code == REFUSED and f"{DAMAGED}; the model" in ended.said)
        if is_whole and "damaged" in ended.said:
            self._doubt()
        if is_whole:
            self._finished(options, told)
        elif ended.code == REFUSED:
            self._refused(options, ended, before, told)
        else:
            self._stopped(options, before, told)
        ensure(not is_whole or not self._litter(), f"files that a run left: {self._litter()}: {told}")

    def _finished(self, options: tuple[str, ...], told: str) -> None:
        """A run that says that it is complete."""
        fresh = "--fresh" in options
        if self.is_certain and not fresh:
            for position, (number, _) in self.known.items():
                if position < len(self.numbers):
                    changed = self.numbers[position] != number
                    is_retried = "--retry-quarantine" in options and not self.known[position][1]
                    ensure(not changed or is_retried, f"a changed row {position + 1} passed: {told}")
        self.used.add(self.strategy)
        found = self._found()
        allowed = self._allowed(options)
        for position, number in enumerate(self.numbers):
            ensure(found[position] in allowed[position], f"row {position + 1} ({number}) is {found[position]}: {told}")
        retried = sum(1 for _, ok in self.known.values() if not ok) if "--retry-quarantine" in options else 0
        self.allowance += len(self.numbers) if retried and not self.is_certain else retried
        asked = self._asked()
        twice = len(asked) - len(set(asked))
        ensure(twice <= self.allowance, f"{twice} questions were paid twice, {self.allowance} may be: {told}")
        self.known = {place: (number, found[place]) for place, number in enumerate(self.numbers)}
        self.maybe = {place: {number} for place, (number, _) in self.known.items()}
        if fresh:
            self.sure = self.used = {self.strategy}
        self.sure = self.sure | {self.strategy}
        self.is_certain = self.settled = True

    def _allowed(self, options: tuple[str, ...]) -> list[set[bool]]:
        """Whether each row may be accepted."""
        found = []
        for position, number in enumerate(self.numbers):
            known = self.known.get(position)
            now = is_accepted(number, self.strategy)
            if self.is_certain and known is not None and "--fresh" not in options:
                is_kept = known[1] or "--retry-quarantine" not in options
                found.append({known[1] if is_kept else now})
            elif self.is_certain or "--fresh" in options:
                found.append({now})
            else:
                found.append({now, *(is_accepted(number, one) for one in self.used)})
        return found

    def _found(self) -> list[bool]:
        """Whether each row was accepted. Each must be in one place, once, with its right record."""
        if self.way == "extract":
            values = [json.loads(line) for line in (self.folder / "results").read_text().splitlines()]
            ensure(len(values) == len(self.numbers), f"{len(self.numbers)} texts came to {len(values)} results")
            for number, value in zip(self.numbers, values, strict=True):
                ensure(value is None or value == record(number), f"{number} became {value}")
            return [value is not None for value in values]
        content = self._content()
        ensure(content is not None, "the output is missing")
        ensure(not mark_of(self.sink.output).exists(), "a complete output is marked as partial")
        accepted = [one["_key"] for one in content or []]
        rest = [json.loads(line)["key"] for line in (self.folder / "rest.jsonl").read_text().splitlines()]
        keys = [row(number)["id"] for number in self.numbers]
        ensure(Counter([*accepted, *rest]) == Counter(keys), f"of {keys}: {accepted} were accepted, {rest} not")
        if self.way != "postgres":  # a table has no order
            ensure(accepted == [key for key in keys if key in set(accepted)], f"another order: {accepted}")
        return [key in set(accepted) for key in keys]

    def _content(self) -> list[dict[str, Any]] | None:
        """The output, of which each record must be right."""
        if self.way == "extract":
            return None
        found = self.sink.content()
        for one in found or []:
            number = int(str(one["_key"])[1:])
            got = {name: value for name, value in one.items() if not name.startswith("_")}
            ensure(got == record(number), f"the record of {number} is {got}")
        return found

    def _refused(self, options: tuple[str, ...], ended: Ended, before: list[dict[str, Any]] | None, told: str) -> None:
        """A run that was refused changes nothing, and has a reason."""
        ensure(self._content() == before, f"a refused run changed the output: {told}")
        changed = any(
            self.numbers[place] not in numbers or len(numbers) > 1
            for place, numbers in self.maybe.items()
            if place < len(self.numbers)
        )
        said = ended.said
        if "of the input differs from" in said:
            ensure(changed and "--fresh" not in options, f"an unchanged input was refused: {told}")
        elif "belongs to a run with another strategy" in said:
            ensure(self.strategy not in self.sure and not options, f"its own strategy was refused: {told}")
        elif not self.is_certain and ("is damaged" in said or "not a journal" in said or "is empty" in said):
            for end in ("", "-wal"):
                Path(f"{self.journal}{end}").unlink(missing_ok=True)
            self.known, self.maybe, self.used, self.sure, self.is_certain = {}, {}, set(), set(), True
        else:
            raise BrokenError(f"refused without a reason that the history knows: {told}")

    def _stopped(self, options: tuple[str, ...], before: list[dict[str, Any]] | None, told: str) -> None:
        """A run that was killed, or that could not write, leaves the output as it was, or whole, or marked."""
        if self.is_certain and options:
            self.allowance += sum(1 for _, ok in self.known.values() if not ok)
        elif options:
            self.allowance += len(self.numbers)
        self.allowance += _AGAIN
        allowed = self._allowed(options) if options else [*self._allowed(options)]
        self._doubt()
        self.used.add(self.strategy)
        if "--fresh" in options or "--retry-quarantine" in options:
            self.sure = self.sure & {self.strategy} if "--fresh" in options else self.sure
        after = self._content()
        if after == before or mark_of(self.sink.output).exists() or after is None:
            ensure(after is not None or before is None, f"the output is gone: {told}")
            return
        keys = {str(one["_key"]) for one in after}
        for number, may in zip(self.numbers, allowed, strict=True):
            ensure((row(number)["id"] in keys) in may, f"a part of an output, without a mark: {told}")

    def _litter(self) -> list[str]:
        """Files that nobody needs."""
        names = {"in.jsonl", "journal", "journal.status", "asked", "results", "rest.jsonl", "said"}
        names |= {"out.jsonl", "out.parquet", "out.duckdb", mark_of(self.sink.output).name}
        found = [one for one in os.listdir(self.folder) if one not in names and ".damaged" not in one]
        return [one for one in found if not (one == "journal-wal" or one == "journal-shm")]


@contextmanager
def histories(ways: tuple[str, ...], fault: str = "", engine: str = "local") -> Iterator[type[History]]:
    """The histories over outputs of these kinds, with their services. Raises `MissingServiceError`."""
    with ExitStack() as services:
        address = services.enter_context(postgres()) if "postgres" in ways else ""
        folder = services.enter_context(tempfile.TemporaryDirectory(prefix="trust-"))
        started = services.enter_context(nursery(Path(folder)))

        class One(History):
            nursery = started
            steps: ClassVar[Counter[str]] = Counter()

        One.ways, One.address, One.fault, One.engine = ways, address, fault, engine
        yield One


def tried(count: int, seed: int, ways: tuple[str, ...], fault: str = "", engine: str = "local") -> Tried:
    """So many histories over outputs of these kinds."""
    how = settings(
        max_examples=count, stateful_step_count=12, deadline=None, database=None, verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck), print_blob=False,
        phases=[Phase.generate],
    )  # fmt: skip
    try:
        with histories(ways, fault, engine) as one:
            try:
                run_state_machine_as_test(seeded(seed)(one), settings=how)
            except BrokenError as error:
                return Tried(sum(one.steps.values()), (str(error),))
            said = ", ".join(f"{name} {times:,}" for name, times in sorted(one.steps.items()))
            return Tried(sum(one.steps.values()), table=(f"Steps: {said}.",))
    except MissingServiceError as reason:
        return Tried(0, missing=str(reason))
