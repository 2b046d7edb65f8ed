"""One column of a CSV file as the entries of a list, or what is wrong with its header and rows."""

from __future__ import annotations

import csv
import io

import numpy as np

from rules.errors import nearest
from rules.list_cuts import MAX_PROBLEMS, Cuts, Found
from rules.list_lines import all_lines, stripped

MAX_COLUMNS = 10_000


def cut_cells(data: bytes, first: int, column: str, problems: list[Found]) -> Cuts | None:
    """Cut one column out of a CSV file without quotes: a row is a line, and cells are between commas."""
    cuts = all_lines(data, first)
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
    lefts, rights = stripped(data, lefts, rights)
    full = np.flatnonzero(lefts < rights)
    return Cuts(data, lefts[full], rights[full], rows[full] + 1)


def cut_quoted_cells(data: bytes, first: int, column: str, problems: list[Found]) -> Cuts | None:
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
    return Cuts(b"".join(cells), ends - lengths, ends, np.array(lines, dtype=np.int64))


def _no_one_column(column: str, header: list[str]) -> Found:
    shown = ",".join(header[:100])[:200]
    if column in header:
        at = len(",".join(header[: header.index(column, header.index(column) + 1)])) + 2
        return 1, min(at, len(shown) + 1), f"the column '{column}' is there twice", "", shown
    return 1, 1, f"no column '{column}'", nearest(column, header[:100]), shown


def _bad_row(line: int, cells: int, expected: int, text: str) -> Found:
    return line, 1, f"{cells:,} cells, and the header has {expected:,}", "", text[:200]
