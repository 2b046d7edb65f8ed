"""A set of IP networks: is this text an address in one of them? One by one, or a column at once.

Networks that touch or overlap are merged, each family apart, so that one search among sorted bounds answers.
A text that is no address is in no network; an IPv6 address that holds an IPv4 one is an IPv6 address.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

import numpy as np
import pyarrow as pa

from rules.addresses import parse_v4
from rules.words import Words

BLOCK = 32_768
LONGEST = 45
"""Characters of the longest address, an IPv6 one that ends as an IPv4 one does."""

_NETWORK = re.compile(r"([0-9A-Fa-f.:]{1,45})(?:/([0-9]{1,3}))?")
_HALF = np.uint64(32)


class RangeSet:
    """IP networks by their bounds; `address in ranges` for a text, `ranges.among(texts)` for a column.

    Its length is the number of ranges that are left when all are merged; it gives the fewest networks that
    cover them.
    """

    def __init__(self, v4: np.ndarray, v6: Iterable[tuple[int, int]]) -> None:
        """Make the set of ranges given by first and last address, in any order.

        **Shape**: `(n, 2)` int64 IPv4 ranges, pairs of ints for IPv6.
        """
        self._starts, self._ends = _merged_columns(v4)
        self._one_start, self._one_end = self._starts.data, self._ends.data
        merged = _merged(v6)
        # 32 bytes a range; a list of Python ints would take 100.
        self._bounds6 = b"".join(first.to_bytes(16) + last.to_bytes(16) for first, last in merged)
        self._keys6 = _Keys(self._bounds6)

    @classmethod
    def of(cls, networks: Iterable[str]) -> RangeSet:
        """Make the set of networks as text. Raises ValueError for what is none."""
        v4: list[tuple[int, int]] = []
        v6: list[tuple[int, int]] = []
        for text in networks:
            bits, first, last = network(text)
            (v4 if bits == 32 else v6).append((first, last))
        return cls(np.array(v4, dtype=np.int64).reshape(-1, 2), v6)

    def __contains__(self, text: object) -> bool:
        packed = address(text) if isinstance(text, str) else None
        if packed is None:
            return False
        if len(packed) == 4:
            value = int.from_bytes(packed)
            place = bisect_right(self._one_start, value) - 1
            return place >= 0 and value <= self._one_end[place]
        place = bisect_right(self._keys6, packed) - 1
        return place >= 0 and packed <= self._bounds6[32 * place + 16 : 32 * place + 32]

    def __len__(self) -> int:
        return len(self._starts) + len(self._keys6)

    def __iter__(self) -> Iterator[str]:
        for first, last in zip(self._starts.tolist(), self._ends.tolist(), strict=True):
            yield from map(str, summarize_address_range(IPv4Address(first), IPv4Address(last)))
        for place in range(len(self._keys6)):
            bounds = self._bounds6[32 * place : 32 * place + 32]
            yield from map(str, summarize_address_range(IPv6Address(bounds[:16]), IPv6Address(bounds[16:])))

    def among(self, texts: pa.Array) -> np.ndarray:
        """Say which texts of a column are addresses in the set; a null is none.

        **Shape**: n strings → `(n,)` bool.
        """
        found = np.zeros(len(texts), dtype=bool)
        _, offsets, data = texts.buffers()
        if data is None:
            return found
        octets, words = np.frombuffer(data, np.uint8), Words(data)
        ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
        for begin in range(0, len(texts), BLOCK):
            bounds = ends[begin : begin + BLOCK + 1]
            starts, lengths = bounds[:-1], np.diff(bounds)
            value, good = parse_v4(words, starts, lengths)
            some = self._holds(value) & good
            if self._bounds6:
                for row in np.flatnonzero(~good & (lengths >= 2) & (lengths <= LONGEST)).tolist():
                    at = int(starts[row])
                    some[row] = octets[at : at + int(lengths[row])].tobytes().decode() in self
            found[begin : begin + BLOCK] = some
        if texts.null_count:
            found &= texts.is_valid().to_numpy(zero_copy_only=False)
        return found

    def _holds(self, addresses: np.ndarray) -> np.ndarray:
        """Say which IPv4 addresses are in a range: `(n,)` uint32 → `(n,)` bool."""
        if not len(self._starts):
            return np.zeros(len(addresses), dtype=bool)
        # Addresses in order are searched for in a sixth of the time: each reads what the one before it read.
        keys = addresses.astype(np.uint64) << _HALF | np.arange(len(addresses), dtype=np.uint64)
        keys.sort()
        value, row = (keys >> _HALF).astype(np.uint32), keys.astype(np.uint32)
        place = np.searchsorted(self._starts, value, side="right") - 1
        held = np.empty(len(addresses), dtype=bool)
        held[row] = (place >= 0) & (value <= self._ends.take(place, mode="clip"))
        return held


class _Keys:
    """The first addresses of sorted IPv6 ranges, as `bisect` reads them."""

    def __init__(self, bounds: bytes) -> None:
        self._bounds = bounds

    def __len__(self) -> int:
        return len(self._bounds) // 32

    def __getitem__(self, place: int) -> bytes:
        return self._bounds[32 * place : 32 * place + 16]


def address(text: str) -> bytes | None:
    """Give the 4 or 16 bytes of an address; None for any other text.

    >>> address("10.0.0.1"), address("10.0.0.01"), address("::1") == bytes(15) + b"\\x01"
    (b'\\n\\x00\\x00\\x01', None, True)
    """
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text) if len(text) <= LONGEST else None
    except (OSError, ValueError):  # ValueError: a NUL, or half a surrogate pair
        return None


def network(text: str) -> tuple[int, int, int]:
    """Give the bits of the family (32 or 128), the first and the last address of a network or an address.

    Raises ValueError, which says what is wrong in words.

    >>> network("10.0.0.0/24"), network("10.0.0.1")
    ((32, 167772160, 167772415), (32, 167772161, 167772161))
    """
    parts = _NETWORK.fullmatch(text)
    packed = address(parts[1]) if parts else None
    if parts is None or packed is None:
        raise ValueError("not an IP address or network")
    bits, first = len(packed) * 8, int.from_bytes(packed)
    prefix = bits if parts[2] is None else int(parts[2])
    if prefix > bits:
        raise ValueError(f"a prefix of {prefix} bits, where an address has {bits}")
    rest = (1 << (bits - prefix)) - 1
    if first & rest:
        kind: Any = IPv4Address if bits == 32 else IPv6Address
        raise ValueError(f"bits are set beyond the prefix: the network is {kind(first & ~rest)}/{prefix}")
    return bits, first, first | rest


def _merged_columns(ranges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort and merge `(n, 2)` ranges of int64: `(m,)` firsts, `(m,)` lasts, with gaps between them."""
    ranges = ranges[np.argsort(ranges[:, 0], kind="stable")]
    reach = np.maximum.accumulate(ranges[:, 1]) if len(ranges) else ranges[:, 1]
    opens = np.ones(len(ranges), dtype=bool)
    opens[1:] = ranges[1:, 0] > reach[:-1] + 1
    places = np.flatnonzero(opens)
    ends = reach[np.append(places[1:] - 1, len(ranges) - 1)] if len(ranges) else reach
    return ranges[places, 0].astype(np.uint32), ends.astype(np.uint32)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same for ints of any size."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged
