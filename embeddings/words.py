"""Where the words of a text are: bytes in UTF-8 → words, of one text or of many in one block.

A word is a run of letters, digits and bytes outside ASCII, or a run of ASCII punctuation, in lower case.
"""

from __future__ import annotations

import re

import numpy as np

TEXT_BYTES = 2_048
"""Bytes of a text that are looked at; the rest is ignored."""
WORD_BYTES = 32
"""A longer run is cut into words of so many bytes."""
PIECED_BYTES = 4
"""Words from this length on also give 3-byte pieces."""

_runs = re.compile(rb"[0-9a-z\x80-\xff]{1,32}|[!-/:-@\[-`{-~]{1,32}").findall


def words_of(data: bytes) -> list[bytes]:
    """Cut one text into its words."""
    found: list[bytes] = _runs(data.lower())
    return found


def word_places(block: bytes, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and lengths of the words of texts `block[bounds[i]:bounds[i + 1]]`: two `(words,)` int64."""
    kind = np.frombuffer(block.translate(_KIND), np.uint8)
    change = np.empty(len(kind) + 1, bool)
    np.not_equal(kind[1:], kind[:-1], out=change[1:-1])
    change[bounds] = True
    edges = np.flatnonzero(change)
    inside = kind.take(edges[:-1]) != 0
    starts, lengths = edges[:-1][inside], np.diff(edges)[inside]
    if len(lengths) == 0 or lengths.max() <= WORD_BYTES:
        return starts, lengths
    cuts = -(-lengths // WORD_BYTES)
    ends = np.repeat(starts + lengths, cuts)
    cut = np.arange(len(ends)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    starts = np.repeat(starts, cuts) + cut * WORD_BYTES
    return starts, np.minimum(ends - starts, WORD_BYTES)


# 0 between words, 1 letters, digits and bytes outside ASCII, 2 punctuation.
_KIND = bytes(
    1 if re.match(rb"[0-9A-Za-z\x80-\xff]", bytes([b])) else 2 if 0x20 < b < 0x7F else 0 for b in range(256)
)
