"""The thresholds of one column, all at once: a block of numbers in, a mask for each threshold out.

Few thresholds are compared one by one. Many are first turned into a code for each row, the number of
thresholds at or below its value; the masks then come from the bits of the codes, at two operations on packed
bits a mask. Exact for every double and every int64: a code is guessed from a table over a monotone grid,
where thresholds of other cells are surely on one side, and the thresholds of the cell itself are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rules.bits import Plane, pack

FEW = 24  # thresholds that are cheaper compared one by one
MOST = 250  # codes are uint8, and may pass the number of thresholds by CROWD before they are cut
CELLS = 4096
CROWD = 3  # thresholds in one cell beyond which the grid does not pay
STRIP = 16_384  # rows whose passing arrays stay in the cache
_TINY = 1e-300


class Cuts:
    """Rising thresholds, float64 or int64, none twice."""

    def __init__(self, edges: np.ndarray) -> None:
        self.edges = edges
        self._grids = _grids(edges)

    def fill(self, values: np.ndarray, planes: np.ndarray) -> Plane | None:
        """Say for each threshold where `values` are at or above it, and which values are no NaN (None: all).

        **Shape**: `(rows,)` values, at least one; writes `(thresholds, ceil(rows / 8))` uint8. A threshold
        outside the values' minimum and maximum costs next to nothing.
        """
        low, high = values.min(), values.max()
        numbers = None
        if high == high:
            first, last = np.searchsorted(self.edges, [low, high], side="right").tolist()
        else:
            first, last = 0, len(self.edges)
            numbers = pack(values == values)
        planes[:first], planes[last:] = 255, 0
        for start, grid in self._grids:
            begin, end = max(first, start), min(last, start + len(grid.edges))
            if end - begin > FEW and grid.cell is not None:
                grid.fill(values, numbers is not None, begin - start, planes[begin:end])
            else:
                for at in range(begin, end, FEW):
                    stop = min(at + FEW, end)
                    above = values >= self.edges[at:stop, None]
                    planes[at:stop] = np.packbits(above, axis=1, bitorder="little")
        return numbers


class Grid:
    """Up to `MOST` thresholds, and a monotone function from values to the cells of a table.

    `cell` is None where so many thresholds share a cell that comparing them one by one is better.
    """

    def __init__(self, edges: np.ndarray) -> None:
        self.edges = edges
        self.cell: Callable[[np.ndarray], np.ndarray] | None = None
        crowd = CROWD + 1
        for cell in _scales(edges) if len(edges) > FEW else ():
            cells = cell(edges)
            crowded = int(np.bincount(cells).max())
            if crowded < crowd:
                crowd, self.cell, self._cells = crowded, cell, cells
        if self.cell is not None:
            self._below = np.searchsorted(self._cells, np.arange(CELLS + 1)).astype(np.uint8)
            self._within = [self._nth(number) for number in range(crowd)]
            self._most = np.uint8(len(edges))
            self._width = len(edges).bit_length()
            self._bits = (1 << np.arange(self._width, dtype=np.uint8))[:, None]
            self._program, self._slots = _program(len(edges), self._width)

    def fill(self, values: np.ndarray, some_nan: bool, first: int, planes: np.ndarray) -> None:
        """Say where `values` are at or above each threshold from the first on, as many as planes."""
        codes = self.codes(values)
        if some_nan:
            codes[values != values] = 0
        last = self._program[-1].last if self._program else self._width
        made = np.empty((last, planes.shape[1]), dtype=np.uint8)
        made[: self._width] = np.packbits(codes & self._bits, axis=1, bitorder="little")
        for step in self._program:
            combine = np.bitwise_and if step.meet else np.bitwise_or
            out = made[step.first : step.last]
            combine(made.take(step.others, axis=0), made[step.bit], out=out)
        made.take(self._slots[first : first + len(planes)], axis=0, out=planes, mode="clip")

    def codes(self, values: np.ndarray) -> np.ndarray:
        """Count for each value the thresholds at or below it: uint8; for NaN, anything."""
        codes = np.empty(len(values), dtype=np.uint8)
        for start in range(0, len(values), STRIP):
            self._count(values[start : start + STRIP], codes[start : start + STRIP])
        return codes

    def _count(self, values: np.ndarray, codes: np.ndarray) -> None:
        if self.cell is None:
            raise TypeError("these thresholds are compared one by one")
        cells = self.cell(values)
        np.take(self._below, cells, mode="clip", out=codes)
        for thresholds in self._within:
            codes += (values >= thresholds.take(cells, mode="clip")).view(np.uint8)
        if self.edges.dtype != np.float64:
            # Where a cell has fewer thresholds than others, the highest int stands for none, and it is met.
            np.minimum(codes, self._most, out=codes)

    def _nth(self, number: int) -> np.ndarray:
        """Give for each cell its threshold of this number; NaN or the highest int where there is none."""
        none = np.nan if self.edges.dtype == np.float64 else np.iinfo(np.int64).max
        nth = np.full(CELLS + 1, none, dtype=self.edges.dtype)
        starts = np.searchsorted(self._cells, self._cells)
        chosen = np.arange(len(self._cells)) - starts == number
        nth[self._cells[chosen]] = self.edges[chosen]
        return nth


def _grids(edges: np.ndarray) -> list[tuple[int, Grid]]:
    """Split thresholds: those up to about zero, of which there are few, then as many as codes can count."""
    split = int(np.searchsorted(edges, _TINY))
    parts = [(0, edges[:split]), (split, edges[split:])]
    return [
        (first + start, Grid(part[start : start + MOST]))
        for first, part in parts
        for start in range(0, len(part), MOST)
    ]


def _scales(edges: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Give the grids there are: even, and even in the exponent, for thresholds that are far apart.

    Subtraction, multiplication and rounding are monotone in IEEE 754; so are the bits of positive numbers.
    """
    low, high = float(edges[0]), float(edges[-1])
    found: list[Callable[[np.ndarray], np.ndarray]] = []
    if 0 < high - low < np.inf and np.isfinite(scale := CELLS / (high - low)):

        def even(values: np.ndarray) -> np.ndarray:
            place = np.clip(values.astype(np.float64, copy=False), low, high)
            place -= low
            place *= scale
            return place.astype(np.int64)

        found.append(even)
    if low > 0:
        least, most = (int(bits) for bits in np.array([low, high]).view(np.int64))
        shift = max(0, (most - least).bit_length() - (CELLS.bit_length() - 1))

        def exponential(values: np.ndarray) -> np.ndarray:
            bits: Any = np.clip(values.astype(np.float64, copy=False), low, high).view(np.int64)
            bits -= least
            bits >>= shift
            return np.asarray(bits)

        found.append(exponential)
    return found


