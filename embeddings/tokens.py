"""A text becomes hashed tokens: its words, pairs of neighbouring words, 3-byte pieces of longer words.

A bag of hashed n-grams (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning",
section 2; Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", sections 2 and 2.2). Two
forms of one definition (`docs/encoding-format.md`): `Tokens.one` for one text, `Tokens.column` for many.

INVARIANT: both give the same tokens for the same text, bit for bit.
"""

from __future__ import annotations

import re
from zlib import crc32

import numpy as np
import pyarrow as pa

from embeddings.fields import FIRST_TOKEN, MISSING_TOKEN, Text

TEXT_BYTES = 2_048
"""Bytes of a text, in UTF-8, that are looked at; the rest is ignored."""
WORD_BYTES = 32
"""A longer run is cut into words of so many bytes."""
PIECED_BYTES = 4
"""Words from this length on also give 3-byte pieces."""

# A word is a run of letters, digits and bytes outside ASCII, or a run of punctuation.
_words = re.compile(rb"[0-9a-z\x80-\xff]{1,32}|[!-/:-@\[-`{-~]{1,32}").findall
_SPACE = b" "
_PIECE_START = crc32(b"\x01")
_MOST_REMEMBERED = 16_384
_BLOCK_BYTES = 1 << 19


class Tokens:
    """The tokens of one text field: `places` int64 a text, filled up with 0.

    Order: the words, then the pairs, then the pieces, cut at `places`.
    """

    def __init__(self, field: Text) -> None:
        self.places = field.tokens
        self.buckets = field.buckets
        # Words recur, so what a word gives is remembered: its token, the checksum that a pair goes on from,
        # its pieces. Entries are never changed, so threads may share them.
        self._remembered: dict[bytes, tuple[bytes, int, bytes]] = {}
        self._bytes = 8 * field.tokens
        self._missing = MISSING_TOKEN.to_bytes(8, "little").ljust(self._bytes, b"\0")

    def one(self, text: str | None) -> bytes:
        """Give one text's tokens as `8 * places` bytes: little-endian int64."""
        if text is None:
            return self._missing
        # No character is shorter than a byte, so what is cut away first could not have been looked at.
        data = text[:TEXT_BYTES].encode("utf-8", "replace")[:TEXT_BYTES]
        # Words fill the places first: those beyond the last place change nothing.
        words = _words(data.lower())[: self.places]
        remembered = self._remembered
        buckets = self.buckets
        singles, pairs, pieces = [], [], []
        before = -1
        for word in words:
            known = remembered.get(word)
            if known is None:
                known = self._remember(word)
            single, after, piece = known
            singles.append(single)
            if before >= 0:
                pairs.append((FIRST_TOKEN + crc32(word, before) % buckets).to_bytes(8, "little"))
            if piece:
                pieces.append(piece)
            before = after
        return b"".join(singles + pairs + pieces)[: self._bytes].ljust(self._bytes, b"\0")

    def _remember(self, word: bytes) -> tuple[bytes, int, bytes]:
        checksum = crc32(word)
        single = (FIRST_TOKEN + checksum % self.buckets).to_bytes(8, "little")
        pieces = b""
        if len(word) >= PIECED_BYTES:
            framed = _SPACE + word + _SPACE
            hashes = [crc32(framed[at : at + 3], _PIECE_START) for at in range(len(word))]
            pieces = b"".join((FIRST_TOKEN + value % self.buckets).to_bytes(8, "little") for value in hashes)
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        known = self._remembered[word] = (single, crc32(_SPACE, checksum), pieces)
        return known

    def column(self, texts: pa.Array) -> np.ndarray:
        """Give the tokens of a string column, `(n,)` → `(n, places)` int64; each distinct text once."""
        if len(texts) == 0:
            return np.zeros((0, self.places), np.int64)
        distinct = texts.dictionary_encode()
        codes = distinct.indices.fill_null(len(distinct.dictionary)).to_numpy(zero_copy_only=False)
        table = np.zeros((len(distinct.dictionary) + 1, self.places), np.int64)
        table[-1, 0] = MISSING_TOKEN
        self._fill(table, distinct.dictionary)
        tokens: np.ndarray = table[codes]
        return tokens

    def _fill(self, table: np.ndarray, texts: pa.Array) -> None:
        """Work out texts in blocks of a size that stays in cache; `texts` has no nulls."""
        data, starts, lengths = _bytes_of(texts)
        ends = np.cumsum(lengths)
        first = 0
        while first < len(lengths):
            done = ends[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + _BLOCK_BYTES, "right")))
            taken = lengths[first:last]
            at = np.repeat(starts[first:last] - (ends[first:last] - taken - done), taken)
            block = data[at + np.arange(len(at))]
            self._fill_block(table[first:last], block, np.concatenate(([0], ends[first:last] - done)))
            first = last

    def _fill_block(self, table: np.ndarray, block: np.ndarray, bounds: np.ndarray) -> None:
        """Fill rows of `table` from the bytes of their texts, `block[bounds[i]:bounds[i + 1]]`."""
        block = _LOWER[block]
        starts, lengths = _cut(block, bounds)
        if len(starts) == 0:
            return
        rows = np.searchsorted(bounds, starts, "right") - 1
        # The place of each word among its text's words.
        place = _places(rows)
        kept = place < self.places
        starts, lengths, rows, place = starts[kept], lengths[kept], rows[kept], place[kept]
        words = np.bincount(rows, minlength=len(table))

        singles = _crc(block, starts, lengths, np.zeros(len(starts), np.uint32))
        self._put(table, rows, place, singles)

        second = np.flatnonzero(place)
        before = _step(singles[second - 1] ^ _ONES, np.uint8(_SPACE[0])) ^ _ONES
        pairs = _crc(block, starts[second], lengths[second], before)
        pair_place = words[rows[second]] + place[second] - 1
        self._put(table, rows[second], pair_place, pairs)

        long = lengths >= PIECED_BYTES
        if long.any():
            used = words + np.maximum(words - 1, 0)
            self._put_pieces(table, block, starts[long], lengths[long], rows[long], used)

    def _put_pieces(
        self,
        table: np.ndarray,
        block: np.ndarray,
        starts: np.ndarray,
        lengths: np.ndarray,
        rows: np.ndarray,
        used: np.ndarray,
    ) -> None:
        """One piece is centred on each byte of a long word; beyond the word's ends stands a space."""
        ends = np.cumsum(lengths)
        rows = np.repeat(rows, lengths)
        place = used[rows] + _places(rows)
        middle = np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])
        left = block[middle - 1]
        left[ends - lengths] = _SPACE[0]
        right = block[np.minimum(middle + 1, len(block) - 1)]
        right[ends - 1] = _SPACE[0]
        kept = place < self.places
        state = _FIRST_STEP[left[kept]]
        hashes = _step(_step(state, block[middle[kept]]), right[kept]) ^ _ONES
        self._put(table, rows[kept], place[kept], hashes)

    def _put(self, table: np.ndarray, rows: np.ndarray, place: np.ndarray, hashes: np.ndarray) -> None:
        kept = place < self.places
        if not kept.all():
            rows, place, hashes = rows[kept], place[kept], hashes[kept]
        table[rows, place] = FIRST_TOKEN + (hashes % np.uint32(self.buckets)).astype(np.int64)


