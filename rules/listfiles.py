"""The bytes of a list file in, its entries as a set out, or every line that is wrong.

All lines are cut and trimmed at once, as arrays of places in the bytes: a million entries take a fraction of
a second, and a set of texts keeps the file's own bytes. Line by line is read what is out of the ordinary.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa

from rules.addresses import parse_v4
from rules.bitmap import number_set
from rules.errors import nearest
from rules.expression import CIDR
from rules.members import BLOCK, TextSet
from rules.ranges import RangeSet, network
from rules.words import Words

MAX_BYTES = 128 * 1024 * 1024
MAX_LINES = 2_000_000
MAX_LINE = 1_000_000
MAX_ENTRY = 10_000
MAX_COLUMNS = 10_000
MAX_PROBLEMS = 20
SMALL = 10_000
"""Entries that a plain frozenset holds: some hundred bytes each, and found in half the time."""

WANTED = {
    "string": "text",
    "int": "a whole number",
    "double": "a number",
    CIDR: "an IP address or network",
}

Entries = Collection[Any]
Found = tuple[int, int, str, str, str]  # line, column, message, hint, the line

_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BOM = b"\xef\xbb\xbf"
_ROUNDS = 1_000  # spaces at either end of a line that are taken off all lines at once
_COMMENTED = re.compile(r"^[ \t]*[^#\s][^#\n]*[ \t]#(?=[ \t])", re.MULTILINE)
_IN_NUMBER = np.zeros(256, dtype=bool)
_IN_NUMBER[list(b"0123456789+-.eE")] = True

# What str.strip() takes off, by its UTF-8 bytes: of one, of two and of three.
_SPACE = np.zeros(256, dtype=bool)
_SPACE[[*range(9, 14), *range(28, 33)]] = True
_SPACE2 = np.array([0xC285, 0xC2A0])
_SPACE3 = np.array([0xE19A80, *range(0xE28080, 0xE2808B), 0xE280A8, 0xE280A9, 0xE280AF, 0xE2819F, 0xE38080])


@dataclass(frozen=True)
class _Cuts:
    """Where entries stand in the bytes of a file, and on which lines: arrays of int64."""

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def octets(self) -> np.ndarray:
        return np.frombuffer(self.data, np.uint8)

    def kept(self, which: slice) -> _Cuts:
        return _Cuts(self.data, self.starts[which], self.ends[which], self.lines[which])

    def blocks(self) -> Iterator[_Cuts]:
        for begin in range(0, len(self), BLOCK):
            yield self.kept(slice(begin, begin + BLOCK))

    def text(self, place: int) -> str:
        return self.data[int(self.starts[place]) : int(self.ends[place])].decode()

    def texts(self) -> Iterator[str]:
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            yield self.data[start:end].decode()


_kept: WeakValueDictionary[tuple[bytes, str | None, str], Any] = WeakValueDictionary()


def read_entries(data: bytes, column: str | None, kind: str) -> tuple[Entries, list[Found]]:
    """Read the entries of a list file: one a line, or the cells of one column of a CSV file.

    Entries that are still in use are not read again: an edit of a rule leaves the lists as they are.
    """
    key = hashlib.sha256(data).digest(), column, kind
    kept = _kept.get(key)
    if kept is not None:
        return kept, []
    problems: list[Found] = []
    cuts = _cut(data, column, kind, problems)
    entries: Entries = frozenset()
    if cuts is not None and not problems:
        entries = _READERS[kind](cuts, problems)
    if not problems:
        _kept[key] = entries
    return entries, problems


def _cut(data: bytes, column: str | None, kind: str, problems: list[Found]) -> _Cuts | None:
    if len(data) > MAX_BYTES:
        problems.append((1, 1, f"{len(data):,} bytes, and a list file holds at most {MAX_BYTES:,}", "", ""))
        return None
    if column is None and b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = data.count(b"\n") + 1
    if lines > MAX_LINES + 1:
        message = f"{lines:,} lines, and a list file holds at most {MAX_LINES:,}"
        problems.append((MAX_LINES + 1, 1, message, "", ""))
        return None
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    sizes = np.diff(breaks, prepend=-1, append=len(data))
    if sizes.max() > MAX_LINE:
        line = int(np.argmax(sizes > MAX_LINE))
        message = f"a line of {int(sizes[line]) - 1:,} bytes, and at most {MAX_LINE:,} are read"
        problems.append((line + 1, 1, message, "", ""))
        return None
    try:
        _ = data.isascii() or data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        place = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x}"
        problems.append((*place, message, "save the file as UTF-8", ""))
        return None
    first = len(_BOM) if data.startswith(_BOM) else 0
    if column is None:
        return _lines(data, first, comments=kind != "string")
    if b'"' in data or data.count(b"\r") != data.count(b"\r\n"):
        return _quoted_cells(data, first, column, problems)
    return _cells(data, first, column, problems)


def _lines(data: bytes, first: int, *, comments: bool) -> _Cuts:
    """Cut a text file: one entry a line, without empty lines and those that begin with `#`.

    `comments` lets one follow an entry, too: a number or a network holds no `#`, and a text may.
    """
    cuts = _all_lines(data, first)
    octets = cuts.octets
    starts, ends = _stripped(data, cuts.starts, cuts.ends)
    if comments and b"#" in data:
        hashes = np.append(np.flatnonzero(octets == ord("#")), len(data))
        ends = np.minimum(ends, hashes[np.searchsorted(hashes, starts)])
        starts, ends = _stripped(data, starts, ends)
    full = np.flatnonzero(starts < ends)
    full = full[octets[starts[full]] != ord("#")]
    return _Cuts(data, starts[full], ends[full], cuts.lines[full])


def _all_lines(data: bytes, first: int) -> _Cuts:
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts, ends = np.append(first, breaks + 1), np.append(breaks, len(data))
    return _Cuts(data, starts, ends, np.arange(1, len(starts) + 1))


def _stripped(data: bytes, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take off at both ends of each text what `str.strip` takes off."""
    octets, plain = np.frombuffer(data, np.uint8), data.isascii()
    starts, ends = starts.copy(), ends.copy()
    for moved, step in ((starts, 1), (ends, -1)):
        rows = np.flatnonzero(starts < ends)
        for _ in range(_ROUNDS):
            sizes = _space(octets, moved[rows], ends[rows] - starts[rows], step, plain=plain)
            rows, sizes = rows[sizes > 0], sizes[sizes > 0]
            if not rows.size:
                break
            moved[rows] += step * sizes
            rows = rows[starts[rows] < ends[rows]]
        for row in rows.tolist():
            text = data[starts[row] : ends[row]].decode()
            if step > 0:
                starts[row] = ends[row] - len(text.lstrip().encode())
            else:
                ends[row] = starts[row] + len(text.rstrip().encode())
    return starts, ends


