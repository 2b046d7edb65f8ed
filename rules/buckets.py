"""Where the members of a large set stand: in buckets, by the upper bits of their hashes."""

from __future__ import annotations

import hashlib

import numpy as np

BLOCK = 32_768
"""Entries or rows that are looked up at once: what is made of them stays in the cache."""


def drawn_keys(data: bytes) -> tuple[int, int]:
    """Give a hash's seed and odd factor out of what it hashes: nobody can write entries that collide."""
    drawn = hashlib.sha256(data).digest()
    return int.from_bytes(drawn[:8], "little") >> 8, int.from_bytes(drawn[8:16], "little") | 1


def firsts_of(buckets: np.ndarray, bits: int) -> np.ndarray:
    """Give where each bucket begins, and after the last where it ends, from the members' rising buckets."""
    counts = np.bincount(buckets.view(np.int64), minlength=2**bits)
    firsts = np.zeros(2**bits + 1, dtype=np.uint32)
    np.cumsum(counts, out=firsts[1:])
    return firsts
