"""Many labels, dates and times in words: why a fine-tuned model gets records wrong, and what helps.

    python -m benchmarks.reliability.labels --folder .structout/labels --records 100 [--only WAY ...]

Reports of faults in a building name one to three of 62 faults, a day and a time. The embedded model is fine-tuned on
the same 200 reports in three ways. `comes`: faults in any order, ISO dates and times, which the model has to reckon.
`written`: faults are a set, which `finetune` teaches in one order; the day of receipt, the day and the time are quoted
from the report (`quote=True`), and code reads them. `told`: as `written`, and below the report stand the nearest
labels, each with what it means (described.toml). `masked` is the model of `written`, whose mask admits the nearest
labels alone, and `both` is the model of `told` with such a mask. Five labels and a quarter of the phrases occur in test
records alone.
"""

import argparse
import random
import re
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.reliability.dates import due_day, in_words, read_date
from benchmarks.reliability.nearest import Nearest
from structout import Constrained, Dataset, Sampling, Schema, load_model
from structout.errors import StructoutWarning
from structout.evaluation.dataset import Record
from structout.evaluation.stats.pairs import difference
from structout.evaluation.stats.rates import wilson
from structout.finetuning import Training, TrainingStep, finetune
from structout.result import Task


def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


FAULTS: Final[Mapping[str, list[str]]] = _table("faults.toml")
DESCRIBED: Final[Mapping[str, str]] = _table("described.toml")
NEVER_LEARNED: Final = tuple(FAULTS)[7::12]  # labels that no train record has
TRAINING: Final = Training(seed=1, passes=2, held_out=0)
MASKED, TOLD = 12, 6  # nearest labels
WAYS: Final = {
    "comes": "as it comes",
    "written": "one order, as written",
    "masked": f"and a mask of the {MASKED} nearest labels",
    "told": f"and told the {TOLD} nearest labels",
    "both": f"told the {TOLD}, and a mask of the {MASKED}",
}
_ROOMS = ("room 12", "the lobby", "office 3", "the kitchen on floor 2", "the workshop", "flat 41", "the canteen")
_BEFORE = ("Please come", "A visit would suit us", "Can you send someone", "We need help")
DAY_FORMS = ("in words", "in figures", "in days", "next weekday", "tomorrow")
TIME_FORMS = ("14:30", "3 pm", "half past 9 am", "noon")


@dataclass(frozen=True)
class Report:
    """A report and what it says. `phrased` are the words of each fault; `day_form` and `time_form` say how it tells
    them.
    """

    text: str
    phrased: dict[str, str]
    received_written: str
    day_written: str
    time_written: str
    day: date
    at: time
    day_form: str
    time_form: str


def reports(count: int, seed: int, *, learn: bool) -> Iterator[Report]:
    """Reports to learn from, or to test."""
    dice = random.Random(seed)
    labels = [one for one in FAULTS if not learn or one not in NEVER_LEARNED]
    for number in range(count):
        chosen = dice.sample(labels, dice.choice((1, 2, 2, 3)))
        phrased = {one: dice.choice(FAULTS[one][: -1 if learn else None]) for one in chosen}
        received = date(2026, 1, 1) + timedelta(dice.randrange(365))
        day_form, time_form = DAY_FORMS[number % len(DAY_FORMS)], dice.choice(TIME_FORMS)
        day, day_written = due_day(day_form, received, dice)
        at, time_written = _time(time_form, dice)
        told = in_words(received)
        wish = f"{dice.choice(_BEFORE)} {day_written}, {time_written}."
        text = f"Received {told} from {dice.choice(_ROOMS)}: {'; '.join(phrased.values())}. {wish}"
        yield Report(text, phrased, told, day_written, time_written, day, at, day_form, time_form)


