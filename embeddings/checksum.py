"""CRC-32, as `zlib.crc32` gives it, of many byte strings at once: places in a block → checksums."""

from __future__ import annotations

from zlib import crc32

import numpy as np

_ONES = np.uint32(0xFFFFFFFF)
_LOW = np.uint32(255)
_EIGHT = np.uint32(8)


def checksums(block: np.ndarray, starts: np.ndarray, lengths: np.ndarray, before: np.ndarray) -> np.ndarray:
    """CRC-32 of each `block[start:start + length]`, going on from `before`: four arrays → `(n,)` uint32."""
    # Longest first: the strings that still have a byte are then always the front of the array.
    order = np.argsort(-lengths.astype(np.int16), kind="stable")
    starts, state = starts[order], before[order] ^ _ONES
    longest = int(lengths.max(initial=0))
    alive = len(order) - np.searchsorted(lengths[order][::-1], np.arange(1, longest + 1), "left")
    for at, count in enumerate(alive):
        state[:count] = _step(state[:count], block.take(starts[:count] + at))
    result = np.empty_like(state)
    result[order] = state ^ _ONES
    return result


def go_on(before: np.ndarray, byte: int) -> np.ndarray:
    """Checksums that go on by one byte, the same for all."""
    return _step(before ^ _ONES, np.uint8(byte)) ^ _ONES


def of_three(first: np.ndarray, second: np.ndarray, third: np.ndarray) -> np.ndarray:
    """CRC-32 of 0x01 and three bytes, `(n,)` uint8 each."""
    state = _TWO_BYTES.take(first.astype(np.intp) | second.astype(np.intp) << 8)
    return _step(state, third) ^ _ONES


def _step(state: np.ndarray, byte: np.ndarray | np.uint8) -> np.ndarray:
    stepped: np.ndarray = _TABLE.take((state ^ byte) & _LOW) ^ (state >> _EIGHT)
    return stepped


def _table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, np.uint32(0xEDB88320) ^ (table >> np.uint32(1)), table >> np.uint32(1))
    return table


_TABLE = _table()
_ONE_BYTE = _step(np.full(256, crc32(b"\x01"), np.uint32) ^ _ONES, np.arange(256, dtype=np.uint8))
# The state after 0x01 and two bytes, at the place `first | second << 8`.
_TWO_BYTES = _step(np.tile(_ONE_BYTE, 256), np.repeat(np.arange(256, dtype=np.uint8), 256))
