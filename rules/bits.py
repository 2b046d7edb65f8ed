"""Masks of a block of rows, eight rows a byte: packed, combined by three-valued logic, read back as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Plane = np.ndarray  # `(ceil(rows / 8),)` uint8, the first row in the lowest bit; past the rows there is noise

Bits = tuple[Plane, Plane]
"""A condition over a block: where it is true, and where it is possible, that is true or unknown.

INVARIANT: every true row is possible; the two are one array, not only equal, where no row is unknown.
"""

AT_ONCE = 128
"""Planes read back in one go: enough for calls that leave other threads time, few enough for the cache."""

DENSE = 10
"""Where one bit in so many is set, or more, all are unpacked."""

_ONE = np.uint64(1)


def pack(mask: np.ndarray) -> Plane:
    """Pack a bool mask."""
    return np.packbits(mask, bitorder="little")


def rows_of(planes: Sequence[Plane], start: int, rows: int) -> list[np.ndarray]:
    """Number the rows of each plane of a block of `rows` rows, the first of which is row `start`: int32."""
    found: list[np.ndarray] = []
    for first in range(0, len(planes), AT_ONCE):
        some = planes[first : first + AT_ONCE]
        width = len(some[0]) * 8
        stacked = np.concatenate([*some, np.zeros(-len(some) * len(some[0]) % 8, dtype=np.uint8)])
        if rows % 8:
            stacked[width // 8 - 1 : len(some) * width // 8 : width // 8] &= (1 << rows % 8) - 1
        places = _set_bits(stacked.view(np.uint64))
        kind = places.dtype.type
        ends = np.searchsorted(places, np.arange(len(some) + 1, dtype=kind) * kind(width)).tolist()
        places = places % kind(width) if width & (width - 1) else places & kind(width - 1)
        numbers = places.astype(np.int32, copy=False)
        numbers += np.int32(start)
        found += [numbers[ends[place] : ends[place + 1]] for place in range(len(some))]
    return found


def _set_bits(words: np.ndarray) -> np.ndarray:
    """Number the bits that are set, rising: `(n,)` uint64 → uint32, or uint64 where there are too many.

    Where few are set, each word gives up its lowest bit until it has none: an operation a bit, not one a row.
    """
    kind: type[Any] = np.uint32 if len(words) < 2**26 else np.uint64
    if int(np.bitwise_count(words).sum(dtype=np.int64)) * DENSE >= len(words) * 64:
        unpacked = np.unpackbits(words.view(np.uint8), bitorder="little")
        return np.flatnonzero(unpacked.view(np.bool_)).astype(kind)
    held = np.flatnonzero(words != 0)
    words, base = words[held], held.astype(kind) << kind(6)
    parts = []
    while len(words):
        less = words - _ONE
        parts.append(base + np.bitwise_count(~words & less))
        words &= less
        more = np.flatnonzero(words != 0)
        words, base = words[more], base[more]
    numbers: np.ndarray = np.concatenate([np.empty(0, dtype=kind), *parts])
    numbers.sort()
    return numbers
