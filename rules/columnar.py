"""Many records at a time: checked expressions and Arrow columns in, the rows where they hold out.

Rows go through in blocks that stay in the processor's cache. Each distinct sub-expression is computed once a
block, however many rules share it; one that reads a single text column is computed once per distinct text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from rules.columns import Batch, Gathered, Texts
from rules.expression import STRING, CheckedExpression
from rules.functions.forms import Column, Truth, is_constant, present, spread
from rules.hits import NOWHERE, Hits
from rules.scalar import Lists
from rules.steps import Plan

BLOCK = 32_768


def conditions(expressions: Sequence[CheckedExpression], lists: Lists | None = None) -> Conditions:
    """Prepare conditions for batches."""
    return Conditions(expressions, lists or {})


def value(expression: CheckedExpression, lists: Lists | None = None) -> Value:
    """Prepare one expression for batches."""
    return Value(expression, lists or {})


class Conditions:
    """Conditions ready for batches; threads may share it.

    The plan is made for the first batch: who decides record by record, as after a live edit, never needs it.
    """

    def __init__(self, expressions: Sequence[CheckedExpression], lists: Lists) -> None:
        self._expressions, self._lists = tuple(expressions), lists

    @cached_property
    def _plan(self) -> Plan:
        return Plan([expression.node for expression in self._expressions], self._lists)

    def evaluate(self, batch: pa.RecordBatch) -> Hits:
        """Say which conditions hold where, and where they are unknown."""
        plan, rows = self._plan, batch.num_rows
        columns = Batch(batch, plan.types)
        true: list[list[np.ndarray]] = [[] for _ in plan.roots]
        unknown: list[list[np.ndarray]] = [[] for _ in plan.roots]
        lifted: dict[int, Gathered | None] = {}
        with np.errstate(all="ignore"):
            for start in range(0, rows, BLOCK):
                stop = min(start + BLOCK, rows)
                block = Block(plan, columns, start, stop, lifted)
                for number, root in enumerate(plan.roots):
                    result = block.truth(root)
                    true[number].append(_rows(result.true, start))
                    if result.false is not None:
                        unknown[number].append(_rows(~(result.true | result.false), start))
        return Hits(rows, tuple(map(_joined, true)), tuple(map(_joined, unknown)))


class Value:
    """One expression ready for batches; nothing in it changes, threads may share it."""

    def __init__(self, expression: CheckedExpression, lists: Lists) -> None:
        self._plan = Plan([expression.node], lists)
        self._type = expression.type

    def evaluate(self, batch: pa.RecordBatch) -> tuple[Any, np.ndarray]:
        """Compute the value of every row.

        `(n rows)` batch → `(n,)` values and `(n,)` bool where there is one. Values are NumPy: bool, int64,
        float64, timestamps int64 microseconds; texts are an Arrow string array.
        """
        columns = Batch(batch, self._plan.types)
        lifted: dict[int, Gathered | None] = {}
        values: list[Any] = []
        valid: list[np.ndarray] = []
        with np.errstate(all="ignore"):
            for start in range(0, max(batch.num_rows, 1), BLOCK):
                stop = min(start + BLOCK, batch.num_rows)
                some, held = Block(self._plan, columns, start, stop, lifted).value(self._plan.roots[0])
                values.append(some)
                valid.append(held)
        joined = pa.concat_arrays(values) if self._type == STRING else np.concatenate(values)
        return joined, np.concatenate(valid)


class Block:
    """Rows start to stop of a batch under evaluation; keeps what is asked for more than once."""

    def __init__(
        self, plan: Plan, columns: Batch, start: int, stop: int, lifted: dict[int, Gathered | None]
    ) -> None:
        self.rows = stop - start
        self._plan = plan
        self._columns = columns
        self._start, self._stop = start, stop
        self._lifted = lifted
        self._kept: dict[int, Column | Truth] = {}
        self._distinct: Column | None = None
        self._outer: Block | None = None
        self._entries: dict[int, Column] = {}

    def get(self, key: int) -> Column | Truth:
        """Evaluate one node; a shared one once, and outside a quantifier what does not hang on its entry."""
        if self._outer is not None and key not in self._plan.bound:
            return self._outer.get(key)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._plan.steps[key](self)
            if key in self._plan.shared:
                self._kept[key] = kept
        return kept

    def truth(self, key: int) -> Truth:
        """Evaluate a bool; a null literal is one that is never true nor false."""
        result = self.get(key)
        if isinstance(result, Truth):
            return result
        nowhere = np.zeros(self.rows, dtype=bool)
        return Truth(nowhere, nowhere)

    def value(self, key: int) -> tuple[Any, np.ndarray]:
        """Evaluate a node: `(rows,)` values, and where there is one."""
        result = self.get(key)
        valid = present(result)
        if isinstance(result, Truth):
            values = result.true
        elif is_constant(result.values):
            values = spread(self.rows, result.type, result.values)
        else:
            values = result.values
        return values, np.ones(self.rows, dtype=bool) if valid is None else valid

    def column(self, name: str) -> Column | Truth:
        """Give these rows of one column."""
        if self._distinct is not None:
            return self._distinct
        return self._columns.block(name, self._start, self._stop)

    def element(self, number: int) -> Column:
        """Give the entry that a quantifier is at."""
        return self._entries[number]

    def at(self, number: int, entry: Column) -> Block:
        """Give the same rows with a quantifier at another entry."""
        inner = Block(self._plan, self._columns, self._start, self._stop, self._lifted)
        inner._distinct, inner._outer = self._distinct, self
        inner._entries = {**self._entries, number: entry}
        return inner

    def gather(self, key: int, name: str) -> Column | Truth | None:
        """Give a node that reads one text column by its results per distinct text; None if not worth it.

        The distinct texts, and a null after them, are evaluated once a batch, as a block of their own.
        """
        if self._distinct is not None or key in self._plan.bound:
            return None
        if key not in self._lifted:
            texts = self._columns[name]
            dictionary = texts.dictionary if isinstance(texts, Texts) else None
            self._lifted[key] = None
            if dictionary is not None:
                inner = Block(self._plan, self._columns, 0, len(dictionary.values.values), self._lifted)
                inner._distinct = dictionary.values
                self._lifted[key] = Gathered(dictionary, inner.get(key))
        gathered = self._lifted[key]
        return None if gathered is None else gathered.block(self._start, self._stop)


def _rows(mask: np.ndarray, start: int) -> np.ndarray:
    """Number the rows of a mask whose first row is `start`."""
    return (np.flatnonzero(mask) + start).astype(np.int32)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    held = [part for part in parts if len(part)]
    return np.concatenate(held) if held else NOWHERE
