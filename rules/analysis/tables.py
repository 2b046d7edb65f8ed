"""Decision tables as wholes: rows that hold together, records that find no row, and what a table lacks.

Rows are not looked at one by one as rules are: ten thousand of them have fifty million pairs. A table is told
a bounded number of things, and what the bounds leave out is said to be undecided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rules import reference
from rules.analysis.report import Report, listed
from rules.cell_conditions import cell_node
from rules.cells import Cell
from rules.checked import express
from rules.checked_tables import CheckedTable
from rules.expression import CheckedExpression
from rules.findings import ERROR, NOTE, WARNING
from rules.table_analysis import Overlap, gaps, overlaps
from rules.table_domain import Domain
from rules.table_wins import left_open, wins

MOST_SHOWN = 20
"""Overlaps told of one table."""
MOST_GAPS = 3
"""Gaps looked for in one table: the first that is confirmed is told."""
MOST_ASKED = 4_000
"""Cells that the reference evaluator is asked about in one check, to confirm gaps."""


def report_tables(report: Report, *, notes: bool) -> None:
    """Report what is wrong with whole tables; gaps and overlaps that a hit policy settles are notes."""
    asking = _Asking(report.checked.list_entries)
    for table in report.checked.tables:
        if table.table.mode == "off":
            continue
        _report_lacking(report, table)
        policy = table.table.hit_policy
        domain = Domain(table, report.checked.variables, report.checked.list_entries)
        if policy == "unique" and table.table.mode == "enforce":
            _report_overlaps(report, domain)
        elif policy in ("first", "priority") and notes:
            _report_settled(report, domain)
        _report_wins(report, domain)
        _report_idle(report, domain)
        _report_unstated(report, domain)
        if policy in ("unique", "first") and notes:
            _report_gaps(report, domain, asking)


def _report_lacking(report: Report, table: CheckedTable) -> None:
    """Say once for all rows that nobody owns them, and that no test asks for any."""
    path = (*table.table.path, "id")
    if not table.cases:
        message = f"the table '{table.id}' has no test"
        report.at(table.document, path, "untested", WARNING, message, "add some under 'tests'")
    if table.table.mode == "enforce" and not table.table.owner:
        message = f"the table '{table.id}' is enforced and has no owner"
        hint = "say who answers for it: 'owner: TEAM'"
        report.at(table.document, path, "no-owner", WARNING, message, hint)


def _report_overlaps(report: Report, domain: Domain) -> None:
    """Say at each row of a `unique` table which earlier rows hold together with it."""
    table = domain.table
    found = overlaps(domain, most=MOST_SHOWN)
    over: dict[int, list[Overlap]] = defaultdict(list)
    refuted = 0
    for one in found.found:
        if _confirmed(report, table, one):
            over[one.second].append(one)
        else:
            refuted += 1
    for row, several in over.items():
        names = listed(table.ids[one.first] for one in several)
        message = f"'{table.ids[row]}' holds together with {names}, and hit_policy is unique"
        other = table.table.problem(table.document, several[0].first, "id", 0, "")
        hint = f"let their cells exclude each other: {other.file}:{other.line}"
        placed = table.table.problem(table.document, row, "id", 0, message, hint)
        report.add(placed, "table-overlap", ERROR, several[0].record)
    left = found.pairs - len(found.found) + refuted
    if left or (found.cut_off and not found.pairs):
        beyond = (
            f"{left:,} {'more ' if over else ''}pair{'' if left == 1 else 's'} of rows" if left else "rows"
        )
        message = f"whether {beyond} of '{table.id}' hold together"
        report.open_at(table.document, (*table.table.path, "id"), "table-overlap", message)


def _report_settled(report: Report, domain: Domain) -> None:
    """Note once for a table that rows of it do something else on one record: its hit policy chooses."""
    table = domain.table
    rows = table.table.rows
    found = overlaps(domain, most=MOST_SHOWN)
    for one in found.found:
        first, second = rows[one.first], rows[one.second]
        if (first.decide, first.cap, first.floor) == (second.decide, second.cap, second.floor):
            continue
        if _confirmed(report, table, one):
            message = f"'{table.ids[one.second]}' holds together with '{table.ids[one.first]}'"
            if found.pairs > 1:
                message += f" (and up to {found.pairs - 1:,} more such pairs)"
            hint = f"hit_policy {table.table.hit_policy} settles it"
            placed = table.table.problem(table.document, one.second, "id", 0, message, hint)
            report.add(placed, "table-overlap", NOTE, one.record)
            return
    if found.undecided or found.cut_off:
        message = f"whether rows of '{table.id}' that differ in what they do hold together"
        report.open_at(table.document, (*table.table.path, "id"), "table-overlap", message)


def _report_wins(report: Report, domain: Domain) -> None:
    """Say which rows never hold, and which never win against the stronger rows that hold where they do."""
    table = domain.table
    written = table.table
    found = wins(domain, report.checked.outcomes)
    shown = found.never[:MOST_SHOWN]
    for never in shown:
        name = written.inputs[never.column].name
        message = f"'{table.ids[never.row]}' can never hold: no value that '{name}' may have meets this cell"
        hint = "change the cell, or delete the row"
        hint += _and_more(len(found.never) - len(shown)) if never is shown[-1] else ""
        placed = written.problem(table.document, never.row, name, 0, message, hint)
        report.add(placed, "never-fires", WARNING)
    undecided = found.undecided
    for one in found.beaten:
        confirmed = any(_holds(report, table, other, one.record) for other in one.by)
        if not confirmed or not _holds(report, table, one.row, one.record):
            undecided += 1
            continue
        names = listed(table.ids[other] for other in one.by)
        does = "does too, and" if len(one.by) == 1 else "do between them, and each"
        message = f"'{table.ids[one.row]}' never wins: wherever it holds, {names} {does} is stronger"
        hint = "put it above, or delete it" if written.hit_policy == "first" else "raise it, or delete it"
        hint += _and_more(found.more) if one is found.beaten[-1] else ""
        placed = written.problem(table.document, one.row, "id", 0, message, hint)
        report.add(placed, "shadowed", WARNING, one.record)
    if undecided:
        rows_ = "a row" if undecided == 1 else f"{undecided:,} rows"
        message = f"whether {rows_} of '{table.id}' can win"
        report.open_at(table.document, (*written.path, "id"), "shadowed", message)


def _report_idle(report: Report, domain: Domain) -> None:
    """Say where comparisons are joined by commas so that every value meets one of them."""
    table = domain.table
    idle: list[tuple[int, str, str]] = []
    for written, column in zip(table.table.inputs, domain.columns, strict=False):
        for cell, rows in column.pieces.groups.items():
            if _compares(cell) and column.always(cell):
                unlike = all(test.how == "!=" for test in cell.tests)
                idle += [(row, written.name, "not('a', 'b')" if unlike else "[5..7)") for row in rows]
    for number, (row, name, instead) in enumerate(sorted(idle)[:MOST_SHOWN], start=1):
        message = f"every value that '{name}' may have meets this cell: a comma means 'or'"
        hint = f"write {instead} for what must hold together, and - for any value"
        hint += _and_more(len(idle) - number) if number == MOST_SHOWN else ""
        placed = table.table.problem(table.document, row, name, 0, message, hint)
        report.add(placed, "out-of-range", WARNING)


def _compares(cell: Cell) -> bool:
    """Say whether a cell joins several values or comparisons, and not values alone."""
    tests = [test for test in cell.tests if test.low is not None]
    return len(tests) > 1 and not cell.negated and any(test.how != "==" for test in tests)


def _and_more(rows: int) -> str:
    return f"; so it is with {rows:,} more row{'' if rows == 1 else 's'}" if rows else ""


def _report_unstated(report: Report, domain: Domain) -> None:
    """Report a table that decides the most severe outcome, may be open, and does not say what then."""
    table = domain.table
    severest = report.checked.outcomes[-1:]
    written = table.document.root["tables"][table.table.path[1]]
    rows = [row for row, one in enumerate(table.table.rows) if one.decide in severest]
    if not rows or "on_unknown" in written:
        return
    shown = left_open(domain, rows[:MOST_ASKED])
    for row, record in shown:
        value = reference.evaluate(table.condition(row), record, report.checked.list_entries)
        if value is reference.UNKNOWN or value is None:
            message = f"'{table.ids[row]}' decides {severest[0]}, and a missing value leaves it open"
            hint = "say what follows: 'on_unknown: skip', fire or review, for the table"
            placed = table.table.problem(table.document, row, "decide", 0, message, hint)
            report.add(placed, "on-unknown", WARNING, record)
            return


def _report_gaps(report: Report, domain: Domain, asking: _Asking) -> None:
    """Note once for a table that a record without a missing value finds no row."""
    table = domain.table
    found = gaps(domain, most=MOST_GAPS)
    path = (*table.table.path, "id")
    for one in found.found:
        if asking.no_row(table, one.record):
            message = f"no row of '{table.id}' holds on some records that have every input"
            hint = "if they need one, add a row for them, or a last row of '-' under hit_policy first"
            report.at(table.document, path, "table-gap", NOTE, message, hint, record=one.record)
            return
    if found.found or found.undecided or found.cut_off:
        message = f"whether every record that has every input finds a row of '{table.id}'"
        report.open_at(table.document, path, "table-gap", message)


def _confirmed(report: Report, table: CheckedTable, one: Overlap) -> bool:
    """Ask the reference evaluator whether both rows hold."""
    return all(_holds(report, table, row, one.record) for row in (one.first, one.second))


def _holds(report: Report, table: CheckedTable, row: int, record: Mapping[str, Any]) -> bool:
    """Ask the reference evaluator whether a row holds."""
    return reference.evaluate(table.condition(row), record, report.checked.list_entries) is True


class _Asking:
    """Asks the reference evaluator about cells, so many of them."""

    def __init__(self, lists: Mapping[str, Any]) -> None:
        self._lists = lists
        self._left = MOST_ASKED

    def no_row(self, table: CheckedTable, record: Mapping[str, Any]) -> bool:
        """Say whether each row has a cell that is false: `&&` is false with one such.

        Equal cells are asked about once, and columns of few different cells first: they settle most rows.
        False as well once enough was asked.
        """
        rows: Sequence[int] = range(len(table.ids))
        columns = sorted(zip(table.inputs, table.cells, strict=True), key=lambda one: len(set(one[1])))
        for written, cells in columns:
            different = {cells[row] for row in rows if cells[row].tests or cells[row].list}
            if len(different) > self._left:
                continue
            self._left -= len(different)
            false = {cell for cell in different if self._is_false(table, written, cell, record)}
            rows = [row for row in rows if cells[row] not in false]
        return not rows

    def _is_false(
        self, table: CheckedTable, written: CheckedExpression, cell: Cell, record: Mapping[str, Any]
    ) -> bool:
        node = cell_node(cell, written.node, table.lists.get(cell.list or "", ""))
        return (
            node is not None and reference.evaluate(express(written.text, node), record, self._lists) is False
        )
