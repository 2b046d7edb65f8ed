"""What is wrong with a whole decision table: rows that overlap, and gaps; each with a record that shows it.

Both are found on the pieces of the inputs, so that no value is left out, and every record is run through the
rows' conditions before it is given. Where inputs depend on each other (an expression, a list, a field used
twice) a record may not be found: such a case is counted as undecided, and so is what the bounds cut off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from rules.aim import aim
from rules.cells import Cell
from rules.checked_tables import CheckedTable
from rules.expression import BOOL, CIDR, DOUBLE, STRING, TIMESTAMP, Call, Name, Node, Variable, walk
from rules.fitting import FIRST_MOMENT, LAST_MOMENT, fits
from rules.functions.table import ERROR
from rules.membership import Lists
from rules.pieces import Pieces, Span
from rules.table_beside import Beside
from rules.table_beside import Column as Stretches
from rules.table_index import Cuts, positions
from rules.table_run import Inputs
from rules.terms import RANGES

MOST_STEPS = 300_000
MOST_TRIED = 20_000
LISTED_TRIED = 1_000
TERMS_TRIED = 4
"""Values of computed inputs that one record is made for."""


@dataclass(frozen=True)
class Overlap:
    """Two rows, by their places, that both hold on a record."""

    first: int
    second: int
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Gap:
    """A record without a missing value on which no row holds."""

    record: Mapping[str, Any]


@dataclass(frozen=True)
class Overlaps:
    """The first overlaps in file order, how many pairs of rows overlap at most, and what stayed undecided."""

    found: tuple[Overlap, ...]
    pairs: int
    undecided: int = 0
    cut_off: bool = False


@dataclass(frozen=True)
class Gaps:
    """Some gaps, each in another part of the table; without any, and none undecided, there is none."""

    found: tuple[Gap, ...]
    undecided: int = 0
    cut_off: bool = False


def overlaps(domain: Domain, *, most: int = 20) -> Overlaps:
    """Find rows that hold on one record; `most` of them are given with such a record."""
    domain.tried = 0
    beside = domain.beside
    if beside is None:
        return Overlaps((), 0, cut_off=True)
    found: list[Overlap] = []
    pairs = undecided = 0
    for row in range(domain.rows):
        later = beside.of(row) >> (row + 1)
        if not later:
            continue
        pairs += later.bit_count()
        if domain.tried > MOST_TRIED:
            continue
        for place in islice(_bits(later), most):
            if len(found) >= most or domain.tried > MOST_TRIED:
                break
            other = row + 1 + place
            record = domain.witness(
                [column.common(column.cells[row], column.cells[other]) for column in domain.columns],
                (row, other),
            )
            if record is None:
                undecided += 1
            else:
                found.append(Overlap(row, other, record))
    return Overlaps(tuple(found), pairs, undecided, cut_off=pairs > len(found) + undecided)


def gaps(domain: Domain, *, most: int = 10) -> Gaps:
    """Find records without missing values on which no row holds, at a time at which the table does."""
    if domain.table.timed and len(set(domain.table.cells[-1])) == 1:
        domain = domain.untimed()
    domain.tried = 0
    columns = sorted(domain.columns, key=lambda column: column.pieces.share)
    cuts = [Cuts(column.pieces) for column in columns]
    seen: list[set[tuple[int, int]]] = [set() for _ in columns]
    found: list[Gap] = []
    steps = undecided = 0
    # Depth first: what is left after some inputs, and the code chosen for each of them.
    pending: list[tuple[int, tuple[int, ...]]] = [((1 << domain.rows) - 1, ())]
    while pending and len(found) < most:
        left, chosen = pending.pop()
        level = len(chosen)
        if not left or level == len(columns):
            if not left:
                record = domain.gap(columns, chosen)
                if record is None:
                    undecided += 1
                else:
                    found.append(Gap(record))
            continue
        if (left.bit_length(), left) in seen[level]:
            continue
        seen[level].add((left.bit_length(), left))
        column = columns[level]
        places = cuts[level].of(left, domain.rows)
        places = places[places < column.pieces.missing].tolist()
        steps += len(places) + left.bit_count() // 4  # what the rows that are left cost to look through
        if steps > MOST_STEPS or domain.tried > MOST_TRIED:
            return Gaps(tuple(found), undecided, cut_off=True)
        for place, end in zip(reversed(places), reversed([*places[1:], column.pieces.missing]), strict=True):
            code = column.first_possible(place, end)
            if code is not None:
                pending.append((left & column.pieces.true(code), (*chosen, code)))
    return Gaps(tuple(found), undecided, cut_off=bool(pending))


class Domain:
    """The inputs of a table with the values that they may take: made once for all that is asked of it.

    `columns` are those of the table, where they have been made before.
    """

    def __init__(
        self,
        table: CheckedTable,
        variables: Sequence[Variable],
        lists: Lists,
        columns: Sequence[Column] | None = None,
    ) -> None:
        self.rows = len(table.table.rows)
        self.table, self._variables, self._lists = table, variables, lists
        self._inputs = Inputs(table, lists)
        self.columns = list(self._made() if columns is None else columns)
        self.tried = 0
        names = sorted({name for one in table.inputs for name in one.variables})
        known = {variable.name: variable for variable in variables}
        self._fields = [known[name] for name in names if name in known]
        self._blank = {name: _plain(known[name]) if name in known else None for name in names}

    def _made(self) -> Iterator[Column]:
        known = {variable.name: variable for variable in self._variables}
        inputs = self.table.inputs
        for place, (kind, cells) in enumerate(self._inputs.columns):
            node = inputs[place].node if place < len(inputs) else None
            variable = known.get(node.name) if isinstance(node, Name) else None
            yield Column(kind, cells, variable, None if isinstance(node, Name) else node)

    def untimed(self) -> Domain:
        """Give the domain without the last input, which is the time at which rows hold."""
        table = self.table
        last = len(table.inputs) - 1
        less = replace(table, inputs=table.inputs[:last], cells=table.cells[:last])
        columns = [*self.columns[:last], *self.columns[last + 1 :]]
        return Domain(less, self._variables, self._lists, columns)

    def holding(self, record: Mapping[str, Any]) -> tuple[int, int]:
        """Give (bits) the rows that hold on a record, and those that hold or are unknown."""
        true = open_ = (1 << self.rows) - 1
        for value, column in zip(self._inputs.load(record), self.columns, strict=True):
            code = column.pieces.code(value)
            true &= column.pieces.true(code)
            open_ &= column.pieces.open(code)
        return true, open_

    @cached_property
    def beside(self) -> Beside | None:
        """The rows that may hold where a row does; None where telling takes too long."""
        asking = [column for column in self.columns if len(column.pieces.groups) > 1]
        asking = asking or self.columns[:1]
        if any(column.parted * len(column.pieces.groups) > 2 * MOST_STEPS for column in asking):
            return None
        return Beside([column.stretches() for column in asking], self.rows)

    def witness(self, codes: Sequence[Sequence[int]], rows: Sequence[int]) -> Mapping[str, Any] | None:
        """Give a record with one of the codes in every column, on which these rows hold; or none, without."""
        for record in self._candidates(codes):
            self.tried += 1
            true, _ = self.holding(record)
            if all(true >> row & 1 for row in rows) if rows else not true and self._whole(record):
                return record
        return None

    def _whole(self, record: Mapping[str, Any]) -> bool:
        """Say whether a record has every input."""
        return all(value is not None and value is not ERROR for value in self._inputs.load(record))

    def opened(self, codes: Sequence[Sequence[int]], row: int) -> Mapping[str, Any] | None:
        """Give a record with one of the codes in every column, on which a row is open; or none."""
        for record in self._candidates(codes):
            self.tried += 1
            true, open_ = self.holding(record)
            if (open_ & ~true) >> row & 1:
                return record
        return None

    def gap(self, columns: Sequence[Column], chosen: Sequence[int]) -> Mapping[str, Any] | None:
        """Give a record with the codes chosen for the first of these columns, on which no row holds."""
        by_column = {id(column): [code] for column, code in zip(columns, chosen, strict=False)}
        codes: list[Sequence[int]] = []
        for column in self.columns:
            some = column.first_possible(0, column.pieces.missing)
            codes.append(by_column.get(id(column), [] if some is None else [some]))
        return self.witness(codes, ())

    def _candidates(self, codes: Sequence[Sequence[int]]) -> Iterator[dict[str, Any]]:
        """Give records that the schema allows and that may have one of the codes in every column."""
        for record in self._drawn(codes):
            if all(fits(variable, record[variable.name]) for variable in self._fields):
                yield record

    def _drawn(self, codes: Sequence[Sequence[int]]) -> Iterator[dict[str, Any]]:
        record = dict(self._blank)
        taken = set()
        for column, some in zip(self.columns, codes, strict=True):
            if column.variable is None:
                continue
            value = next(column.values(some), _IMPOSSIBLE)
            if value is not _IMPOSSIBLE:
                record[column.variable.name] = value
                taken.add(column.variable.name)
        terms = [
            (column.node, list(islice(column.values(some), TERMS_TRIED)))
            for column, some in zip(self.columns, codes, strict=True)
            if column.node is not None
        ]
        terms = [(node, values) for node, values in terms if values]
        for number in range(max((len(values) for _, values in terms), default=0)):
            yield self._aimed(record, taken, [(node, values[number % len(values)]) for node, values in terms])
        yield record
        for place, column in enumerate(self.columns[: len(self.table.inputs)]):
            names = {cell.list for cell in self.table.cells[place] if cell.list}
            if column.variable is None:
                continue
            for name in sorted(names):
                for entry in islice(self._lists[name], LISTED_TRIED):
                    value = entry.partition("/")[0] if self.table.lists[name] == CIDR else entry
                    yield {**record, column.variable.name: value}

    def _aimed(
        self, record: Mapping[str, Any], taken: Set[str], terms: Sequence[tuple[Node, Any]]
    ) -> dict[str, Any]:
        """Give the record with fields set so that the terms may come out as wanted."""
        aimed, held = dict(record), set(taken)
        nullable = {variable.name for variable in self._fields if variable.nullable}
        for node, wanted in terms:
            if wanted is not None:
                aim(node, wanted, aimed, held)
                continue
            names = (part.name for part in walk(node) if isinstance(part, Name) and part.name not in held)
            aimed.update((name, None) for name in names if name in nullable)
        return aimed


class _Impossible:
    """The value of a piece that no value is in."""


_IMPOSSIBLE = _Impossible()


class Column:
    """One column: its cells, their pieces, and which of those a record can be in.

    `variable` is the field that it is, `node` the term that it is worked out by, if it is either.
    """

    def __init__(
        self, kind: str, cells: Sequence[Cell], variable: Variable | None, node: Node | None = None
    ) -> None:
        self.cells = tuple(cells)
        self.pieces = Pieces(kind, cells)
        self.variable, self.node = variable, node
        ends = RANGES.get(node.overload) if isinstance(node, Call) else None
        self._term = None if node is None else Variable("", kind, True, *(ends or ()))
        size = self.pieces.missing
        possible = np.ones(size + 1, dtype=bool)
        if variable is not None:
            possible[:size] = [self.value(code) is not _IMPOSSIBLE for code in range(size)]
            possible[size] = variable.nullable
        elif ends is not None:
            possible[:size] = [self.value(code) is not _IMPOSSIBLE for code in range(size)]
        elif kind == BOOL:
            possible[size] = False
        self._possible = np.flatnonzero(possible)
        self._spans: dict[Cell, list[Span]] = {}

    def value(self, code: int) -> Any:
        """Give a value that a record may have in a piece, None for the missing one, or _IMPOSSIBLE."""
        pieces, variable = self.pieces, self.variable or self._term
        if code == pieces.missing:
            return None
        if variable is None:
            return _IMPOSSIBLE
        if not pieces.ordered:
            return self._named(code, variable)
        if code % 2:
            return self._within(pieces.points[code // 2], variable)
        low = pieces.points[code // 2 - 1] if code else None
        high = pieces.points[code // 2] if code // 2 < len(pieces.points) else None
        return _between(low, high, variable)

    def values(self, codes: Iterable[int]) -> Iterator[Any]:
        """Give a value for each of some codes that a record can be in."""
        found = map(self.value, codes)
        return (value for value in found if value is not _IMPOSSIBLE)

    def first_possible(self, code: int, end: int) -> int | None:
        """Give the first code from `code` to before `end` that a record can be in."""
        at = int(np.searchsorted(self._possible, code))
        if at < len(self._possible) and self._possible[at] < end:
            return int(self._possible[at])
        return None

    def spans(self, cell: Cell) -> list[Span]:
        """Give where a cell holds, in the numbers of the possible codes."""
        known = self._spans.get(cell)
        if known is None:
            missing = self.pieces.missing
            spans = [span for span in self.pieces.spans(cell) if span[0] < missing]
            if self.pieces.on_missing(cell):
                spans.append((missing, missing + 1))
            ends = np.searchsorted(self._possible, [end for span in spans for end in span]).tolist()
            found: list[Span] = []
            for first, end in zip(ends[::2], ends[1::2], strict=True):
                if found and found[-1][1] == first:
                    found[-1] = found[-1][0], end
                elif first < end:
                    found.append((first, end))
            known = self._spans[cell] = found
        return known

    def common(self, one: Cell, other: Cell) -> list[int]:
        """Give some codes on which both cells hold: the first of every stretch."""
        starts = [
            max(a[0], b[0]) for a in self.spans(one) for b in self.spans(other) if a[0] < b[1] and b[0] < a[1]
        ]
        return [int(self._possible[start]) for start in sorted(starts)]

    @cached_property
    def parted(self) -> int:
        """How many of the distinct cells hold on more than one stretch of values."""
        return sum(len(self.spans(cell)) > 1 for cell in self.pieces.groups)

    def stretches(self) -> Stretches:
        """Give where the rows of each distinct cell hold."""
        return Stretches(self.pieces, [self.spans(cell) for cell in self.pieces.groups])

    def _named(self, code: int, variable: Variable) -> Any:
        points = self.pieces.points
        if code < len(points):
            return self._within(points[code], variable)
        named = set(points)
        if variable.values is not None:
            return next((value for value in variable.values if value not in named), _IMPOSSIBLE)
        if variable.type == BOOL:
            return next((value for value in (False, True) if value not in named), _IMPOSSIBLE)
        if variable.type == STRING:
            return next(
                word for word in (f"other{'_' * n}" for n in range(len(named) + 1)) if word not in named
            )
        low = variable.minimum if variable.minimum is not None else (points[-1] + 1 if points else 0)
        start = int(low) if variable.type != DOUBLE else float(math.ceil(low))
        for step in range(len(named) + 1):
            value = self._within(start + step, variable)
            if value is not _IMPOSSIBLE and value not in named:
                return value
        return _between(None, points[0] if points else None, variable)

    def _within(self, value: Any, variable: Variable) -> Any:
        if variable.values is not None and value not in variable.values:
            return _IMPOSSIBLE
        below = variable.minimum is not None and value < variable.minimum
        above = variable.maximum is not None and value > variable.maximum
        return _IMPOSSIBLE if below or above else value


def _plain(variable: Variable) -> Any:
    """Give some value that a field may have, one that is there."""
    if variable.values is not None:
        return next(iter(variable.values), None)
    if variable.type in (BOOL, STRING):
        return False if variable.type == BOOL else "other"
    value = _between(None, None, variable)
    return None if value is _IMPOSSIBLE else value


def _between(low: Any, high: Any, variable: Variable) -> Any:
    """Give a value strictly between two ends (None for none) that the variable may have."""
    if variable.type == STRING:
        if variable.values is not None:
            return next(
                (v for v in variable.values if (low is None or v > low) and (high is None or v < high)),
                _IMPOSSIBLE,
            )
        if low is None:
            return "" if high else _IMPOSSIBLE
        word = low + " "
        return word if high is None or word < high else _IMPOSSIBLE
    least, most = variable.minimum, variable.maximum
    if variable.type == TIMESTAMP:
        least, most = FIRST_MOMENT, LAST_MOMENT
    if variable.type == DOUBLE:
        least = -math.inf if least is None else float(least)
        most = math.inf if most is None else float(most)
        candidates = [least, most]
        if low is not None and high is not None:
            candidates.append(low + (high - low) / 2)
        candidates += [] if low is None else [low + 1.0, math.nextafter(low, math.inf)]
        candidates += [] if high is None else [high - 1.0, math.nextafter(high, -math.inf)]
        candidates += [0.0]
    else:
        least = -(2**63) if least is None else math.ceil(least)
        most = 2**63 - 1 if most is None else math.floor(most)
        candidates = [low + 1] if low is not None else [high - 1] if high is not None else [0]
        candidates += [least, most]
    for value in candidates:
        if (
            math.isfinite(value)
            and least <= value <= most
            and (low is None or value > low)
            and (high is None or value < high)
        ):
            return value
    return _IMPOSSIBLE


def _bits(bits: int) -> Iterator[int]:
    return iter(positions(bits, bits.bit_length()).tolist())
