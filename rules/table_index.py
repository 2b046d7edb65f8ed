"""The index of a decision table: the values of its inputs in, the rows that hold and that are open out.

The same as evaluating the condition of every row, without looking at rows one by one. A record costs a
look-up and an AND an input, among the rows that are left. A batch goes through a diagram: after each input,
records on which the same rows are left stand at the same state; a state's way on is worked out when the first
record takes it, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np

from rules.cells import Cell
from rules.pieces import Pieces
from rules.table_parts import Part, Room, State

BLOCK = 16_384
MOST_STEPS = 2**21
"""Ways on that a diagram may keep (row bits: 32 bytes for one); beyond it records are looked up singly."""

DENSE = 2**21

Result = TypeVar("Result", bound=Hashable)
Settle = Callable[[State, Sequence[int]], Result]


class Index(Generic[Result]):
    """The rows of one table by their cells, input by input; threads may share it.

    `columns` gives for each input its type and every row's cell, `rows` the numbers of the rows; bit i of a
    state is the i-th row. `settle` says what follows from a state and the rows of its bits: the hit policy.
    """

    def __init__(
        self, columns: Sequence[tuple[str, Sequence[Cell]]], rows: Sequence[int], settle: Settle[Result]
    ) -> None:
        every = [(place, kind, cells) for place, (kind, cells) in enumerate(columns)]
        whole = Part(every, rows, Room(len(rows)))
        self._whole, self._settle = whole, settle
        self.order, self.pieces = whole.places, whole.pieces
        self._diagram = Diagram(self.pieces, len(rows), lambda state: settle(state, whole.rows))

    def find(self, values: Sequence[Any]) -> Result:
        """Give what follows for the values of the inputs: None where missing, ERROR where not worked out."""
        part = self._whole.at(values)
        return self._settle(part.find(values), part.rows)

    def find_all(
        self, codes: Sequence[np.ndarray], size: int
    ) -> Iterator[tuple[np.ndarray, Sequence[Result]]]:
        """Give, block by block, a number for each record and the result that each number stands for.

        **Shape**: for each input, in the order of `pieces`, `(size,)` int32 codes → blocks of `(m,)` int32.
        """
        for start in range(0, max(size, 1), BLOCK):
            block = [column[start : start + BLOCK] for column in codes]
            yield self._diagram.walk(block, min(BLOCK, size - start))


class _FullError(Exception):
    """The diagram would outgrow its bound."""


class Diagram(Generic[Result]):
    """A decision diagram over the inputs, grown as records come: state and piece in, next state out."""

    def __init__(self, pieces: Sequence[Pieces], rows: int, settle: Callable[[State], Result]) -> None:
        self._pieces = tuple(pieces)
        self._rows = rows
        self._cuts = [Cuts(one) for one in pieces]
        self._lock = Lock()
        self._left = MOST_STEPS
        self._state_cost = (rows // 8 + 200) // 32
        self._levels: list[_Level] | None = [_Level(one.codes) for one in pieces]
        self._settle = settle
        self._ends = _Ends(settle)
        (self._levels[0].states if self._levels else self._ends).number(((1 << rows) - 1, (1 << rows) - 1))

    def walk(self, codes: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, Sequence[Result]]:
        """Give each record's result: a number, and the results by their numbers."""
        levels = self._levels
        if levels is None:
            return self._singly(codes, size)
        at = np.zeros(size, dtype=np.int32)
        try:
            for place, column in enumerate(codes):
                self._grow(levels, place, at)
                at = levels[place].next(at, column)
        except _FullError:
            self._levels = None  # from now on singly: it would only be filled again
            return self._singly(codes, size)
        return at, self._ends.known

    def _grow(self, levels: Sequence[_Level], place: int, at: np.ndarray) -> None:
        """Work out the ways on from states that no record has stood at before."""
        level = levels[place]
        present = np.flatnonzero(np.bincount(at, minlength=len(level.starts)))
        if len(level.starts) > (present[-1] if len(present) else 0) and not level.lack(present):
            return
        with self._lock:
            following = levels[place + 1].states if place + 1 < len(levels) else self._ends
            level.grow([self._ways(place, level, state, following) for state in level.missing(present)])

    def _ways(
        self, place: int, level: _Level, state: int, following: _States | _Ends[Result]
    ) -> tuple[int, np.ndarray, np.ndarray]:
        """Give the codes at which the state that follows changes, and the states that follow."""
        pieces = self._pieces[place]
        true, open_ = level.states.known[state]
        cuts = self._cuts[place].of(true | open_, self._rows)
        before = len(following.known)
        ways = []
        for code in cuts.tolist():
            held = pieces.true(code)
            left = open_ & (pieces.open(code) if code >= pieces.missing else held)
            ways.append(following.number((true & held, left)))
        cost = self._state_cost if isinstance(following, _States) else 1
        self._left -= len(cuts) + (len(following.known) - before) * cost
        if self._left < 0:
            raise _FullError
        return state, cuts, np.array(ways, dtype=np.int32)

    def _singly(self, codes: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, Sequence[Result]]:
        ends = _Ends(self._settle)
        every = (1 << self._rows) - 1
        numbers = np.empty(size, dtype=np.int32)
        for row, each in enumerate(zip(*(column.tolist() for column in codes), strict=True)):
            true = open_ = every
            for pieces, code in zip(self._pieces, each, strict=True):
                open_ &= pieces.open(code)
                true &= pieces.true(code)
                if not open_:
                    break
            numbers[row] = ends.number((true & open_, open_))
        return numbers, ends.known


