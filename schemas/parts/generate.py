"""Part descriptions in any number, each with its record: `python schemas/parts/generate.py 80000 > parts.jsonl`.

A description is put together from a record by the rules of the README, so the record is right by construction; the
same seed gives the same descriptions. Words come from `vocabulary.toml` and from the train split, never from dev or
test. Generated descriptions are less varied than the hand-written ones: good for measuring speed, memory and
bookkeeping at scale, and for teaching a model the rules, but no substitute to judge it by.
"""

import argparse
import json
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORDS: dict[str, Any] = tomllib.loads((HERE / "vocabulary.toml").read_text(encoding="utf-8"))
ORDER = ("name", "category", "brand", "part_numbers", "fitment", "position", "quantity", "dimensions")
SCANNED = {"O": "0", "0": "O", "1": "l", "l": "1", "I": "l"}
FIRST_MARK = (
    0xE000  # a mark stands for a number until the line is put together: it tells the order, and no noise hits it
)


def generate(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`count` rows of `id`, `text` and `expected`, as in `records.jsonl`: what equals the default is left out."""
    dice = random.Random(seed)
    known = _Known()
    for number in range(1, count + 1):
        text, expected = _Line(dice, known).written()
        yield {
            "id": f"part-{number:06}",
            "text": text,
            "expected": {key: expected[key] for key in ORDER if key in expected},
        }


class _Known:
    """The words, and what the train split has besides: names with their category, makers, numbers, vehicles."""

    def __init__(self) -> None:
        lines = (HERE / "records.jsonl").read_text(encoding="utf-8").strip().split("\n")
        records = [json.loads(line)["expected"] for line in lines[::2]]  # the train split
        names = {name: category for category, listed in WORDS["names"].items() for name in listed}
        self.names = sorted((names | {record["name"]: record["category"] for record in records}).items())
        self.brands = sorted({*WORDS["brands"], *(record["brand"] for record in records if "brand" in record)})
        self.numbers = [number for record in records for number in record.get("part_numbers", ())]
        models = {make: set(listed) for make, (_, listed) in WORDS["vehicles"].items()}
        for vehicle in (vehicle for record in records for vehicle in record.get("fitment", ())):
            models.setdefault(vehicle["make"], set()).update({vehicle["model"]} if "model" in vehicle else ())
        written = {make: forms for make, (forms, _) in WORDS["vehicles"].items()}
        self.vehicles = [(make, written.get(make, [make]), sorted(found)) for make, found in models.items()]


class _Line:
    """One supplier's line: what it says is collected in `record` while it is written."""

    def __init__(self, dice: random.Random, known: _Known) -> None:
        self._dice, self._known = dice, known
        self.record: dict[str, Any] = {}
        self._drawn: list[str] = []
        self._loud = self._chance(0.35)  # all in capitals
        self._scanned = self._chance(0.05)  # read from paper, with O for 0 and l for 1

    def written(self) -> tuple[str, dict[str, Any]]:
        text = self._any((self._row,) * 7 + (self._letter, self._letter, self._form))()
        marks = {chr(FIRST_MARK + place): number for place, number in enumerate(self._drawn)}
        if found := [marks[sign] for sign in text if sign in marks]:
            self.record["part_numbers"] = found  # as printed, in order
        return "".join(marks.get(sign, sign) for sign in text), self.record

    def _row(self) -> str:
        name, brand, numbers = self._name(), self._brand(), self._numbers()
        position, quantity = self._position("places"), self._quantity()
        first = self._print(self._any(WORDS["labels"])).format(numbers.pop(0)) if numbers else ""
        head = [part for part in (brand, first) if part]
        head.insert(self._any(range(len(head) + 1)), name)
        if position and self._chance(0.7):
            head.insert(head.index(name) + self._any((0, 1, 1)), position)
            position = ""
        if quantity and self._chance(0.3):
            head.insert(self._any((0, len(head))), quantity)
            quantity = ""
        gap = self._any((" ", " ", ", "))
        tail = [position, quantity, self._vehicles(), self._cross(numbers), self._dimensions()]
        tail += map(self._print, self._dice.sample(WORDS["noise"], self._any((0, 0, 1, 1, 2, 3, 4))))
        self._dice.shuffle(tail)
        groups = [gap.join(head), *filter(None, tail)]
        if self._chance(0.12):
            groups.insert(self._any(range(len(groups))), groups.pop(0))  # the name need not come first
        return str(self._any(WORDS["separators"])).join(groups)

    def _letter(self) -> str:
        self._loud = False
        name, brand, numbers = self._name(), self._brand("from {}", ", made by {}", "by {}"), self._numbers()
        position, vehicles = self._position("spoken"), self._vehicles("{}")
        text = self._any(WORDS["openings"]).format(f"{name} {brand}".strip().replace(" ,", ","))
        if numbers:
            text += self._any((", no. {}", " ({})", ", number {}", ", order code {}", ", Nummer {}")).format(
                numbers.pop(0)
            )
        if numbers:
            text += f", which replaces {' and '.join(numbers)}"
        if position:
            text += f", for the {position}"
        if vehicles:
            text += self._any((", to suit the {}", ". It fits {}", " for a {}", ", off a {}", ", {}")).format(vehicles)
        for more in (self._quantity(), self._dimensions()):
            text += f", {more}" if more else ""
        return text + str(self._any(WORDS["endings"]))

    def _form(self) -> str:
        """Each value after its heading: "Item: oil filter | Brand: Mahle | Qty: 2"."""
        numbers = self._numbers()
        values = {
            "name": self._name(),
            "brand": self._brand("{}"),
            "number": numbers.pop(0) if numbers else "",
            "cross": ", ".join(numbers),
            "vehicles": self._vehicles("{}"),
            "position": self._position("places"),
            "quantity": self._quantity(),
            "dimensions": self._dimensions(),
        }
        colon = self._any((": ", ": ", ":", " = "))
        lines = [f"{self._any(WORDS['headings'][key])}{colon}{value}" for key, value in values.items() if value]
        if self._chance(0.3):
            self._dice.shuffle(lines)
        return str(self._any((" / ", " | ", "; ", "\t", " // ", " - "))).join(lines)

    def _name(self) -> str:
        base, self.record["category"] = self._any(self._known.names)
        name = base
        if self._chance(0.08) and not {*name.split()} & {*WORDS["materials"], *WORDS["sides"], "chrome", "aluminum"}:
            name = f"{self._any((*WORDS['materials'], *WORDS['sides']))} {name}"
        if self._chance(0.06) and not {*name.split()} & {*WORDS["suffixes"]}:
            name = f"{name} {self._any(WORDS['suffixes'])}"
        self.record["name"] = name
        short = WORDS["short"] if self._chance(0.5) else {}
        shown = " ".join(short[word] if word in short and self._chance(0.5) else word for word in name.split())
        if self._chance(0.15) and shown[-1] not in "sxyzh.":
            shown += "s"
        if self._chance(0.06):
            shown = self._misspelt(shown)
        if self._scanned and self._chance(0.3):
            shown = shown.replace(" ", "", 1)
        if "bulb" in shown and self._chance(0.5):
            shown = f"{self._any(WORDS['bulbs'])} {shown}"
        if self._chance(0.12):
            shown = f"{self._any(WORDS['states'])} {shown}"
        elif self._chance(0.1):
            shown += self._any(WORDS["additions"])
        if base in WORDS["foreign"] and self._chance(0.3):
            shown = self._any(("{1} / {0}", "{0} ({1})", "{1} ({0})", "{1} - {0}", "{1} = {0}", "{0}/{1}")).format(
                shown, self._any(WORDS["foreign"][base])
            )
        return self._print(shown.upper() if self._chance(0.1) else self._any((shown, shown[:1].upper() + shown[1:])))

    def _misspelt(self, text: str) -> str:
        """The text with two letters swapped, one lost or one doubled."""
        places = [found.start() for found in re.finditer(r"(?<=[a-z])[a-z](?=[a-z]{2})", text)]
        if not places:
            return text
        place = self._any(places)
        one, other = text[place], text[place + 1]
        return text[:place] + self._any((other + one, other, one + one + other)) + text[place + 2 :]

    def _brand(self, *forms: str) -> str:
        brand = self._any(self._known.brands)
        if self._chance(0.15):  # a maker may be named that did not make the part
            return self._print(self._any(WORDS["unbranded"]).format(brand)) if self._chance(0.3) else ""
        if self._chance(0.06):
            self.record["brand"], written, _ = self._any(self._known.vehicles)
            return self._print(self._any(WORDS["genuine"]).format(self._any(written)))
        self.record["brand"] = brand
        shown = self._any((brand, brand, brand, brand, brand, brand, brand.upper(), brand.upper(), brand.lower()))
        return self._print(self._any(forms or WORDS["makers"]).format(shown))

    def _numbers(self) -> list[str]:
        """Marks of the numbers that the line is to say; which it says, and in which order, `written` finds out."""
        first = len(self._drawn)
        for _ in range(self._any((0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4))):
            self._drawn.append(self._number())
        return [chr(FIRST_MARK + place) for place in range(first, len(self._drawn))]

    def _number(self) -> str:
        """A number of the shape of one in the train split, or that of an earlier version of one in the line."""
        if self._drawn and self._chance(0.1):
            return self._drawn[-1] + str(self._any(("A", "B", "C", "-1", "/2", " X")))
        digits, letters = "0123456789", "ABCDEFGHJKLMNPRSTVWX"
        shape = re.sub("[0-9]", lambda _: self._any(digits), self._any(self._known.numbers))
        return self._noisy(re.sub("[A-Z]", lambda _: self._any(letters), shape))

    def _cross(self, numbers: list[str]) -> str:
        """The other numbers, each few under a label, as references or as what the part replaces."""
        groups = []
        while numbers:
            some = [numbers.pop(0) for _ in range(min(len(numbers), self._any((1, 1, 2, 3))))]
            label = self._print(self._any(WORDS["cross"]))
            named = 0.0 if label == "{}" else 0.25  # without a label the name would be the maker of the part
            shown = [
                f"{self._print(self._any(self._known.brands))} {number}" if self._chance(named) else number
                for number in some
            ]
            groups.append(label.format(self._any((", ", " / ", "; ", " + ", "/", " & ")).join(shown)))
        return str(self._any((", ", "; ", " "))).join(groups)

    def _position(self, way: str) -> str:
        forms = WORDS[way]
        if self._chance(0.04):
            return self._print(self._any(WORDS["both_sides"]))  # no position
        if not self._chance(0.3):
            return ""
        position = self.record["position"] = self._any(tuple(forms))
        return self._print(self._any(forms[position]))

    def _quantity(self) -> str:
        if not self._chance(0.35):
            return ""
        count = self._any((1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 6, 8, 10, 12, 16, 20, 25, 50, 100))
        self.record["quantity"] = count
        if (word := WORDS["words"].get(str(count))) and self._chance(0.15):
            return self._print(self._any(WORDS["numbered_in_words"]).format(word))
        return self._print(self._any((*WORDS["quantities"], *WORDS["numbered"].get(str(count), ()) * 3)).format(count))

    def _vehicles(self, *forms: str) -> str:
        """Vehicles with the years of each, or with years at the end that hold for all; rarely models without a make."""
        if self._chance(0.05):
            text = f"{self._any(WORDS['bare'])} {self._years()[0]}".strip()
            return self._print(self._any(forms or WORDS["fitting"]).format(text))  # no fitment
        count = self._any((0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4))
        if not count:
            return ""
        shared = self._years() if count > 1 and self._chance(0.4) else None
        ahead = not shared and self._chance(0.1)  # 2004-09 Ford Focus
        found: list[str] = []
        fitment: list[dict[str, Any]] = []
        silent = not ahead and self._chance(0.15)  # no years here, hence none after: they would hold for both
        for make, written, models in self._dice.sample(self._known.vehicles, count):
            some = self._dice.sample(models, min(len(models), self._any((1, 1, 1, 2)), count - len(fitment)))
            if not some and fitment:
                break
            if self._chance(0.06):
                some = []
            years, span = shared or (("", {}) if silent else self._years(*(("ranges", "single") if ahead else ())))
            silent = silent or not years or (not ahead and self._chance(0.1))
            fitment += [{"make": make, "model": model, **span} for model in some] or [{"make": make, **span}]
            name = self._joined(self._any(written), make, some)
            found.append(name if shared else f"{years} {name}".strip() if ahead else f"{name} {years}".strip())
        self.record["fitment"] = fitment
        text = str(self._any((", ", "; ", " / ", " + ", " & ", " // ", " and "))).join(found)
        if shared and shared[0]:
            text += f"{self._any((' ', ' ', ', ', ', all ', ' - '))}{shared[0]}"
        return self._print(self._any(forms or WORDS["fitting"]).format(text))

    def _joined(self, written: str, make: str, models: Sequence[str]) -> str:
        if not models:
            codes = WORDS["codes"].get(make)
            return f"{written} {self._any(codes)}" if codes and self._chance(0.5) else written
        if len(models) > 1 and self._chance(0.2):
            return str(self._any((", ", " / "))).join(f"{written} {model}" for model in models)
        text = f"{written} {self._any(('/', ' / ', ' + ', ', ', ' and ')).join(models)}"
        return text + str(self._any(WORDS["engines"])) if self._chance(0.25) else text

    def _years(self, *kinds: str) -> tuple[str, dict[str, int]]:
        kind = self._any(kinds or ("ranges",) * 6 + ("since",) * 4 + ("until",) * 2 + ("single", "none"))
        if kind == "none":
            return "", {}
        first = self._dice.randint(1978, 2017)
        last = first if kind == "single" else first + self._dice.randint(1, 12)
        month, other = self._dice.randint(1, 12), self._dice.randint(1, 12)
        text = self._any(WORDS[kind]).format(
            a=first, b=f"{first % 100:02}", c=last, d=f"{last % 100:02}", m=f"{month:02}", n=f"{other:02}"
        )
        span = {"year_from": first, "year_to": last}
        span.pop({"since": "year_to", "until": "year_from"}.get(kind, ""), None)
        return text, span

    def _dimensions(self) -> str:
        kinds: dict[Callable[[], tuple[str, list[dict[str, Any]]]], int] = {
            lambda: ("", []): 8, self._named: 10, self._chain: 3, self._box: 2, self._twice: 1, self._sizeless: 2,
        }  # fmt: skip
        text, dimensions = self._dice.choices([*kinds], [*kinds.values()])[0]()
        if self._chance(0.03) and len(dimensions) < 2:
            sides = [self._dice.randint(8, 90) for _ in range(3)]
            carton = self._any(WORDS["cartons"]).format("x".join(map(str, sides)))
            text = f"{text}, {carton}" if text else carton
            dimensions += _sized(("length", "width", "height"), sides, "cm")
        if dimensions:
            self.record["dimensions"] = dimensions
        return self._print(text)

    def _named(self) -> tuple[str, list[dict[str, Any]]]:
        """Each measure by name, before its size or after it."""
        found, dimensions = [], []
        for measure in self._dice.sample(tuple(WORDS["measures"]), self._any((1, 1, 1, 2, 2, 3))):
            shown, value, unit = self._size()
            dimensions += _sized((measure,), (value,), unit)
            if self._chance(0.2):
                found.append(f"{shown} {self._any(WORDS['after'][measure])}")
            else:
                found.append(
                    f"{self._any(WORDS['measures'][measure])}{self._any((' ', ' ', ' ', '=', ': ', ''))}{shown}"
                )
        if len(found) == 1 and "Ø" in found[0] and "quantity" not in self.record and self._chance(0.2):
            found[0] = f"2 x {found[0]}"  # one entry, and no quantity
        return str(self._any((" ", ", ", "; ", " x ", " / "))).join(found), dimensions

    def _chain(self) -> tuple[str, list[dict[str, Any]]]:
        """Measures by name, of which the last alone has the unit: OD 80 x ID 45 x H 16 mm."""
        measures = self._dice.sample(tuple(WORDS["measures"]), self._any((2, 3)))
        unit = self._any(("mm", "mm", "cm"))
        values = [self._dice.randint(4, 400 if unit == "mm" else 90) for _ in measures]
        marks = [f"{WORDS['measures'][measure][0]} {value}" for measure, value in zip(measures, values, strict=True)]
        text = f"{' x '.join(marks)} {unit}" if self._chance(0.7) else f"{' '.join(marks)} (all {unit})"
        return text, _sized(measures, values, unit)

    def _box(self) -> tuple[str, list[dict[str, Any]]]:
        """Length, width and height of a box; or diameter and thickness of a disc."""
        disc = "disc" in self.record["name"]
        measures = ("diameter", "thickness") if disc else ("length", "width", "height")
        values = [self._dice.randint(8, 400) for _ in measures]
        text = self._any(("x", " x ")).join(map(str, values)) + self._any(("mm", " mm"))
        return (f"Ø {text}" if disc and self._chance(0.4) else text), _sized(measures, values, "mm")

    def _twice(self) -> tuple[str, list[dict[str, Any]]]:
        """One measure of two pieces or two ends."""
        measure = self._any(("length", "inner_diameter", "diameter"))
        values = [self._dice.randint(8, 700) for _ in range(2)]
        text = self._any(("{} mm + {} mm", "{} mm / {} mm", "{}/{} mm", "{} + {} mm")).format(*values)
        return f"{self._any(WORDS['measures'][measure])} {text}", _sized((measure, measure), values, "mm")

    def _sizeless(self) -> tuple[str, list[dict[str, Any]]]:
        """Sizes that are no dimension: without a unit, or without a measure."""
        text = re.sub("{}", lambda _: str(self._dice.randint(8, 400)), self._any(WORDS["sizeless"]))
        return text, []

    def _size(self) -> tuple[str, float, str]:
        unit = self._any(("mm", "mm", "mm", "mm", "cm", "in"))
        gap = self._any(("", " "))
        if unit == "in" and self._chance(0.6):
            whole, (part, share) = self._dice.randint(0, 30), self._any(WORDS["fractions"])
            shown = f"{whole}{self._any((' ', '-'))}{part}" if whole else part
            return shown + self._any(('"', " in")), whole + share, unit
        most = 600 if unit == "mm" else 90
        value = self._any((self._dice.randint(2, most), self._dice.randint(20, 10 * most) / 10))
        value = self._dice.randint(100, 3000) / 100 if self._chance(0.2) else value
        shown = f"{value:g}" if self._chance(0.6) else f"{value:g}".replace(".", ",")
        return shown + (self._any(('"', " in", " inch")) if unit == "in" else gap + unit), value, unit

    def _print(self, text: str) -> str:
        return self._noisy(text.upper() if self._loud else text)

    def _noisy(self, text: str) -> str:
        """The text as a bad scan has it, if the line is one."""
        if not self._scanned:
            return text
        return "".join(SCANNED[sign] if sign in SCANNED and self._chance(0.3) else sign for sign in text)

    def _any(self, values: Any) -> Any:
        return self._dice.choice(values)

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share


def _sized(measures: Sequence[str], values: Sequence[float], unit: str) -> list[dict[str, Any]]:
    sized = zip(measures, values, strict=True)
    return [
        {"measure": measure, "value": int(value) if value == int(value) else value, "unit": unit}
        for measure, value in sized
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Write part descriptions with the records that they mean, as JSONL.")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for row in generate(options.count, options.seed):
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
