"""The walks from reference rows to a record, one field at a time, and what the graph gives on the way.

Each order of the fields is walked from its reference row to the record, and so is its reverse. Where the
graph has sums (engine/sums.py), the rows on the way are added up from parts, and only what comes after the
sums is run for them; what reads the inputs past all sums is given inputs mixed of both rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from embeddings.encode import Encoding
from engine.errors import BundleError
from engine.margins import Margins
from engine.model import open_session
from engine.onnx_part import part_of
from engine.references import REFERENCES, References
from engine.sums import Parts, Sums

_NONE = np.array([], np.int64)
ROWS_A_CALL = 2_048  # few enough that what one node gives the next stays in the processor's cache

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Walked:
    """A record's log-odds `(scores,)`, and what each field added in each walk, `(walks, fields, scores)`."""

    own: np.ndarray
    added: np.ndarray


class Walks:
    """A graph, its margins, and where walks start and how they go. Nothing of it changes.

    Order k is walked from reference row k mod R: walk k that way, and walk k + (number of orders) in reverse.
    """

    def __init__(
        self, model: bytes, encoding: Encoding, margins: Margins, references: References, sums: Sequence[str]
    ) -> None:
        """Raises BundleError for margins that the graph lacks, and for sums that are none."""
        self._margins, self._rows, self._owners = margins, references.rows, encoding.owners
        # The fields of each input, and where the columns of each begin: they stand side by side.
        self._fields = {name: np.unique(owners, return_index=True) for name, owners in self._owners.items()}
        self._missing = np.isnan(self._rows["numeric"]) if "numeric" in self._rows else None
        self._width = len(encoding.names)
        self._starts = np.tile(np.arange(len(references.orders)) % len(references), 2)
        self._orders = np.concatenate([references.orders, references.orders[:, ::-1]])
        self._turns = np.argsort(self._orders, axis=1)
        # Of each step and walk, what changes: the place of a reference row's field among all of them.
        self._changed = np.ascontiguousarray((self._starts[:, None] * self._width + self._orders).T)
        self._open(model, sums)
        held = [
            {name: array[at : at + 1] for name, array in self._rows.items()} for at in range(len(references))
        ]
        apart = [self._apart(inputs) for inputs in held]
        # Of each sum: `(R, width)` of the reference rows, and `(R, fields, width)` of their parts.
        self._wholes = [np.stack(column) for column in zip(*(one.wholes for one in apart), strict=True)]
        self._parts = [np.stack(column) for column in zip(*(one.parts for one in apart), strict=True)]
        self.bases = np.concatenate(
            [self._log_odds(inputs, one, _NONE, _NONE) for inputs, one in zip(held, apart, strict=True)]
        )

    def to(self, inputs: Inputs) -> Walked:
        """Walk to one record, given as its inputs."""
        # A field that equals the reference row's changes nothing: no row is made for it.
        changes = self._differs(inputs)[self._starts[:, None], self._orders]
        walk, step = np.nonzero(changes)
        first, last = np.ones((2, len(walk)), bool)
        first[1:] = last[:-1] = walk[1:] != walk[:-1]
        apart = self._apart(inputs)
        # INVARIANT: every walk ends at the record itself, so that its steps add up.
        found = self._log_odds(inputs, apart, walk[~last], step[~last])
        # Of each step, the row after it, which is the record's own at a walk's end, and the row before it.
        after = np.where(last, 0, np.cumsum(~last))
        before = np.empty_like(after)
        before[1:] = after[:-1]
        before[first] = len(found) + self._starts[walk[first]]
        steps = found.take(after, axis=0)
        steps -= np.concatenate([found, self.bases]).take(before, axis=0)
        added = np.zeros((*self._orders.shape, found.shape[1]))
        added.reshape(-1, found.shape[1])[walk * self._width + self._orders[walk, step]] = steps
        return Walked(found[0], added)

    def _open(self, model: bytes, sums: Sequence[str]) -> None:
        """Cut the graph at its sums: what makes them, and what makes the margins of them."""
        self._tensors = [name for name in self._margins.tensors if name not in sums]
        try:
            rest, read = part_of(model, self._tensors, sums)
            self._summed = [name for name in sums if name in {*read, *self._margins.tensors}]
            self._fed = [name for name in self._summed if name in read]
            front, _ = part_of(model, self._summed)
        except ValueError as error:
            raise BundleError(str(error), part=REFERENCES) from None
        self._rest = open_session(rest) if self._tensors else None
        self._mixed = [name for name in read if name not in sums]
        base = {name: array[:1] for name, array in self._rows.items()}
        self._sums = (
            Sums(open_session(front), self._summed, base, self._owners, self._width) if self._summed else None
        )

    def _apart(self, inputs: Inputs) -> Parts:
        return Parts((), ()) if self._sums is None else self._sums.of(inputs)

    def _differs(self, inputs: Inputs) -> np.ndarray:
        """Which fields of a record differ from those of each reference row: `(R, fields)` bool."""
        differs = np.zeros((len(self.bases), self._width), bool)
        for name, (fields, first) in self._fields.items():
            own, others = inputs[name], self._rows[name]
            unlike = own != others
            if name == "numeric":
                unlike &= ~(np.isnan(own) & self._missing)
            differs[:, fields] = (
                np.logical_or.reduceat(unlike, first, axis=1) if len(fields) < len(own[0]) else unlike
            )
        return differs

    def _log_odds(self, inputs: Inputs, apart: Parts, walk: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Of the record, and of the rows after `step` `(K,)` of `walk` `(K,)`, in the order of the walks:
        `(1 + K, scores)` float64.
        """
        held = {name: self._added_up(place, apart, walk, step) for place, name in enumerate(self._summed)}
        if self._rest is not None:
            fed = {name: rows for name, rows in held.items() if name in self._fed} | self._mix(
                inputs, walk, step
            )
            held |= zip(self._tensors, self._run(fed, 1 + len(walk)), strict=True)
        return self._margins.log_odds([held[name] for name in self._margins.tensors])

    def _added_up(self, place: int, apart: Parts, walk: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Rows of a sum `(1 + K, width)`: a reference row's, and what each field changed has added."""
        own, fields = apart.wholes[place], self._width
        found = np.empty((1 + len(walk), len(own)), own.dtype)
        found[0] = own
        gains = (apart.parts[place] - self._parts[place]).reshape(-1, len(own))
        at_once = max(1, ROWS_A_CALL // fields)
        for first in range(0, len(self._starts) if len(walk) else 0, at_once):
            starts = self._starts[first : first + at_once]
            begin, end = np.searchsorted(walk, (first, first + at_once))
            # Step by step, all walks at once: each row is the one before it and what one field adds.
            rows = gains.take(self._changed[:, first : first + at_once], axis=0)
            rows[0] += self._wholes[place][starts]
            for before, after in pairwise(rows):
                after += before
            at = step[begin:end] * len(starts) + walk[begin:end] - first
            rows.reshape(-1, len(own)).take(at, axis=0, out=found[1 + begin : 1 + end], mode="clip")
        return found

    def _mix(self, inputs: Inputs, walk: np.ndarray, step: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs that are read past all sums, of the same rows."""
        if not self._mixed:
            return {}
        taken, start = self._turns[walk] <= step[:, None], self._starts[walk]
        return {
            name: np.concatenate(
                [inputs[name], np.where(taken[:, self._owners[name]], inputs[name], self._rows[name][start])]
            )
            for name in self._mixed
        }

    def _run(self, fed: Inputs, count: int) -> list[np.ndarray]:
        """The rest of the graph for so many rows."""
        if self._rest is None:
            return []
        found = [
            self._rest.run(self._tensors, {name: rows[at : at + ROWS_A_CALL] for name, rows in fed.items()})
            for at in range(0, count, ROWS_A_CALL)
        ]
        return [np.concatenate(column) for column in zip(*found, strict=True)]
