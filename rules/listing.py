"""From rows by code to codes by row: the rows of each rule in, the rules of each row out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rules.errors import RulesError
from rules.threads import each

Groups = Sequence[tuple[Any, np.ndarray]]  # a code, or one for each row, and rows in rising order

SPAN = 65_536  # rows sorted at a time: a row's number within them has 16 bits
STRIP = 4_096  # rows whose lists stay in the cache


def listed(groups: Groups, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give each of n rows the codes of the groups that hold it, in the order of the groups.

    **Shape**: `(n + 1,)` int32 offsets into int32 codes. What is sorted is one number for each hit, the row
    above the group, so that nothing loops over rows. Raises RulesError beyond 2³¹ hits.
    """
    groups = [group for group in groups if len(group[1])]
    if not groups:
        return np.zeros(n + 1, dtype=np.int32), np.empty(0, dtype=np.int32)
    if sum(len(rows) for _, rows in groups) > np.iinfo(np.int32).max:
        raise RulesError("more than 2,147,483,647 hits in one batch; give fewer rows at a time")
    # A group with a code for each row stands as a negative number until the rows are in their places.
    table = np.array(
        [-1 - place if np.ndim(code) else code for place, (code, _) in enumerate(groups)], np.int32
    )
    starts = range(0, n, SPAN)
    if len(starts) > 1:
        edges = np.arange(0, n + SPAN, SPAN)
        bounds = np.array([np.searchsorted(rows, edges) for _, rows in groups]).reshape(-1, len(edges))
    else:
        bounds = np.array([(0, len(rows)) for _, rows in groups]).reshape(-1, 2)

    def part(number: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = bounds[:, number], bounds[:, number + 1]
        held = np.flatnonzero(high > low)
        rows = [groups[place][1][low[place] : high[place]] for place in held]
        start = number * SPAN
        return _sorted(rows, table[held], start, min(SPAN, n - start))

    parts = each(part, range(len(starts)))
    offsets = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(np.concatenate([counts for counts, _ in parts]), dtype=np.int32, out=offsets[1:])
    codes = np.concatenate([some for _, some in parts])
    for place, (code, _) in enumerate(groups):
        if np.ndim(code):
            codes[codes == -1 - place] = code
    return offsets, codes


def greatest(offsets: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Give the greatest weight of the codes of each list, -1 where there is none.

    **Shape**: `(n + 1,)` offsets into codes, and int32 weights by code → `(n,)` int32.
    """
    found = np.full(len(offsets) - 1, -1, dtype=np.int32)

    def part(start: int) -> None:
        for first in range(start, min(start + SPAN, len(found)), STRIP):
            edges = offsets[first : first + STRIP + 1]
            held = np.flatnonzero(edges[1:] > edges[:-1])
            if len(held):
                some = weights.take(codes[edges[0] : edges[-1]])
                found[first + held] = np.maximum.reduceat(some, edges[held] - edges[0])

    each(part, range(0, len(found), SPAN))
    return found


def _sorted(
    rows: Sequence[np.ndarray], table: np.ndarray, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give for each row from `start` on how many groups hold it, and the groups' codes, row by row."""
    if not rows:
        return np.zeros(count, np.int32), np.empty(0, np.int32)
    joined = np.concatenate(rows) - np.int32(start)
    rising = table[0] >= 0 and bool(np.all(table[1:] > table[:-1]))
    wide = (int(table[-1]) if rising else len(table)) >= 2**16
    kind: type[Any] = np.uint64 if wide else np.uint32
    shift = 32 if wide else 16
    keys: Any = joined.astype(kind)
    keys <<= kind(shift)
    # Rising codes are their own order.
    keys |= np.repeat(table if rising else np.arange(len(table)), [len(some) for some in rows]).astype(kind)
    keys.sort()
    keys &= kind(2**shift - 1)
    codes: np.ndarray = keys.astype(np.int32)
    counts = np.bincount(joined, minlength=count).astype(np.int32)
    return counts, codes if rising else table.take(codes)
