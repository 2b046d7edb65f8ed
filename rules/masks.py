"""What conditions come to before any data: the questions they ask of single columns, and how these combine.

A question (`amount > 1000`, `country in ['KP', 'IR']`, `device == null`) is asked once a block, however many
conditions share it. Whatever else a condition holds is a step of the general `Plan`, packed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rules.bits import Bits, Plane
from rules.cuts import Cuts
from rules.expression import (
    DOUBLE,
    DURATION,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    Foreign,
    ListLiteral,
    Literal,
    Name,
    Node,
    Quantifier,
    walk,
)
from rules.functions import TABLE
from rules.scalar import Lists
from rules.steps import Plan, one_text

SHORT = 16
"""Entries of a list that are each compared; in a longer list values are looked up."""

_NUMBERS = (INT, DOUBLE, TIMESTAMP, DURATION)
_MIRRORED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}


class Asked(Protocol):
    """The block of rows that questions are put to."""

    none: Plane
    whole: Plane
    kept: dict[int, Bits]

    def bits(self, key: int) -> Bits:
        """Answer another node, a bool."""
        ...

    def at_or_above(self, name: str, edge: float | int | None) -> Plane:
        """Say where a column is at or above a threshold; `None` is above everything."""
        ...

    def numbers(self, name: str) -> Plane | None:
        """Say where a column is not NaN; None if nowhere."""
        ...

    def null(self, name: str) -> Plane | None:
        """Say where a column is null; None if nowhere."""
        ...

    def texts(self, name: str, number: int) -> Plane | None:
        """Say where a column is one of the texts sought under this number; None if it is not coded."""
        ...

    def general(self, key: int) -> Bits:
        """Answer a node by the general plan."""
        ...


Question = Callable[[Asked], Bits]
Equality = Callable[[Asked], Plane | None]  # an equality is nowhere unknown; None: the general plan must say


@dataclass(frozen=True, slots=True)
class _Made:
    """A question, and its cost: 0 for one column's masks, 1 for a combination, 2 for the general plan."""

    ask: Question
    cost: int


class Masks:
    """Questions by node number, the thresholds of each column, and the texts that are sought in each."""

    def __init__(self, roots: Sequence[Node], lists: Lists) -> None:
        self.plan = Plan(roots, lists)
        self.roots = self.plan.roots
        self.questions: dict[int, Question] = {}
        self.sought: dict[str, dict[tuple[str, ...], int]] = {}
        self._costs: dict[int, int] = {}
        self._edges: dict[str, set[float | int]] = {}
        for root in roots:
            self._make(root)
        self.places: dict[str, dict[float | int, int]] = {}
        self.cuts: dict[str, Cuts] = {}
        for name, edges in self._edges.items():
            kind = np.float64 if self.plan.types[name] == DOUBLE else np.int64
            ordered = np.array(sorted(edges), dtype=kind)
            self.cuts[name] = Cuts(ordered)
            self.places[name] = {edge: place for place, edge in enumerate(ordered.tolist())}
        self.answers = sum(self._costs[key] != 1 for key in self._costs) + sum(map(len, self._edges.values()))

    def _make(self, node: Node) -> int:
        key = self.plan.number(node)
        if key not in self.questions:
            made = self._junction(node) or self._about_one_column(key, node)
            if made is None:
                dear = one_text(node) is None or any(
                    isinstance(one, Quantifier | Foreign) for one in walk(node)
                )
                made = _Made(lambda rows: rows.general(key), 2 if dear else 0)
            self.questions[key], self._costs[key] = made.ask, made.cost
        return key

    def _junction(self, node: Node) -> _Made | None:
        if not isinstance(node, Call) or node.overload not in _JUNCTIONS:
            return None
        if node.overload == "logical_not":
            (key,) = (self._make(argument) for argument in node.arguments)
            return _Made(_negation(key), max(1, self._costs[key]))
        keys = [self._make(one) for one in self.plan.opened(node)]
        keys.sort(key=self._costs.__getitem__)
        dear = sum(self._costs[key] < 2 for key in keys)
        make = _conjunction if node.overload == "logical_and" else _disjunction
        return _Made(make(keys, dear), max(1, *(self._costs[key] for key in keys)))

    def _about_one_column(self, key: int, node: Node) -> _Made | None:
        names = {(one.name, one.type) for one in walk(node) if isinstance(one, Name)}
        if not isinstance(node, Call) or len(names) != 1:
            return None
        name, kind = names.pop()
        operator = TABLE[node.overload].name if node.overload in TABLE else ""
        first, last = node.arguments[0], node.arguments[-1]
        if operator in _MIRRORED and isinstance(first, Literal):
            first, last, operator = last, first, _MIRRORED[operator]
        if operator in ("_==_", "_!=_") and isinstance(first, Literal):
            first, last = last, first
        if not isinstance(first, Name) or len(node.arguments) != 2:
            return None
        if operator in ("_==_", "_!=_", "@in"):
            equality = self._equality(first, _sought(last))
            if equality is not None:
                return _Made(_or_general(equality, key, opposite=operator == "_!=_"), 0)
        elif operator in _MIRRORED and kind in _NUMBERS and isinstance(last, Literal):
            return _Made(self._ordering(name, operator, last.value), 0)
        return None

    def _equality(self, name: Name, sought: tuple[Literal, ...] | None) -> Equality | None:
        if sought is None:
            return None
        if all(one.type == NULL for one in sought):
            return _is_null(name.name) if sought else None
        if any(one.type != name.type for one in sought):
            return None
        values = tuple(one.value for one in sought)
        if len(values) > SHORT:
            return None
        if name.type == STRING:
            known = self.sought.setdefault(name.name, {})
            return _is_text(name.name, known.setdefault(values, len(known)))
        if name.type not in _NUMBERS:
            return None
        edges = [(self._edge(name, value), self._edge(name, _next(value))) for value in values]
        return _is_number(name.name, edges)

    def _ordering(self, name: str, operator: str, value: float | int) -> Question:
        at = self._edge(name, value if operator in ("_>=_", "_<_") else _next(value))
        if at is None:
            # Nothing is beyond the greatest value; which rows are numbers is still asked of the cuts.
            self._edge(name, value)
        return _is_above(name, at) if operator in ("_>=_", "_>_") else _is_below(name, at)

    def _edge(self, name: Name | str, value: float | int | None) -> float | int | None:
        if value is not None and value == value:
            self._edges.setdefault(name if isinstance(name, str) else name.name, set()).add(value)
            return value
        return None


