"""An input of a decision table: its cells, their pieces, and for each a value that a record may have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rules.cells import Cell
from rules.expression import BOOL, DOUBLE, STRING, TIMESTAMP, Call, Node, Variable
from rules.fitting import FIRST_MOMENT, LAST_MOMENT
from rules.pieces import Pieces, Span
from rules.table_beside import Column as Stretches
from rules.terms import RANGES


class _Impossible:
    """The value of a piece that no value is in."""


IMPOSSIBLE = _Impossible()


class Column:
    """One column: its cells, their pieces, and which of those a record can be in.

    `variable` is the field that it is, `node` the term that it is worked out by, if it is either.
    """

    def __init__(
        self, kind: str, cells: Sequence[Cell], variable: Variable | None, node: Node | None = None
    ) -> None:
        self.cells = tuple(cells)
        self.pieces = Pieces(kind, cells)
        self.variable, self.node = variable, node
        ends = RANGES.get(node.overload) if isinstance(node, Call) else None
        self._term = None if node is None else Variable("", kind, True, *(ends or ()))
        size = self.pieces.missing
        possible = np.ones(size + 1, dtype=bool)
        if variable is not None:
            possible[:size] = [self.value(code) is not IMPOSSIBLE for code in range(size)]
            possible[size] = variable.nullable
        elif ends is not None:
            possible[:size] = [self.value(code) is not IMPOSSIBLE for code in range(size)]
        elif kind == BOOL:
            possible[size] = False
        self._possible = np.flatnonzero(possible)
        self._spans: dict[Cell, list[Span]] = {}

    def value(self, code: int) -> Any:
        """Give a value that a record may have in a piece, None for the missing one, or IMPOSSIBLE."""
        pieces, variable = self.pieces, self.variable or self._term
        if code == pieces.missing:
            return None
        if variable is None:
            return IMPOSSIBLE
        if not pieces.ordered:
            return self._named(code, variable)
        if code % 2:
            return self._within(pieces.points[code // 2], variable)
        low = pieces.points[code // 2 - 1] if code else None
        high = pieces.points[code // 2] if code // 2 < len(pieces.points) else None
        return _between(low, high, variable)

    def values(self, codes: Iterable[int]) -> Iterator[Any]:
        """Give a value for each of some codes that a record can be in."""
        found = map(self.value, codes)
        return (value for value in found if value is not IMPOSSIBLE)

    def first_possible(self, code: int, end: int) -> int | None:
        """Give the first code from `code` to before `end` that a record can be in."""
        at = int(np.searchsorted(self._possible, code))
        if at < len(self._possible) and self._possible[at] < end:
            return int(self._possible[at])
        return None

    def spans(self, cell: Cell) -> list[Span]:
        """Give where a cell holds, in the numbers of the possible codes."""
        known = self._spans.get(cell)
        if known is None:
            missing = self.pieces.missing
            spans = [span for span in self.pieces.spans(cell) if span[0] < missing]
            if self.pieces.on_missing(cell):
                spans.append((missing, missing + 1))
            ends = np.searchsorted(self._possible, [end for span in spans for end in span]).tolist()
            found: list[Span] = []
            for first, end in zip(ends[::2], ends[1::2], strict=True):
                if found and found[-1][1] == first:
                    found[-1] = found[-1][0], end
                elif first < end:
                    found.append((first, end))
            known = self._spans[cell] = found
        return known

    def common(self, one: Cell, other: Cell) -> list[int]:
        """Give some codes on which both cells hold: the first of every stretch."""
        starts = [
            max(a[0], b[0]) for a in self.spans(one) for b in self.spans(other) if a[0] < b[1] and b[0] < a[1]
        ]
        return [int(self._possible[start]) for start in sorted(starts)]

    def always(self, cell: Cell) -> bool:
        """Say whether a cell is sure to hold wherever a record has a value."""
        if self.variable is None and self.pieces.kind == DOUBLE:
            return False  # what is worked out may be NaN
        present = int(np.searchsorted(self._possible, self.pieces.missing))
        first = next(iter(self.spans(cell)), (0, 0))
        return 0 < present <= first[1] and first[0] == 0

    @cached_property
    def parted(self) -> int:
        """How many of the distinct cells hold on more than one stretch of values."""
        return sum(len(self.spans(cell)) > 1 for cell in self.pieces.groups)

    def stretches(self) -> Stretches:
        """Give where the rows of each distinct cell hold."""
        return Stretches(self.pieces, [self.spans(cell) for cell in self.pieces.groups])

    def _named(self, code: int, variable: Variable) -> Any:
        points = self.pieces.points
        if code < len(points):
            return self._within(points[code], variable)
        named = set(points)
        if variable.values is not None:
            return next((value for value in variable.values if value not in named), IMPOSSIBLE)
        if variable.type == BOOL:
            return next((value for value in (False, True) if value not in named), IMPOSSIBLE)
        if variable.type == STRING:
            return next(
                word for word in (f"other{'_' * n}" for n in range(len(named) + 1)) if word not in named
            )
        low = variable.minimum if variable.minimum is not None else (points[-1] + 1 if points else 0)
        start = int(low) if variable.type != DOUBLE else float(math.ceil(low))
        for step in range(len(named) + 1):
            value = self._within(start + step, variable)
            if value is not IMPOSSIBLE and value not in named:
                return value
        return _between(None, points[0] if points else None, variable)

    def _within(self, value: Any, variable: Variable) -> Any:
        if variable.values is not None and value not in variable.values:
            return IMPOSSIBLE
        below = variable.minimum is not None and value < variable.minimum
        above = variable.maximum is not None and value > variable.maximum
        return IMPOSSIBLE if below or above else value


def some_value(variable: Variable) -> Any:
    """Give some value that a field may have, one that is there."""
    if variable.values is not None:
        return next(iter(variable.values), None)
    if variable.type in (BOOL, STRING):
        return False if variable.type == BOOL else "other"
    value = _between(None, None, variable)
    return None if value is IMPOSSIBLE else value


def _between(low: Any, high: Any, variable: Variable) -> Any:
    """Give a value strictly between two ends (None for none) that the variable may have."""
    if variable.type == STRING:
        if variable.values is not None:
            return next(
                (v for v in variable.values if (low is None or v > low) and (high is None or v < high)),
                IMPOSSIBLE,
            )
        if low is None:
            return "" if high else IMPOSSIBLE
        word = low + " "
        return word if high is None or word < high else IMPOSSIBLE
    least, most = variable.minimum, variable.maximum
    if variable.type == TIMESTAMP:
        least, most = FIRST_MOMENT, LAST_MOMENT
    if variable.type == DOUBLE:
        least = -math.inf if least is None else float(least)
        most = math.inf if most is None else float(most)
        candidates = [least, most]
        if low is not None and high is not None:
            candidates.append(low + (high - low) / 2)
        candidates += [] if low is None else [low + 1.0, math.nextafter(low, math.inf)]
        candidates += [] if high is None else [high - 1.0, math.nextafter(high, -math.inf)]
        candidates += [0.0]
    else:
        least = -(2**63) if least is None else math.ceil(least)
        most = 2**63 - 1 if most is None else math.floor(most)
        candidates = [low + 1] if low is not None else [high - 1] if high is not None else [0]
        candidates += [least, most]
    for value in candidates:
        if (
            math.isfinite(value)
            and least <= value <= most
            and (low is None or value > low)
            and (high is None or value < high)
        ):
            return value
    return IMPOSSIBLE
