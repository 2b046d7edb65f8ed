"""Checked decision tables: inputs as expressions, cells as tests, and each row as the rule that it is."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rules.cells import Cell, CellError, cell_node, cell_text, join, read_cell
from rules.errors import Problem, nearest
from rules.expression import (
    BOOL,
    DOUBLE,
    INT,
    STRING,
    TIMESTAMP,
    CheckedExpression,
    Literal,
    Name,
    Variable,
)
from rules.files import Rule
from rules.reader import Document
from rules.sheets import MOST_PROBLEMS
from rules.table_rank import TableRank
from rules.tables import Table

if TYPE_CHECKING:
    from rules.checked_rules import CheckedCase

REVIEW = "review"
INPUT_TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP)
"""What an input of a table may be."""


@dataclass(frozen=True)
class CheckedTable:
    """A table whose cells are read; `file` numbers its rule file, after whose rules its rows are rules.

    `cells` gives for each input every row's cell; `lists` the types of lists; `ranks` orders deciding.
    """

    table: Table
    document: Document
    inputs: tuple[CheckedExpression, ...]
    cells: tuple[tuple[Cell, ...], ...]
    lists: Mapping[str, str]
    file: int
    ranks: TableRank
    cases: tuple[CheckedCase, ...] = ()

    @property
    def id(self) -> str:
        return self.table.id

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of the rules that the rows are, in order."""
        return tuple(f"{self.table.id}.{row.id}" for row in self.table.rows)

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each row by the id of the rule that it is."""
        return {name: place for place, name in enumerate(self.ids)}

    def text(self, row: int) -> str:
        """Give the condition of a row in CEL."""
        parts = [
            cell_text(cells[row], written.text, written.type)
            for cells, written in zip(self.cells, self.inputs, strict=True)
        ]
        return " && ".join(part for part in parts if part) or "true"

    def condition(self, row: int) -> CheckedExpression:
        """Give the same condition as an expression that the evaluators take."""
        from rules.checked import express

        parts = [
            cell_node(cells[row], written.node, self.lists.get(cells[row].list or "", ""))
            for cells, written in zip(self.cells, self.inputs, strict=True)
        ]
        nodes = [part for part in parts if part is not None]
        return express(self.text(row), join("logical_and", nodes) if nodes else Literal(BOOL, True))

    def rule(self, row: int) -> Rule:
        """Give a row as a rule; its place is the row's, or the table's where the rows are in a CSV file."""
        table, one = self.table, self.table.rows[row]
        path = table.path if table.sheet is not None else (*table.path, "rows", one.place)
        return Rule(
            id=self.ids[row],
            when=self.text(row),
            path=path,
            stage=table.stage,
            decide=one.decide,
            cap=one.cap,
            floor=one.floor,
            tags=one.tags,
            priority=one.priority,
            reason=one.reason,
            owner=table.owner,
            mode=table.mode,
            on_unknown=table.on_unknown,
            description=table.description,
        )

    def without(self, row: int) -> CheckedTable:
        """Give the table without one of its rows."""
        rows = tuple(one for place, one in enumerate(self.table.rows) if place != row)
        cells = tuple(
            tuple(cell for place, cell in enumerate(column) if place != row) for column in self.cells
        )
        return replace(self, table=replace(self.table, rows=rows), cells=cells)

    def expressions(self) -> dict[str, Any]:
        """Give what `restored` takes: the checked inputs. Rows and cells are read again from the files."""
        return {
            "inputs": [
                {"value": one.text, "checked": base64.b64encode(one.checked).decode("ascii")}
                for one in self.inputs
            ]
        }


def read_cells(
    table: Table,
    document: Document,
    inputs: Sequence[CheckedExpression | None],
    lists: Mapping[str, str],
    variables: Mapping[str, Variable],
) -> tuple[tuple[tuple[Cell, ...], ...], list[Problem]]:
    """Read every cell of a table by the types of its inputs; equal texts are read once.

    `variables` are what the inputs may be, by name; without any, what they say of values is not asked.
    """
    problems: list[Problem] = []
    columns: list[tuple[Cell, ...]] = []
    for column, (given, checked) in enumerate(zip(table.inputs, inputs, strict=True)):
        if checked is None:  # the form has a problem already
            continue
        variable = variables.get(checked.node.name) if isinstance(checked.node, Name) else None
        only = None if variable is None else variable.values
        nullable = not variables if variable is None else variable.nullable
        known: dict[str, Cell] = {}
        cells = []
        for place, row in enumerate(table.rows):
            text = row.cells[column]
            cell = known.get(text)
            if cell is None:
                try:
                    cell = known[text] = read_cell(text, checked.type, lists, only, nullable=nullable)
                except CellError as wrong:
                    problems.append(
                        table.problem(document, place, given.name, wrong.offset, wrong.message, wrong.hint)
                    )
                    if len(problems) >= MOST_PROBLEMS:
                        return tuple(columns), problems
                    continue
            cells.append(cell)
        columns.append(tuple(cells))
    return tuple(columns), problems


def effect_problems(
    table: Table, document: Document, outcomes: Sequence[str], scores: Sequence[str], words: Sequence[str]
) -> Iterator[Problem]:
    """Refuse what rows cannot do: unknown outcomes and scores, and outcomes that tests have words for."""
    if table.on_unknown == REVIEW and REVIEW not in outcomes:
        message = "'on_unknown: review' needs an outcome 'review'"
        yield document.problem((*table.path, "on_unknown"), message, nearest(REVIEW, outcomes))
    seen: set[tuple[Any, ...]] = set()
    for place, row in enumerate(table.rows):
        key = row.decide, tuple(row.cap), tuple(row.floor)
        if key in seen:
            continue
        seen.add(key)
        if row.decide is not None and row.decide not in outcomes:
            hint = nearest(row.decide, outcomes)
            yield _effect(table, document, place, "decide", f"unknown outcome '{row.decide}'", hint)
        elif row.decide in words:
            message = f"'{row.decide}' cannot be decided: in tests it has another meaning"
            yield _effect(table, document, place, "decide", message, "rename the outcome")
        for effect, bounds in (("cap", row.cap), ("floor", row.floor)):
            for score in bounds:
                if score not in scores:
                    column = f"{effect}.{score}" if table.sheet else effect
                    message = f"unknown score '{score}'"
                    yield _effect(table, document, place, column, message, nearest(score, scores))


def _effect(table: Table, document: Document, row: int, column: str, message: str, hint: str) -> Problem:
    """Say it at the row, or at the table where that gives the effect to all its rows."""
    own = table.sheet is not None and column in table.sheet.header
    if table.sheet is None:
        written = document.root["tables"][table.path[1]]["rows"][table.rows[row].place]
        own = column in written
    if own:
        return table.problem(document, row, column, 0, message, hint)
    return document.problem((*table.path, column.partition(".")[0]), message, hint)
