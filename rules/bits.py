"""Masks of a block of rows, eight rows a byte: packed, combined by three-valued logic, read back as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Plane = np.ndarray  # `(ceil(rows / 8),)` uint8, the first row in the lowest bit; past the rows there is noise

AT_ONCE = 8
"""Planes read back in one go: enough to be worth a call, few enough to stay in the cache."""


class Bits(NamedTuple):
    """A condition over a block: where it is true, and where it is true or unknown.

    INVARIANT: every true row is possible; the two are one array, not only equal, where no row is unknown.
    """

    true: Plane
    possible: Plane


def pack(mask: np.ndarray) -> Plane:
    """Pack a bool mask."""
    return np.packbits(mask, bitorder="little")


def settled(true: Plane) -> Bits:
    """Give the bits of a condition that is nowhere unknown."""
    return Bits(true, true)


def negated(bits: Bits) -> Bits:
    """Give `!bits`: true where it was not possible, possible where it was not true."""
    true = ~bits.possible
    return Bits(true, true if bits.true is bits.possible else ~bits.true)


def both(one: Bits, other: Bits) -> Bits:
    """Give `one && other`, whose T and P are those of both."""
    true = one.true & other.true
    if one.true is one.possible and other.true is other.possible:
        return Bits(true, true)
    return Bits(true, one.possible & other.possible)


def either(one: Bits, other: Bits) -> Bits:
    """Give `one || other`, whose T and P are those of one of them."""
    true = one.true | other.true
    if one.true is one.possible and other.true is other.possible:
        return Bits(true, true)
    return Bits(true, one.possible | other.possible)


def rows_of(planes: Sequence[Plane], start: int, rows: int) -> list[np.ndarray]:
    """Number the rows of each plane of a block of `rows` rows, the first of which is row `start`: int32."""
    found: list[np.ndarray] = []
    for first in range(0, len(planes), AT_ONCE):
        some = planes[first : first + AT_ONCE]
        width = len(some[0]) * 8
        stacked = np.stack(some)
        if rows % 8:
            stacked[:, -1] &= (1 << rows % 8) - 1
        places = np.flatnonzero(np.unpackbits(stacked, bitorder="little").view(np.bool_))
        ends = np.searchsorted(places, np.arange(1, len(some)) * width)
        numbers = np.remainder(places, width, out=places) if width & (width - 1) else places & (width - 1)
        found += np.split((numbers + start).astype(np.int32), ends)
    return found
