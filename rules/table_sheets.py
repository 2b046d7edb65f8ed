"""The CSV file of a decision table in, its rows out, or what is wrong in the columns and cells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rules.errors import Problem, nearest
from rules.lists import refused_path
from rules.period import Period
from rules.reader import Document
from rules.sheets import Sheet, few, read_sheet
from rules.table_columns import Read, is_bound, reader_of
from rules.tables import ALL_READ, EFFECTS, PERIOD_COLUMNS, ROW_KEYS, Table, TableRow, generated_id

_NONE: Mapping[str, float] = {}


def read_rows(
    table: Table, document: Document, read_file: Callable[[str], bytes], fields: Collection[str] = ()
) -> tuple[Table, bytes | None, list[Problem]]:
    """Give a table with the rows of its CSV file, that file's bytes, and what is wrong with it.

    `fields` are what inputs may name, if that is known.
    """
    if not table.file:
        return table, None, []
    at, file = (*table.path, "file"), table.file
    table = replace(table, whole=False)
    if wrong := refused_path(file):
        return table, None, [document.problem(at, f"'{file}': {wrong}", "as lists/limits.csv")]
    try:
        data = read_file(file)
    except (FileNotFoundError, KeyError):
        return table, None, [document.problem(at, f"the table file '{file}' does not exist")]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return table, None, [document.problem(at, f"the table file '{file}' cannot be read: {reason}")]
    sheet, problems = read_sheet(data, file)
    refused = list(_refused_columns(table, sheet, fields)) if sheet.header else []
    table = replace(table, sheet=sheet)
    rows, found = _sheet_rows(table, sheet)
    if refused:
        unread = frozenset((*(one.name for one in table.inputs), *ROW_KEYS))
        rows = [replace(row, unread=unread) for row in rows]
    problems += [*refused, *few(found)]
    whole = sheet.whole and not any("id" in row.unread for row in rows)
    return replace(table, rows=tuple(rows), whole=whole), data, problems


def _refused_columns(table: Table, sheet: Sheet, fields: Collection[str]) -> Iterator[Problem]:
    """Compare the header with the inputs; of two names that are meant to be one, one is told."""
    names = [one.name for one in table.inputs]
    lacking = {name for name in names if name not in sheet.header}
    for column, name in enumerate(sheet.header):
        if name in sheet.header[:column]:
            yield sheet.problem(-1, column, 0, f"the column '{name}' is there twice")
        elif name not in (*names, *ROW_KEYS, *PERIOD_COLUMNS) and not is_bound(name) and names:
            known = (*names, *ROW_KEYS, *PERIOD_COLUMNS)
            hint = nearest(name, known) if name else "name it, or delete it"
            meant = next((one for one in lacking if hint == f"did you mean '{one}'?"), None)
            lacking.discard(meant or "")
            # Where the field is called as the column is, the input is what is mistyped: that is told there.
            if not (meant and name in fields and meant not in fields):
                yield sheet.problem(-1, column, 0, f"unknown column '{name}'", hint)
    for name in names:
        if name in lacking:
            hint = nearest(name, sheet.header)
            yield sheet.problem(-1, 0, 0, f"no column '{name}', which is an input", hint)
    if not sheet.rows and sheet.whole:
        yield sheet.problem(-1, 0, 0, "the table has no rows")


def _sheet_rows(table: Table, sheet: Sheet) -> tuple[list[TableRow], list[Problem]]:
    """Read the rows as far as they go; of a column that is there twice the first counts."""
    at: dict[str, int] = {}
    for column, name in enumerate(sheet.header):
        at.setdefault(name, column)
    inputs = [at.get(one.name, -1) for one in table.inputs]
    own = {one.name for one in table.inputs} | {"description"}
    others = [
        (column, name, read)
        for name, column in at.items()
        if name not in own and (read := reader_of(name)) is not None
    ]
    problems: list[Problem] = []
    rows = []
    for place, row in enumerate(sheet.rows):
        cells = tuple([row[column] if column >= 0 else "" for column in inputs])
        changes: dict[str, Any] = {}
        try:
            for column, name, read in others:
                if text := row[column].strip():
                    read(changes, name, text)
            _refuse_effects(changes, table.stage)
            _join_period(changes)
        except ValueError:
            changes, wrong = _read_singly(row, others, table.stage)
            problems += [sheet.problem(place, column, 0, message) for column, message in wrong]
            changes["unread"] = frozenset(sheet.header[column] for column, _ in wrong)
        rows.append(_changed(table.defaults, changes.get("id") or generated_id(cells), cells, place, changes))
    return rows, problems


def _read_singly(
    row: Sequence[str], others: Sequence[tuple[int, str, Read]], stage: str
) -> tuple[dict[str, Any], list[tuple[int, str]]]:
    """Read a row in which something is wrong: everything that is, by its column, and what the rest says."""
    changes: dict[str, Any] = {}
    wrong: list[tuple[int, str]] = []
    for column, name, read in others:
        try:
            if text := row[column].strip():
                read(changes, name, text)
        except ValueError as error:
            wrong.append((column, str(error)))
    try:
        _refuse_effects(changes, stage)
    except ValueError as error:
        effects = [column for column, name, _ in others if name.partition(".")[0] in EFFECTS]
        wrong.append((max(column for column in effects if row[column].strip()), str(error)))
    try:
        _join_period(changes)
    except ValueError as error:
        wrong.append((max(column for column, name, _ in others if name in PERIOD_COLUMNS), str(error)))
    return changes, sorted(wrong)


def _refuse_effects(changes: Mapping[str, Any], stage: str) -> None:
    if stage == "before" and (changes.get("cap") or changes.get("floor")):
        raise ValueError("a row of stage 'before' cannot bound a score: the model has not run yet")
    if sum(bool(changes.get(key)) for key in EFFECTS) > 1:
        raise ValueError("a row has one effect, and this one has several")


def _join_period(changes: dict[str, Any]) -> None:
    start, end = (changes.get(column) for column in PERIOD_COLUMNS)
    if start is not None or end is not None:
        if start is not None and end is not None and start >= end:
            raise ValueError("'effective.from' is not before 'effective.until': the row could never fire")
        changes["effective"] = Period(start, end)


def _changed(
    defaults: TableRow, row_id: str, cells: tuple[str, ...], place: int, changes: Mapping[str, Any]
) -> TableRow:
    """Give a row: by its constructor, which is quicker than `replace`, ten thousand times."""
    own = any(key in changes for key in EFFECTS)
    return TableRow(
        row_id,
        cells,
        place,
        changes.get("decide") if own else defaults.decide,
        changes.get("cap", _NONE) if own else defaults.cap,
        changes.get("floor", _NONE) if own else defaults.floor,
        changes.get("tags", defaults.tags),
        changes.get("reason", defaults.reason),
        changes.get("priority"),
        changes.get("effective", defaults.effective),
        changes.get("unread", ALL_READ),
    )
