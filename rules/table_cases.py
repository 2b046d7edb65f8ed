"""The inline tests of a decision table: which row, or what outcome, a few given values must lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.cases import FIRE, NONE, SHADOW, SUPPRESSED, UNKNOWN
from rules.checked_rules import CheckedCase, CheckedRules
from rules.checked_tables import REVIEW, CheckedTable
from rules.errors import Problem, nearest
from rules.expression import Variable
from rules.given import given_values
from rules.reader import Document
from rules.tables import Table

SHOWN = 5


def check_table_cases(
    table: Table, document: Document, variables: Mapping[str, Variable], outcomes: Collection[str]
) -> tuple[tuple[CheckedCase, ...], list[Problem]]:
    """Type the tests of a table, and refuse what it can never lead to; not where it could not be read."""
    cases, problems = [], []
    rows = {row.id for row in table.rows}
    decided = {row.decide for row in table.rows if row.decide is not None}
    possible = rows | decided | {NONE, FIRE, UNKNOWN, *([REVIEW] if table.on_unknown == REVIEW else [])}
    possible |= {word for word, there in ((SUPPRESSED, table.suppressions), (SHADOW, table.rollout)) if there}
    if not decided <= set(outcomes) or any(row.unread for row in table.rows):
        possible |= set(outcomes)
    for case in table.tests:
        values, wrong = given_values(case, table.stage, document, variables)
        problems += wrong
        if case.expect and case.expect not in possible and table.whole:
            message = f"the table '{table.id}' has no row and no outcome '{case.expect}'"
            named = {row.id for row in table.rows if not row.named_by_cells}
            hint = nearest(case.expect, (possible - rows) | named)
            problems.append(document.problem((*case.path, "expect"), message, hint))
        cases.append(CheckedCase(values, case.expect, case.path))
    return tuple(cases), problems


@dataclass(frozen=True)
class TableResult:
    """What one test of a table gave: its values, what it may be called, the rows (places) that fired."""

    case: CheckedCase
    values: Mapping[str, Any]
    got: Sequence[str]
    rows: tuple[int, ...]


def table_results(table: CheckedTable, checked: CheckedRules) -> Iterator[TableResult]:
    """Run the tests of one table, on the table alone."""
    if not table.cases:
        return
    from rules.scalar import compile_conditions
    from rules.table_run import TableRun

    run = TableRun(table, checked.list_entries, checked.outcomes)
    exceptions = compile_conditions([one.condition for one in table.suppressions], checked.list_entries)
    missing = dict.fromkeys(name for one in table.reads for name in one.variables)
    rollout = table.table.rollout
    for case in table.cases:
        values = {**missing, **case.values}
        hit, opened = run.record(values)
        rows = (*hit, *(opened if table.table.on_unknown != "skip" else ()))
        got = _results(table, hit, opened)
        if rows and table.suppressions and exceptions(values)[0]:
            got, rows = [SUPPRESSED], ()
        elif rows and rollout and values[rollout.key] is not None and not rollout.holds(values):
            got, rows = [SHADOW], ()
        yield TableResult(case, values, got, rows)


def run_table_cases(table: CheckedTable, checked: CheckedRules) -> Iterator[Problem]:
    """Give the tests of one table that fail as problems."""
    for result in table_results(table, checked):
        if result.case.expect not in result.got:
            shown = ", ".join(result.got[:SHOWN])
            absent = sorted(name for name, value in result.values.items() if value is None)
            hint = f"missing here: {', '.join(absent)}" if absent else ""
            message = f"test of '{table.id}' failed: expected {result.case.expect}, got {shown}"
            yield table.document.problem((*result.case.path, "expect"), message, hint)


def _results(table: CheckedTable, hit: tuple[int, ...], opened: tuple[int, ...]) -> list[str]:
    """Give what a test may call this result: rows first, then what they decide."""
    rows, policy = table.table.rows, table.table.on_unknown
    fired = [rows[place] for place in (*hit, *(opened if policy == "fire" else ()))]
    found = [row.id for row in fired] + [row.decide for row in fired if row.decide is not None]
    if policy == REVIEW and opened:
        found += [*(rows[place].id for place in opened), REVIEW]
    if found:
        return [*dict.fromkeys(found), FIRE, *([UNKNOWN] if opened else [])]
    return [UNKNOWN] if opened else [NONE]
