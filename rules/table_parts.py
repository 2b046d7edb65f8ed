"""A decision table parted by the values of an input: a record is looked up among the few rows that are left.

Where the cells of an input name values and each value leaves few rows, the rows for a value are a part with
bits of their own, parted further by the next input. Parts are made when a record first asks for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rules.cells import Cell
from rules.pieces import Pieces

Column = tuple[int, str, Sequence[Cell]]  # its place among the inputs, its type, the cells of the rows
State = tuple[int, int]  # as bits: the rows that hold, and those that hold or are unknown

FEWEST = 16
SHARE = 0.3
"""A table is parted where it has more rows than FEWEST, and a value leaves at most this share of them."""

COPIES = 8
"""How many times the rows of a table may stand in its parts; beyond that, a part stays as it is."""


class Room:
    """How many rows parts may still take: one for a whole table."""

    def __init__(self, rows: int) -> None:
        self.left = COPIES * rows + 1_000


class Part:
    """Some rows of a table: bit i of a state is the i-th of `rows`, which are numbers of whoever asks."""

    def __init__(self, columns: Sequence[Column], rows: Sequence[int], room: Room) -> None:
        self.rows = tuple(rows)
        self._room = room
        cut = [(Pieces(kind, cells), place, kind, cells) for place, kind, cells in columns if _asks(cells)]
        # What leaves few rows goes first; of inputs without any condition nothing is asked.
        cut.sort(key=lambda one: one[0].share)
        self.pieces = [one[0] for one in cut]
        self.places = [one[1] for one in cut]
        self._columns = [one[1:] for one in cut]
        self.every = (1 << len(self.rows)) - 1
        self._looks = [
            (place, one, one.at, one.kept, one.missing)
            for place, one in zip(self.places, self.pieces, strict=True)
        ]
        self._children: dict[int, Part] | None = None
        if len(self.rows) > FEWEST and self.pieces:
            first = self.pieces[0]
            if not first.ordered and first.share <= SHARE:
                self._children = {}

    def at(self, values: Sequence[Any]) -> Part:
        """Give the part that knows these values of the inputs."""
        part = self
        while (children := part._children) is not None:
            pieces = part.pieces[0]
            code = pieces.code(values[part.places[0]])
            child = children.get(code)
            if child is None:
                # In error is no value: there every row is open.
                child = part._child(code) if code != pieces.error else None
                if child is None:
                    return part
            part = child
        return part

    def find(self, values: Sequence[Any]) -> State:
        """Give the rows that hold, and those that hold or are unknown, for the values of the inputs.

        A value is None where it is missing and ERROR where it cannot be worked out.
        """
        true = self.every
        open_: int | None = None  # the same as `true` until an input is missing
        for place, pieces, at, kept, missing in self._looks:
            value = values[place]
            code = at.get(value)
            if code is None:
                code = pieces.code(value)
            bits = kept[code]
            if bits is None:
                bits = pieces.true(code)
            if code >= missing:
                open_ = (true if open_ is None else open_) & pieces.open(code)
            elif open_ is not None:
                open_ &= bits
            true &= bits
            if not true and not open_:
                return 0, 0
        return true, true if open_ is None else open_

    def _child(self, code: int) -> Part | None:
        """Make the part of the rows that hold on a piece of the first input; None where there is no room."""
        bits = self.pieces[0].true(code)
        chosen = [place for place in range(len(self.rows)) if bits >> place & 1]
        if self._room.left < len(chosen) + 1:
            return None
        self._room.left -= len(chosen) + 1
        columns = [(place, kind, [cells[one] for one in chosen]) for place, kind, cells in self._columns[1:]]
        child = Part(columns, [self.rows[one] for one in chosen], self._room)
        if self._children is not None:
            self._children[code] = child
        return child


def _asks(cells: Sequence[Cell]) -> bool:
    return any(cell.tests for cell in cells)
