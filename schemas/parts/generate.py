"""Part descriptions in any number, each with its record: `python schemas/parts/generate.py 80000 > parts.jsonl`.

A description is put together from a record by the rules of the README, so the record is right by construction. The
same seed gives the same descriptions. They are less varied than the hand-written ones: good for measuring speed, memory
and bookkeeping at scale, and for a first look at a strategy, but no substitute for `records.jsonl`.
"""

import argparse
import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """A kind of part: its name, how catalogues write it, its shelf, whether it has a place, and what is measured."""

    name: str
    written: tuple[str, ...]
    category: str
    placed: bool = False
    measures: tuple[str, ...] = ()


KINDS = (
    Kind("brake pad set", ("BRK PAD SET", "Brake pad set", "brake pads set"), "brakes", True),
    Kind("brake disc", ("BRAKE DISC", "Brake disc", "BRK DISC"), "brakes", True, ("diameter", "thickness")),
    Kind("brake caliper", ("Brake caliper", "BRK CALIPER"), "brakes", True),
    Kind("abs sensor", ("ABS sensor", "ABS SENSOR"), "brakes", True, ("length",)),
    Kind("shock absorber", ("Shock absorber", "SHOCK ABSORBER", "shock abs."), "suspension", True),
    Kind("stabiliser link", ("Stabiliser link", "STABILISER LINK"), "suspension", True, ("length",)),
    Kind("coil spring", ("Coil spring", "COIL SPRING"), "suspension", True, ("length", "inner_diameter")),
    Kind("tie rod end", ("Tie rod end", "TIE ROD END"), "steering", True),
    Kind("timing belt", ("Timing belt", "TIMING BELT"), "engine", False, ("width",)),
    Kind("engine mount", ("Engine mount", "ENG MOUNT"), "engine", True),
    Kind("water pump", ("Water pump", "WATER PUMP"), "cooling"),
    Kind("radiator", ("Radiator", "RADIATOR"), "cooling", False, ("length", "width", "thickness")),
    Kind("fuel pump", ("Fuel pump", "FUEL PUMP"), "fuel"),
    Kind("lambda sensor", ("Lambda sensor", "LAMBDA SENSOR"), "exhaust", False, ("length",)),
    Kind("spark plug", ("Spark plug", "SPARK PLUG"), "ignition"),
    Kind("ignition coil", ("Ignition coil", "IGN COIL"), "ignition"),
    Kind("alternator", ("Alternator", "ALTERNATOR"), "electrical"),
    Kind("starter motor", ("Starter motor", "STARTER MOTOR"), "electrical"),
    Kind("headlamp", ("Headlamp", "HEADLAMP"), "lighting", True),
    Kind("oil filter", ("Oil filter", "OIL FILTER"), "filters", False, ("height", "outer_diameter")),
    Kind("air filter", ("Air filter", "AIR FILTER"), "filters", False, ("length", "width", "height")),
    Kind("clutch kit", ("Clutch kit", "CLUTCH KIT"), "transmission", False, ("diameter",)),
    Kind(
        "wheel bearing", ("Wheel bearing", "WHEEL BRG"), "wheels", True, ("inner_diameter", "outer_diameter", "width")
    ),
    Kind("door mirror", ("Door mirror", "DOOR MIRROR"), "body", True),
)
BRANDS = (
    ("Bosch", ("Bosch", "BOSCH")), ("Brembo", ("Brembo", "BREMBO")), ("TRW", ("TRW",)), ("SKF", ("SKF",)),
    ("Febi", ("Febi", "FEBI")), ("Sachs", ("Sachs", "SACHS")), ("Valeo", ("Valeo", "VALEO")), ("NGK", ("NGK",)),
    ("Hella", ("Hella", "HELLA")), ("Gates", ("Gates", "GATES")), ("KYB", ("KYB",)), ("Mahle", ("Mahle", "MAHLE")),
)  # fmt: skip
VEHICLES = (
    ("Volkswagen", ("VW", "Volkswagen"), ("Golf", "Passat", "Polo")),
    ("Opel", ("Opel", "OPEL"), ("Astra", "Corsa", "Zafira")),
    ("Ford", ("Ford", "FORD"), ("Focus", "Fiesta", "Mondeo")),
    ("Mercedes-Benz", ("MB", "Mercedes-Benz"), ("Sprinter", "Vito")),
    ("Chevrolet", ("CHEVY", "Chevrolet"), ("Cruze", "Aveo")),
    ("Toyota", ("Toyota", "TOYOTA"), ("Corolla", "Yaris", "Avensis")),
    ("Renault", ("Renault", "RENAULT"), ("Clio", "Megane")),
    ("Skoda", ("Skoda", "SKODA"), ("Octavia", "Fabia")),
)
POSITIONS = {
    "front": ("front", "FRT", "F", "VA"),
    "rear": ("rear", "RR", "HA"),
    "left": ("left", "LH", "N/S"),
    "right": ("right", "RH", "O/S"),
    "front_left": ("front left", "FRT LH"),
    "front_right": ("front right", "FRT RH"),
    "rear_left": ("rear left", "RR LH"),
    "rear_right": ("rear right", "RR RH"),
}
MEASURES = {
    "length": ("L", "length"),
    "width": ("W", "width"),
    "height": ("H", "height"),
    "diameter": ("dia", "Ø"),
    "inner_diameter": ("ID",),
    "outer_diameter": ("OD",),
    "thickness": ("thk",),
}
FILLERS = ("brand new in box", "OE quality", "best price", "in stock", "free shipping", "")


