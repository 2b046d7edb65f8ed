"""Rows of a decision table that may hold on one record: a row in, the rows beside it out, as bits.

Every column is compared alone, so that rows beside each other need not meet in one record. Nothing that grows
with the table is kept for each row: where a cell leaves few rows these are listed, else bits are worked out
from some that are kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np

from rules.pieces import Pieces, Span

FEW = 16
"""Rows beside a cell up to which they are listed, and compared one by one in the other columns."""
MEMORY = 16 * 2**20
"""Bytes of row bits that one column may keep ready."""


class Beside:
    """The rows beside each row of a table, by its columns."""

    def __init__(self, columns: Sequence[Column], rows: int) -> None:
        self._columns, self._every = tuple(columns), (1 << rows) - 1

    def of(self, row: int) -> int:
        """Give (bits) the rows that may hold where a row does, the row among them if it ever may."""
        columns = self._columns
        least = min(columns, key=lambda column: column.counts[column.group[row]], default=None)
        if least is None:
            return self._every
        if least.counts[least.group[row]] <= FEW:
            bits = 0
            for other in least.few(row):
                if all(column.meet(row, other) for column in columns):
                    bits |= 1 << other
            return bits
        bits = self._every
        for column in columns:
            bits &= column.bits(row)
        return bits


class Column:
    """One column: the rows of every distinct cell are a group, and `spans` are where each group holds."""

    def __init__(self, pieces: Pieces, spans: Sequence[Sequence[Span]]) -> None:
        self._pieces, self._spans = pieces, spans
        self._rows = list(pieces.groups.values())
        self.group = [0] * pieces.rows
        for number, rows in enumerate(self._rows):
            for row in rows:
                self.group[row] = number
        self._whole = [number for number, one in enumerate(spans) if len(one) == 1]
        self._parted = [number for number, one in enumerate(spans) if len(one) > 1]
        self._starts = _Rising(pieces, [(spans[one][0][0], self._rows[one]) for one in self._whole])
        self._ends = _Rising(pieces, [(-spans[one][0][1], self._rows[one]) for one in self._whole])
        self.counts = self._counted()
        self._few = self._listed()
        self._kept: dict[int, int] = {}
        self._left = MEMORY

    def meet(self, one: int, other: int) -> bool:
        """Say whether there is a value on which the cells of two rows hold."""
        first, second = self.group[one], self.group[other]
        if first == second:
            return bool(self._spans[first])
        return self._meet(first, second)

    def few(self, row: int) -> list[int]:
        """Give the rows that may meet a row whose count is small."""
        return [other for number in self._few.get(self.group[row], ()) for other in self._rows[number]]

    def bits(self, row: int) -> int:
        """Give (bits) the rows that meet a row."""
        number = self.group[row]
        found = self._kept.get(number)
        if found is None:
            found = self._worked_out(number)
            self._left -= self._pieces.rows // 8 + 32
            if self._left > 0:
                self._kept[number] = found
        return found

    def _meet(self, one: int, other: int) -> bool:
        return any(a[0] < b[1] and b[0] < a[1] for a in self._spans[one] for b in self._spans[other])

    def _counted(self) -> list[int]:
        """Give for each group how many rows it may meet at most."""
        parted = sum(len(self._rows[number]) for number in self._parted)
        counts = []
        for spans in self._spans:
            if len(spans) == 1:
                first, end = spans[0]
                started, over = self._starts.count(end), self._starts.total - self._ends.count(-first)
                counts.append(started - over + parted)
            else:
                # Of what holds on several stretches nothing is listed.
                counts.append(max(self._pieces.rows, FEW + 1) if spans else 0)
        return counts

    def _listed(self) -> dict[int, list[int]]:
        """Give for each group that meets few rows the groups that it may meet: a sweep over their spans."""
        order = sorted((self._spans[number][0], number) for number in self._whole)
        found: dict[int, list[int]] = {}
        going: list[tuple[int, int]] = []
        for place, ((first, end), number) in enumerate(order):
            while going and going[0][0] <= first:
                heappop(going)
            if self.counts[number] <= FEW:
                beside = [*self._parted, *(other for _, other in going), number]
                for (start, _), other in order[place + 1 : place + 1 + FEW]:
                    if start >= end:
                        break
                    beside.append(other)
                found[number] = beside
            heappush(going, (end, number))
        return found

    def _worked_out(self, number: int) -> int:
        spans = self._spans[number]
        beside = self._pieces.bits(self._rows[number]) if spans else 0
        for first, end in spans:
            # Of what is in one stretch: it begins before this one ends, and ends after this one begins.
            beside |= self._starts.before(end) & self._ends.before(-first)
        for other in self._parted:
            if self._meet(number, other):
                beside |= self._pieces.bits(self._rows[other])
        return beside


class _Rising:
    """Rows by a rising key, and the bits of those below a key."""

    def __init__(self, pieces: Pieces, groups: Sequence[tuple[int, Sequence[int]]]) -> None:
        ordered = sorted(groups)
        self._pieces = pieces
        self._keys = [key for key, rows in ordered for _ in rows]
        self._rows = [row for _, rows in ordered for row in rows]
        self.total = len(self._rows)
        size = pieces.rows // 8 + 32
        self._stride = max(8, self.total * size // MEMORY + 1)
        self._kept = [0]

    def count(self, key: int) -> int:
        """Count the rows below a key."""
        return bisect_left(self._keys, key)

    def before(self, key: int) -> int:
        """Give (bits) the rows below a key."""
        count = self.count(key)
        whole = count // self._stride
        while len(self._kept) <= whole:
            start = (len(self._kept) - 1) * self._stride
            self._kept.append(self._kept[-1] | self._pieces.bits(self._rows[start : start + self._stride]))
        return self._kept[whole] | self._pieces.bits(self._rows[whole * self._stride : count])


def ranked_below(ranks: np.ndarray, rank: int, among: int) -> int:
    """Give those of some rows (bits) whose rank is below this one."""
    below = np.packbits(ranks < rank, bitorder="little")
    return among & int.from_bytes(below.tobytes(), "little")
