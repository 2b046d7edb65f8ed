"""A decision table at work: a record or a batch in, the rows that hit by its hit policy out.

first and priority give the one row that decides, and the rows left open that could have decided instead;
unique and collect give every row that holds. Open rows are told up to OPEN_TOLD a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from rules.cell_conditions import looked_up as listed
from rules.cells import ANY, Cell, Test
from rules.checked_tables import CheckedTable
from rules.expression import BOOL, NULL, Call, CheckedExpression, Literal, Name, Node
from rules.functions.table import ERROR
from rules.membership import Lists
from rules.scalar import compile_conditions, compile_value
from rules.table_index import Index, gathered, positions
from rules.table_parts import State
from rules.table_rank import moves_open, row_ranks

OPEN_TOLD = 16
"""Rows of one table told as left open by a record: a missing input may leave whole tables open."""

Settled = tuple[
    tuple[int, ...], tuple[int, ...]
]  # the rows that hit, and those that are open: places, rising
Load = Callable[[Mapping[str, Any]], Sequence[Any]]


class TableRun:
    """One table compiled: immutable to whoever uses it, and safe to share between threads."""

    def __init__(self, checked: CheckedTable, lists: Lists, outcomes: Sequence[str]) -> None:
        table = checked.table
        self._single = table.hit_policy in ("first", "priority")
        self._open_hits = table.on_unknown in ("fire", "review")
        rows = len(table.rows)
        # Bit i stands for the i-th weakest row, so that the strongest that holds is the highest bit.
        holding, opened = row_ranks(table, outcomes)
        order = sorted(range(rows), key=holding.__getitem__, reverse=True)
        self._moves_open = moves_open(table)
        self._holding, self._opening = holding, np.array(opened if self._moves_open else (), dtype=np.int64)
        self._arrays: dict[int, tuple[Sequence[int], np.ndarray]] = {}
        inputs = Inputs(checked, lists)
        self._inputs = inputs
        columns = [(kind, [cells[row] for row in order]) for kind, cells in inputs.columns]
        self._index = Index(columns, order, self.settle)

    def record(self, values: Mapping[str, Any]) -> Settled:
        """Give the rows that hit and the rows left open."""
        return self._index.find(self._inputs.load(values))

    def batch(self, batch: pa.RecordBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give for each hit, and each row left open, the record, the row, and whether it is left open.

        **Shape**: n records → `(hits,)` int32 twice and bool, by record, then by row.
        """
        codes = self._inputs.codes(batch, self._index)
        records, rows, opened = [], [], []
        start = 0
        for numbers, known in self._index.find_all(codes, batch.num_rows):
            flat = self._flat(known)
            lengths = flat.lengths[numbers]
            at = gathered(flat.starts[numbers], lengths)
            records.append(np.repeat(np.arange(start, start + len(numbers), dtype=np.int32), lengths))
            rows.append(flat.rows[at])
            opened.append(flat.opened[at])
            start += len(numbers)
        return np.concatenate(records), np.concatenate(rows), np.concatenate(opened)

    def settle(self, state: State, rows: Sequence[int]) -> Settled:
        """Apply the hit policy to the rows that hold, and that hold or are unknown: bits of `rows`."""
        true, open_ = state
        top, most = true.bit_length(), open_.bit_length()
        if self._single:
            if self._moves_open and open_ != true:
                return self._strongest(true, open_ & ~true, rows)
            if top == most:
                return ((rows[top - 1],), ()) if top else _NOTHING
            if self._open_hits:
                return (), (rows[most - 1],)
            above = (open_ >> top) << top  # what holds and is not open has no bit above the highest
            return ((rows[top - 1],) if top else ()), _chosen(above, rows, OPEN_TOLD)
        limit = len(rows) if self._open_hits else OPEN_TOLD
        return _chosen(true, rows, len(rows)), _chosen(true ^ open_, rows, limit)

    def _strongest(self, true: int, opened: int, rows: Sequence[int]) -> Settled:
        """Give the one row that wins where open rows stand by another outcome than where they hold."""
        # INVARIANT: the rows are kept with their array, so that no other ones come to have their id.
        kept, every = self._arrays.setdefault(id(rows), (rows, np.array(rows)))
        among = every[positions(opened, len(kept))]
        row = int(among[np.argmin(self._opening[among])])
        if true and self._holding[best := rows[true.bit_length() - 1]] < self._opening[row]:
            return (best,), ()
        return (), (row,)

    def _flat(self, known: Sequence[Settled]) -> _Flat:
        kept = self.__dict__.get("_kept")
        if kept is None or kept.known is not known or len(kept.lengths) < len(known):
            kept = self.__dict__["_kept"] = _Flat(known)
        return kept


_NOTHING: Settled = ((), ())


def _chosen(bits: int, rows: Sequence[int], most: int) -> tuple[int, ...]:
    """Give the rows of the highest bits, in the order of the table."""
    if not bits & (bits - 1):
        return (rows[bits.bit_length() - 1],) if bits else ()
    return tuple(sorted(rows[place] for place in positions(bits, len(rows))[-most:].tolist()))