def _time(form: str, dice: random.Random) -> tuple[time, str]:
    if form == "noon":
        return time(12), "noon"
    if form == "14:30":
        at = time(dice.randrange(7, 20), dice.choice((0, 15, 30, 45)))
        return at, f"{at:%H:%M}"
    morning = dice.random() < 0.5
    hour = dice.randrange(7, 12) if morning else dice.randrange(1, 8)
    half = form.startswith("half")
    written = f"{'half past ' if half else ''}{hour} {'am' if morning else 'pm'}"
    return time(hour if morning else hour + 12, 30 if half else 0), written


def read_time(written: str) -> time | None:
    """The time of day that a phrase names; None if it names none."""
    phrase = written.strip().lower()
    if phrase == "noon":
        return time(12)
    if found := re.fullmatch(r"(\d\d):(\d\d)", phrase):
        return time(int(found[1]) % 24, int(found[2]) % 60)
    if found := re.fullmatch(r"(half past )?(\d{1,2}) (am|pm)", phrase):
        return time((int(found[2]) % 12 + 12 * (found[3] == "pm")) % 24, 30 if found[1] else 0)
    return None


def _schema(labels: Sequence[str], written: bool) -> Schema[Any]:
    faults: dict[str, Any] = {"type": "array", "items": {"enum": list(labels)}, "maxItems": 4}
    if written:
        others: dict[str, Any] = {name: {"type": "string"} for name in ("received", "day", "at")}
        faults["uniqueItems"] = True
    else:
        others = {
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
        }
    properties = {"faults": faults, **others}
    closed = {"required": list(properties), "additionalProperties": False}
    return Schema.of({"title": "Report", "type": "object", "properties": properties, **closed})


def _as_it_comes(report: Report) -> dict[str, Any]:
    return {"faults": _any_order(report), "day": str(report.day), "at": f"{report.at:%H:%M}"}


def _any_order(report: Report) -> list[str]:
    return random.Random(report.text).sample(list(report.phrased), len(report.phrased))


