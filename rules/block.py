"""The general evaluator: rows of a batch in, any node's value for each out, by the steps of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from rules.columns import Batch, Gathered, Texts
from rules.functions.forms import Column, Truth, is_constant, present, spread
from rules.plan import Plan


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
            gathered = None
            if dictionary is not None:
                inner = Block(self._plan, self._columns, 0, len(dictionary.values.values), self._lifted)
                inner._distinct = dictionary.values
                gathered = Gathered(dictionary, inner.get(key))
            self._lifted[key] = gathered  # whole: another thread may look
        gathered = self._lifted[key]
        return None if gathered is None else gathered.block(self._start, self._stop)
