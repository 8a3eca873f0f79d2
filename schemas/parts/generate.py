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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WORDS: dict[str, Any] = tomllib.loads((HERE / "vocabulary.toml").read_text(encoding="utf-8"))
ORDER = ("name", "category", "brand", "part_numbers", "fitment", "position", "quantity", "dimensions")


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
        self._loud = dice.random() < 0.35  # all in capitals

    def written(self) -> tuple[str, dict[str, Any]]:
        text = self._letter() if self._chance(0.15) else self._row()
        if numbers := self.record.get("part_numbers"):
            numbers.sort(key=text.find)  # as printed, in order
        return text, self.record

    def _row(self) -> str:
        name, brand, numbers = self._name(), self._brand(0.85), self._numbers()
        position, quantity = self._position(WORDS["places"]), self._quantity()
        first = numbers.pop(0) if numbers else ""
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
        tail += self._dice.sample(WORDS["noise"], self._any((0, 0, 1, 1, 2, 3)))
        self._dice.shuffle(tail)
        groups = [gap.join(head), *filter(None, tail)]
        if self._chance(0.12):
            groups.insert(self._any(range(len(groups))), groups.pop(0))  # the name need not come first
        return self._any(WORDS["separators"]).join(groups)

    def _letter(self) -> str:
        self._loud = False
        name, brand, numbers = self._name(), self._brand(0.8), self._numbers()
        position, vehicles = self._position(WORDS["spoken"]), self._vehicles()
        text = self._any(WORDS["openings"]).format(name)
        text += f" from {brand}" if brand and self._chance(0.5) else f", made by {brand}" if brand else ""
        if numbers:
            text += self._any((", no. {}", " ({})", ", number {}", ", order code {}")).format(numbers.pop(0))
        if numbers:
            text += f", which replaces {' and '.join(numbers)}"
        if position:
            text += f", for the {position}"
        if vehicles:
            text += self._any((", to suit the {}", ". It fits {}", " for a {}")).format(vehicles)
        for more in (self._quantity(), self._dimensions()):
            text += f", {more}" if more else ""
        return text + self._any(WORDS["endings"])

    def _name(self) -> str:
        name, self.record["category"] = self._any(self._known.names)
        self.record["name"] = name
        if self._chance(0.5):
            name = " ".join(
                WORDS["short"][word] if word in WORDS["short"] and self._chance(0.5) else word for word in name.split()
            )
        if self._chance(0.1) and not name.endswith("s"):
            name += "s"
        if self._chance(0.12):
            name = f"{self._any(WORDS['states'])} {name}"
        return self._cased(name)

    def _brand(self, share: float) -> str:
        if not self._chance(share):
            return ""
        brand = self.record["brand"] = self._any(self._known.brands)
        if self._chance(0.04):
            make, written, _ = self._any(self._known.vehicles)
            self.record["brand"] = make
            return self._shouted(self._any(("genuine ", "OEM ", "Orig. "))) + self._shouted(self._any(written))
        return brand.upper() if self._loud or self._chance(0.3) else brand

    def _numbers(self) -> list[str]:
        numbers = [self._number() for _ in range(self._any((0, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4)))]
        if numbers:
            self.record["part_numbers"] = list(numbers)
        if numbers and self._chance(0.4):
            numbers[0] = self._any(("P/N ", "ref. ", "no. ", "Art. ", "# ", "ref ")) + numbers[0]
        return numbers

    def _number(self) -> str:
        """A number of the shape of one in the train split."""
        digits, letters = "0123456789", "ABCDEFGHJKLMNPRSTVWX"
        shape = self._any(self._known.numbers)
        return re.sub("[A-Z]", lambda _: self._any(letters), re.sub("[0-9]", lambda _: self._any(digits), shape))

    def _cross(self, numbers: list[str]) -> str:
        if not numbers:
            return ""
        label = self._any(WORDS["cross"])
        named = 0.25 if label else 0.0  # without a label the name would be the maker of the part
        shown = [
            f"{self._shouted(self._any(self._known.brands))} {number}" if self._chance(named) else number
            for number in numbers
        ]
        return self._shouted(label) + self._any((", ", " / ", "; ", " + ")).join(shown)

    def _position(self, forms: dict[str, tuple[str, ...]]) -> str:
        if self._chance(0.03):
            return self._any(("LH=RH", "LH + RH", "left and right", "front and rear"))  # no position
        if not self._chance(0.3):
            return ""
        position = self.record["position"] = self._any(tuple(forms))
        return self._shouted(self._any(forms[position]))

    def _quantity(self) -> str:
        if not self._chance(0.3):
            return ""
        count = self._any((1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 6, 8, 10, 12, 16, 20, 50, 100))
        forms = (*WORDS["quantities"], *WORDS["numbered"].get(str(count), ()))
        self.record["quantity"] = count
        return self._shouted(self._any(forms).format(count))

    def _vehicles(self) -> str:
        count = self._any((0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4))
        if not count:
            return ""
        found, fitment = [], []
        shared = self._years() if count > 1 and self._chance(0.4) else None
        while len(fitment) < count:
            make, written, models = self._any(self._known.vehicles)
            some = self._dice.sample(models, min(len(models), self._any((1, 1, 1, 2)), count - len(fitment)))
            some = [] if self._chance(0.05) else some
            years, span = shared or self._years()
            fitment += [{"make": make, "model": model, **span} for model in some] or [{"make": make, **span}]
            joined = self._any(("/", " / ", " + ", ", ")).join(some)
            name = self._shouted(f"{self._any(written)} {joined}".strip())
            name += self._any(WORDS["engines"]) if self._chance(0.2) else ""
            found.append(name if shared else f"{name} {years}".strip())
        self.record["fitment"] = fitment
        text = self._any((", ", "; ", " / ", " + ", " & ")).join(found)
        text += f" {shared[0]}" if shared else ""
        return self._shouted(self._any(("", "", "", "for ", "fits ", "to suit ", "passend für "))) + text

    def _years(self) -> tuple[str, dict[str, int]]:
        first = self._dice.randint(1978, 2017)
        last = first + self._dice.randint(1, 12)
        from_, to = {"year_from": first}, {"year_to": last}
        form, span = self._any(
            (
                *[(form, from_ | to) for form in WORDS["ranges"]],
                *[(form, from_) for form in WORDS["since"]],
                *[(form, to) for form in WORDS["until"]],
                *[("", {})] * 3,
                *[(form, from_ | {"year_to": first}) for form in ("{a}", "MY{b}")],
            )
        )
        month, other = self._dice.randint(1, 12), self._dice.randint(1, 12)
        text = form.format(
            a=first, b=f"{first % 100:02}", c=last, d=f"{last % 100:02}", m=f"{month:02}", n=f"{other:02}"
        )
        return self._shouted(text), span

    def _dimensions(self) -> str:
        count = self._any((0, 0, 0, 1, 1, 1, 2, 2, 3))
        if not count:
            return ""
        if self._chance(0.1):
            return self._sizes()
        measures = self._dice.sample(tuple(WORDS["measures"]), count)
        found, dimensions = [], []
        for measure in measures:
            shown, value, unit = self._size()
            dimensions.append({"measure": measure, "value": value, "unit": unit})
            mark = self._any(WORDS["measures"][measure])
            text = f"{mark}{self._any((' ', ' ', ' ', '=', ': '))}{shown}"
            if measure in WORDS["after"] and self._chance(0.15):
                text = f"{shown} {WORDS['after'][measure]}"
            found.append(self._shouted(text))
        self.record["dimensions"] = dimensions
        return self._any((" ", ", ", "; ", " x ")).join(found)

    def _sizes(self) -> str:
        """Length, width and height of a box; or diameter and thickness of a disc."""
        disc = "disc" in self.record["name"]
        measures = ("diameter", "thickness") if disc else ("length", "width", "height")
        values = [self._dice.randint(8, 400) for _ in measures]
        self.record["dimensions"] = [
            {"measure": measure, "value": float(value), "unit": "mm"}
            for measure, value in zip(measures, values, strict=True)
        ]
        return self._any(("x", " x ")).join(map(str, values)) + self._any(("mm", " mm"))

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
        mark = self._any(('"', " in", " inch")) if unit == "in" else gap + unit
        return shown + mark, float(value), unit

    def _cased(self, text: str) -> str:
        if self._loud or self._chance(0.1):
            return text.upper()
        return text[:1].upper() + text[1:] if self._chance(0.5) else text

    def _shouted(self, text: str) -> str:
        return text.upper() if self._loud else text

    def _any(self, values: Any) -> Any:
        return self._dice.choice(values)

    def _chance(self, share: float) -> bool:
        return self._dice.random() < share


def main() -> None:
    parser = argparse.ArgumentParser(description="Write part descriptions with the records that they mean, as JSONL.")
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for row in generate(options.count, options.seed):
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
