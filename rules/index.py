"""Many conditions over one record at once: a table for each field, a bit for each clause of each condition.

Most conditions compare fields with constants. In conjunctive form they are clauses joined by `&&`, each some
comparisons joined by `||`. For every field, its constants split its values into regions, and each region has
the bits of the clauses that a comparison makes true there. A record looks its region up in every field; the
united bits say which clauses are true, and so which conditions. It is a bitmap index (Chan and Ioannidis,
SIGMOD 1998) over rules instead of rows. A condition with more than comparisons in it is evaluated, if its
clauses leave it open.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import xor
from typing import Any

from rules.clauses import ORDERED, Atom, Field, Span, conjunctive_forms
from rules.expression import Node

_Numbers = tuple[str, list[Any], list[int], tuple[int, int], tuple[int, int]]
_Values = tuple[str, dict[Any, int], int, tuple[int, int]]


class Index:
    """The tables over some conditions; nothing in it changes, threads may share it.

    `pure` has the bits of the conditions that hold nothing but comparisons: of those it says all.
    """

    def __init__(self, conditions: Sequence[Node]) -> None:
        forms = conjunctive_forms(conditions)
        self._count = len(conditions)
        self._all = (1 << self._count) - 1
        self._depth = max((len(clauses) for clauses, _ in forms), default=0)
        self.pure = sum(1 << number for number, (_, pure) in enumerate(forms) if pure)
        said: dict[Field, dict[int, list[Atom]]] = {}
        self._settled = 0  # clauses that are not there are true
        for number, (clauses, _) in enumerate(forms):
            for place in range(self._depth):
                bit = 1 << (place * self._count + number)
                if place >= len(clauses):
                    self._settled |= bit
                for atom in clauses[place] if place < len(clauses) else ():
                    said.setdefault(atom.field, {}).setdefault(bit, []).append(atom)
        self._numbers: list[_Numbers] = []
        self._widened: list[_Numbers] = []
        self._values: list[_Values] = []
        for (name, kind, widened), clauses_of in said.items():
            if kind in ORDERED:
                (self._widened if widened else self._numbers).append((name, *_regions(clauses_of)))
            else:
                self._values.append((name, *_by_value(clauses_of)))

    def evaluate(self, values: Mapping[str, Any]) -> tuple[int, int]:
        """Give the bits of the conditions that are true, and of those that are unknown.

        Of a condition that is not `pure`, either bit says that it may be true or unknown.

        Raises KeyError where the record has no value for a field, not even None.
        """
        true, open_ = self._settled, 0
        for name, bounds, regions, missing, unbounded in self._numbers:
            value = values[name]
            if value is None:
                true |= missing[0]
                open_ |= missing[1]
            elif (region := bisect_right(bounds, value)) < len(regions):
                true |= regions[region]
            else:
                true |= unbounded[value != value]
        for name, table, others, missing in self._values:
            value = values[name]
            if value is None:
                true |= missing[0]
                open_ |= missing[1]
            else:
                true |= table.get(value, others)
        for name, bounds, regions, missing, _ in self._widened:
            value = values[name]
            if value is None:
                true |= missing[0]
                open_ |= missing[1]
            else:
                true |= regions[bisect_right(bounds, float(value))]
        if not open_:
            return self._joined(true), 0
        holds = self._joined(true)
        return holds, self._joined(true | open_) & ~holds

    def _joined(self, clauses: int) -> int:
        """Give the conditions of which every clause is set."""
        joined, count = self._all, self._count
        for _ in range(self._depth):
            joined &= clauses
            clauses >>= count
        return joined


def _regions(
    said: Mapping[int, list[Atom]],
) -> tuple[list[Any], list[int], tuple[int, int], tuple[int, int]]:
    """Lay out a field of numbers: bounds, each region's bits; the bits where it is missing, and unbounded.

    Missing gives true and unknown bits. Unbounded are positive infinity and NaN, which no comparison finds
    but `!=`; they lie beyond the last bound.
    """
    first = infinite = nan = 0
    turns: dict[Any, int] = {math.inf: 0}
    for bit, atoms in said.items():
        spans = _united(span for atom in atoms for span in _true_spans(atom))
        for low, high in spans:
            first |= bit if low == -math.inf else 0
            infinite |= bit if high == math.inf else 0
            for bound in (low, high):
                if -math.inf < bound < math.inf:
                    turns[bound] = turns.get(bound, 0) ^ bit
        nan |= bit if any(atom.negated for atom in atoms) else 0
    bounds = sorted(turns)
    regions = list(accumulate((turns[bound] for bound in bounds[:-1]), xor, initial=first))
    return bounds, regions, _missing(said), (infinite, nan)


def _true_spans(atom: Atom) -> list[Span]:
    if not atom.negated:
        return list(atom.spans)
    rest, low = [], -math.inf
    for span in _united(atom.spans):
        if low < span[0]:
            rest.append((low, span[0]))
        low = span[1]
    return [*rest, (low, math.inf)] if low < math.inf else rest


def _united(spans: Iterable[Span]) -> list[Span]:
    united: list[Span] = []
    for low, high in sorted(spans):
        if united and low <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], high)
        else:
            united.append((low, high))
    return united


def _by_value(said: Mapping[int, list[Atom]]) -> tuple[dict[Any, int], int, tuple[int, int]]:
    """Lay out a field of texts or bools: the bits of each value that is named, of all others, and missing."""
    others = 0
    turns: dict[Any, int] = {}
    for bit, atoms in said.items():
        elsewhere = any(atom.negated for atom in atoms)
        others |= bit if elsewhere else 0
        for value in {value for atom in atoms for value in atom.values}:
            if any((value in atom.values) != atom.negated for atom in atoms) != elsewhere:
                turns[value] = turns.get(value, 0) ^ bit
    return {value: others ^ turn for value, turn in turns.items()}, others, _missing(said)


def _missing(said: Mapping[int, list[Atom]]) -> tuple[int, int]:
    true = sum(bit for bit, atoms in said.items() if any(atom.missing is True for atom in atoms))
    return true, sum(bit for bit, atoms in said.items() if any(atom.missing is None for atom in atoms))
