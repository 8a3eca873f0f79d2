"""The rewriting of numeric bounds and steps into a form that the engine handles correctly."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

_LEAST = ("minimum", "exclusiveMinimum")
BOUNDS = (*_LEAST, "maximum", "exclusiveMaximum")
_COUNTS = tuple(f"{end}{what}" for end in ("min", "max") for what in ("Length", "Items", "Properties", "Contains"))
_INT64 = 2**63 - 1
_FEW = 16  # multiples up to which they are listed
_HAIR = Fraction(1, 10**9)
_SURE_DIGITS = 15  # a double keeps every number of so many digits
_COARSE_DIGITS = 14  # digits of a moved bound: the engine may change the 15th digit
_MOST_DIGITS = 20  # decimal places of a bound
_MOST_STEPS = 8  # steps with fewer decimal places than the given step


Lack = tuple[str, str, bool]  # a keyword, why the engine does not enforce it as written, whether the mask is narrower


def numbers(node: dict[str, Any]) -> tuple[Any, list[Lack]]:
    """Rewrite the numeric keywords of a subschema in place. Returns a constraint to add to it (None for no constraint),
    and the keywords that the engine does not enforce as written.
    """
    gaps = _within_64_bits(node)
    step = node.get("multipleOf")
    if isinstance(step, float) and not step.is_integer():
        del node["multipleOf"]
        bounds = Bounds.taken_from(node)
        exact = Fraction(repr(step))
        few = bounds.few(exact) if node.get("type") in ("number", "integer") else None
        if few is not None:
            return ({"enum": [written(number) for number in few]} if few else False), gaps
        # The engine writes every decimal place of the step: 0.50 and never 0.5. So coarser steps are added.
        digits = -int(Decimal(repr(step)).as_tuple().exponent)
        steps = [_common(exact, Fraction(1, 10**n)) for n in range(min(digits, _MOST_STEPS))]
        found = [bounds.multiples(one) for one in dict.fromkeys([exact, *steps])]
        ways = [way for way in found if way is not None]
        gaps.append(("multipleOf", "without trailing zeros and exponents", True))
        return {"anyOf": ways or [{"multipleOf": step, **bounds.written}]}, gaps
    if not any(isinstance(node.get(key), float) for key in BOUNDS):
        return None, gaps
    bounds = Bounds.taken_from(node)
    inward = bounds.inward()
    if inward != bounds:
        gaps.append(("exclusiveMinimum", "the mask moves the bound (or exclusiveMaximum) by a billionth", True))
    shorter = [
        number
        for number in dict.fromkeys([*bounds.shorter(), *inward.shorter()])
        if bounds.admit(number) and (step is None or number % Fraction(repr(step)) == 0)
    ]
    beside = [{"enum": [written(number) for number in shorter]}] if shorter else []
    return ({"anyOf": [inward.written, *beside]} if beside else inward.written), gaps


def whole_counts(node: dict[str, Any]) -> None:
    """Write the counts of a subschema as integers in place: JSON Schema allows 2.0 as an integer."""
    for key in _COUNTS:
        if isinstance(node.get(key), float) and node[key].is_integer():
            node[key] = int(node[key])


def _within_64_bits(node: dict[str, Any]) -> list[Lack]:
    """Move or drop bounds that do not fit into the engine's numbers: integers of 64 bits, which it reads as doubles."""
    gaps: list[Lack] = []
    for key in BOUNDS:
        bound = node.get(key)
        if not isinstance(bound, int | float) or isinstance(bound, bool) or not math.isfinite(bound):
            continue
        exact = Fraction(repr(bound))
        if abs(exact) < 2**53 and _has_float(exact):
            continue
        moved = _coarse(max(min(exact, Fraction(_INT64)), Fraction(-_INT64)), key)
        if abs(moved) > _INT64:
            del node[key]
            gaps.append((key, "the engine's integers have 64 bits", False))
        else:
            node[key] = written(moved)
            gaps.append(
                (key, "the mask moves a bound of more than 15 digits inwards, by at most 2e-13 of its value", True)
            )
    return gaps


