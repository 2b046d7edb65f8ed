"""Masks of a block of rows, eight rows a byte: packed, combined by three-valued logic, read back as rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Plane = np.ndarray  # `(ceil(rows / 8),)` uint8, the first row in the lowest bit; past the rows there is noise

Bits = tuple[Plane, Plane]
"""A condition over a block: where it is true, and where it is possible, that is true or unknown.

INVARIANT: every true row is possible; the two are one array, not only equal, where no row is unknown.
"""

AT_ONCE = 32
"""Planes read back in one go: enough for calls that are long, few enough to stay in the cache."""

SPARSE = 4
"""Where one byte in so many has a bit set, or more, all are unpacked."""


def pack(mask: np.ndarray) -> Plane:
    """Pack a bool mask."""
    return np.packbits(mask, bitorder="little")


def rows_of(planes: Sequence[Plane], start: int, rows: int) -> list[np.ndarray]:
    """Number the rows of each plane of a block of `rows` rows, the first of which is row `start`: int32."""
    found: list[np.ndarray] = []
    for first in range(0, len(planes), AT_ONCE):
        some = planes[first : first + AT_ONCE]
        width = len(some[0]) * 8
        stacked = np.concatenate(some)
        if rows % 8:
            stacked[width // 8 - 1 :: width // 8] &= (1 << rows % 8) - 1
        places = _set_bits(stacked)
        ends = np.searchsorted(places, np.arange(len(some) + 1) * width).tolist()
        places = np.remainder(places, width, out=places) if width & (width - 1) else places & (width - 1)
        numbers = (places + start).astype(np.int32)
        found += [numbers[ends[place] : ends[place + 1]] for place in range(len(some))]
    return found


def _set_bits(plane: Plane) -> np.ndarray:
    """Number the bits that are set; where few bytes have any, only those are unpacked."""
    held = np.flatnonzero(plane != 0)
    if len(held) * SPARSE > len(plane):
        return np.flatnonzero(np.unpackbits(plane, bitorder="little").view(np.bool_))
    bits = np.flatnonzero(np.unpackbits(plane[held], bitorder="little").view(np.bool_))
    numbers: np.ndarray = (held[bits >> 3] << 3) + (bits & 7)
    return numbers
