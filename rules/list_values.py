"""The entries of a list file, where they stand in its bytes, as a set of values of the list's type."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pyarrow as pa

from rules.addresses import parse_v4
from rules.bitmap import number_set
from rules.expression import CIDR
from rules.list_cuts import MAX_PROBLEMS, WANTED, Cuts, Found, bad_entry, refuse
from rules.ranges import RangeSet, network
from rules.text_sets import TextSet
from rules.words import Words

MAX_ENTRY = 10_000
SMALL = 10_000
"""Entries that a plain frozenset holds: some hundred bytes each, and found in half the time."""

Entries = Collection[Any]

_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_IN_NUMBER = np.zeros(256, dtype=bool)
_IN_NUMBER[list(b"0123456789+-.eE")] = True


def text_set(cuts: Cuts, problems: list[Found]) -> Entries:
    """Give the set of texts; many keep the bytes of the file."""
    lengths = cuts.ends - cuts.starts
    bad = np.zeros(len(cuts), dtype=bool)
    for place in np.flatnonzero(lengths > MAX_ENTRY).tolist():
        bad[place] = lengths[place] > 4 * MAX_ENTRY or len(cuts.text(place)) > MAX_ENTRY
    if b"\0" in cuts.data:
        nuls = np.append(np.flatnonzero(cuts.octets == 0), len(cuts.data))
        bad |= nuls[np.searchsorted(nuls, cuts.starts)] < cuts.ends
    if bad.any():
        problems += [_bad_text(cuts, place) for place in np.flatnonzero(bad)[:MAX_PROBLEMS].tolist()]
        return frozenset()
    return frozenset(cuts.texts()) if len(cuts) <= SMALL else TextSet(cuts.data, cuts.starts, lengths)


def _bad_text(cuts: Cuts, place: int) -> Found:
    size, line = int(cuts.ends[place] - cuts.starts[place]), int(cuts.lines[place])
    start = int(cuts.starts[place])
    shown = cuts.data[start : start + 200].decode(errors="ignore").replace("\0", "\ufffd")
    nul = cuts.data.find(b"\0", start, start + size)
    if nul >= 0:
        column = len(cuts.data[start:nul].decode(errors="ignore")) + 1
        return line, column, "an entry holds the character U+0000", "the file may be no text", shown
    message = f"an entry of {size:,} bytes; at most {MAX_ENTRY:,} characters are read"
    return line, 1, message, "one entry a line", shown


def whole_set(cuts: Cuts, problems: list[Found]) -> Entries:
    """Give the set of whole numbers of 64 bits."""
    return _numbers(cuts, "int", _whole_block, problems)


def double_set(cuts: Cuts, problems: list[Found]) -> Entries:
    """Give the set of finite doubles."""
    return _numbers(cuts, "double", _double_block, problems)


def _numbers(
    cuts: Cuts, kind: str, read: Callable[[Cuts], tuple[np.ndarray, np.ndarray]], problems: list[Found]
) -> Entries:
    """Read numbers a block at a time; `read` gives the numbers of a block, and which are none."""
    numbers = np.zeros(len(cuts), dtype=np.int64 if kind == "int" else np.float64)
    done = 0
    for block in cuts.blocks():
        numbers[done : done + len(block)], bad = read(block)
        done += len(block)
        refuse(block, bad, kind, problems)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        return frozenset()
    return frozenset(numbers.tolist()) if len(numbers) <= SMALL else number_set(numbers)


def _whole_block(cuts: Cuts) -> tuple[np.ndarray, np.ndarray]:
    octets, at, size = cuts.octets, cuts.starts, cuts.ends - cuts.starts
    negative = octets[at] == ord("-")
    signed = negative | (octets[at] == ord("+"))
    at, size = at + signed, size - signed
    value = np.zeros(len(cuts), dtype=np.uint64)
    bad = size < 1
    for place in range(min(int(size.max()), 19)):  # 19 digits are below 2**64
        rows = np.flatnonzero(size > place)
        digit = octets[at[rows] + place] - np.uint8(ord("0"))
        bad[rows[digit > 9]] = True
        value[rows] = value[rows] * np.uint64(10) + digit
    bad |= value > np.where(negative, np.uint64(2**63), np.uint64(2**63 - 1))
    numbers = np.where(negative, np.uint64(0) - value, value).view(np.int64)
    bad[size > 20] = True
    for place in np.flatnonzero((size > 19) & (size <= 20)).tolist():
        number = _whole(cuts.text(place))
        bad[place] = number is None
        numbers[place] = number or 0
    return numbers, bad


def _whole(entry: str) -> int | None:
    # The length comes first: a number of a million digits takes long to read.
    if len(entry) > 20 or not _WHOLE.fullmatch(entry) or not -(2**63) <= int(entry) < 2**63:
        return None
    return int(entry)


def _double_block(cuts: Cuts) -> tuple[np.ndarray, np.ndarray]:
    """Arrow reads a block of numbers, and Python one that Arrow does not take: both round alike."""
    sizes = cuts.ends - cuts.starts
    numbers = _arrow_numbers(cuts.octets, cuts.starts, sizes)
    if numbers is None:
        texts = (cuts.text(place) if sizes[place] <= 40 else "" for place in range(len(cuts)))
        numbers = np.array([_number(text) for text in texts])
    return numbers, ~np.isfinite(numbers)


def _arrow_numbers(octets: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray | None:
    if sizes.max(initial=0) > 40:
        return None
    offsets = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    data = octets[np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])]
    if not _IN_NUMBER[data].all():
        return None
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    try:
        return np.asarray(pa.Array.from_buffers(pa.string(), len(sizes), buffers).cast(pa.float64()))
    except pa.ArrowInvalid:
        return None


def _number(entry: str) -> float:
    return float(entry) if _NUMBER.fullmatch(entry) else math.nan


def range_set(cuts: Cuts, problems: list[Found]) -> Entries:
    """Give the set of IP networks and addresses, as ranges."""
    v4 = [np.zeros((0, 2), dtype=np.int64)]
    v6: list[tuple[int, int]] = []
    for block in cuts.blocks():
        ranges, plain = _v4_block(block)
        v4.append(ranges[plain])
        for place in np.flatnonzero(~plain).tolist():
            size = block.ends[place] - block.starts[place]
            try:
                bits, first, last = network(block.text(place) if size <= 50 else "")
            except ValueError as wrong:
                hint = str(wrong) if str(wrong) != f"not {WANTED[CIDR]}" else ""
                problems.append(bad_entry(block, place, CIDR, hint))
                if len(problems) >= MAX_PROBLEMS:
                    return frozenset()
            else:
                if bits == 32:
                    v4.append(np.array([[first, last]], dtype=np.int64))
                else:
                    v6.append((first, last))
    return frozenset() if problems else RangeSet(np.concatenate(v4), v6)


def _v4_block(cuts: Cuts) -> tuple[np.ndarray, np.ndarray]:
    """Read the usual IPv4 entries: `(n, 2)` first and last addresses, and which entries were read."""
    octets, starts, ends = cuts.octets, cuts.starts, cuts.ends
    tail = np.minimum(ends - starts, 3)
    slash = ends.copy()
    for back in (2, 3):  # "/8" or "/24" at the end
        rows = np.flatnonzero(tail >= back)
        rows = rows[octets[ends[rows] - back] == ord("/")]
        slash[rows] = ends[rows] - back
    addresses, plain = parse_v4(Words(cuts.data), starts, slash - starts)
    first = addresses.astype(np.int64)
    prefix = np.zeros(len(cuts), dtype=np.int64)
    for place in (1, 2):
        rows = np.flatnonzero(slash + place < ends)
        digit = octets[slash[rows] + place].astype(np.int64) - ord("0")
        plain[rows] &= (digit >= 0) & (digit <= 9)
        prefix[rows] = prefix[rows] * 10 + digit
    prefix[slash == ends] = 32
    plain &= (prefix >= 0) & (prefix <= 32)
    rest = (np.int64(1) << (32 - np.where(plain, prefix, 32))) - 1
    plain &= (first & rest) == 0
    return np.stack([first, first | rest], axis=1), plain