def _coarse(bound: Fraction, key: str) -> Fraction:
    """A bound of 14 digits that lies one or two units of its last digit inwards of `bound`."""
    first_digit = (Decimal(bound.numerator) / Decimal(bound.denominator)).adjusted()
    grain = Fraction(10) ** (first_digit + 1 - _COARSE_DIGITS)
    return (math.floor(bound / grain) + 2 if key in _LEAST else math.ceil(bound / grain) - 2) * grain


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a number: `written` has their keywords in JSON Schema."""

    written: dict[str, Any]

    @classmethod
    def taken_from(cls, node: dict[str, Any]) -> "Bounds":
        """Remove the bounds from a subschema and return them."""
        found = cls({key: node.pop(key) for key in BOUNDS if key in node})
        # The engine reads an exclusive 20.0 as inclusive, so whole bounds are written as integers.
        return cls(found.written | {key: written(bound) for key, bound in found._exact()})

    def admit(self, number: Fraction) -> bool:
        """Whether a number is within the bounds."""
        return all(
            number >= bound if key == "minimum" else
            number > bound if key == "exclusiveMinimum" else
            number <= bound if key == "maximum" else
            number < bound
            for key, bound in self._exact()
        )  # fmt: skip

    def few(self, step: Fraction) -> list[Fraction] | None:
        """All multiples of `step` within the bounds; None if they are too many."""
        least, most = self._ends(step)
        if least is None or most is None or (most - least) / step >= _FEW:
            return None
        found = [least + n * step for n in range(int((most - least) / step) + 1)]
        return [number for number in found if _has_float(number)]

    def multiples(self, step: Fraction) -> dict[str, Any] | None:
        """The multiples of `step` within the bounds, as JSON Schema; None without a multiple.

        The engine needs a number with the digits of both the bound and the step. So the bounds become multiples of the
        step.
        """
        least, most = self._ends(step)
        if least is not None and most is not None and least > most:
            return None
        if few := self.few(step):  # the engine misses a single multiple: -1.9 in steps of 0.1
            return {"enum": [written(number) for number in few]}
        found: dict[str, Any] = {"multipleOf": written(step)}
        if least is not None:
            found["minimum"] = written(least)
        if most is not None:
            found["maximum"] = written(most)
        return found

    def inward(self) -> "Bounds":
        """The bounds, with an exclusive whole bound moved inwards by 1e-9 if the other bound is near: the engine would
        allow 20 between an exclusive 20 and 20.43.
        """
        exact = dict(self._exact())
        moved = dict(self.written)
        for key, bound in exact.items():
            others = [other for name, other in exact.items() if (name in _LEAST) != (key in _LEAST)]
            if key.startswith("exclusive") and bound.denominator == 1 and any(abs(o - bound) <= 1 for o in others):
                del moved[key]
                name, hair, tighter = ("minimum", _HAIR, max) if key in _LEAST else ("maximum", -_HAIR, min)
                moved[name] = tighter([float(bound + hair), *([moved[name]] if name in moved else [])])
        return Bounds(moved)

    def shorter(self) -> list[Fraction]:
        """The numbers within the bounds that are a truncated bound, which the engine misses: 0.3 below 0.33."""
        found: dict[Fraction, None] = {}
        for _, bound in self._exact():
            for digits in range(_MOST_DIGITS):
                number = Fraction(math.trunc(bound * 10**digits), 10**digits)
                if number == bound:
                    break
                if self.admit(number):
                    found[number] = None
        return list(found)

    def _ends(self, step: Fraction) -> tuple[Fraction | None, Fraction | None]:
        """The smallest and the largest multiple of `step` within the bounds; None for a missing bound."""
        exact = list(self._exact())
        least = max((_inward(_first, bound, step, key) for key, bound in exact if key in _LEAST), default=None)
        most = min((_inward(_last, bound, step, key) for key, bound in exact if key not in _LEAST), default=None)
        return least, most

    def _exact(self) -> Iterator[tuple[str, Fraction]]:
        for key, bound in self.written.items():
            if isinstance(bound, int | float) and not isinstance(bound, bool) and math.isfinite(bound):
                yield key, Fraction(repr(bound))


def written(number: Fraction) -> int | float:
    """A fraction as a JSON number."""
    return int(number) if number.denominator == 1 else float(number)


def _has_float(number: Fraction) -> bool:
    """Whether a number is whole, or has so few digits that no float near it stands for another number."""
    return number.denominator == 1 or abs(number) * number.denominator < 10**_SURE_DIGITS


def _inward(end: Callable[[Fraction, Fraction, str], Fraction], bound: Fraction, step: Fraction, key: str) -> Fraction:
    """The first or last multiple of a step, or else the first or last whole multiple, where floats are too coarse."""
    number = end(bound, step, key)
    return number if _has_float(number) else end(bound, _common(step, Fraction(1)), key)


def _first(bound: Fraction, step: Fraction, key: str) -> Fraction:
    number = math.ceil(bound / step) * step
    return number + step if key.startswith("exclusive") and number == bound else number


def _last(bound: Fraction, step: Fraction, key: str) -> Fraction:
    number = math.floor(bound / step) * step
    return number - step if key.startswith("exclusive") and number == bound else number


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The least common multiple of two fractions."""
    numerator = math.lcm(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(numerator, one.denominator * other.denominator)
