"""Rows of a decision table that never hold, or never win: a checked table in, those rows out.

Proof goes by the pieces of the inputs: a row is dead where none of its combinations of pieces is left by the
stronger rows that hold. Inputs that depend on each other only make combinations that no record has, so that
a proof holds all the same. Steps are counted, and rows that the bounds cut off are undecided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rules.cells import Cell
from rules.checked_tables import CheckedTable
from rules.pieces import Span
from rules.table_beside import Beside, ranked_below
from rules.table_domain import Domain
from rules.table_index import Cuts, positions
from rules.table_rank import row_ranks
from rules.table_values import Column

MOST_STEPS = 300_000
ROW_STEPS = 5_000
FEWEST_STEPS = 50_000
"""Steps to leave out rows that the proof of one row does not need."""
MOST_DROPPED = 64
"""Stronger rows that are tried alone, or left out one by one."""


@dataclass(frozen=True)
class Never:
    """A row, by its place, that never holds: no value that its input may have meets the cell in a column."""

    row: int
    column: int


@dataclass(frozen=True)
class Beaten:
    """A row that never wins: wherever it holds, one of these stronger rows does. The record shows it."""

    row: int
    by: tuple[int, ...]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Wins:
    """What was found, in the order of the table, and how many rows stayed undecided.

    Of the rows that never win the first are shown; `more` are proven and not shown.
    """

    never: tuple[Never, ...]
    beaten: tuple[Beaten, ...]
    more: int = 0
    undecided: int = 0


def wins(
    domain: Domain,
    outcomes: Sequence[str],
    *,
    most: int = 20,
) -> Wins:
    """Find the rows that never hold; of a table that lets one row win, those that never do too.

    Up to `most` of these are given with a record.
    """
    table = domain.table
    domain.tried = 0
    never = tuple(_never(domain, table))
    if table.table.hit_policy not in ("first", "priority"):
        return Wins(never, ())
    if domain.beside is None:
        return Wins(never, (), undecided=domain.rows)
    search = _Search(domain, table, outcomes, domain.beside)
    beaten: list[Beaten] = []
    more = undecided = 0
    dead = {one.row for one in never}
    for row in range(domain.rows):
        by = () if row in dead else search.beaten_by(row)
        if by is None:
            undecided += 1
        elif by and len(beaten) >= most:
            more += 1
        elif by:
            record = search.shown(row, by)
            if record is None:
                undecided += 1
            else:
                beaten.append(Beaten(row, by, record))
    fewest = tuple(search.fewest(one) for one in beaten)
    return Wins(never, fewest, more, undecided)


def left_open(domain: Domain, rows: Sequence[int]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Give of these rows those that a missing value leaves open, each with a record that shows it."""
    for row in rows:
        for place, column in enumerate(domain.columns):
            cell, missing = column.cells[row], column.pieces.missing
            if column.variable is None or not column.variable.nullable:
                continue
            if column.pieces.on_missing(cell) is None:
                codes = [one.common(one.cells[row], one.cells[row]) for one in domain.columns]
                codes[place] = [missing]
                record = domain.opened(codes, row)
                if record is not None:
                    yield row, record
                    break


def _never(domain: Domain, table: CheckedTable) -> Iterator[Never]:
    """Give the rows with a cell that no value meets, which the schema lets the input have."""
    dead: dict[int, int] = {}
    acts = table.table.on_unknown != "skip"
    for place, column in enumerate(domain.columns[: len(table.table.inputs)]):
        for cell, rows in column.pieces.groups.items():
            nullable = column.variable is None or column.variable.nullable
            # A computed input may be in error, which leaves every cell open.
            opens = acts and nullable and (column.variable is None or column.pieces.on_missing(cell) is None)
            if cell.tests and not column.spans(cell) and not opens:
                for row in rows:
                    dead.setdefault(row, place)
    yield from (Never(row, dead[row]) for row in sorted(dead))


class _Search:
    """Looks for a combination of pieces on which a row holds and no stronger one does."""

    def __init__(self, domain: Domain, table: CheckedTable, outcomes: Sequence[str], beside: Beside) -> None:
        self._domain, self._beside = domain, beside
        # Where an open row acts, one that is open wins over weaker ones as one that holds does.
        self._open_acts = table.table.on_unknown != "skip"
        self._cuts = [Cuts(column.pieces) for column in domain.columns]
        holding, opened = np.array(row_ranks(table.table, outcomes), dtype=np.int64)
        opened = np.where(self._may_open(len(holding)), opened, holding)
        self._best, self._worst = np.minimum(holding, opened), np.maximum(holding, opened)
        self._left = MOST_STEPS

    def beaten_by(self, row: int) -> tuple[int, ...] | None:
        """Give the stronger rows that leave nothing of a row; none where it may win, None if undecided."""
        beside = self._beside.of(row) & ~(1 << row)
        if not beside:
            return ()
        # A row may stand in two places: always below are those whose worst is above its best.
        at_best = ranked_below(self._worst, int(self._best[row]), beside)
        at_worst = ranked_below(self._best, int(self._worst[row]), beside)
        covered = self._is_covered(row, at_worst)
        if covered and at_best != at_worst:
            covered = self._is_covered(row, at_best) or None
        if covered is None:
            return None
        return tuple(positions(at_best, self._domain.rows).tolist()) if covered else ()

    def fewest(self, one: Beaten) -> Beaten:
        """Leave out the stronger rows that the proof does not need: all but one, if that is enough."""
        self._left = max(self._left, FEWEST_STEPS)
        alone = (row for row in one.by[:MOST_DROPPED] if self._is_covered(one.row, 1 << row))
        kept = list(one.by) if (first := next(alone, None)) is None else [first]
        for other in list(kept) if 1 < len(kept) <= MOST_DROPPED else ():
            rest = [row for row in kept if row != other]
            if self._is_covered(one.row, sum(1 << row for row in rest)):
                kept = rest
        return Beaten(one.row, tuple(kept), self.shown(one.row, kept) or one.record)

    def _may_open(self, rows: int) -> np.ndarray:
        """Say of each row whether a missing value, or one not worked out, may leave it open."""
        found = np.zeros(rows, dtype=bool)
        for column in self._domain.columns:
            if column.variable is None or column.variable.nullable:
                for cell, places in column.pieces.groups.items():
                    if cell.tests and (column.variable is None or column.pieces.on_missing(cell) is None):
                        found[list(places)] = True
        return found

    def _is_covered(self, row: int, beside: int) -> bool | None:
        """Say whether these rows leave nothing of a row; None if undecided."""
        if not beside:
            return False
        columns = self._domain.columns
        codes = [self._codes(column, column.cells[row]) for column in columns]
        # What has fewer combinations goes first.
        order = sorted(range(len(columns)), key=lambda place: len(columns[place].pieces.points))
        pending: list[tuple[int, int]] = [(0, beside)]
        seen: set[tuple[int, int]] = set()
        spent = 0
        while pending:
            level, left = pending.pop()
            if not left:
                return False
            if level == len(order) or (level, left) in seen:
                continue  # on this combination a stronger row holds
            seen.add((level, left))
            place = order[level]
            steps = self._steps(place, left, codes[place])
            following = {left & self._held(columns[place], code) for code in steps}
            cost = len(steps) + left.bit_count() // 4 + 1
            spent, self._left = spent + cost, self._left - cost
            if spent > ROW_STEPS or self._left <= 0:
                return None
            # The fewest rows come to lie on top: a way out is found soon.
            pending += [(level + 1, one) for one in sorted(following, key=int.bit_count, reverse=True)]
        return True

    def shown(self, row: int, by: Sequence[int]) -> Mapping[str, Any] | None:
        """Give a record on which a row and one of those that beat it hold."""
        columns = self._domain.columns
        for other in by:
            codes = [column.common(column.cells[row], column.cells[other]) for column in columns]
            record = self._domain.witness(codes, (row, other))
            if record is not None:
                return record
        return None

    def _codes(self, column: Column, cell: Cell) -> list[Span]:
        """Give the pieces, as spans, on which a cell holds (or is open, where that acts)."""
        pieces = column.pieces
        spans = [(first, end) for first, end in pieces.spans(cell) if first < pieces.missing]
        held = pieces.on_missing(cell)
        nullable = column.variable is None or column.variable.nullable
        if nullable and (held or (held is None and self._open_acts)):
            spans.append((pieces.missing, pieces.missing + 1))
        if column.variable is None and (not cell.tests or self._open_acts):
            spans.append((pieces.error, pieces.error + 1))
        return spans

    def _steps(self, place: int, rows: int, spans: Sequence[Span]) -> list[int]:
        """Give one code for each stretch of the spans on which nothing changes for these rows."""
        column = self._domain.columns[place]
        cuts = self._cuts[place].of(rows, self._domain.rows).tolist()
        found = []
        for first, end in spans:
            starts = [first, *(cut for cut in cuts if first < cut < end)]
            for start, stop in zip(starts, [*starts[1:], end], strict=True):
                code = column.first_possible(start, stop)
                if code is None and start >= column.pieces.missing:
                    code = start
                if code is not None:
                    found.append(code)
        return found

    def _held(self, column: Column, code: int) -> int:
        return column.pieces.open(code) if self._open_acts else column.pieces.true(code)