def _as_written(report: Report) -> dict[str, Any]:
    return {
        "faults": _any_order(report), "received": report.received_written, "day": report.day_written,
        "at": report.time_written,
    }  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What a program gets from an answer."""

    faults: frozenset[str]
    day: date | None
    at: time | None


def reckoned(document: Any) -> Said:
    """From an answer with ISO dates and times."""
    try:
        day: date | None = date.fromisoformat(document["day"])
    except ValueError:
        day = None
    return Said(frozenset(document["faults"]), day, read_time(document["at"]))


def read(document: Any) -> Said:
    """From an answer with days and times as they are written."""
    day = read_date(document["day"], read_date(document["received"]))
    return Said(frozenset(document["faults"]), day, read_time(document["at"]))


def near(learned: Sequence[Report]) -> Nearest:
    """Finds labels after these reports."""
    return Nearest([(one.text, one.phrased) for one in learned], DESCRIBED)


def told(text: str, labels: Sequence[str]) -> str:
    """The report with labels, and what they mean, below it."""
    return "\n".join((text, "Faults that it may name:", *(f"{label}: {DESCRIBED[label]}" for label in labels)))


def learn(folder: Path, learned: Sequence[Report], way: str) -> str:
    """Fine-tune the embedded model on the reports; an earlier run goes on. Returns the name of the model.

    The labels below a report are those that are nearest after the other reports.
    """
    label = _as_it_comes if way == "comes" else _as_written
    texts = [one.text for one in learned]
    if way == "told":
        others = [near([*learned[:n], *learned[n + 1 :]]) for n in range(len(learned))]
        texts = [told(text, other.find(text, TOLD)) for text, other in zip(texts, others, strict=True)]
    records = tuple(
        Record(f"{n}", text, label(one), label(one), "train")
        for n, (text, one) in enumerate(zip(texts, learned, strict=True))
    )
    dataset = Dataset("reports", _schema(tuple(FAULTS), way != "comes"), records)
    finetune("embedded", dataset, folder, TRAINING, tell=_tell)
    return f"path:{folder}"


def _tell(step: TrainingStep) -> None:
    print(f"step {step.step} of {step.steps}: loss {step.loss:.4f}", flush=True)


def answers(model: str, tested: Sequence[Report], way: str, nearest: Nearest) -> list[Said | None]:
    """What a program gets for each report; None for an invalid answer."""
    written = way != "comes"
    tasks = []
    for one in tested:
        labels = tuple(nearest.find(one.text, MASKED)) if way in ("masked", "both") else tuple(FAULTS)
        text = told(one.text, nearest.find(one.text, TOLD)) if way in ("told", "both") else one.text
        tasks.append(Task(text, _schema(labels, written), (), Sampling(max_tokens=96)))
    found: list[Said | None] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StructoutWarning)  # of fewer labels than the model was fine-tuned for
        for result in Constrained(quote=written).run(tasks, load_model(model)):
            document: Any = result.document
            found.append((read if written else reckoned)(document) if result.ok else None)
    return found


def _line(way: str, tested: Sequence[Report], said: Sequence[Said | None]) -> tuple[str, list[float]]:
    """A row of the table, and whether each record is right."""
    pairs = list(zip(tested, said, strict=True))
    whole = [float(got is not None and got == Said(frozenset(one.phrased), one.day, one.at)) for one, got in pairs]
    seen: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    added = 0
    for one, got in pairs:
        for label, words in one.phrased.items():
            kind = "never" if label in NEVER_LEARNED else "words" if words == FAULTS[label][-1] else "learned"
            seen[kind] += 1
            hit[kind] += got is not None and label in got.faults
        added += len(got.faults - set(one.phrased)) if got is not None else 0
        seen[one.day_form] += 1
        hit[one.day_form] += got is not None and got.day == one.day
        seen["time"] += 1
        hit["time"] += got is not None and got.at == one.at
    rate = wilson(sum(whole) / len(whole), len(whole))
    cells = " | ".join(f"{hit[kind]} of {seen[kind]}" for kind in ("learned", "words", "never"))
    days = " | ".join(f"{hit[form]} of {seen[form]}" for form in DAY_FORMS)
    return (
        f"| {way} | {100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f}) | {cells} | {added} "
        f"| {days} | {hit['time']} of {seen['time']} |"
    ), whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".structout/labels"), help="keeps the fine-tuned models")
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS), metavar="WAY")
    given = parser.parse_args()
    torch.set_num_threads(1)
    learned = list(reports(200, seed=1, learn=True))
    tested = list(reports(given.records, seed=2, learn=False))
    nearest = near(learned)
    print("| fine-tuned | records right | faults: learned | words never learned | labels never learned | added | "
          f"{' | '.join(f'day {form}' for form in DAY_FORMS)} | time |")  # fmt: skip
    print(f"| --- | ---: |{' ---: |' * (5 + len(DAY_FORMS))}", flush=True)
    rights = {}
    for way in given.only:
        taught = {"masked": "written", "both": "told"}.get(way, way)
        model = learn(given.folder / taught, learned, taught)
        line, rights[way] = _line(WAYS[way], tested, answers(model, tested, way, nearest))
        print(line, flush=True)
    total = sum(len(one.phrased) for one in tested)
    for count in (MASKED, TOLD):
        held = sum(label in nearest.find(one.text, count) for one in tested for label in one.phrased)
        print(f"\nThe {count} nearest labels hold {held} of the {total} right labels.")
    for way, against in (("written", "comes"), ("masked", "written"), ("told", "written"), ("both", "written")):
        if way in rights and against in rights:
            apart = difference(rights[way], rights[against])
            print(
                f"`{way}` against `{against}`: {100 * apart.value:+.0f} points ({100 * apart.low:+.0f} to "
                f"{100 * apart.high:+.0f}), p = {apart.p:.2g}"
            )


if __name__ == "__main__":
    main()
