"""Conditions over one batch: the questions of `Masks` answered from its columns, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow.compute as pc

from rules.bits import Bits, Plane, pack, rows_of
from rules.block import Block
from rules.columns import Batch, Gathered, Plain, Texts
from rules.hits import NOWHERE
from rules.masks import Masks
from rules.threads import each
from rules.verdict import text_array

FEW_ROWS = 8_192

Codes = tuple[np.ndarray, list[list[int]]]  # each row's code; for each list of texts sought, their codes


class MaskedBatch:
    """A batch made ready; threads may ask for blocks of it at the same time."""

    def __init__(self, masks: Masks, columns: Batch) -> None:
        self.masks = masks
        self.columns = columns
        self.lifted: dict[int, Gathered | None] = {}
        # Answers are thousands of calls of a microsecond: two threads at it would wait for Python's lock and
        # little else. One answers while others read their masks back, in calls that are long.
        self._turn = Lock()
        sought = list(masks.sought)
        # A pool of threads takes longer to start than a few rows to code.
        codes = each(self._codes, sought) if columns.rows > FEW_ROWS else list(map(self._codes, sought))
        self.codes = dict(zip(sought, codes, strict=True))

    def hits(self, start: int, stop: int, roots: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Give the rows, from start to stop, where each of these is true, and where it is unknown."""
        block = MaskedBlock(self, start, stop)
        with self._turn, np.errstate(all="ignore"):
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

    def _codes(self, name: str) -> Codes | None:
        """Code the texts of a column, and those sought in it; None if few of its texts repeat."""
        texts = self.columns[name]
        dictionary = texts.dictionary if isinstance(texts, Texts) else None
        if dictionary is None:
            return None
        sought = self.masks.sought[name]
        known = dictionary.values.values
        wanted = list(dict.fromkeys(text for some in sought for text in some))
        places = pc.index_in(text_array(wanted), value_set=known.slice(0, len(known) - 1))
        codes = {
            text: code for text, code in zip(wanted, places.to_pylist(), strict=True) if code is not None
        }
        return dictionary.codes, [[codes[text] for text in some if text in codes] for some in sought]


class MaskedBlock:
    """Rows start to stop of a batch; keeps the answers that may be asked for again."""

    def __init__(self, batch: MaskedBatch, start: int, stop: int) -> None:
        self.none: Plane = np.zeros((stop - start + 7) // 8, dtype=np.uint8)
        self.whole: Plane = ~self.none
        self._batch = batch
        self._questions, self._places = batch.masks.questions, batch.masks.places
        self._start, self._stop = start, stop
        self.kept: dict[int, Bits] = {}
        self._cut: dict[str, tuple[list[Plane], Plane | None]] = {}
        self._nulls: dict[str, Plane | None] = {}
        self._equal: dict[str, dict[int, Plane]] = {}

    def bits(self, key: int) -> Bits:
        """Answer one node, once."""
        kept = self.kept.get(key)
        if kept is None:
            kept = self.kept[key] = self._questions[key](self)
        return kept

    def at_or_above(self, name: str, edge: float | int | None) -> Plane:
        """Say where a column is at or above a threshold; `None` is above everything."""
        if edge is None:
            return self.none
        return self._cuts(name)[0][self._places[name][edge]]

    def numbers(self, name: str) -> Plane | None:
        """Say where a column is not NaN; None if everywhere."""
        return self._cuts(name)[1]

    def null(self, name: str) -> Plane | None:
        """Say where a column is null; None if nowhere."""
        if name not in self._nulls:
            self._nulls[name] = self._batch.columns[name].nulls(self._start, self._stop)
        return self._nulls[name]

    def texts(self, name: str, number: int) -> Plane | None:
        """Say where a column is one of the texts sought under this number; None if it is not coded."""
        coded = self._batch.codes[name]
        if coded is None:
            return None
        planes = self._equal.setdefault(name, {})
        found = self.none
        for code in coded[1][number]:
            plane = planes.get(code)
            if plane is None:
                plane = planes[code] = pack(coded[0][self._start : self._stop] == code)
            found = plane if found is self.none else found | plane
        return found

    def general(self, key: int) -> Bits:
        """Answer a node by the general plan."""
        truth = self._general.truth(key)
        true = pack(truth.true)
        return true, true if truth.false is None else pack(~truth.false)

    @cached_property
    def _general(self) -> Block:
        batch = self._batch
        return Block(batch.masks.plan, batch.columns, self._start, self._stop, batch.lifted)

    def _cuts(self, name: str) -> tuple[list[Plane], Plane | None]:
        found = self._cut.get(name)
        if found is None:
            column = self._batch.columns[name]
            if not isinstance(column, Plain):
                raise TypeError(f"the column '{name}' has no numbers")
            values = column.raw[self._start : self._stop]
            found = self._batch.masks.cuts[name].planes(values, self.none, self.whole)
            self._cut[name] = found
        return found