def _bytes_of(texts: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give a string array's bytes, and where each text starts and how many of its bytes are looked at."""
    texts = texts.cast(pa.large_string())
    _, offsets, values = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    data = np.frombuffer(values, np.uint8) if values is not None and values.size else np.zeros(1, np.uint8)
    return data, bounds[:-1], np.minimum(np.diff(bounds), TEXT_BYTES)


def _cut(block: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut texts into words: where each starts, and its length in bytes."""
    if len(block) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    kind = _KIND[block]
    change = np.empty(len(block) + 1, bool)
    np.not_equal(kind[1:], kind[:-1], out=change[1:-1])
    change[bounds] = True
    edges = np.flatnonzero(change)
    inside = kind[edges[:-1]] != 0
    starts, lengths = edges[:-1][inside], np.diff(edges)[inside]
    if len(lengths) and lengths.max() > WORD_BYTES:
        cuts = -(-lengths // WORD_BYTES)
        ends = np.repeat(starts + lengths, cuts)
        offset = _places(np.repeat(np.arange(len(cuts)), cuts)) * WORD_BYTES
        starts = np.repeat(starts, cuts) + offset
        lengths = np.minimum(ends - starts, WORD_BYTES)
    return starts, lengths


def _places(groups: np.ndarray) -> np.ndarray:
    """Count within runs of equal numbers: `[4, 4, 4, 7, 7]` → `[0, 1, 2, 0, 1]`."""
    count = np.arange(len(groups))
    first = np.empty(len(groups), bool)
    first[:1] = True
    np.not_equal(groups[1:], groups[:-1], out=first[1:])
    return count - np.maximum.accumulate(np.where(first, count, 0))


def _crc(block: np.ndarray, starts: np.ndarray, lengths: np.ndarray, before: np.ndarray) -> np.ndarray:
    """CRC-32 of `block[start:start + length]` for each word, going on from `before`, as `zlib.crc32` does."""
    # Longest first, so that the words that still have a byte are always the front of the array.
    order = np.argsort(-lengths.astype(np.int16), kind="stable")
    sorted_starts = starts[order]
    state = before[order] ^ _ONES
    alive = len(order) - np.searchsorted(lengths[order][::-1], np.arange(1, WORD_BYTES + 1), "left")
    for at, count in enumerate(alive[: int(lengths.max(initial=0))]):
        state[:count] = _step(state[:count], block[sorted_starts[:count] + at])
    result = np.empty_like(state)
    result[order] = state ^ _ONES
    return result


def _step(state: np.ndarray, byte: np.ndarray | np.uint8) -> np.ndarray:
    stepped: np.ndarray = _CRC[(state ^ byte) & np.uint32(255)] ^ (state >> np.uint32(8))
    return stepped


def _crc_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0xEDB88320) ^ (table >> np.uint32(1)), table >> np.uint32(1))
    return table


_ONES = np.uint32(0xFFFFFFFF)
_CRC = _crc_table()
_FIRST_STEP = _step(
    np.uint32(_PIECE_START) ^ _ONES ^ np.zeros(256, np.uint32), np.arange(256, dtype=np.uint8)
)
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)
# 0 between words, 1 letters, digits and bytes outside ASCII, 2 punctuation: the runs of the pattern above.
_KIND = np.array(
    [1 if re.match(rb"[0-9a-z\x80-\xff]", bytes([b])) else 2 if 0x20 < b < 0x7F else 0 for b in range(256)],
    np.uint8,
)
