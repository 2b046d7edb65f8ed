"""The bytes of a list file in, its entries as a set out, or every line that is wrong.

All lines are cut and trimmed at once, as arrays of places in the bytes: a million entries take a fraction of
a second, and a set of texts keeps the file's own bytes. Line by line is read what is out of the ordinary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from rules.expression import CIDR
from rules.list_columns import cut_cells, cut_quoted_cells
from rules.list_cuts import Cuts, Found
from rules.list_lines import cut_lines
from rules.list_values import Entries, double_set, range_set, text_set, whole_set

MAX_BYTES = 128 * 1024 * 1024
MAX_LINES = 2_000_000
MAX_LINE = 1_000_000
_BOM = b"\xef\xbb\xbf"


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


def _cut(data: bytes, column: str | None, kind: str, problems: list[Found]) -> Cuts | None:
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
        return cut_lines(data, first, comments=kind != "string")
    if b'"' in data or data.count(b"\r") != data.count(b"\r\n"):
        return cut_quoted_cells(data, first, column, problems)
    return cut_cells(data, first, column, problems)


_READERS: dict[str, Callable[[Cuts, list[Found]], Entries]] = {
    "string": text_set,
    "int": whole_set,
    "double": double_set,
    CIDR: range_set,
}