class _Flat:
    """Settled rows by number, as arrays."""

    def __init__(self, known: Sequence[Settled]) -> None:
        self.known = known
        merged = [
            sorted([(row, False) for row in hit] + [(row, True) for row in open_]) for hit, open_ in known
        ]
        self.lengths = np.array([len(one) for one in merged], dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.rows = np.array([row for one in merged for row, _ in one], dtype=np.int32)
        self.opened = np.array([open_ for one in merged for _, open_ in one], dtype=bool)


class Inputs:
    """The columns that the index takes: every input, and whether it is in each list that cells name."""

    def __init__(self, checked: CheckedTable, lists: Lists) -> None:
        self._expressions = checked.inputs
        self._lists = lists
        self.columns = table_columns(checked)
        looked_up = list(_looked_up(checked))
        self._worked_out = [
            place for place, one in enumerate(checked.inputs) if not isinstance(one.node, Name)
        ]
        null = Literal(NULL, None)
        self._conditions = [
            *(
                _condition(Call("equals", (one.node, null), BOOL), f"{one.text} == null")
                for one in map(checked.inputs.__getitem__, self._worked_out)
            ),
            *(
                _condition(listed(one.node, name, checked.lists[name]), f"{one.text} in {name}")
                for one, name, _ in looked_up
            ),
        ]
        self._names = [one.node.name if isinstance(one.node, Name) else "" for one in checked.inputs]
        self.load: Load = self._load_all if self._conditions else _loading(self._names)

    def codes(self, batch: pa.RecordBatch, index: Index[Any]) -> list[np.ndarray]:
        """Give the codes of every column that the index asks, in its order: `(n,)` int32 each."""
        size, inputs = batch.num_rows, len(self._expressions)
        true: dict[int, np.ndarray] = {}
        failed: dict[int, np.ndarray] = {}
        if self._conditions:
            hits = self._columnar.evaluate(batch)
            places = [
                *self._worked_out,
                *range(inputs, inputs + len(self._conditions) - len(self._worked_out)),
            ]
            for number, place in enumerate(places):
                failed[place] = _mask(hits.unknown[number], size)
                true[place] = _mask(hits.true[number], size)
        every = np.ones(size, dtype=bool)
        codes = []
        for place, pieces in zip(index.order, index.pieces, strict=True):
            if place < inputs:
                values, valid = self._values[place].evaluate(batch)
            else:
                values, valid = true[place], every
            codes.append(pieces.column(values, valid, failed.get(place)))
        return codes

    def _load_all(self, values: Mapping[str, Any]) -> Sequence[Any]:
        found = [values.get(name) for name in self._names]
        true, unknown = self._scalar(values)
        for place, value in zip(self._worked_out, self._scalars, strict=True):
            found[place] = value(values)
        first = len(self._worked_out)
        found += [False] * (len(self._conditions) - first)
        inputs = len(self._names)
        for number in true:
            if number >= first:
                found[inputs + number - first] = True
        for number in unknown:
            found[self._worked_out[number] if number < first else inputs + number - first] = ERROR
        return found

    @cached_property
    def _scalar(self) -> Callable[[Mapping[str, Any]], tuple[list[int], list[int]]]:
        return compile_conditions(self._conditions, self._lists)

    @cached_property
    def _scalars(self) -> list[Callable[[Mapping[str, Any]], Any]]:
        return [compile_value(self._expressions[place], self._lists) for place in self._worked_out]

    # Imported and made for the first batch: who decides record by record never needs it.
    @cached_property
    def _columnar(self) -> Any:
        from rules.columnar import conditions

        return conditions(self._conditions, self._lists)

    @cached_property
    def _values(self) -> list[Any]:
        from rules.columnar import value

        return [value(one, self._lists) for one in self._expressions]


def table_columns(checked: CheckedTable) -> list[tuple[str, Sequence[Cell]]]:
    """Give the type and the cells of every input, then of whether it is in a list, for each list asked."""
    columns: list[tuple[str, Sequence[Cell]]] = []
    for expression, cells in zip(checked.inputs, checked.cells, strict=True):
        listed = any(cell.list for cell in cells)
        columns.append((expression.type, [ANY if cell.list else cell for cell in cells] if listed else cells))
    return columns + [(BOOL, cells) for _, _, cells in _looked_up(checked)]


def _looked_up(checked: CheckedTable) -> Iterator[tuple[CheckedExpression, str, Sequence[Cell]]]:
    for expression, cells in zip(checked.inputs, checked.cells, strict=True):
        for name in dict.fromkeys(cell.list for cell in cells):
            if name:
                yield expression, name, [_membership(cell) if cell.list == name else ANY for cell in cells]


def _loading(names: Sequence[str]) -> Load:
    """Make what gives a record's values by these names; a record that lacks some takes the slower way."""
    if len(names) == 1:
        only = names[0]
        return lambda values: (values.get(only),)
    get = itemgetter(*names)

    def load(values: Mapping[str, Any]) -> Sequence[Any]:
        try:
            found: Sequence[Any] = get(values)
        except KeyError:
            return [values.get(name) for name in names]
        return found

    return load


def _membership(cell: Cell) -> Cell:
    """Turn `in a_list` into a test of whether the value is in it."""
    return Cell((Test("==", True),), cell.negated)


def _condition(node: Node, text: str) -> CheckedExpression:
    from rules.checked import express

    return express(text, node)


def _mask(rows: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    mask[rows] = True
    return mask
