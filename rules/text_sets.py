"""A set of a million texts in little more memory than their bytes: buckets over a buffer.

A text is where it stands in the buffer (the list file's own bytes, mostly). The members of a bucket stand
side by side: one text is found in a step or two, and a column in a few passes.
INVARIANT: a hash only says where to look; a member is found by comparing all its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from struct import unpack
from typing import Any

import numpy as np
import pyarrow as pa

from rules.buckets import BLOCK, drawn_keys, firsts_of
from rules.words import Words, equal

LONGEST = 65_535
"""Bytes of the longest text: its length takes 16 bits of a slot."""

_MASK = 2**64 - 1
_TAG = 16  # bits of the hash kept in a slot: most texts that are no members are told apart by them
_WORD = np.uint64


class TextSet(Set[str]):
    """A set of texts over a buffer of UTF-8 bytes.

    Beside the buffer it takes 8 bytes a text and 4 a bucket, of which there are one to two a text.
    """

    def __init__(self, data: bytes, starts: np.ndarray, lengths: np.ndarray) -> None:
        """Make the set of the texts `data[start : start + length]`, each valid UTF-8; repeated ones are one.

        **Shape**: `(n,)` int64 starts and lengths; no length above `LONGEST`.
        """
        self.data = data
        self._seed, self._factor = drawn_keys(data)
        self._longest = int(lengths.max(initial=0))
        self._bits = max(len(starts).bit_length(), 4)
        words = Words(data)
        order, hashes = self._ordered(words, starts, lengths)
        tags = hashes >> _WORD(64 - self._bits - _TAG) & _WORD(2**_TAG - 1)
        slots = starts[order].astype(np.uint64) << _WORD(32)
        slots |= lengths[order].astype(np.uint64) << _WORD(_TAG)
        self._slots = slots | tags
        self._firsts = firsts_of(hashes >> _WORD(64 - self._bits), self._bits)
        self._one_slot, self._one_first = self._slots.data, self._firsts.data

    @classmethod
    def of(cls, texts: Iterable[str]) -> TextSet:
        """Make the set of texts that stand in no file."""
        encoded = [text.encode() for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        return cls(b"".join(encoded), np.cumsum(lengths) - lengths, lengths)

    @classmethod
    def _from_iterable(cls, members: Iterable[Any]) -> Any:
        return frozenset(members)  # what & and | give

    def __contains__(self, text: object) -> bool:
        if not isinstance(text, str):
            return False
        sought = text.encode(errors="surrogatepass")
        size = len(sought)
        if size > self._longest:
            return False
        count = (size + 7) // 8 or 1
        state, factor = self._seed + size, self._factor
        for word in unpack(f"<{count}Q", sought.ljust(8 * count, b"\0")):
            state = ((state ^ word) * factor) & _MASK
            state ^= state >> 32
        bucket = state >> (64 - self._bits)
        like = size << _TAG | (state >> (64 - self._bits - _TAG) & (2**_TAG - 1))
        for slot in self._one_slot[self._one_first[bucket] : self._one_first[bucket + 1]]:
            if slot & 0xFFFF_FFFF == like:
                start = slot >> 32
                if self.data[start : start + size] == sought:
                    return True
        return False

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def nbytes(self) -> int:
        """Bytes it takes beside its buffer."""
        return int(self._slots.nbytes + self._firsts.nbytes)

    def __iter__(self) -> Iterator[str]:
        for slot in self._one_slot:
            start = slot >> 32
            yield self.data[start : start + (slot >> _TAG & LONGEST)].decode()

    def among(self, texts: pa.Array) -> np.ndarray:
        """Say which texts of a column are members; a null is none.

        **Shape**: n strings → `(n,)` bool.
        """
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
        words = Words(b"" if data is None else data)
        found = np.zeros(len(texts), dtype=bool)
        for begin in range(0, len(texts), BLOCK):
            bounds = ends[begin : begin + BLOCK + 1]
            starts = bounds[:-1]
            found[begin : begin + BLOCK] = self._find(words, starts, bounds[1:] - starts)
        if texts.null_count:
            found &= texts.is_valid().to_numpy(zero_copy_only=False)
        return found

    @cached_property
    def _words(self) -> Words:
        return Words(self.data)

    def _find(self, words: Words, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Look a block of texts up: buckets first, then slot by slot for those that are still open."""
        found = np.zeros(len(starts), dtype=bool)
        hashes = self._hashes(words, starts, lengths)
        buckets = (hashes >> _WORD(64 - self._bits)).view(np.int64)
        tags = hashes >> _WORD(64 - self._bits - _TAG) & _WORD(2**_TAG - 1)
        like = (lengths.view(np.uint64) << _WORD(_TAG) | tags).astype(np.uint32)
        place, end = self._firsts.take(buckets), self._firsts[1:].take(buckets)
        rows = np.arange(len(starts))
        rest = np.flatnonzero((place < end) & (lengths <= self._longest))
        while rest.size:
            rows, place, end, like = rows[rest], place[rest], end[rest], like[rest]
            slots = self._slots.take(place)
            alike = np.flatnonzero(slots.astype(np.uint32) == like)
            ours, theirs = slots[alike], rows[alike]
            same = equal(
                self._words, (ours >> _WORD(32)).view(np.int64), words, starts[theirs], lengths[theirs]
            )
            found[theirs[same]] = True
            place += np.uint32(1)
            rest = np.flatnonzero((place < end) & ~found[rows])
        return found

    def _hashes(self, words: Words, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Hash texts, the 8 bytes of a word at a time: `__contains__` does the same for one."""
        state = _WORD(self._seed) + lengths.astype(np.uint64)
        factor = _WORD(self._factor)
        state ^= words.at(starts, lengths)
        state *= factor
        state ^= state >> _WORD(32)
        longest = int(lengths.max(initial=0))
        for place in range(8, min(longest, self._longest + 8), 8):
            rows = np.flatnonzero(lengths > place)
            some = (state[rows] ^ words.at(starts[rows] + place, lengths[rows] - place)) * factor
            state[rows] = some ^ (some >> _WORD(32))
        return state

    def _ordered(
        self, words: Words, starts: np.ndarray, lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the texts in the order of their hashes, each once, and the upper bits of those hashes."""
        count = len(starts)
        low = _WORD(max(count - 1, 1).bit_length())
        keys = np.empty(count, dtype=np.uint64)
        for begin in range(0, count, BLOCK):
            some = slice(begin, begin + BLOCK)
            hashes = self._hashes(words, starts[some], lengths[some])
            keys[some] = hashes >> low << low | np.arange(begin, begin + len(hashes), dtype=np.uint64)
        keys.sort()  # the lower bits are a text's number: far faster than sorting numbers by hashes
        order = (keys & ((_WORD(1) << low) - _WORD(1))).view(np.int64)
        keys >>= low
        alike = np.flatnonzero(keys[1:] == keys[:-1])
        if alike.size:
            kept = ~self._repeated(words, starts, lengths, order, alike)
            order, keys = order[kept], keys[kept]
        keys <<= low
        return order, keys

    def _repeated(
        self,
        words: Words,
        starts: np.ndarray,
        lengths: np.ndarray,
        order: np.ndarray,
        alike: np.ndarray,
    ) -> np.ndarray:
        """Say which texts stand earlier in their run of equal hashes; `alike` are all but a run's last."""
        one, next_one = order[alike], order[alike + 1]
        same = lengths[one] == lengths[next_one]
        pair = np.flatnonzero(same)
        same[pair] = equal(words, starts[one[pair]], words, starts[next_one[pair]], lengths[one[pair]])
        repeated = np.zeros(len(order), dtype=bool)
        repeated[alike[same] + 1] = True
        # Two texts of one hash may stand in turns: such a run, a rare one, is gone through singly.
        runs = np.zeros(len(order), dtype=np.int64)
        runs[1:] = 1
        runs[alike + 1] = 0
        runs = np.cumsum(runs)
        seen: set[tuple[int, bytes]] = set()
        for at in np.flatnonzero(np.isin(runs, runs[alike[~same]])).tolist():
            start = int(starts[order[at]])
            text = int(runs[at]), self.data[start : start + int(lengths[order[at]])]
            repeated[at] = text in seen
            seen.add(text)
        return repeated
