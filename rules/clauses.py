"""A condition in, its clauses out: each some comparisons joined by `||`, and all of them must hold.

That is its conjunctive form. What is more than comparisons is left out of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
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

ORDERED = {INT, DOUBLE, TIMESTAMP, DURATION}
_MIRRORED = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
_OPPOSITE: dict[bool | None, bool | None] = {True: False, False: True, None: None}

Field = tuple[str, str, bool]  # name, type, whether an int is widened to a double
Span = tuple[Any, Any]  # from the first up to and without the second; infinite for no bound


@dataclass(frozen=True)
class Atom:
    """A comparison of one field with constants: true in its spans, or for its values, unless `negated`.

    `missing` is its result where the field is null, None for unknown.
    """

    field: Field
    missing: bool | None
    spans: tuple[Span, ...] = ()
    values: frozenset[Any] = frozenset()
    negated: bool = False

    def opposite(self) -> Atom:
        """Give the comparison that is true where this one is false."""
        return replace(self, negated=not self.negated, missing=_OPPOSITE[self.missing])


Clause = tuple[Atom, ...]


def conjunctive_forms(conditions: Sequence[Node]) -> list[tuple[list[Clause], bool]]:
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


def _form(node: Node, negated: bool) -> tuple[list[Clause], bool]:
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


def _atom(node: Node) -> Atom | None:
    """Read a comparison of one field with constants; None for anything else."""
    if isinstance(node, Name):
        return Atom((node.name, BOOL, False), None, values=frozenset([True]))
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


def _compared(node: Node, operator: str, literal: Literal) -> Atom | None:
    field = _field(node)
    if field is None:
        return None
    if literal.type == NULL:
        return Atom(field, True) if operator == "_==_" else None
    if literal.type != node.type:
        return None
    if literal.type in ORDERED:
        span = _span(operator, literal)
        return None if span is None else Atom(field, False if operator == "_==_" else None, (span,))
    return Atom(field, False, values=frozenset([literal.value])) if operator == "_==_" else None


def _among(node: Node, elements: Node) -> Atom | None:
    field = _field(node)
    if field is None or not isinstance(elements, ListLiteral):
        return None
    literals = [element for element in elements.elements if isinstance(element, Literal)]
    if len(literals) < len(elements.elements) or {one.type for one in literals} - {node.type, NULL}:
        return None
    missing = any(literal.type == NULL for literal in literals)
    present = [literal for literal in literals if literal.type != NULL]
    if node.type not in ORDERED:
        return Atom(field, missing, values=frozenset(literal.value for literal in present))
    spans = [_span("_==_", literal) for literal in present]
    known = tuple(span for span in spans if span is not None)
    return Atom(field, missing, known) if len(known) == len(spans) else None


def _field(node: Node) -> Field | None:
    if isinstance(node, Name):
        return node.name, node.type, False
    if isinstance(node, Call) and node.overload == "int64_to_double" and isinstance(node.arguments[0], Name):
        return node.arguments[0].name, DOUBLE, True
    return None


def _span(operator: str, literal: Literal) -> Span | None:
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
