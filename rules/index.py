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
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import xor
from typing import Any

from rules.expression import (
    BOOL,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    TIMESTAMP,
    Call,
    ListLiteral,
    Literal,
    Name,
    Node,
)
from rules.functions import TABLE

MOST_CLAUSES = 8
"""Clauses of one condition that are looked up; there are as many bits for every other condition."""

ENOUGH = 3
"""Conditions that must compare a field: its table costs each record as much as evaluating a condition."""

_ORDERED = {INT, DOUBLE, TIMESTAMP, DURATION}
_MIRRORED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
_OPPOSITE: dict[bool | None, bool | None] = {True: False, False: True, None: None}

_Field = tuple[str, str, bool]  # name, type, whether an int is widened to a double
_Span = tuple[Any, Any]  # from the first up to and without the second; infinite for no bound


@dataclass(frozen=True)
class _Atom:
    """A comparison of one field with constants: true in its spans, or for its values, unless `negated`.

    `missing` is its result where the field is null, None for unknown.
    """

    field: _Field
    missing: bool | None
    spans: tuple[_Span, ...] = ()
    values: frozenset[Any] = frozenset()
    negated: bool = False

    def opposite(self) -> _Atom:
        return replace(self, negated=not self.negated, missing=_OPPOSITE[self.missing])


_Clause = tuple[_Atom, ...]
_Numbers = tuple[str, list[Any], list[int], tuple[int, int], tuple[int, int]]
_Values = tuple[str, dict[Any, int], int, tuple[int, int]]


class Index:
    """The tables over some conditions; nothing in it changes, threads may share it.

    `pure` has the bits of the conditions that hold nothing but comparisons: of those it says all.
    """

    def __init__(self, conditions: Sequence[Node]) -> None:
        forms = _forms(conditions)
        self._count = len(conditions)
        self._all = (1 << self._count) - 1
        self._depth = max((len(clauses) for clauses, _ in forms), default=0)
        self.pure = sum(1 << number for number, (_, pure) in enumerate(forms) if pure)
        said: dict[_Field, dict[int, list[_Atom]]] = {}
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
            if kind in _ORDERED:
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


def _forms(conditions: Sequence[Node]) -> list[tuple[list[_Clause], bool]]:
    """Give the clauses of each condition, and whether they are all of it."""
    forms = [_form(condition, False) for condition in conditions]
    fields = Counter(
        field
        for clauses, _ in forms
        for field in {atom.field for clause in clauses[:MOST_CLAUSES] for atom in clause}
    )
    chosen = []
    for clauses, pure in forms:
        kept = [
            clause
            for clause in clauses[:MOST_CLAUSES]
            if all(fields[atom.field] >= ENOUGH for atom in clause)
        ]
        chosen.append((kept, pure and len(kept) == len(clauses)))
    return chosen


def _form(node: Node, negated: bool) -> tuple[list[_Clause], bool]:
    """Bring a condition into conjunctive form; what is more than comparisons is left out of it.

    Kleene's logic distributes, and De Morgan's laws hold in it.
    """
    operator = node.overload if isinstance(node, Call) else ""
    if operator == "logical_not" and isinstance(node, Call):
        return _form(node.arguments[0], not negated)
    if operator in ("logical_and", "logical_or") and isinstance(node, Call):
        parts = [_form(argument, negated) for argument in node.arguments]
        pure = all(part[1] for part in parts)
        if (operator == "logical_and") != negated:
            return [clause for clauses, _ in parts for clause in clauses], pure
        (one, _), (other, _) = parts
        if pure and len(one) * len(other) <= MOST_CLAUSES:
            return [(*left, *right) for left in one for right in other], True
        return [], False
    atom = _atom(node)
    if atom is None:
        return [], False
    return [(atom.opposite() if negated else atom,)], True


