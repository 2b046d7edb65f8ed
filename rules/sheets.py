"""A CSV file as the rows of a table: bytes in, a header and rows out that know where each cell stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from rules.errors import CheckFailed, Problem
from rules.reader import clean_text

MOST_ROWS = 50_000
MOST_COLUMNS = 200
MOST_CELL = 10_000
MOST_PROBLEMS = 20
MOST_COUNTED = 1_000


@dataclass(frozen=True)
class Sheet:
    """A CSV file as read; `rows` have as many cells as the header, rows of empty cells are left out.

    Rows that cannot be read are left out as well: then it is not `whole`.
    """

    file: str
    header: tuple[str, ...]
    rows: tuple[list[str], ...]
    lines: tuple[int, ...]  # by row: the line it begins on, from 1
    text: str
    whole: bool = True

    def problem(self, row: int, column: int, offset: int, message: str, hint: str = "") -> Problem:
        """Say what is wrong at an offset in a cell; row -1 is the header."""
        line = 1 if row < 0 else self.lines[row]
        source = self._sources[line - 1]
        at = _cell_start(source, column)
        if source[at : at + 1] == '"':
            at = _inside_quotes(source, at + 1, offset)
        else:
            at += offset
        return Problem(self.file, line, min(at, len(source)) + 1, message, hint, source)

    @cached_property
    def _sources(self) -> list[str]:
        return self.text.split("\n")


def few(problems: Iterable[Problem]) -> list[Problem]:
    """Give the first MOST_PROBLEMS of some that come in file order; the last says how many more there are."""
    coming = iter(problems)
    told = list(islice(coming, MOST_PROBLEMS))
    more = sum(1 for _ in islice(coming, MOST_COUNTED + 1))
    if more:
        count = f"{more:,}" if more <= MOST_COUNTED else f"more than {MOST_COUNTED:,}"
        last = told[-1]
        hint = f"{last.hint}; " if last.hint else ""
        told[-1] = replace(last, hint=f"{hint}and {count} more like it below")
    return told


def read_sheet(data: bytes, file: str) -> tuple[Sheet, list[Problem]]:
    """Read a CSV file, and say what is wrong with it as a whole."""
    nothing = Sheet(file, (), (), (), "")
    try:
        text = clean_text(data, file)
    except CheckFailed as failed:
        return nothing, list(failed.problems)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    sources = text.split("\n")
    bad: list[Problem] = []
    rows: list[list[str]] = []
    lines: list[int] = []

    def wrong(line: int, message: str, hint: str = "") -> Problem:
        line = min(line, len(sources))
        return Problem(file, line, 1, message, hint, sources[line - 1])

    try:
        header = tuple(name.strip() for name in next(reader, []))
    except csv.Error as error:
        return nothing, [wrong(1, *_not_csv(error))]
    if refused := _refused_header(header):
        return nothing, [wrong(1, *refused)]
    width = len(header)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:  # the reader goes on with the next line
            bad.append(wrong(line, *_not_csv(error)))
            continue
        if not any(row):
            continue
        if len(row) != width:
            hint = "quote a cell that holds a comma" if len(row) > width else ""
            bad.append(wrong(line, f"{len(row)} cells, and the header has {width}", hint))
        elif max(map(len, row)) > MOST_CELL:
            bad.append(wrong(line, f"a cell of more than {MOST_CELL:,} characters", "use a list"))
        elif len(rows) >= MOST_ROWS:
            bad.append(wrong(line, f"more than {MOST_ROWS:,} rows", "split the table"))
            break
        else:
            rows.append(row)
            lines.append(line)
    return Sheet(file, header, tuple(rows), tuple(lines), text, not bad), few(bad)


def _not_csv(error: csv.Error) -> tuple[str, str]:
    said = str(error)
    if "unexpected end of data" in said:
        return "not CSV: a cell begins with a quote here, and no quote ends it", "close the quote"
    hint = "a cell that begins with a quote ends with one" if "expected after" in said else ""
    return f"not CSV: {said}", hint


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
