"""The tokens of many texts at once: an Arrow column of strings → rows of tokens, with no loop over texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from embeddings.checksum import checksums, go_on, of_three
from embeddings.fields import FIRST_TOKEN
from embeddings.words import PIECED_BYTES, TEXT_BYTES, word_places

_SPACE = 0x20
_BLOCK_BYTES = 1 << 17
"""Texts are worked out in blocks of so many bytes, which stay in cache."""


def fill_tokens(table: np.ndarray, texts: pa.Array, buckets: int) -> None:
    """Write the tokens of `texts` `(n,)`, no nulls, into `table` `(n, places)` int64, which is all 0."""
    data, starts, lengths = _bytes_of(texts)
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + _BLOCK_BYTES, "right")))
        taken, bounds = lengths[first:last], np.concatenate(([0], ends[first:last] - done))
        if bounds[-1]:
            block = data.take(np.repeat(starts[first:last] - bounds[:-1], taken) + np.arange(bounds[-1]))
            _fill_block(table[first:last], block.tobytes(), bounds, buckets)
        first = last


def _fill_block(table: np.ndarray, block: bytes, bounds: np.ndarray, buckets: int) -> None:
    """Fill rows from their texts `block[bounds[i]:bounds[i + 1]]`."""
    places = table.shape[1]
    cells = table.reshape(-1)
    starts, lengths = word_places(block, bounds)
    if len(starts) == 0:
        return
    counts = np.diff(np.searchsorted(starts, bounds))
    place = _within(counts)
    if counts.max() > places:
        kept = place < places
        starts, lengths, place, counts = starts[kept], lengths[kept], place[kept], np.minimum(counts, places)
    data = np.frombuffer(block.lower(), np.uint8)

    first_cell = np.repeat(np.arange(0, len(cells), places), counts)
    singles = checksums(data, starts, lengths, np.zeros(len(starts), np.uint32))
    cells[first_cell + place] = _tokens(singles, buckets)

    beyond = np.repeat(counts, counts) - 1
    second = np.flatnonzero((place > 0) & (place + beyond < places))
    before = go_on(singles[second - 1], _SPACE)
    pairs = checksums(data, starts[second], lengths[second], before)
    cells[(first_cell + place + beyond)[second]] = _tokens(pairs, buckets)

    # The first piece of each word stands after the words, the pairs and the pieces of the words before it.
    pieces = np.where(lengths >= PIECED_BYTES, lengths, 0)
    earlier = np.cumsum(pieces) - pieces
    begin = 2 * beyond + 1 + earlier - np.repeat(earlier[place == 0], counts[counts > 0])
    pieces = np.clip(places - begin, 0, pieces)
    at = _within(pieces)
    hashes = _piece_checksums(data, starts, lengths).take(np.repeat(starts, pieces) + at)
    cells[np.repeat(first_cell + begin, pieces) + at] = _tokens(hashes, buckets)


def _piece_checksums(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The checksum of the piece centred on each byte; beyond a word's ends stands a space."""
    left, right = np.empty_like(data), np.empty_like(data)
    left[1:], right[:-1] = data[:-1], data[1:]
    left[starts] = right[starts + lengths - 1] = _SPACE
    # INVARIANT: each byte of a word now has neighbours of its own word, or spaces. No other byte is used.
    left[0] = right[-1] = _SPACE
    return of_three(left, data, right)


def _tokens(hashes: np.ndarray, buckets: int) -> np.ndarray:
    # The rest of a division by a power of two is its last bits, which are had much sooner.
    mask = buckets - 1
    rest = hashes & np.uint32(mask) if buckets & mask == 0 else hashes % np.uint32(buckets)
    return rest.astype(np.int64) + FIRST_TOKEN


def _within(counts: np.ndarray) -> np.ndarray:
    """Count up within each group: `[3, 0, 2]` → `[0, 1, 2, 0, 1]`."""
    ends = np.cumsum(counts)
    within: np.ndarray = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    return within


def _bytes_of(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give a string array's bytes, where each text starts, and how many of its bytes are looked at."""
    texts = texts.cast(pa.large_string())
    _, offsets, values = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    data = np.frombuffer(values, np.uint8) if values is not None and values.size else np.zeros(1, np.uint8)
    return data, bounds[:-1], np.minimum(np.diff(bounds), TEXT_BYTES)