def _space(octets: np.ndarray, at: np.ndarray, sizes: np.ndarray, step: int, *, plain: bool) -> np.ndarray:
    """Give the bytes of the white space after (step 1) or before (step -1) each place; 0 for none."""
    if step < 0:
        at = at - 1
    found: np.ndarray = _SPACE[octets[at]].astype(np.int64)
    if plain:
        return found
    for width, known in ((2, _SPACE2), (3, _SPACE3)):
        rows = np.flatnonzero((octets[at] >= 0x80) & (sizes >= width))
        lead = at[rows] if step > 0 else at[rows] - (width - 1)
        code = np.zeros(len(rows), dtype=np.int64)
        for place in range(width):
            code = code << 8 | octets[lead + place]
        found[rows[np.isin(code, known)]] = width
    return found


def _cells(data: bytes, first: int, column: str, problems: list[Found]) -> _Cuts | None:
    """Cut one column out of a CSV file without quotes: a row is a line, and cells are between commas."""
    cuts = _all_lines(data, first)
    octets = cuts.octets
    starts, ends = cuts.starts, cuts.ends.copy()
    full = np.flatnonzero(ends > starts)
    ends[full] -= octets[ends[full] - 1] == ord("\r")
    header = data[first : ends[0]].split(b",", MAX_COLUMNS) if first < ends[0] else []
    names = [name.decode() for name in header[:MAX_COLUMNS]]
    if names.count(column) != 1:
        problems.append(_no_one_column(column, names))
        return None
    rows = np.flatnonzero(starts < ends)
    rows = rows[rows > 0]
    commas = np.flatnonzero(octets == ord(","))
    before = np.searchsorted(commas, starts[rows])
    cells = np.searchsorted(commas, ends[rows]) - before + 1
    for row in np.flatnonzero(cells != len(header))[:MAX_PROBLEMS].tolist():
        line = int(rows[row])
        text = data[starts[line] : min(int(ends[line]), int(starts[line]) + 800)].decode(errors="ignore")
        problems.append(_bad_row(line + 1, int(cells[row]), len(header), text))
    if problems:
        return None
    at = names.index(column)
    lefts = starts[rows] if at == 0 else commas[before + at - 1] + 1
    rights = ends[rows] if at == len(header) - 1 else commas[before + at]
    lefts, rights = _stripped(data, lefts, rights)
    full = np.flatnonzero(lefts < rights)
    return _Cuts(data, lefts[full], rights[full], rows[full] + 1)


def _quoted_cells(data: bytes, first: int, column: str, problems: list[Found]) -> _Cuts | None:
    """Read one column of any CSV file, row by row; its cells become bytes of their own, one after another."""
    cells: list[bytes] = []
    lines: list[int] = []
    text = io.TextIOWrapper(io.BytesIO(data[first:]), encoding="utf-8", newline="")
    rows = csv.reader(text, strict=True)
    try:
        header = next(rows, [])
        if header.count(column) != 1:
            problems.append(_no_one_column(column, header))
            return None
        at = header.index(column)
        for row in rows:
            if row and len(row) != len(header):
                problems.append(_bad_row(rows.line_num, len(row), len(header), ",".join(row[:200])))
                if len(problems) >= MAX_PROBLEMS:
                    return None
            elif row and (cell := row[at].strip()):
                cells.append(cell.encode())
                lines.append(rows.line_num)
    except csv.Error as error:
        problems.append((rows.line_num, 1, f"not CSV: {error}", "", ""))
    lengths = np.fromiter(map(len, cells), np.int64, len(cells))
    ends = np.cumsum(lengths)
    return _Cuts(b"".join(cells), ends - lengths, ends, np.array(lines, dtype=np.int64))


