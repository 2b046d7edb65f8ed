"""The inputs of a decision table with the values that they may take, and records made of such values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

from rules.aim import aim
from rules.checked_tables import CheckedTable
from rules.expression import CIDR, Name, Node, Variable, walk
from rules.fitting import fits
from rules.functions.table import ERROR
from rules.membership import Lists
from rules.table_beside import Beside
from rules.table_run import Inputs
from rules.table_values import IMPOSSIBLE, Column, some_value

MOST_STEPS = 300_000
LISTED_TRIED = 1_000
TERMS_TRIED = 4
"""Values of computed inputs that one record is made for."""


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
        self._blank = {name: some_value(known[name]) if name in known else None for name in names}

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
            value = next(column.values(some), IMPOSSIBLE)
            if value is not IMPOSSIBLE:
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
