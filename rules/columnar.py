"""Many records at a time: checked expressions and Arrow columns in, the rows where they hold out.

Rows go through in blocks that stay in the processor's cache, a thread a core where there are several blocks.
What conditions ask of single columns is answered in packed bits (`rules.masks`); what is left is computed by
the general plan, each distinct sub-expression once a block, however many conditions share it, and one that
reads a single text column once per distinct text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from rules.block import Block
from rules.columns import Batch, Gathered
from rules.expression import STRING, CheckedExpression, Keys
from rules.hits import NOWHERE, Hits
from rules.masked import MaskedBatch
from rules.masks import Masks
from rules.membership import Lists
from rules.plan import Plan
from rules.threads import each

BLOCK = 65_536
"""Rows of a block; fewer, down to LEAST, where the answers to all questions would fill the memory."""

LEAST = 8_192
ANSWERS = 32 * 2**20
"""Bytes that the answers of one block may take."""


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
    def _masks(self) -> Masks:
        return Masks([expression.node for expression in self._expressions], self._lists)

    @property
    def keys(self) -> Keys:
        """The numbers of all nodes of the conditions: who asks about them needs not number them again."""
        return self._masks.plan.keys

    def evaluate(self, batch: pa.RecordBatch, among: Sequence[int] | None = None) -> Hits:
        """Say which conditions hold where, and where they are unknown; of those `among`, if that is given."""
        masks, rows = self._masks, batch.num_rows
        block = BLOCK
        while block > LEAST and masks.answers * block // 8 > ANSWERS:
            block //= 2
        given = MaskedBatch(masks, Batch(batch, masks.plan.types))
        starts = range(0, rows, block)
        roots = masks.roots if among is None else [masks.roots[number] for number in among]
        found = each(lambda start: given.hits(start, min(start + block, rows), roots), starts)
        numbers = range(len(roots))
        return Hits(
            rows,
            tuple(_joined([true[number] for true, _ in found]) for number in numbers),
            tuple(_joined([unknown[number] for _, unknown in found]) for number in numbers),
        )


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


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    held = [part for part in parts if len(part)]
    return np.concatenate(held) if held else NOWHERE
