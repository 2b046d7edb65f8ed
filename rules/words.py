"""Bytes read eight at a time, at many places at once: `(n,)` places in, `(n,)` words of 64 bits out."""

from __future__ import annotations

from typing import Any

import numpy as np

_WORD = np.uint64
_KEEP = np.array([2 ** (8 * size) - 1 for size in range(9)], dtype=np.uint64)


class Words:
    """The words of a buffer, one at each of its bytes."""

    def __init__(self, data: Any) -> None:
        size = len(data)
        self._last = max(size, 8) - 8
        self._words = np.ndarray(
            (self._last + 1,), "<u8", data if size >= 8 else bytes(data).ljust(8, b"\0"), strides=(1,)
        )

    def at(self, places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Give the word at each place, without the bytes from `sizes` on."""
        if places.max(initial=0) > self._last:
            # The last bytes of the buffer: a word that ends with it, moved down.
            near = np.minimum(places, self._last)
            beyond = np.minimum(places - near, 7).astype(np.uint64)
            words = self._words[near] >> (beyond << _WORD(3))
        else:
            words = self._words[places]
        words &= _KEEP.take(sizes, mode="clip")
        return np.asarray(words)


def equal(ours: Words, at: np.ndarray, theirs: Words, places: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compare texts of equal sizes, word by word: `(n,)` places each → `(n,)` bool."""
    same = ours.at(at, sizes) == theirs.at(places, sizes)
    for word in range(8, int(sizes.max(initial=0)), 8):
        rows = np.flatnonzero(same & (sizes > word))
        if not rows.size:
            break
        left = sizes[rows] - word
        same[rows] = ours.at(at[rows] + word, left) == theirs.at(places[rows] + word, left)
    return np.asarray(same)
