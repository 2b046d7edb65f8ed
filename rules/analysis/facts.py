"""Many records and every condition in, what is true and unknown where out: facts, not guesses.

Most questions about rules are settled by one record. The records are drawn from the boxes in which the rules'
conditions hold, from the inline tests, and at random over the cells.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from rules.aim import aim
from rules.analysis.cells import Cells, Domain
from rules.analysis.formula import Box, Formula, GaveUp, Search
from rules.analysis.space import Space
from rules.analysis.wants import TRUE, UNKNOWN, Want
from rules.arrays import column
from rules.columnar import Conditions
from rules.expression import STRING, CheckedExpression, Name, Variable
from rules.fitting import fits

AT_RANDOM = 128


class Facts:
    """Records that could be given, and the rows in which each condition is true or unknown.

    `evaluator` holds the conditions. `true` and `unknown` are `(conditions, records)` bool.
    """

    def __init__(
        self,
        expressions: Sequence[CheckedExpression],
        space: Space,
        variables: Sequence[Variable],
        evaluator: Conditions,
        seed: int,
    ) -> None:
        used = {name for expression in expressions for name in expression.variables}
        self._variables = [variable for variable in variables if variable.name in used]
        self._space, self._evaluator = space, evaluator
        self._random = random.Random(seed)  # noqa: S311 — drawn for tests, not for secrets
        axes = {node.name: axis for axis, node in enumerate(space.nodes) if isinstance(node, Name)}
        self._axes = [(one.name, axes.get(one.name), one.nullable) for one in self._variables]
        self._free = {one.name: _free(one) for one in self._variables if one.name not in axes}
        self._named = frozenset(axes.values())
        self.records: list[dict[str, Any]] = []
        self._true, self._unknown = (np.zeros((len(expressions), 0), dtype=bool) for _ in range(2))

    @property
    def true(self) -> np.ndarray:
        return self._true[:, : len(self.records)]

    @property
    def unknown(self) -> np.ndarray:
        return self._unknown[:, : len(self.records)]

    def gather(self, given: Iterable[Mapping[str, Any]], aims: Iterable[Formula]) -> None:
        """Try the records given, some for each aim, and some at random."""
        records = [self._whole(values) for values in given]
        for wanted in aims:
            try:
                for box in islice(Search([wanted], self._space.full).boxes(), 1):
                    records += [self.draw(box), self.draw(box, bare=True)]
            except GaveUp:
                continue
        self.add([*records, *(self.draw({}) for _ in range(AT_RANDOM))])

    def add(self, records: Sequence[dict[str, Any]]) -> list[int | None]:
        """Evaluate more records; gives the place of each, None of one that the schema does not allow."""
        first = len(self.records)
        found: list[int | None] = []
        for record in records:
            fitting = self._fits(record)
            found.append(len(self.records) if fitting else None)
            if fitting:
                self.records.append(record)
        if len(self.records) > first:
            self._evaluate(first)
        return found

    def new(self, records: Sequence[dict[str, Any]]) -> slice:
        """Evaluate more records; gives where they stand."""
        first = len(self.records)
        self.add(records)
        return slice(first, len(self.records))

    def met(self, want: Want, among: slice = slice(None)) -> np.ndarray:
        """Say in which records a want is met."""
        true, unknown = self.true[want.condition, among], self.unknown[want.condition, among]
        word = want.result.removeprefix("not ")
        rows = true if word == TRUE else unknown if word == UNKNOWN else ~(true | unknown)
        return ~rows if word != want.result else rows

    def draw(self, box: Box, *, bare: bool = False) -> dict[str, Any]:
        """Draw a record from a box; a bare one has no values but those that the box asks for."""
        record: dict[str, Any] = {}
        drawn, cells = self._drawn, self._space.cells
        for name, axis, nullable in self._axes:
            if bare and nullable and axis not in box:
                record[name] = None
            elif axis is None:
                record[name] = drawn(self._free[name], None)
            else:
                record[name] = drawn(cells[axis], box.get(axis))
        if terms := [axis for axis in box if axis not in self._named]:
            nodes = self._space.nodes
            taken = {node.name for axis in box if isinstance(node := nodes[axis], Name)}
            for axis in terms:
                aim(nodes[axis], drawn(cells[axis], box[axis]), record, taken)
        return record

    def _drawn(self, cells: Cells, among: int | None) -> Any:
        """Draw a value from some cells, or from all: then few are missing."""
        choice = cells.full if among is None else among
        present = choice & cells.present
        if present and (among is not None or self._random.random() < 0.9):
            choice = present
        if not choice:
            return None
        start = self._below(choice.bit_length())
        after = choice >> start
        cell = start + _lowest(after) if after else _lowest(choice)
        if cell in cells.members:
            members = cells.members[cell]
            return members[self._below(len(members))]
        return cells.value(cell)

    def _below(self, end: int) -> int:
        """Draw a number from 0 to before `end`: `randrange`, which takes thrice as long."""
        width = end.bit_length()
        draw = self._random.getrandbits
        while (number := draw(width)) >= end:
            pass
        return number

    def _whole(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Fill in what a test leaves out, and could not be missing in a record."""
        record = self.draw({})
        return {
            variable.name: values[variable.name]
            if values.get(variable.name) is not None or (variable.name in values and variable.nullable)
            else (None if variable.nullable else record[variable.name])
            for variable in self._variables
        }

    def _fits(self, record: Mapping[str, Any]) -> bool:
        for variable in self._variables:
            value = record[variable.name]
            if not (variable.nullable if value is None else fits(variable, value)):
                return False
        return True

    def _evaluate(self, first: int) -> None:
        """Evaluate the records from `first` on."""
        records = self.records[first:]
        columns = {
            variable.name: column(variable.type, [record[variable.name] for record in records])
            for variable in self._variables
        }
        columns = columns or {"": column("bool", [None] * len(records))}
        hits = self._evaluator.evaluate(pa.RecordBatch.from_pydict(columns))
        if len(self.records) > self._true.shape[1]:
            more = ((0, 0), (0, len(self.records)))
            self._true, self._unknown = np.pad(self.true, more), np.pad(self.unknown, more)
        _mark(self._true[:, first:], hits.true)
        _mark(self._unknown[:, first:], hits.unknown)


def _mark(held: np.ndarray, rows: Sequence[np.ndarray]) -> None:
    """Set for each condition the rows where it holds."""
    if rows:
        held[np.repeat(np.arange(len(rows)), list(map(len, rows))), np.concatenate(rows)] = True


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _free(variable: Variable) -> Cells:
    """Give the cells of a field that nothing is compared with constants in: other fields, say, are."""
    low, high = variable.minimum, variable.maximum
    domain = Domain(variable.type, variable.nullable, False, low, high, variable.values)
    if variable.type != STRING or variable.values is not None:
        return domain.cut()
    return Cells(["other", "another"], variable.nullable)  # two texts, so that two fields may differ
