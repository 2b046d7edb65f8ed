"""The lines of a list file as its entries: trimmed, without comments and lines that are empty."""

from __future__ import annotations

import re

import numpy as np

from rules.list_cuts import Cuts

_ROUNDS = 1_000  # spaces at either end of a line that are taken off all lines at once
_COMMENTED = re.compile(r"^[ \t]*[^#\s][^#\n]*[ \t]#(?=[ \t])", re.MULTILINE)

# What str.strip() takes off, by its UTF-8 bytes: of one, of two and of three.
_SPACE = np.zeros(256, dtype=bool)
_SPACE[[*range(9, 14), *range(28, 33)]] = True
_SPACE2 = np.array([0xC285, 0xC2A0])
_SPACE3 = np.array([0xE19A80, *range(0xE28080, 0xE2808B), 0xE280A8, 0xE280A9, 0xE280AF, 0xE2819F, 0xE38080])


def cut_lines(data: bytes, first: int, *, comments: bool) -> Cuts:
    """Cut a text file: one entry a line, without empty lines and those that begin with `#`.

    `comments` lets one follow an entry, too: a number or a network holds no `#`, and a text may.
    """
    cuts = all_lines(data, first)
    octets = cuts.octets
    starts, ends = stripped(data, cuts.starts, cuts.ends)
    if comments and b"#" in data:
        hashes = np.append(np.flatnonzero(octets == ord("#")), len(data))
        ends = np.minimum(ends, hashes[np.searchsorted(hashes, starts)])
        starts, ends = stripped(data, starts, ends)
    full = np.flatnonzero(starts < ends)
    full = full[octets[starts[full]] != ord("#")]
    return Cuts(data, starts[full], ends[full], cuts.lines[full])


def all_lines(data: bytes, first: int) -> Cuts:
    """Cut at line ends alone; `first` is where the text begins."""
    breaks = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    starts, ends = np.append(first, breaks + 1), np.append(breaks, len(data))
    return Cuts(data, starts, ends, np.arange(1, len(starts) + 1))


def stripped(data: bytes, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
