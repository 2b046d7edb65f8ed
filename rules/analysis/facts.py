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

from rules.analysis.aim import aim
from rules.analysis.formula import Box, Formula, GaveUp, Search
from rules.analysis.space import Space
from rules.analysis.wants import TRUE, UNKNOWN, Want
from rules.arrays import column
from rules.columnar import conditions
from rules.expression import CheckedExpression, Name, Variable

AT_RANDOM = 128


class Facts:
    """Records that could be given, and the rows in which each condition is true or unknown.

    `true` and `unknown` are `(conditions, records)` bool.
    """

    def __init__(
        self,
        expressions: Sequence[CheckedExpression],
        space: Space,
        variables: Sequence[Variable],
        lists: Mapping[str, Any],
        seed: int,
    ) -> None:
        used = {name for expression in expressions for name in expression.variables}
        self._variables = [variable for variable in variables if variable.name in used]
        self._expressions, self._lists, self._space = expressions, lists, space
        self._evaluator = conditions(expressions, lists)
        self._draw = random.Random(seed)  # noqa: S311 — drawn for tests, not for secrets
        self._names = {node.name: axis for axis, node in enumerate(space.nodes) if isinstance(node, Name)}
        self.records: list[dict[str, Any]] = []
        self.true = np.zeros((len(expressions), 0), dtype=bool)
        self.unknown = self.true

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
        fitting = [record for record in records if self._fits(record)]
        places = iter(range(len(self.records), len(self.records) + len(fitting)))
        if fitting:
            true, unknown = self._evaluate(fitting)
            self.records += fitting
            self.true = np.concatenate([self.true, true], axis=1)
            self.unknown = np.concatenate([self.unknown, unknown], axis=1)
        kept = iter(fitting)
        following = next(kept, None)
        found: list[int | None] = []
        for record in records:
            found.append(next(places) if record is following else None)
            following = next(kept, None) if record is following else following
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
        for variable in self._variables:
            axis = self._names.get(variable.name)
            none = axis is None or (bare and variable.nullable and axis not in box)
            record[variable.name] = None if axis is None or none else self._value(axis, box.get(axis))
        taken = {node.name for axis in box if isinstance(node := self._space.nodes[axis], Name)}
        for axis in box:
            node = self._space.nodes[axis]
            if not isinstance(node, Name):
                aim(node, self._value(axis, box[axis]), record, taken)
        return record

    def _value(self, axis: int, among: int | None) -> Any:
        cells = self._space.cells[axis]
        choice = cells.full if among is None else among
        present = choice & cells.present
        if present and (among is not None or self._draw.random() < 0.9):
            choice = present
        if not choice:
            return None
        start = self._draw.randrange(choice.bit_length())
        after = choice >> start
        cell = start + _lowest(after) if after else _lowest(choice)
        return self._draw.choice(cells.members[cell]) if cell in cells.members else cells.value(cell)

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
        return all(fits(variable, record[variable.name]) for variable in self._variables)

    def _evaluate(self, records: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        columns = {
            variable.name: column(variable.type, [record[variable.name] for record in records])
            for variable in self._variables
        }
        count = len(records)
        columns = columns or {"": column("bool", [None] * count)}
        hits = self._evaluator.evaluate(pa.RecordBatch.from_pydict(columns))
        true, unknown = (np.zeros((len(self._expressions), count), dtype=bool) for _ in range(2))
        for number in range(len(self._expressions)):
            true[number, hits.true[number]] = True
            unknown[number, hits.unknown[number]] = True
        return true, unknown


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def fits(variable: Variable, value: Any) -> bool:
    """Say whether the schema allows this value."""
    if value is None:
        return variable.nullable
    if variable.type == "int" and not -(2**63) <= value < 2**63:
        return False
    if variable.type == "timestamp" and not -62_135_596_800_000_000 <= value <= 253_402_300_799_999_999:
        return False
    if variable.type == "double" and not abs(value) < float("inf"):
        return False
    low = variable.minimum is None or value >= variable.minimum
    high = variable.maximum is None or value <= variable.maximum
    return low and high and (variable.values is None or value in variable.values)
