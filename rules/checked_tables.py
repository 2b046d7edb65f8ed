"""Checked decision tables: inputs as expressions, cells as tests, and each row as the rule that it is."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rules.cell_conditions import cell_node, cell_text, join
from rules.cell_reader import read_cell
from rules.cells import Cell, CellError, period_cell
from rules.errors import Problem, nearest
from rules.expression import (
    BOOL,
    DOUBLE,
    DURATION,
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
from rules.sheets import MOST_COUNTED, MOST_PROBLEMS, few
from rules.table_rank import TableRank
from rules.tables import Table, TableRow

if TYPE_CHECKING:
    from rules.checked_rules import CheckedCase, CheckedSuppression

REVIEW = "review"
INPUT_TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, DURATION)
"""What an input of a table may be."""


@dataclass(frozen=True)
class CheckedTable:
    """A table whose cells are read; `file` numbers its rule file, after whose rules its rows are rules.

    `cells` gives for each input every row's cell; `lists` the types of lists; `ranks` orders deciding. Where
    rows have a period, the last input is the event's time (it is `timed`), which no row writes a cell for.
    `suppressions` and `key` are of all rows, as a rule has them.
    """

    table: Table
    document: Document
    inputs: tuple[CheckedExpression, ...]
    cells: tuple[tuple[Cell, ...], ...]
    lists: Mapping[str, str]
    file: int
    ranks: TableRank
    cases: tuple[CheckedCase, ...] = ()
    suppressions: tuple[CheckedSuppression, ...] = ()
    key: CheckedExpression | None = None

    @property
    def timed(self) -> bool:
        """Whether the last input is the event's time."""
        return len(self.inputs) > len(self.table.inputs)

    @property
    def reads(self) -> tuple[CheckedExpression, ...]:
        """Everything of the table that looks at a record."""
        keys = () if self.key is None else (self.key,)
        return (*self.inputs, *(one.condition for one in self.suppressions), *keys)

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
        """Give the condition of a row in CEL, as written: without its period."""
        written_inputs = self.inputs[: len(self.table.inputs)]
        parts = [
            cell_text(cells[row], written.text, written.type)
            for cells, written in zip(self.cells, written_inputs, strict=False)
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
            effective=one.effective,
            rollout=table.rollout,
            suppressions=table.suppressions,
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
        """Give what `restored` takes: what is checked. Rows and cells are read again from the files."""
        kept = [{"value": one.text, "checked": _encoded(one)} for one in self.inputs]
        written = len(self.table.inputs)
        found: dict[str, Any] = {"inputs": kept[:written]}
        if self.timed:
            found["event_time"] = kept[written]
        if self.suppressions:
            found["except"] = [
                {"when": one.suppression.text, "checked": _encoded(one.condition)}
                for one in self.suppressions
            ]
        if self.key is not None:
            found["key"] = _encoded(self.key)
        return found


def _encoded(expression: CheckedExpression) -> str:
    return base64.b64encode(expression.checked).decode("ascii")


def timed(
    table: Table,
    inputs: tuple[CheckedExpression, ...],
    cells: tuple[tuple[Cell, ...], ...],
    event_time: CheckedExpression,
) -> tuple[tuple[CheckedExpression, ...], tuple[tuple[Cell, ...], ...]]:
    """Add the event's time to the inputs, and to every row the cell that its period is."""
    return (*inputs, event_time), (*cells, tuple(period_cell(row.effective) for row in table.rows))


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
    columns: list[tuple[Cell, ...]] = []
    wrong: list[tuple[int, int, CellError]] = []  # row, column
    for column, checked in enumerate(inputs):
        if checked is None:  # the form has a problem already
            continue
        variable = variables.get(checked.node.name) if isinstance(checked.node, Name) else None
        only = None if variable is None else variable.values
        nullable = not variables if variable is None else variable.nullable
        known: dict[str, Cell] = {}
        cells, left = [], MOST_PROBLEMS + MOST_COUNTED
        for place, row in enumerate(table.rows):
            text = row.cells[column]
            cell = known.get(text)
            if cell is None:
                try:
                    cell = known[text] = read_cell(
                        text, checked.type, lists, only, nullable=nullable, wary=bool(variables)
                    )
                except CellError as error:
                    wrong.append((place, column, error))
                    left -= 1
                    if not left:
                        break
                    continue
            cells.append(cell)
        columns.append(tuple(cells))
    wrong.sort(key=lambda one: one[:2])
    names = [one.name for one in table.inputs]
    return tuple(columns), few(
        table.problem(document, place, names[column], error.offset, error.message, error.hint)
        for place, column, error in wrong
    )


def effect_problems(
    table: Table, document: Document, outcomes: Sequence[str], scores: Sequence[str], words: Sequence[str]
) -> Iterator[Problem]:
    """Refuse what rows cannot do: unknown outcomes and scores, and outcomes that tests have words for."""
    if table.on_unknown == REVIEW and REVIEW not in outcomes:
        message = "'on_unknown: review' needs an outcome 'review'"
        yield document.problem((*table.path, "on_unknown"), message, nearest(REVIEW, outcomes))
    known: dict[tuple[Any, ...], list[tuple[str, str, str]]] = {}
    told: set[str] = set()
    for place, row in enumerate(table.rows):
        key = row.decide, tuple(row.cap), tuple(row.floor)
        if key not in known:
            known[key] = list(_refused_effects(row, outcomes, scores, words))
        for effect, message, hint in known[key]:
            name, _, score = effect.partition(".")
            if _is_own(table, document, row, effect):
                column = effect if table.sheet is not None else name
                yield table.problem(document, place, column, 0, message, hint)
            elif effect not in told:  # the table gives it to all its rows
                told.add(effect)
                path = (*table.path, name, *([score] if score else []))
                yield document.problem(path, message, hint, key=bool(score))


def _refused_effects(
    row: TableRow, outcomes: Sequence[str], scores: Sequence[str], words: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Give what a row cannot do: the effect, what is wrong with it, a hint."""
    if row.decide is not None and row.decide not in outcomes:
        yield "decide", f"unknown outcome '{row.decide}'", nearest(row.decide, outcomes)
    elif row.decide in words:
        message = f"'{row.decide}' cannot be decided: in tests it has another meaning"
        yield "decide", message, "rename the outcome"
    for effect, bounds in (("cap", row.cap), ("floor", row.floor)):
        for score in bounds:
            if score not in scores:
                yield f"{effect}.{score}", f"unknown score '{score}'", nearest(score, scores)


def _is_own(table: Table, document: Document, row: TableRow, effect: str) -> bool:
    """Say whether a row states an effect itself."""
    if table.sheet is not None:
        header = table.sheet.header
        return effect in header and bool(table.sheet.rows[row.place][header.index(effect)].strip())
    return effect.partition(".")[0] in document.root["tables"][table.path[1]]["rows"][row.place]