def _sought(node: Node) -> tuple[Literal, ...] | None:
    """Give the constants on the right of `==` or `in`; None where it holds something else."""
    elements = node.elements if isinstance(node, ListLiteral) else (node,)
    found = tuple(element for element in elements if isinstance(element, Literal))
    return found if len(found) == len(elements) else None


def _next(value: float | int) -> float | int | None:
    """Give the next number: to be above a value is to be at or above the next. None after the last."""
    if isinstance(value, float):
        after = math.nextafter(value, math.inf)
        return None if after == value else after
    return value + 1 if value < 2**63 - 1 else None


def _conjunction(keys: Sequence[int], dear: int) -> Question:
    """Make `a && b && …`: T = T(a) & T(b), P = P(a) & P(b).

    It is over where a part is nowhere possible, and no dear part is asked once no row is.
    """

    def ask(rows: Asked) -> Bits:
        kept, none, whole = rows.kept, rows.none, rows.whole
        true = possible = whole
        for number, key in enumerate(keys):
            if number >= dear and not possible.any():
                return none, none
            one, may = kept.get(key) or rows.bits(key)
            if may is none:
                return none, none
            if true is whole and possible is whole:
                true, possible = one, may
            elif true is possible and one is may:
                if one is not whole:
                    true = possible = true & one
            else:
                true, possible = true & one, possible & may
        return true, possible

    return ask


def _disjunction(keys: Sequence[int], _: int) -> Question:
    """Make `a || b || …`: T = T(a) | T(b), P = P(a) | P(b). It is over where a part is true everywhere."""

    def ask(rows: Asked) -> Bits:
        kept, none, whole = rows.kept, rows.none, rows.whole
        true = possible = none
        for key in keys:
            one, may = kept.get(key) or rows.bits(key)
            if one is whole:
                return whole, whole
            if possible is none:
                true, possible = one, may
            elif true is possible and one is may:
                if one is not none:
                    true = possible = true | one
            else:
                true, possible = true | one, possible | may
        return true, possible

    return ask


def _negation(key: int) -> Question:
    """Make `!a`: true where a is not possible, possible where a is not true."""

    def ask(rows: Asked) -> Bits:
        true, possible = rows.bits(key)
        opposite = _not(possible, rows)
        return opposite, opposite if true is possible else _not(true, rows)

    return ask


_JUNCTIONS = ("logical_and", "logical_or", "logical_not")


def _or_general(equality: Equality, key: int, *, opposite: bool) -> Question:
    def ask(rows: Asked) -> Bits:
        found = equality(rows)
        if found is None:
            return rows.general(key)
        if opposite:
            found = _not(found, rows)
        return found, found

    return ask


def _is_null(name: str) -> Equality:
    def where(rows: Asked) -> Plane:
        null = rows.null(name)
        return rows.none if null is None else null

    return where


def _is_text(name: str, number: int) -> Equality:
    return lambda rows: rows.texts(name, number)


def _is_number(name: str, edges: Sequence[tuple[Any, Any]]) -> Equality:
    """Where at or above the number, and not at or above the next. A missing value equals none."""

    def where(rows: Asked) -> Plane:
        found = rows.none
        for edge, after in edges:
            at = rows.at_or_above(name, edge)
            if at is not rows.none:
                found = found | (at & ~rows.at_or_above(name, after))
        null = rows.null(name)
        return found if null is None or found is rows.none else found & ~null

    return where


def _is_above(name: str, edge: Any) -> Question:
    def ask(rows: Asked) -> Bits:
        return _where_present(rows.at_or_above(name, edge), rows.null(name), rows)

    return ask


def _is_below(name: str, edge: Any) -> Question:
    def ask(rows: Asked) -> Bits:
        above = rows.at_or_above(name, edge)
        below = _not(above, rows)
        if (numbers := rows.numbers(name)) is not None:
            below = below & numbers
        return _where_present(below, rows.null(name), rows)

    return ask


def _where_present(true: Plane, null: Plane | None, rows: Asked) -> Bits:
    """Leave a comparison open where the column is null."""
    if null is None:
        return true, true
    if true is rows.none:
        return true, null
    return true & ~null, true | null


def _not(plane: Plane, rows: Asked) -> Plane:
    return rows.none if plane is rows.whole else rows.whole if plane is rows.none else ~plane