def generate(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` rows of `id`, `text` and `expected`, as in `records.jsonl`: what equals the default is left out."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        text, expected = _part(dice)
        yield {"id": f"part-{number:06}", "text": text, "expected": expected}


def _part(dice: random.Random) -> tuple[str, dict[str, Any]]:
    kind = dice.choice(KINDS)
    record: dict[str, Any] = {"name": kind.name, "category": kind.category}
    head = [dice.choice(kind.written)]
    if dice.random() < 0.8:
        brand, written = dice.choice(BRANDS)
        record["brand"] = brand
        head.insert(dice.choice((0, 1)), dice.choice(written))
    if kind.placed and dice.random() < 0.6:
        record["position"] = dice.choice(list(POSITIONS))
        head.append(dice.choice(POSITIONS[record["position"]]))
    groups = [" ".join(head)]
    numbers = [_number(dice) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    if numbers:
        record["part_numbers"] = numbers
        groups.append(dice.choice(("P/N ", "", "ref ")) + numbers[0])
    vehicles = [_vehicle(dice) for _ in range(dice.choice((0, 1, 1, 1, 2)))]
    if vehicles:
        record["fitment"] = [fitment for _, fitment in vehicles]
        groups.append(dice.choice(("fits ", "for ", "")) + "; ".join(text for text, _ in vehicles))
    if numbers[1:]:
        groups.append("OE " + numbers[1])
    if kind.measures and dice.random() < 0.7:
        dimensions = [_dimension(dice, measure) for measure in kind.measures]
        record["dimensions"] = [dimension for _, dimension in dimensions]
        groups.append(" ".join(text for text, _ in dimensions))
    if dice.random() < 0.25:
        record["quantity"] = dice.choice((2, 4, 6))
        groups.append(dice.choice(("x{}", "{} pcs", "set of {}")).format(record["quantity"]))
    groups.append(dice.choice(FILLERS))
    order = ("name", "category", "brand", "part_numbers", "fitment", "position", "quantity", "dimensions")
    text = dice.choice((", ", " | ", " - ", " // ")).join(filter(None, groups))
    return text, {name: record[name] for name in order if name in record}


def _number(dice: random.Random) -> str:
    letters = "".join(dice.choice("ABCDEFGHKLMNPRSTVWX") for _ in range(2))
    return dice.choice(("{l}{n}", "{n}{l}", "{l}-{n}", "{l} {n}")).format(l=letters, n=dice.randint(10_000, 999_999))


def _vehicle(dice: random.Random) -> tuple[str, dict[str, Any]]:
    make, written, models = dice.choice(VEHICLES)
    fitment: dict[str, Any] = {"make": make, "model": dice.choice(models)}
    text = f"{dice.choice(written)} {fitment['model']}"
    first = dice.randint(1985, 2018)
    last = first + dice.randint(1, 7)
    form = dice.choice(("", "range", "short", "open", "until"))
    if form in ("range", "short"):
        fitment |= {"year_from": first, "year_to": last}
        text += f" {first}-{last}" if form == "range" else f" {first % 100:02}-{last % 100:02}"
    elif form == "open":
        fitment["year_from"] = first
        text += dice.choice((f" {first}-", f" from {first}", f" {first % 100:02}>"))
    elif form == "until":
        fitment["year_to"] = last
        text += dice.choice((f" up to {last}", f" ->{last % 100:02}"))
    return text, fitment


def _dimension(dice: random.Random, measure: str) -> tuple[str, dict[str, Any]]:
    unit = dice.choice(("mm", "mm", "mm", "cm"))
    value = dice.choice((dice.randint(5, 600), dice.randint(50, 3000) / 10))
    shown = f"{value:g}" if dice.random() < 0.7 else f"{value:g}".replace(".", ",")
    mark = dice.choice(MEASURES[measure])
    return f"{mark} {shown}{dice.choice(('', ' '))}{unit}", {"measure": measure, "value": value, "unit": unit}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write part descriptions with the records that they mean, as JSONL.")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for row in generate(options.count, options.seed):
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
