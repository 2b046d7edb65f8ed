"""A CSV file as the rows of a table: bytes in, a header and rows out that know where each cell stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from rules.errors import CheckFailed, Problem
from rules.reader import clean_text

MOST_ROWS = 50_000
MOST_COLUMNS = 200
MOST_CELL = 10_000
MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Sheet:
    """A CSV file as read; `rows` have as many cells as the header, rows of empty cells are left out."""

    file: str
    header: tuple[str, ...]
    rows: tuple[list[str], ...]
    lines: tuple[int, ...]  # by row: the line it begins on, from 1
    text: str

    def problem(self, row: int, column: int, offset: int, message: str, hint: str = "") -> Problem:
        """Say what is wrong at an offset in a cell; row -1 is the header."""
        line = 1 if row < 0 else self.lines[row]
        source = self.text.split("\n", line)[line - 1]
        at = _cell_start(source, column)
        if source[at : at + 1] == '"':
            at = _inside_quotes(source, at + 1, offset)
        else:
            at += offset
        return Problem(self.file, line, min(at, len(source)) + 1, message, hint, source)


def read_sheet(data: bytes, file: str) -> tuple[Sheet, list[Problem]]:
    """Read a CSV file, and say what is wrong with it as a whole."""
    nothing = Sheet(file, (), (), (), "")
    try:
        text = clean_text(data, file)
    except CheckFailed as failed:
        return nothing, list(failed.problems)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    problems: list[Problem] = []
    rows: list[list[str]] = []
    lines: list[int] = []

    def note(line: int, column: int, message: str, hint: str = "") -> None:
        source = text.split("\n", line)[line - 1] if text else ""
        problems.append(Problem(file, line, column, message, hint, source))

    line = 1
    header: tuple[str, ...] = ()
    try:
        header = tuple(name.strip() for name in next(reader, []))
        if refused := _refused_header(header):
            note(1, 1, *refused)
            return nothing, problems
        line = reader.line_num + 1
        width = len(header)
        for row in reader:
            if len(row) == width:
                if len(rows) >= MOST_ROWS:
                    note(line, 1, f"more than {MOST_ROWS:,} rows", "split the table")
                    break
                if any(row):
                    rows.append(row)
                    lines.append(line)
                    if max(map(len, row)) > MOST_CELL:
                        note(line, 1, f"a cell of more than {MOST_CELL:,} characters", "use a list")
            elif any(row):
                hint = "quote a cell that holds a comma" if len(row) > width else ""
                note(line, 1, f"{len(row)} cells, and the header has {width}", hint)
            if len(problems) >= MOST_PROBLEMS:
                note(line, 1, f"{MOST_PROBLEMS} problems so far: the rest is not read")
                break
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "a cell that begins with a quote ends with one" if "expected after" in str(error) else ""
        note(min(line, text.count("\n") + 1), 1, f"not CSV: {error}", hint)
    return Sheet(file, header, tuple(rows), tuple(lines), text), problems


def _refused_header(header: Sequence[str]) -> tuple[str, str] | None:
    if not any(header):
        return "the file has no header", "the first line names the columns: id, inputs, decide, …"
    if len(header) > MOST_COLUMNS:
        return f"{len(header):,} columns; at most {MOST_COLUMNS} are read", ""
    if len(header) == 1:
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if mark in header[0]:
                return f"the cells are separated by {name}", "save the file with commas"
    return None


def _cell_start(source: str, column: int) -> int:
    """Give where the cell of a column begins in a line; a line end within quotes ends the search."""
    at = 0
    for _ in range(column):
        if source[at : at + 1] == '"':
            at += 1
            while at < len(source) and not (source[at] == '"' and source[at + 1 : at + 2] != '"'):
                at += 2 if source[at] == '"' else 1
        following = source.find(",", at)
        if following < 0:
            return at
        at = following + 1
    return at


def _inside_quotes(source: str, at: int, offset: int) -> int:
    """Give the place of the offset-th character of a quoted cell, where a quote is written twice."""
    for _ in range(offset):
        at += 2 if source[at : at + 2] == '""' else 1
    return at
