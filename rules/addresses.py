"""Texts of a column in, the IPv4 addresses that they are out, as whole numbers.

An address has sixteen bytes at most: four numbers of one to three digits, with dots between. Where its dots
are says which of the 81 shapes it has, and the shape where each digit stands: no text is gone through singly.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from rules.words import Words

_ZERO, _DOT = np.uint8(ord("0")), np.uint8(ord("."))
_NONE = 81  # the shape of what is no address


def _shapes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number the shapes by where the dots are, one behind the last digit among them; ends and sizes of parts.

    **Shape**: `(65536,)` shapes by the bits of the dots' places, `(4, 82)` ends, `(4, 82)` sizes.
    """
    numbers = np.full(2**16, _NONE, dtype=np.uint8)
    ends, sizes = np.ones((4, _NONE + 1), dtype=np.uint8), np.ones((4, _NONE + 1), dtype=np.uint8)
    for number, lengths in enumerate(product((1, 2, 3), repeat=4)):
        sizes[:, number] = lengths
        ends[:, number] = np.cumsum(np.array(lengths) + 1) - 1
        numbers[sum(1 << int(end) for end in ends[:, number])] = number
    return numbers, ends, sizes


_SHAPES, _ENDS, _SIZES = _shapes()
_TENS = np.where(_SIZES >= 2, 10, 0).astype(np.uint16)
_HUNDREDS = np.where(_SIZES >= 3, 100, 0).astype(np.uint16)
_LEAST = np.maximum(_TENS, _HUNDREDS)  # less has a leading zero


def parse_v4(words: Words, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read IPv4 addresses out of bytes: four decimal numbers up to 255 without leading zeros.

    **Shape**: `(n,)` starts and lengths → `(n,)` uint32 addresses, `(n,)` bool: is it one?
    """
    good, values = np.zeros(len(starts), dtype=bool), np.zeros(len(starts), dtype=np.uint32)
    rows = np.flatnonzero((lengths >= 7) & (lengths <= 15))
    at, size = starts[rows], lengths[rows]
    halves = np.empty((len(rows), 2), dtype=np.uint64)
    halves[:, 0], halves[:, 1] = words.at(at, size), words.at(at + 8, size - 8)
    octets = halves.view(np.uint8).reshape(-1)
    first = np.arange(0, 16 * len(rows), 16)
    octets[first + size] = _DOT
    digits = octets - _ZERO
    dots = np.packbits(octets == _DOT, bitorder="little").view(np.uint16)
    known = np.packbits(digits <= 9, bitorder="little").view(np.uint16) | dots
    shape = _SHAPES.take(dots)
    right = (shape < _NONE) & (known == (np.uint32(2) << size.astype(np.uint32)) - np.uint32(1))
    value = np.zeros(len(rows), dtype=np.uint32)
    for ends, tens, hundreds, least in zip(_ENDS, _TENS, _HUNDREDS, _LEAST, strict=True):
        end = first + ends.take(shape)
        part = hundreds.take(shape) * digits.take(end - 3, mode="clip")
        part += tens.take(shape) * digits.take(end - 2, mode="clip")
        part += digits.take(end - 1)
        right &= (part <= 255) & (part >= least.take(shape))
        value <<= np.uint32(8)
        value |= part
    good[rows], values[rows] = right, value
    values[~good] = 0
    return values, good
