"""A set of whole numbers that lie close together: one bit for each number between the least and the greatest.

A column is looked up in one pass, without a hash. Numbers of customers, postcodes and the like lie so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from functools import cached_property
from typing import Any

import numpy as np

from rules.buckets import BLOCK
from rules.number_sets import NumberSet

SPREAD = 128
"""Bits that a number may take: as many as it takes at most in the buckets of a `NumberSet`."""

_CHUNK = 131_072
_EIGHT, _SEVEN = np.uint64(3), np.uint8(7)


def number_set(numbers: np.ndarray) -> NumberSet | BitSet:
    """Make the set of `(n,)` int64 or float64 in the form that suits them; repeated ones count once.

    >>> number_set(np.array([3, 5, 5])), 5 in number_set(np.array([3, 5, 5]))
    (BitSet([3, 5]), True)
    """
    if numbers.dtype == np.int64 and len(numbers):
        numbers = np.sort(numbers)  # np.unique hashes before it sorts, and takes ten times as long
        numbers = numbers[np.append(True, numbers[1:] != numbers[:-1])]
        if int(numbers[-1]) - int(numbers[0]) < SPREAD * len(numbers):
            return BitSet(numbers)
    return NumberSet(numbers)


class BitSet(Set[int]):
    """A set of int64. It takes one bit for each number from its least to its greatest."""

    def __init__(self, numbers: np.ndarray) -> None:
        """Make the set of `(n,)` int64 that rise, no two alike; at least one."""
        self._least, self._count = int(numbers[0]), len(numbers)
        self._span = int(numbers[-1]) - self._least + 1
        self._bits = np.zeros((self._span + 7) // 8, dtype=np.uint8)
        at = numbers.view(np.uint64) - _word(self._least)
        places = at >> _EIGHT
        firsts = np.concatenate([np.zeros(1, np.intp), np.flatnonzero(places[1:] != places[:-1]) + 1])
        bits = np.uint8(1) << (at.astype(np.uint8) & _SEVEN)
        self._bits[places[firsts].view(np.int64)] = np.bitwise_or.reduceat(bits, firsts)
        self._octets = self._bits.data

    @classmethod
    def _from_iterable(cls, members: Iterable[Any]) -> Any:
        return frozenset(members)  # what & and | give

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        at = number - self._least
        return 0 <= at < self._span and bool(self._octets[at >> 3] >> (at & 7) & 1)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        for begin in range(0, len(self._bits), _CHUNK):
            yield from self._numbers(slice(begin, begin + _CHUNK)).tolist()

    def __repr__(self) -> str:
        return f"BitSet([{', '.join(map(str, self))}])"

    @property
    def nbytes(self) -> int:
        """Bytes it takes."""
        return int(self._bits.nbytes)

    def among(self, numbers: np.ndarray) -> np.ndarray:
        """Say which int64 are members.

        **Shape**: `(n,)` → `(n,)` bool.
        """
        found = np.zeros(len(numbers), dtype=bool)
        words, least, span = np.ascontiguousarray(numbers).view(np.uint64), _word(self._least), self._span
        for begin in range(0, len(words), BLOCK):
            at = words[begin : begin + BLOCK] - least  # what is below the least wraps around to beyond it
            octets = self._bits.take((at >> _EIGHT).view(np.int64), mode="clip")
            octets >>= at.astype(np.uint8) & _SEVEN
            octets &= np.uint8(1)
            np.logical_and(octets, at < span, out=found[begin : begin + BLOCK])
        return found

    @cached_property
    def doubles(self) -> NumberSet:
        """The set as a double sees it: its ints widened."""
        parts = range(0, len(self._bits), _CHUNK)
        numbers = [self._numbers(slice(begin, begin + _CHUNK)) for begin in parts]
        return NumberSet(np.concatenate(numbers).astype(np.float64))

    def _numbers(self, part: slice) -> np.ndarray:
        at = np.flatnonzero(np.unpackbits(self._bits[part], bitorder="little")).view(np.uint64)
        at += _word(self._least + 8 * part.start)
        return at.view(np.int64)


def _word(number: int) -> np.uint64:
    return np.uint64(number & (2**64 - 1))
