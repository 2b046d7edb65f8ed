"""A set of a million numbers in little more memory than their bytes: buckets of 64 bits each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from struct import Struct
from typing import Any

import numpy as np

from rules.buckets import BLOCK, drawn_keys, firsts_of

_MASK = 2**64 - 1
_WORD = np.uint64
_AS_DOUBLE, _AS_INT = Struct("<d").pack, Struct("<Q").unpack


class NumberSet(Set[Any]):
    """A set of int64 or of float64, each by its 64 bits; NaN is in none, and -0.0 is 0.0.

    It takes 8 bytes a number and 4 a bucket, of which there are one to two a number.
    """

    def __init__(self, numbers: np.ndarray) -> None:
        """Make the set of `(n,)` int64 or float64; repeated ones count once."""
        self._double = numbers.dtype == np.float64
        bits = np.sort(_bits(numbers[numbers == numbers] if self._double else numbers))
        bits = bits[np.concatenate([np.ones(min(len(bits), 1), dtype=bool), bits[1:] != bits[:-1]])]
        self._seed, self._factor = drawn_keys(bits.tobytes())
        self._bits = max(len(bits).bit_length(), 4)
        order, buckets = self._ordered(bits)
        self._slots, self._firsts = bits[order], firsts_of(buckets, self._bits)
        self._one_slot, self._one_first = self._slots.data, self._firsts.data

    @classmethod
    def _from_iterable(cls, members: Iterable[Any]) -> Any:
        return frozenset(members)  # what & and | give

    def __contains__(self, number: object) -> bool:
        if self._double:
            if not isinstance(number, float) or number != number:
                return False
            bits = _AS_INT(_AS_DOUBLE(number + 0.0))[0]
        elif isinstance(number, int) and -(2**63) <= number < 2**63:
            bits = number & _MASK
        else:
            return False
        mixed = ((bits ^ bits >> 32 ^ self._seed) * self._factor) & _MASK
        bucket = mixed >> (64 - self._bits)
        return bits in self._one_slot[self._one_first[bucket] : self._one_first[bucket + 1]]

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return int(self._slots.nbytes + self._firsts.nbytes)

    def __iter__(self) -> Iterator[Any]:
        numbers: list[Any] = self._numbers().tolist()
        return iter(numbers)

    def among(self, numbers: np.ndarray) -> np.ndarray:
        """Say which numbers, of the set's own type, are members.

        **Shape**: `(n,)` → `(n,)` bool.
        """
        bits = _bits(numbers)
        found = np.zeros(len(bits), dtype=bool)
        if not len(self._slots):
            return found
        for begin in range(0, len(bits), BLOCK):
            found[begin : begin + BLOCK] = self._find(bits[begin : begin + BLOCK])
        return found

    @cached_property
    def doubles(self) -> NumberSet:
        """The set as a double sees it: its ints widened."""
        return self if self._double else NumberSet(self._numbers().astype(np.float64))

    def _numbers(self) -> np.ndarray:
        numbers: np.ndarray = self._slots.view(np.float64 if self._double else np.int64)
        return numbers

    def _mixed(self, bits: np.ndarray) -> np.ndarray:
        mixed = bits ^ bits >> _WORD(32) ^ _WORD(self._seed)
        mixed *= _WORD(self._factor)
        return np.asarray(mixed)

    def _ordered(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the numbers in the order of their hashes, and the bucket of each."""
        low = _WORD(max(len(bits) - 1, 1).bit_length())
        keys = self._mixed(bits) >> low << low | np.arange(len(bits), dtype=np.uint64)
        keys.sort()
        order = (keys & ((_WORD(1) << low) - _WORD(1))).view(np.int64)
        return order, keys >> _WORD(64 - self._bits)

    def _find(self, bits: np.ndarray) -> np.ndarray:
        buckets = (self._mixed(bits) >> _WORD(64 - self._bits)).view(np.int64)
        place = self._firsts.take(buckets)
        # The first slot of each row's bucket, or of another: a number is in no bucket but its own.
        found = np.asarray(self._slots.take(place, mode="clip") == bits)
        rows = np.flatnonzero(~found)
        end = self._firsts[1:].take(buckets[rows])
        place = place[rows] + np.uint32(1)
        rest = np.flatnonzero(place < end)
        while rest.size:
            rows, place, end = rows[rest], place[rest], end[rest]
            same = self._slots.take(place) == bits[rows]
            found[rows[same]] = True
            place += np.uint32(1)
            rest = np.flatnonzero((place < end) & ~same)
        return found


def _bits(numbers: np.ndarray) -> np.ndarray:
    if numbers.dtype == np.float64:
        numbers = numbers + 0.0
    return np.ascontiguousarray(numbers).view(np.uint64)
