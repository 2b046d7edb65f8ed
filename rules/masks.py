"""What conditions come to before any data: the questions they ask of single columns, and how these combine.

A question (`amount > 1000`, `country in ['KP', 'IR']`, `device == null`) is a line of the sheet, one however
many conditions share it. Whatever else a condition holds is a step of the general `Plan`, packed afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from rules.bits import Bits, Plane
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
from rules.membership import Lists
from rules.plan import Plan, one_text
from rules.sheet import Drafted

SHORT = 16
"""Entries of a list that are each compared; in a longer list values are looked up."""

_JUNCTIONS = ("logical_and", "logical_or", "logical_not")
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

    def general(self, key: int) -> Bits:
        """Answer a node by the general plan."""
        ...


Question = Callable[[Asked], Bits]


class Masks:
    """The sheet of what is cheap, and questions by node number for the rest: what hangs on the general plan.

    `kept` are the nodes that the sheet answers for others, conditions among them, in the order in which the
    sheet gives them.
    """

    def __init__(self, roots: Sequence[Node], lists: Lists) -> None:
        self.plan = Plan(roots, lists)
        self.roots = self.plan.roots
        self.questions: dict[int, Question] = {}
        self._draft = Drafted()
        self._lines: dict[int, int | None] = {}
        kept = {self.plan.number(root): line for root in roots if (line := self._line(root)) is not None}
        for root in roots:
            self._ask(root, kept)
        self.kept = tuple(kept)
        kinds = {name: np.float64 if kind == DOUBLE else np.int64 for name, kind in self.plan.types.items()}
        self.sheet = self._draft.sheet(kinds, list(kept.values()))
        self.answers = 2 * len(self.kept) + len(self.questions)

    def _ask(self, node: Node, kept: dict[int, int]) -> int:
        """Make the question of a node that is not on the sheet, and of those it asks."""
        key = self.plan.number(node)
        line = self._line(node)
        if line is not None:
            kept[key] = line
        elif key not in self.questions:
            if isinstance(node, Call) and node.overload == "logical_not":
                self.questions[key] = _negation(self._ask(node.arguments[0], kept))
            elif isinstance(node, Call) and node.overload in _JUNCTIONS:
                parts = sorted(self.plan.opened(node), key=lambda part: self._line(part) is None)
                cheap = [line for part in parts if (line := self._line(part)) is not None]
                self.questions[key] = self._junction(node, parts, len(cheap), kept)
            else:
                self.questions[key] = lambda rows: rows.general(key)
        return key

    def _junction(self, node: Call, parts: Sequence[Node], cheap: int, kept: dict[int, int]) -> Question:
        make = _conjunction if node.overload == "logical_and" else _disjunction
        return make([self._ask(part, kept) for part in parts], cheap)

    def _line(self, node: Node) -> int | None:
        """Give the line of a node on the sheet; None where it hangs on the general plan."""
        key = self.plan.number(node)
        if key not in self._lines:
            self._lines[key] = self._drafted(key, node)
        return self._lines[key]

    def _drafted(self, key: int, node: Node) -> int | None:
        draft = self._draft
        if isinstance(node, Call) and node.overload in _JUNCTIONS:
            parts = node.arguments if node.overload == "logical_not" else self.plan.opened(node)
            lines = [self._line(part) for part in parts]
            known = [line for line in lines if line is not None]
            if len(known) < len(lines):
                return None
            if node.overload == "logical_not":
                return draft.opposite(known[0])
            return draft.every(known) if node.overload == "logical_and" else draft.some(known)
        line = self._about_one_column(node)
        if line is not None:
            return line
        if isinstance(node, Name | Literal):
            return draft.given(key)
        dear = one_text(node) is None or any(isinstance(one, Quantifier | Foreign) for one in walk(node))
        return None if dear else draft.given(key)

    def _about_one_column(self, node: Node) -> int | None:
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
            opposite = equality is not None and operator == "_!=_"
            return self._draft.opposite(equality) if opposite else equality  # type: ignore[arg-type]
        if operator in _MIRRORED and kind in _NUMBERS and isinstance(last, Literal):
            return self._ordering(name, operator, last.value)
        return None

    def _equality(self, name: Name, sought: tuple[Literal, ...] | None) -> int | None:
        """Draft where a column is one of some constants: a missing value equals none but null."""
        draft = self._draft
        if sought is None:
            return None
        if all(one.type == NULL for one in sought):
            return draft.null(name.name) if sought else None
        if any(one.type != name.type for one in sought) or len(sought) > SHORT:
            return None
        if name.type == STRING:
            parts = [draft.text(name.name, one.value) for one in sought]
        elif name.type in _NUMBERS:
            edges = [(_edge(one.value), _edge(_next(one.value))) for one in sought]
            parts = [draft.between(name.name, *some) for some in edges]
        else:
            return None
        return draft.some(parts) if len(parts) > 1 else parts[0]

    def _ordering(self, name: str, operator: str, value: float | int) -> int:
        edge = _edge(value if operator in ("_>=_", "_<_") else _next(value))
        above = operator in ("_>=_", "_>_")
        return self._draft.above(name, edge) if above else self._draft.below(name, edge)


def _edge(value: float | int | None) -> float | int | None:
    return None if value is None or value != value else value


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


def _not(plane: Plane, rows: Asked) -> Plane:
    return rows.none if plane is rows.whole else rows.whole if plane is rows.none else ~plane