class _States:
    """States by number; equal ones have one number."""

    def __init__(self) -> None:
        self.known: list[State] = []
        self._numbers: dict[tuple[int, int, int], int] = {}

    def number(self, state: State) -> int:
        true, open_ = state
        # The length comes first: Python hashes the powers of two to no more than 61 numbers.
        found = self._numbers.setdefault((open_.bit_length(), true, open_), len(self.known))
        if found == len(self.known):
            self.known.append(state)
        return found


class _Ends(Generic[Result]):
    """What follows from last states, by number; equal results have one number."""

    def __init__(self, settle: Callable[[State], Result]) -> None:
        self.known: list[Result] = []
        self._settle = settle
        self._numbers: dict[Result, int] = {}

    def number(self, state: State) -> int:
        result = self._settle(state)
        found = self._numbers.setdefault(result, len(self.known))
        if found == len(self.known):
            self.known.append(result)
        return found


class Cuts:
    """For each row of the table, the codes at which its cell begins or ceases to hold."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._always = np.array(
            [0, *range(pieces.missing - (not pieces.ordered), pieces.codes)], dtype=np.int32
        )
        self._starts: np.ndarray | None = None

    def of(self, rows: int, size: int) -> np.ndarray:
        """Give the rising codes at which anything changes for these rows (bits)."""
        if self._starts is None:
            self._lay_out()
        some = positions(rows, size)
        first, last = self._first[some], self._last[some]
        lengths = last - first
        if len(some) > 64 and lengths.sum() > self._pieces.codes:
            chosen = self._flat[gathered(first, lengths)]
            seen = np.zeros(self._pieces.codes + 1, dtype=bool)
            seen[chosen] = True
            seen[self._always] = True
            return np.flatnonzero(seen[: self._pieces.codes]).astype(np.int32)
        chosen = self._flat[gathered(first, lengths)]
        found = np.unique(np.concatenate([self._always, chosen]))
        return found[found < self._pieces.codes]

    def _lay_out(self) -> None:
        cuts: dict[Cell, list[int]] = {}
        flat: list[int] = []
        starts = [0]
        for cell in self._pieces.cells:
            known = cuts.get(cell)
            if known is None:
                known = cuts[cell] = self._pieces.cuts(cell)
            flat += known
            starts.append(len(flat))
        self._flat = np.array(flat, dtype=np.int32)
        bounds = np.array(starts, dtype=np.int64)
        self._first, self._last = bounds[:-1], bounds[1:]
        self._starts = bounds


class _Level:
    """The ways on from the states after some inputs, as arrays."""

    def __init__(self, codes: int) -> None:
        self.states = _States()
        self.codes = codes
        self.starts = np.empty(0, dtype=np.int64)  # by state: where its ways begin, -1 where unknown
        self._ends = np.empty(0, dtype=np.int64)
        self._cuts = np.empty(0, dtype=np.int32)
        self._ways = np.empty(0, dtype=np.int32)
        self._longest = 1
        self._dense: np.ndarray | None = np.empty((0, codes), dtype=np.int32)

    def lack(self, present: np.ndarray) -> bool:
        """Say whether the way on from one of these states is unknown."""
        return bool((self.starts[present] < 0).any())

    def missing(self, present: np.ndarray) -> list[int]:
        """Give those of the states whose way on is unknown."""
        return [state for state in present.tolist() if state >= len(self.starts) or self.starts[state] < 0]

    def grow(self, ways: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> None:
        """Add the ways on from states. Whoever reads meanwhile sees arrays of before or of after."""
        if not ways:
            return
        size = max(len(self.states.known), len(self.starts))
        starts, ends = (_longer(one, size, -1) for one in (self.starts, self._ends))
        at = len(self._cuts)
        dense = None
        if self._dense is not None and size * self.codes <= DENSE:
            dense = np.zeros((size, self.codes), dtype=np.int32)
            dense[: len(self._dense)] = self._dense
        for state, cuts, following in ways:
            starts[state], ends[state] = at, at + len(cuts)
            at += len(cuts)
            self._longest = max(self._longest, len(cuts))
            if dense is not None:
                dense[state] = np.repeat(following, np.diff(cuts, append=self.codes))
        self._cuts = np.concatenate([self._cuts, *(cuts for _, cuts, _ in ways)])
        self._ways = np.concatenate([self._ways, *(following for _, _, following in ways)])
        self._dense, self._ends, self.starts = dense, ends, starts

    def next(self, at: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Take one step: `(n,)` states and `(n,)` codes → `(n,)` states."""
        dense = self._dense
        if dense is not None:
            return np.asarray(dense.ravel().take(at * self.codes + codes))
        # The last cut that is not beyond the code, found for all records at once by halving.
        found, last = self.starts[at], self._ends[at] - 1
        step = 1 << (self._longest.bit_length() - 1)
        while step:
            further = found + step
            inside = further <= last
            np.minimum(further, last, out=further)
            inside &= self._cuts.take(further) <= codes
            found = np.where(inside, further, found)
            step >>= 1
        return np.asarray(self._ways.take(found))


def positions(bits: int, size: int) -> np.ndarray:
    """Give the places of the bits that are set, rising."""
    if bits.bit_count() <= 4:
        found = []
        while bits:
            place = bits.bit_length() - 1
            found.append(place)
            bits ^= 1 << place
        return np.array(found[::-1], dtype=np.int64)
    data = np.frombuffer(bits.to_bytes(size // 8 + 1, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(data, bitorder="little"))


def gathered(first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Give `first, first + 1, …` for each, as many as its length, one after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(first - (ends - lengths), lengths))


def _longer(array: np.ndarray, size: int, fill: int) -> np.ndarray:
    return np.concatenate([array, np.full(size - len(array), fill, dtype=array.dtype)])
