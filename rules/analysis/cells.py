"""A field or term and the constants it is compared with in, the cells that no comparison can tell apart out.

Numbers, moments and texts that are ordered are cut into points and the gaps between them; texts that are only
looked up are put into classes by which sets they are in. One more cell stands for a value that is missing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from rules.expression import BOOL, DOUBLE, INT, STRING, TIMESTAMP
from rules.fitting import FIRST_MOMENT, HIGH, LARGEST, LAST_MOMENT, LOW

_TIMES = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1)
_ORDERINGS: dict[str, Callable[[list[Any], Any], tuple[int, int]]] = {
    "less": lambda values, bound: (0, bisect_left(values, bound)),
    "less_equals": lambda values, bound: (0, bisect_right(values, bound)),
    "greater": lambda values, bound: (bisect_right(values, bound), len(values)),
    "greater_equals": lambda values, bound: (bisect_left(values, bound), len(values)),
}


@dataclass
class Domain:
    """What an axis may hold, and what it is asked: filled while conditions are read, then cut into cells."""

    type: str
    missing: bool  # whether there is a cell for no value
    nan: bool = False  # whether there is one for a number that is none: what calculating may give
    minimum: Any = None
    maximum: Any = None
    values: tuple[Any, ...] | None = None
    bounds: set[Any] = field(default_factory=set)  # what it is ordered against
    sets: dict[frozenset[Any], None] = field(default_factory=dict)  # what it is looked up in

    def cut(self) -> Cells:
        """Cut into cells."""
        if self.type == BOOL:
            return Cells([False, True], self.missing)
        if self.values is not None:
            return Cells(sorted(set(self.values)), self.missing)
        if self.type != STRING or self.bounds:
            return Cells(self._line(), self.missing, nan=self.nan)
        return self._classes()

    def _line(self) -> list[Any]:
        """Give one value of each point and gap, in rising order."""
        low, high = self._ends()
        points = {point for bound in self.bounds for point in self._beside(bound)}
        points.update(value for values in self.sets for value in values)
        if low is not None:
            points |= {low, high}
        inside = sorted(point for point in points if low is None or low <= point <= high)
        if low is None:
            edges = [None, *inside, None]
            gaps = [between(self.type, before, after) for before, after in pairwise(edges)]
        else:
            gaps = [None, *(between(self.type, before, after) for before, after in pairwise(inside)), None]
        line = [gaps[0]]
        for point, gap in zip(inside, gaps[1:], strict=True):
            line += [point, gap]
        return [value for value in line if value is not None]

    def _ends(self) -> tuple[Any, Any]:
        """Give the least and the greatest value there can be; None where texts have no end."""
        if self.type == STRING:
            return None, None
        most = math.inf if self.nan else LARGEST
        least, most = {TIMESTAMP: (FIRST_MOMENT, LAST_MOMENT), DOUBLE: (-most, most)}.get(
            self.type, (LOW, HIGH)
        )
        low = least if self.minimum is None else max(least, self.minimum)
        high = most if self.maximum is None else min(most, self.maximum)
        if self.type != DOUBLE:
            low, high = math.ceil(low), math.floor(high)
        return low, max(low, high)

    def _beside(self, bound: Any) -> Iterable[Any]:
        """Give the values at which an ordering against this bound may change."""
        if self.type == INT and isinstance(bound, float):
            return (math.floor(bound), math.ceil(bound)) if math.isfinite(bound) else ()
        return (bound,) if bound == bound else ()

    def _classes(self) -> Cells:
        marks: dict[Any, int] = {}
        for number, values in enumerate(self.sets):
            for value in values:
                marks[value] = marks.get(value, 0) | 1 << number
        classes: dict[int, list[Any]] = {}
        for value in sorted(marks, key=lambda value: (len(value), value)):
            members = classes.setdefault(marks[value], [])
            if len(members) < KEPT_MEMBERS:
                members.append(value)
        other = next(text for text in _others() if text not in marks)
        cells = Cells([*(members[0] for members in classes.values()), other], self.missing)
        cells.members = dict(enumerate(classes.values()))
        inside = [0] * len(self.sets)
        for number, mark in enumerate(classes):
            while mark:
                place = mark.bit_length() - 1
                inside[place] |= 1 << number
                mark ^= 1 << place
        cells.inside = dict(zip(self.sets, inside, strict=True))
        return cells


KEPT_MEMBERS = 8


class Cells:
    """The cells of one axis: `values` has one value of each; the last cell, if any, is that of no value."""

    def __init__(self, values: list[Any], missing: bool, *, nan: bool = False) -> None:
        self.values = values
        self.present = (1 << len(values) + nan) - 1
        self.missing = 1 << len(values) + nan if missing else 0
        self.full = self.present | self.missing
        self.members: dict[int, list[Any]] = {}
        self.inside: dict[frozenset[Any], int] | None = None
        self._place: dict[Any, int] | None = None

    def ordered(self, word: str, bound: Any) -> int:
        """Give the cells that are `less`, `less_equals`, `greater` or `greater_equals` than a bound."""
        if bound != bound:
            return 0
        first, last = _ORDERINGS[word](self.values, bound)
        return (1 << last) - (1 << first) if last > first else 0

    def among(self, values: frozenset[Any]) -> int:
        """Give the cells whose values are among these."""
        if self.inside is not None:
            return self.inside[values]
        if self._place is None:
            self._place = {value: number for number, value in enumerate(self.values)}
        places = (self._place.get(value) for value in values)
        return sum({1 << place for place in places if place is not None})

    def value(self, cell: int) -> Any:
        """Give a value of a cell; None for that of no value (or no number)."""
        return self.values[cell] if cell < len(self.values) else None


def between(kind: str, before: Any, after: Any) -> Any:
    """Give a plain value strictly between two, or None; for texts, None stands for no end."""
    if kind == STRING:
        return _text_between(before, after)
    if kind == DOUBLE:
        return _double_between(before, after)
    if after - before < 2:
        return None
    steps = _TIMES if kind == TIMESTAMP else (1,)
    if before == (FIRST_MOMENT if kind == TIMESTAMP else LOW):
        steps_down = [after - step for step in steps if after - step > before]
        return min(0, steps_down[0]) if after > 0 else steps_down[0]
    return next(before + step for step in steps if before + step < after)


def _double_between(before: float, after: float) -> float | None:
    tries: list[float] = []
    if before <= -LARGEST and after >= LARGEST:
        tries = [0.0]
    elif before <= -LARGEST:
        tries = [0.0, math.ceil(after) - 1.0, after * 2.0 if after < 0 else after / 2.0]
    elif after >= LARGEST:
        tries = [math.floor(before) + 1.0, before * 2.0 if before > 0 else before / 2.0]
    else:
        middle = before / 2.0 + after / 2.0
        tries = [math.floor(before) + 1.0, *(round(middle, digits) for digits in range(17)), middle]
    tries.append(math.nextafter(before, math.inf))
    return next((value + 0.0 for value in tries if before < value < after), None)


def _text_between(before: str | None, after: str | None) -> str | None:
    if before is None:
        return "" if after != "" else None
    tries = (before + tail for tail in ("a", "0", " ", "\0"))
    return next((text for text in tries if after is None or text < after), None)


def _others() -> Iterable[str]:
    yield "other"
    number = 2
    while True:
        yield f"other-{number}"
        number += 1


def members(values: Collection[Any], kind: str) -> frozenset[Any]:
    """Give a set that the axis is looked up in, as its type has it; what it can never equal is left out."""
    if kind == INT:
        return frozenset(int(value) for value in values if math.isfinite(value) and value == int(value))
    if kind == DOUBLE:
        return frozenset(float(value) + 0.0 for value in values if value == value)
    return frozenset(values)