@dataclass(frozen=True, slots=True)
class _Step:
    """Slots first to last, each made of a bit of the codes and another slot."""

    bit: int
    meet: bool
    others: np.ndarray
    first: int
    last: int


def _program(edges: int, width: int) -> tuple[list[_Step], np.ndarray]:
    """Say how the masks `code >= k` for k = 1 … `edges` come from the bits of the codes.

    With the lower bits done, bit i makes of them `bit & lower` where k has it, else `bit | lower`: numbers
    with the same low bits share the work. Slots 0 … width - 1 are the bits, the steps add the others: at
    bit i the masks "the lower i + 1 bits of the code are at least `low`".
    """
    needed = [set(range(1, edges + 1))]
    for bit in reversed(range(width)):
        needed.append({low & ~(1 << bit) for low in needed[-1]} - {0})
    program: list[_Step] = []
    slots: dict[int, int] = {}  # of the masks about the bits below this one
    size = width
    for bit, lows in enumerate(reversed(needed[:-1])):
        made = {1 << bit: bit}
        for meet in (True, False):
            some = [low for low in sorted(lows - {1 << bit}) if bool(low >> bit) is meet]
            if some:
                others = np.array([slots[low & ~(1 << bit)] for low in some], dtype=np.intp)
                program.append(_Step(bit, meet, others, size, size + len(some)))
                made.update(zip(some, range(size, size + len(some)), strict=True))
                size += len(some)
        slots = made
    return program, np.array([slots[number] for number in range(1, edges + 1)], dtype=np.intp)
