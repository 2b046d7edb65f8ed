"""Decision tables as written: inputs, rows, and what a table says for all its rows, as frozen records.

A row's cells stay text here; what they say depends on the types of the inputs (`rules.checked_tables`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rules.errors import Problem
from rules.files import Case
from rules.form import Path
from rules.period import Period
from rules.reader import Document
from rules.rollout import Rollout
from rules.sheets import Sheet, few
from rules.suppressions import Suppression

TABLE_POLICIES = ("first", "unique", "priority", "collect")
TABLE_KEYS = (
    "id", "description", "stage", "hit_policy", "inputs", "rows", "file", "decide", "cap", "floor", "tag",
    "reason", "owner", "mode", "on_unknown", "effective", "rollout", "except", "tests",
)  # fmt: skip
ROW_KEYS = ("id", "decide", "cap", "floor", "tag", "reason", "priority", "effective", "description")
PERIOD_COLUMNS = ("effective.from", "effective.until")
INPUT_KEYS = ("name", "value")
EFFECTS = ("decide", "cap", "floor")
ROW_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
ID_WORDS = "letters, digits, '-', '_' and '.'"
ALL_READ: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TableInput:
    """A column that rows are found by: its name, and the CEL expression whose value its cells test."""

    name: str
    value: str
    path: Path


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its cells as text in the order of the inputs, and what it does, by itself or by its table.

    `place` is its index among the rows of the document, or of the sheet.
    """

    id: str
    cells: tuple[str, ...]
    place: int
    decide: str | None = None
    cap: Mapping[str, float] = field(default_factory=dict)
    floor: Mapping[str, float] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    reason: str = ""
    priority: int | None = None
    effective: Period | None = None
    unread: frozenset[str] = ALL_READ  # the keys, or columns, that something is wrong with

    @property
    def named_by_cells(self) -> bool:
        """Whether the id is made of the cells, for want of another."""
        return self.id == generated_id(self.cells)


@dataclass(frozen=True)
class Table:
    """One decision table as written; `path` is its place in its document, `sheet` the file of its rows.

    It is `whole` where all rows are there and their ids were read: else nothing follows from what is not.
    """

    id: str
    path: Path
    inputs: tuple[TableInput, ...]
    rows: tuple[TableRow, ...]
    stage: str = "after"
    hit_policy: str = "unique"
    file: str | None = None
    owner: str = ""
    mode: str = "enforce"
    on_unknown: str = "skip"
    description: str = ""
    rollout: Rollout | None = None
    suppressions: tuple[Suppression, ...] = ()
    tests: tuple[Case, ...] = ()
    defaults: TableRow = TableRow("", (), -1)
    sheet: Sheet | None = None
    whole: bool = True

    def problem(
        self, document: Document, row: int, column: str, offset: int, message: str, hint: str = ""
    ) -> Problem:
        """Say what is wrong in a cell, at an offset in its text; `row` is an index of `rows`."""
        place = self.rows[row].place
        if self.sheet is not None:
            header = self.sheet.header
            at = header.index(column) if column in header else 0
            return self.sheet.problem(place, at, offset, message, hint)
        path = (*self.path, "rows", place, column)
        return document.problem_in_text(path, 1, offset + 1, message, hint)

    def row_id(self, row: TableRow) -> str:
        """Give the id of the rule that a row is."""
        return f"{self.id}.{row.id}"

    @property
    def timed(self) -> Path | None:
        """The place of what goes by the event's time: of the table, or of its first such row."""
        if self.defaults.effective is not None:
            return (*self.path, "effective")
        row = next((row for row in self.rows if row.effective is not None), None)
        if row is None:
            return None
        return (*self.path, "file") if self.sheet else (*self.path, "rows", row.place, "effective")


def rows_problems(table: Table, document: Document) -> list[Problem]:
    """Refuse rows that are there twice, and rows that do nothing."""
    return few(_rows_problems(table, document))


def _rows_problems(table: Table, document: Document) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, row in enumerate(table.rows):
        generated = (row.id in first or bool(row.unread)) and generated_id(row.cells) == row.id
        if generated and row.unread:
            continue  # what cannot be read may be what tells it from others
        other = first.setdefault(row.id, index)
        if row.id and other != index:
            same = row.cells == table.rows[other].cells and generated
            message = "the row is there twice" if same else f"the row '{row.id}' is there twice"
            line = table.problem(document, other, "id", 0, "").line
            yield table.problem(document, index, "id", 0, message, f"first on line {line}")
        idle = row.decide is None and not (row.cap or row.floor or row.tags)
        if idle and not row.unread.intersection((*EFFECTS, "tag")):
            message = "the row does nothing"
            yield table.problem(document, index, "id", 0, message, "give it one of: decide, cap, floor, tag")


def generated_id(cells: Sequence[str]) -> str:
    """Name a row by its cells: the name stays when rows move, and goes when the row asks something else."""
    written = "\0".join(cell.strip() for cell in cells)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()[:10]
