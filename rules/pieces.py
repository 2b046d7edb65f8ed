"""One input of a decision table cut into pieces: values on which every row of the table says the same.

A piece is a number, its code. Where the cells of an input only name values, each value named is a piece and
all others are one. Where they order, every end point is a piece, and so is what lies between two of them.
Missing, NaN and "in error" are pieces of their own. For each piece a whole number keeps, as bits, the rows
whose cell holds there: to look a record up is to find its codes and to AND as many numbers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.cells import Cell, Test
from rules.expression import BOOL, DOUBLE, STRING
from rules.functions.table import ERROR

MEMORY = 32 * 2**20
"""Bytes of row bits that one input may keep ready; beyond that, they are worked out from the nearest kept."""

_SPECIAL = 3  # missing, NaN, error: the last codes of every input
Span = tuple[int, int]  # codes from, and up to, not including


class Pieces:
    """The pieces of one input; bit i stands for the i-th cell given."""

    def __init__(self, kind: str, cells: Sequence[Cell]) -> None:
        self.kind, self.cells, self.rows = kind, tuple(cells), len(cells)
        distinct: dict[Cell, list[int]] = {}
        for row, cell in enumerate(cells):
            distinct.setdefault(cell, []).append(row)
        self.groups = distinct
        self.ordered = any(test.how not in ("==", "!=") for cell in distinct for test in cell.tests)
        self.points = sorted({end for cell in distinct for test in cell.tests for end in self._ends(test)})
        size = len(self.points)
        self.missing = 2 * size + 1 if self.ordered else size + 1
        self.other = size  # of an input that is not ordered
        self.nan, self.error = self.missing + 1, self.missing + 2
        self.codes = self.missing + _SPECIAL
        self.at: dict[Any, int] = {
            point: 2 * place + 1 if self.ordered else place for place, point in enumerate(self.points)
        }
        self.at[None] = self.missing
        self.at[ERROR] = self.error
        self._every = (1 << self.rows) - 1
        self._lay_out(distinct)

    def code(self, value: Any) -> int:
        """Give the piece of a value: None where it is missing, ERROR where it cannot be worked out."""
        found = self.at.get(value)
        if found is not None:
            return found
        if value != value:
            return self.nan
        return 2 * bisect_left(self.points, value) if self.ordered else self.other

    def true(self, code: int) -> int:
        """Give the rows, as bits, whose cell holds on a piece."""
        kept = self.kept[code]
        return self._work_out(code) if kept is None else kept

    def open(self, code: int) -> int:
        """Give the rows whose cell holds, or is unknown, on a piece."""
        return self.opens.get(code) or self.true(code)

    def column(self, values: Any, valid: np.ndarray, error: np.ndarray | None = None) -> np.ndarray:
        """Give the pieces of a column.

        **Shape**: `(n,)` values (texts as an Arrow array), `(n,)` bool where there is one, `(n,)` bool where
        it could not be worked out → `(n,)` int32 codes.
        """
        codes = self._texts(values) if self.kind == STRING else self._numbers(values)
        if not valid.all():
            codes[~valid] = self.missing
        if error is not None:
            codes[error] = self.error
        return codes

    def _numbers(self, values: np.ndarray) -> np.ndarray:
        if self.kind == BOOL:
            return np.where(values, self.code(True), self.code(False)).astype(np.int32)
        points = self._point_array
        codes: np.ndarray
        if self.ordered:
            codes = np.searchsorted(points, values, "left").astype(np.int32)
            exact = points.take(codes, mode="clip") == values if len(points) else False
            codes *= 2
            codes += exact
        else:
            at = np.searchsorted(points, values, "left").astype(np.int32)
            hit = points.take(at, mode="clip") == values if len(points) else np.zeros(len(at), dtype=bool)
            codes = np.where(hit, at, np.int32(self.other))
        if self.kind == DOUBLE and (strange := np.isnan(values)).any():
            codes[strange] = self.nan
        return codes

    def _texts(self, values: Any) -> np.ndarray:
        if not self.ordered:
            found = pc.index_in(values, value_set=self._text_array).fill_null(self.other)
            return np.array(found.to_numpy(zero_copy_only=False), dtype=np.int32)
        encoded = values.dictionary_encode()
        each = np.array([self.code(text) for text in encoded.dictionary.to_pylist()], dtype=np.int32)
        return each.take(encoded.indices.to_numpy(zero_copy_only=False)) if len(each) else each

    def spans(self, cell: Cell) -> list[Span]:
        """Give the codes of present values where a cell holds, as rising spans that do not touch."""
        if not cell.tests:
            return [(0, self.missing), (self.nan, self.nan + 1)]
        found = _merged([span for test in cell.tests for span in self._spans(test)])
        return _outside(found, self.missing, self.nan) if cell.negated else found

    def on_missing(self, cell: Cell) -> bool | None:
        """Say whether a cell holds where the input is missing; None where that is unknown."""
        results = [
            None if test.how not in ("==", "!=") else (test.low is None) == (test.how == "==")
            for test in cell.tests
        ]
        held = True if not results or True in results else None if None in results else False
        return held if held is None or not cell.negated else not held

    def cuts(self, cell: Cell) -> list[int]:
        """Give the codes at which what a cell says may change."""
        return [end for span in self.spans(cell) for end in span]

    def _spans(self, test: Test) -> list[Span]:
        nan = (self.nan, self.nan + 1)
        if test.how in ("==", "!="):
            if test.low is None:
                return [] if test.how == "==" else [(0, self.missing), nan]
            at = self.at[self._held(test.low)]
            if test.how == "==":
                return [(at, at + 1)]
            return [(0, at), (at + 1, self.missing), nan]
        if test.how in ("<", "<=", ">", ">="):
            at = self.at[self._held(test.low)]
            if test.how[0] == "<":
                return [(0, at + (test.how == "<="))]
            return [(at + (test.how == ">"), self.missing)]
        low, high = self.at[self._held(test.low)], self.at[self._held(test.high)]
        return [(low + (test.how[0] == "("), high + (test.how[1] == "]"))]

    def _ends(self, test: Test) -> list[Any]:
        ends = [test.low] if test.high is None else [test.low, test.high]
        return [self._held(end) for end in ends if end is not None]

    def _held(self, end: Any) -> Any:
        return float(end) if self.kind == DOUBLE else end

    def _lay_out(self, distinct: dict[Cell, list[int]]) -> None:
        """Note where rows begin and cease to hold, and keep the bits at every so many codes."""
        flips: dict[int, list[int]] = {}  # ordered: rows that differ from the code before; else from `other`
        start: list[int] = []
        self.kept: list[int | None] = [None] * self.codes
        missing, missing_open, nan, error = [], [], [], []
        weight = 0
        for cell, rows in distinct.items():
            spans = self.spans(cell)
            held = self.on_missing(cell)
            missing += rows if held else []
            missing_open += rows if held is not False else []
            nan += rows if any(first <= self.nan < end for first, end in spans) else []
            error += [] if cell.tests else rows
            inside = [(first, end) for first, end in spans if first < self.missing]
            weight += len(rows) * sum(end - first for first, end in inside)
            if self.ordered:
                for first, end in inside:
                    (start if first == 0 else flips.setdefault(first, [])).extend(rows)
                    if end < self.missing:
                        flips.setdefault(end, []).extend(rows)
            elif any(first <= self.other < end for first, end in inside):
                start.extend(rows)
                for first, end in _outside(inside, self.missing, self.missing):
                    for code in range(first, end):
                        flips.setdefault(code, []).extend(rows)
            else:
                for first, end in inside:
                    for code in range(first, end):
                        flips.setdefault(code, []).extend(rows)
        self._flips = flips
        self._start = self.bits(start)
        self.kept[self.missing] = self.bits(missing)
        self.kept[self.nan] = self.bits(nan)
        self.kept[self.error] = self.bits(error)
        self.opens = {self.missing: self.bits(missing_open), self.error: self._every}
        # The share of the rows that a value leaves, were all values alike: what is small goes first.
        self.share = weight / max(self.rows * self.missing, 1)
        self._left = MEMORY
        if self.ordered:
            self._keep_some()

    def _keep_some(self) -> None:
        stride = 1
        while self.missing // stride * (self.rows // 8 + 32) > MEMORY // 2:
            stride *= 2
        bits = self._start
        for code in range(self.missing):
            if code in self._flips:
                bits ^= self.bits(self._flips[code])
            if code % stride == 0:
                self.kept[code] = bits
        self._left = MEMORY // 2

    def _work_out(self, code: int) -> int:
        if self.ordered:
            last = code
            while self.kept[last] is None:
                last -= 1
            bits = self.kept[last] or 0
            for at in range(last + 1, code + 1):
                if at in self._flips:
                    bits ^= self.bits(self._flips[at])
        else:
            bits = self._start ^ self.bits(self._flips.get(code, ()))
        self._left -= self.rows // 8 + 32
        if self._left > 0:
            self.kept[code] = bits
        return bits

    def bits(self, rows: Sequence[int]) -> int:
        """Give some rows as bits."""
        if len(rows) > 8:
            mask = np.zeros(self.rows, dtype=bool)
            mask[list(rows)] = True
            return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")
        bits = 0
        for row in rows:
            bits ^= 1 << row
        return bits

    @cached_property
    def _point_array(self) -> np.ndarray:
        return np.array(self.points, dtype=np.float64 if self.kind == DOUBLE else np.int64)

    @cached_property
    def _text_array(self) -> pa.Array:
        return pa.array(self.points, pa.string())


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for first, end in sorted(span for span in spans if span[0] < span[1]):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((first, end))
    return found


def _outside(spans: list[Span], end: int, nan: int) -> list[Span]:
    """Give what the spans leave of the codes up to `end`, and the code of NaN if it is another."""
    found, at, strange = [], 0, True
    for first, last in spans:
        if first >= end:
            strange = False
            break
        if at < first:
            found.append((at, first))
        at = last
    if at < end:
        found.append((at, end))
    return [*found, (nan, nan + 1)] if strange and nan != end else found