def _atom(node: Node) -> _Atom | None:
    """Read a comparison of one field with constants; None for anything else."""
    if isinstance(node, Name):
        return _Atom((node.name, BOOL, False), None, values=frozenset([True]))
    if not isinstance(node, Call):
        return None
    operator, first = TABLE[node.overload].name, node.arguments[0]
    if operator == "@in":
        return _among(first, node.arguments[1])
    if operator not in _MIRRORED and operator not in ("_==_", "_!=_"):
        return None
    last = node.arguments[1]
    if isinstance(first, Literal):
        operator, first, last = _MIRRORED.get(operator, operator), last, first
    if not isinstance(last, Literal):
        return None
    if operator == "_!=_":
        equal = _compared(first, "_==_", last)
        return None if equal is None else equal.opposite()
    return _compared(first, operator, last)


def _compared(node: Node, operator: str, literal: Literal) -> _Atom | None:
    field = _field(node)
    if field is None:
        return None
    if literal.type == NULL:
        return _Atom(field, True) if operator == "_==_" else None
    if literal.type != node.type:
        return None
    if literal.type in _ORDERED:
        span = _span(operator, literal)
        return None if span is None else _Atom(field, False if operator == "_==_" else None, (span,))
    return _Atom(field, False, values=frozenset([literal.value])) if operator == "_==_" else None


def _among(node: Node, elements: Node) -> _Atom | None:
    field = _field(node)
    if field is None or not isinstance(elements, ListLiteral):
        return None
    literals = [element for element in elements.elements if isinstance(element, Literal)]
    if len(literals) < len(elements.elements) or {one.type for one in literals} - {node.type, NULL}:
        return None
    missing = any(literal.type == NULL for literal in literals)
    present = [literal for literal in literals if literal.type != NULL]
    if node.type not in _ORDERED:
        return _Atom(field, missing, values=frozenset(literal.value for literal in present))
    spans = [_span("_==_", literal) for literal in present]
    known = tuple(span for span in spans if span is not None)
    return _Atom(field, missing, known) if len(known) == len(spans) else None


def _field(node: Node) -> _Field | None:
    if isinstance(node, Name):
        return node.name, node.type, False
    if isinstance(node, Call) and node.overload == "int64_to_double" and isinstance(node.arguments[0], Name):
        return node.arguments[0].name, DOUBLE, True
    return None


def _span(operator: str, literal: Literal) -> _Span | None:
    """Give where a number is so compared; the number after v makes `> v` a `>=`, and `<= v` a `<`."""
    value = literal.value
    after = math.nextafter(value, math.inf) if literal.type == DOUBLE else value + 1
    if not (-math.inf < value and after < math.inf):  # infinite, or NaN, or the last before infinity
        return None
    return {
        "_==_": (value, after),
        "_>_": (after, math.inf),
        "_>=_": (value, math.inf),
        "_<_": (-math.inf, value),
        "_<=_": (-math.inf, after),
    }[operator]


def _regions(
    said: Mapping[int, list[_Atom]],
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


def _true_spans(atom: _Atom) -> list[_Span]:
    if not atom.negated:
        return list(atom.spans)
    rest, low = [], -math.inf
    for span in _united(atom.spans):
        if low < span[0]:
            rest.append((low, span[0]))
        low = span[1]
    return [*rest, (low, math.inf)] if low < math.inf else rest


def _united(spans: Iterable[_Span]) -> list[_Span]:
    united: list[_Span] = []
    for low, high in sorted(spans):
        if united and low <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], high)
        else:
            united.append((low, high))
    return united


def _by_value(said: Mapping[int, list[_Atom]]) -> tuple[dict[Any, int], int, tuple[int, int]]:
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


def _missing(said: Mapping[int, list[_Atom]]) -> tuple[int, int]:
    true = sum(bit for bit, atoms in said.items() if any(atom.missing is True for atom in atoms))
    return true, sum(bit for bit, atoms in said.items() if any(atom.missing is None for atom in atoms))
