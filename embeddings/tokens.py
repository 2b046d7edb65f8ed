"""A text becomes hashed tokens: its words, pairs of neighbouring words, 3-byte pieces of longer words.

A bag of hashed n-grams (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning",
section 2; Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification", sections 2 and 2.2). Two
forms of one definition (`docs/encoding-format.md`): `Tokens.one` for one text, `Tokens.column` for many.

INVARIANT: both give the same tokens for the same text, bit for bit.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pyarrow as pa

from embeddings.fields import FIRST_TOKEN, MISSING_TOKEN, Text
from embeddings.token_columns import fill_tokens
from embeddings.words import PIECED_BYTES, TEXT_BYTES, words_of

_SPACE = b" "
_PIECE_START = crc32(b"\x01")
_MOST_REMEMBERED = 16_384


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
        words = words_of(data)[: self.places]
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

    def column(self, texts: pa.Array) -> np.ndarray:
        """Give the tokens of a string column, `(n,)` → `(n, places)` int64; each distinct text once."""
        if len(texts) == 0:
            return np.zeros((0, self.places), np.int64)
        distinct = texts.dictionary_encode()
        codes = distinct.indices.fill_null(len(distinct.dictionary)).to_numpy(zero_copy_only=False)
        table = np.zeros((len(distinct.dictionary) + 1, self.places), np.int64)
        table[-1, 0] = MISSING_TOKEN
        fill_tokens(table[:-1], distinct.dictionary, self.buckets)
        tokens: np.ndarray = table.take(codes, axis=0)
        return tokens

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
