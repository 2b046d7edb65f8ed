"""Conditions over one batch: what `Masks` has of them answered from its columns, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rules.bits import Bits, Plane, pack, rows_of
from rules.block import Block
from rules.columns import Batch, Gathered, Plain, Texts
from rules.hits import NOWHERE
from rules.masks import Masks

LINES = 16 * 2**20
"""Bytes of a sheet for a strip of rows: longer calls pay until the lines are fetched from far away."""

NARROW = 4_096
"""Rows of a strip at least: calls on fewer would be all overhead."""


class MaskedBatch:
    """A batch made ready; threads may ask for blocks of it at the same time."""

    def __init__(self, masks: Masks, columns: Batch) -> None:
        self.masks = masks
        self.columns = columns
        self.lifted: dict[int, Gathered | None] = {}
        self._sheets: list[np.ndarray] = []  # memory for two sheets each, of which each thread takes one

    def hits(self, start: int, stop: int, roots: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Give the rows, from start to stop, where each of these is true, and where it is unknown."""
        block = MaskedBlock(self, start, stop)
        with np.errstate(all="ignore"):
            answers = [block.bits(root) for root in roots]
        true = [NOWHERE] * len(answers)
        unknown = list(true)
        held = [number for number, (where, _) in enumerate(answers) if where is not block.none]
        planes = [answers[number][0] for number in held]
        for number, rows in zip(held, rows_of(planes, start, stop - start), strict=True):
            true[number] = rows
        open_ = [number for number, (where, possible) in enumerate(answers) if where is not possible]
        planes = [answers[number][1] & ~answers[number][0] for number in open_]
        for number, rows in zip(open_, rows_of(planes, start, stop - start), strict=True):
            unknown[number] = rows
        return true, unknown

    def sheets(self, width: int) -> np.ndarray:
        """Give memory for two sheets of this width, for one thread until it is given back."""
        size = 2 * self.masks.sheet.size * width
        try:
            found = self._sheets.pop()
        except IndexError:
            return np.empty(size, dtype=np.uint8)
        return found if len(found) >= size else np.empty(size, dtype=np.uint8)

    def give_back(self, sheets: np.ndarray) -> None:
        """Let other blocks have the memory."""
        self._sheets.append(sheets)


class MaskedBlock:
    """Rows start to stop of a batch; keeps the answers that may be asked for again."""

    def __init__(self, batch: MaskedBatch, start: int, stop: int) -> None:
        self.none: Plane = np.zeros((stop - start + 7) // 8, dtype=np.uint8)
        self.whole: Plane = ~self.none
        self._batch = batch
        self._questions = batch.masks.questions
        self._start, self._stop = start, stop
        self._given: dict[int, Bits] = {}
        self.kept: dict[int, Bits] = self._from_sheet() if batch.masks.kept else {}

    def bits(self, key: int) -> Bits:
        """Answer one node, once."""
        kept = self.kept.get(key)
        if kept is None:
            kept = self.kept[key] = self._questions[key](self)
        return kept

    def general(self, key: int) -> Bits:
        """Answer a node by the general plan."""
        truth = self._general.truth(key)
        true = pack(truth.true)
        return true, true if truth.false is None else pack(~truth.false)

    def given(self, key: int) -> Bits:
        """Answer a node that the sheet needs, once for all strips."""
        if key not in self._given:
            self._given[key] = self.general(key)
        return self._given[key]

    @cached_property
    def _general(self) -> Block:
        batch = self._batch
        return Block(batch.masks.plan, batch.columns, self._start, self._stop, batch.lifted)

    def _from_sheet(self) -> dict[int, Bits]:
        """Answer what the sheet answers, strip by strip."""
        masks = self._batch.masks
        sheet, kept = masks.sheet, masks.kept
        strip = max(NARROW, 1 << (8 * LINES // sheet.size).bit_length() - 1)
        rows = self._stop - self._start
        true = np.empty((len(kept), len(self.none)), dtype=np.uint8)
        possible: np.ndarray | None = None
        memory = self._batch.sheets((min(strip, rows) + 7) // 8)
        with np.errstate(all="ignore"):
            for first in range(0, rows, strip):
                last = min(first + strip, rows)
                width = (last - first + 7) // 8
                one, other = (
                    memory[at : at + sheet.size * width].reshape(sheet.size, width)
                    for at in (0, len(memory) // 2)
                )
                given = _Strip(self, self._batch, self._start + first, self._start + last, first)
                may = sheet.fill(given, one, other)
                place = slice(first // 8, first // 8 + width)
                true[:, place] = one.take(sheet.wanted, axis=0)
                if may is not one and possible is None:
                    possible = true.copy()
                if possible is not None:
                    possible[:, place] = may.take(sheet.wanted, axis=0)
        self._batch.give_back(memory)
        if possible is None:
            return {key: (plane, plane) for key, plane in zip(kept, true, strict=True)}
        return dict(zip(kept, zip(true, possible, strict=True), strict=True))


class _Strip:
    """Rows of a block, as the sheet wants them; `first` is the block's row at which they start."""

    def __init__(self, block: MaskedBlock, batch: MaskedBatch, start: int, stop: int, first: int) -> None:
        self.rows = stop - start
        self._block, self._batch = block, batch
        self._start, self._stop, self._first = start, stop, first
        self._nulls: dict[str, Plane | None] = {}

    def values(self, name: str) -> np.ndarray:
        """Give a column of numbers; where it is null, anything."""
        column = self._batch.columns[name]
        if not isinstance(column, Plain):
            raise TypeError(f"the column '{name}' has no numbers")
        return column.raw[self._start : self._stop]

    def null(self, name: str) -> Plane | None:
        """Say where a column is null; None if nowhere."""
        if name not in self._nulls:
            self._nulls[name] = self._batch.columns[name].nulls(self._start, self._stop)
        return self._nulls[name]

    def codes(self, name: str) -> tuple[np.ndarray, Plane | None]:
        """Give for each row which of the texts sought in a column it is, and where it is none of them."""
        column = self._batch.columns[name]
        if not isinstance(column, Texts):
            raise TypeError(f"the column '{name}' has no texts")
        return column.among(self._batch.masks.sheet.texts[name][0], self._start, self._stop)

    def given(self, key: int) -> Bits:
        """Answer a node that the sheet has no words for."""
        true, possible = self._block.given(key)
        place = slice(self._first // 8, (self._first + self.rows + 7) // 8)
        one = true[place]
        return one, one if possible is true else possible[place]