def _no_one_column(column: str, header: list[str]) -> Found:
    shown = ",".join(header[:100])[:200]
    if column in header:
        at = len(",".join(header[: header.index(column, header.index(column) + 1)])) + 2
        return 1, min(at, len(shown) + 1), f"the column '{column}' is there twice", "", shown
    return 1, 1, f"no column '{column}'", nearest(column, header[:100]), shown


def _bad_row(line: int, cells: int, expected: int, text: str) -> Found:
    return line, 1, f"{cells:,} cells, and the header has {expected:,}", "", text[:200]


def _refuse(cuts: _Cuts, bad: np.ndarray, kind: str, problems: list[Found]) -> None:
    places = np.flatnonzero(bad)[: MAX_PROBLEMS - len(problems)].tolist()
    problems += [_bad_entry(cuts, place, kind, "") for place in places]


def _bad_entry(cuts: _Cuts, place: int, kind: str, hint: str) -> Found:
    start = int(cuts.starts[place])
    entry = cuts.data[start : min(int(cuts.ends[place]), start + 800)].decode(errors="ignore")
    message = f"an entry must be {WANTED[kind]}, got '{entry[:60]}'"
    return int(cuts.lines[place]), 1, message, hint, entry[:200]


def _texts(cuts: _Cuts, problems: list[Found]) -> Entries:
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


def _bad_text(cuts: _Cuts, place: int) -> Found:
    size, line = int(cuts.ends[place] - cuts.starts[place]), int(cuts.lines[place])
    start = int(cuts.starts[place])
    shown = cuts.data[start : start + 200].decode(errors="ignore").replace("\0", "\ufffd")
    nul = cuts.data.find(b"\0", start, start + size)
    if nul >= 0:
        column = len(cuts.data[start:nul].decode(errors="ignore")) + 1
        return line, column, "an entry holds the character U+0000", "the file may be no text", shown
    message = f"an entry of {size:,} bytes; at most {MAX_ENTRY:,} characters are read"
    return line, 1, message, "one entry a line", shown


def seems_commented(data: bytes) -> tuple[int, int, str, int] | None:
    """Find entries of a text file with ` # ` in them, which begins no comment there.

    Gives line and column, from 1, of the first such `#`, the line, and how many lines have one.
    """
    if b"# " not in data and b"#\t" not in data:
        return None
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    found = list(_COMMENTED.finditer(text))
    if not found:
        return None
    first = found[0]
    line = text.count("\n", 0, first.start()) + 1
    return line, first.end() - first.start(), first[0] + text[first.end() :].split("\n", 1)[0], len(found)


def _wholes(cuts: _Cuts, problems: list[Found]) -> Entries:
    return _numbers(cuts, "int", _whole_block, problems)


def _doubles(cuts: _Cuts, problems: list[Found]) -> Entries:
    return _numbers(cuts, "double", _double_block, problems)


def _numbers(
    cuts: _Cuts, kind: str, read: Callable[[_Cuts], tuple[np.ndarray, np.ndarray]], problems: list[Found]
) -> Entries:
    """Read numbers a block at a time; `read` gives the numbers of a block, and which are none."""
    numbers = np.zeros(len(cuts), dtype=np.int64 if kind == "int" else np.float64)
    done = 0
    for block in cuts.blocks():
        numbers[done : done + len(block)], bad = read(block)
        done += len(block)
        _refuse(block, bad, kind, problems)
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        return frozenset()
    return frozenset(numbers.tolist()) if len(numbers) <= SMALL else number_set(numbers)


def _whole_block(cuts: _Cuts) -> tuple[np.ndarray, np.ndarray]:
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


def _double_block(cuts: _Cuts) -> tuple[np.ndarray, np.ndarray]:
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


def _ranges(cuts: _Cuts, problems: list[Found]) -> Entries:
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
                problems.append(_bad_entry(block, place, CIDR, hint))
                if len(problems) >= MAX_PROBLEMS:
                    return frozenset()
            else:
                if bits == 32:
                    v4.append(np.array([[first, last]], dtype=np.int64))
                else:
                    v6.append((first, last))
    return frozenset() if problems else RangeSet(np.concatenate(v4), v6)


def _v4_block(cuts: _Cuts) -> tuple[np.ndarray, np.ndarray]:
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


_READERS: dict[str, Callable[[_Cuts, list[Found]], Entries]] = {
    "string": _texts,
    "int": _wholes,
    "double": _doubles,
    CIDR: _ranges,
}
