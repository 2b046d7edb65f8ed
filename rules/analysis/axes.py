"""Conditions in, the tests that they make out: each a test of one axis, a field or a term that is compared.

Any other test is an axis of its own, which may come out either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything

from rules.analysis.cells import Domain, members
from rules.analysis.exact import compares_exactly, inner_field, is_exact, is_plain, is_strict, may_fail
from rules.expression import (
    BOOL,
    DOUBLE,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    Keys,
    ListLiteral,
    ListName,
    Literal,
    Name,
    Node,
    Variable,
    walk,
)
from rules.terms import ORDERINGS, RANGES, WORDS

LOGIC = ("logical_not", "logical_and", "logical_or", "conditional")
MAX_ENTRIES = 100_000
_FLIPPED = {
    "less": "greater",
    "less_equals": "greater_equals",
    "greater": "less",
    "greater_equals": "less_equals",
}
_TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP, "duration")


@dataclass(frozen=True, slots=True)
class Atom:
    """One test of one axis. `ties` are the fields without which it is unknown."""

    axis: int
    word: str  # less …, among, missing, or outcome: the axis is the test itself
    value: Anything = None
    strict: bool = False  # whether nothing equals a missing value, null neither
    null: bool = False  # whether null is among the values
    ties: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Operand:
    axis: int
    node: Node
    strict: bool
    ties: tuple[int, ...]


class Axes:
    """The axes of a set of conditions, and the tests of them."""

    def __init__(self, variables: Sequence[Variable], lists: Mapping[str, Anything], keys: Keys) -> None:
        self.nodes: list[Node] = []  # of each axis
        self.domains: list[Domain] = []  # of each axis
        self.places: dict[int, int] = {}  # of axes, by number of the node
        self.atoms: dict[int, Atom] = {}  # by number of the test
        self._variables = {variable.name: variable for variable in variables}
        self._lists = lists
        self._entries: dict[tuple[str, str], frozenset[Anything] | None] = {}
        self._keys = keys

    def read(self, node: Node) -> None:
        """Note every test of a condition."""
        if isinstance(node, Literal):
            return
        if isinstance(node, Call):
            if node.overload in LOGIC:
                for part in node.arguments:
                    self.read(part)
                return
            if node.overload == "not_equals":
                self.read(Call("equals", node.arguments, BOOL, node.offset))
                return
        key = self._keys[node]
        if key not in self.atoms:
            self.atoms[key] = self._recognised(node) or self.outcome(node)

    def _recognised(self, node: Node) -> Atom | None:
        if isinstance(node, Name):
            return Atom(self._name(node), "outcome") if node.type == BOOL else None
        if not isinstance(node, Call) or len(node.arguments) != 2:
            return None
        left, right = node.arguments
        if node.overload == "in_list":
            return self._membership(left, right)
        word = ORDERINGS.get(node.overload, node.overload)
        if word not in (*WORDS, "equals"):
            return None
        if isinstance(left, Literal):
            left, right, word = right, left, _FLIPPED.get(word, word)
        if not isinstance(right, Literal) or isinstance(left, Literal):
            return None
        if not compares_exactly(left, right.value):
            return None
        operand = self._operand(left)
        if operand is None:
            return None
        if word == "equals":
            return self._among(operand, [right])
        self.domains[operand.axis].bounds.add(right.value)
        return Atom(operand.axis, word, right.value, ties=operand.ties)

    def _membership(self, left: Node, right: Node) -> Atom | None:
        if isinstance(left, Literal):
            return None
        if isinstance(right, ListName):
            kind = inner_field(left).type
            entries = self._listed(right.name, kind) if right.element in (INT, DOUBLE, STRING) else None
            operand = self._operand(left) if entries is not None else None
            if operand is None or entries is None:
                return None
            self.domains[operand.axis].sets[entries] = None
            return Atom(operand.axis, "among", entries, operand.strict, ties=operand.ties)
        if not isinstance(right, ListLiteral):
            return None
        literals = [part for part in right.elements if isinstance(part, Literal)]
        if len(literals) < len(right.elements) or not all(
            compares_exactly(left, part.value) for part in literals
        ):
            return None
        operand = self._operand(left)
        return self._among(operand, literals) if operand else None

    def _among(self, operand: _Operand, literals: Sequence[Literal]) -> Atom:
        null = any(literal.type == NULL for literal in literals)
        values = [literal.value for literal in literals if literal.type != NULL]
        if not values and null and not operand.strict:
            return Atom(operand.axis, "missing")
        kept = members(values, self.domains[operand.axis].type)
        self.domains[operand.axis].sets[kept] = None
        return Atom(operand.axis, "among", kept, operand.strict, null, operand.ties)

    def _listed(self, name: str, kind: str) -> frozenset[Anything] | None:
        """Give the entries of a list as values of a type; None where they are too many or too large."""
        key = name, kind
        if key not in self._entries:
            entries = self._lists[name]
            usable = (
                kind in (INT, DOUBLE, STRING)
                and len(entries) <= MAX_ENTRIES
                and all(is_exact(kind, entry) for entry in entries)
            )
            self._entries[key] = members(entries, kind) if usable else None
        return self._entries[key]

    def _operand(self, node: Node) -> _Operand | None:
        """Give the axis that a side of a comparison is, if it is one."""
        inner = inner_field(node)
        if isinstance(inner, Name):
            return _Operand(self._name(inner), inner, inner is not node, ())
        if inner.type not in _TYPES or inner.type == BOOL or not is_strict(node):
            return None
        names = [part for part in walk(node) if isinstance(part, Name)]
        if not names:
            return None
        return _Operand(self._term(node), node, True, tuple(dict.fromkeys(map(self._name, names))))

    def _name(self, node: Name) -> int:
        variable = self._variables.get(node.name) or Variable(node.name, node.type)
        values = variable.values if node.type == STRING else None
        domain = Domain(node.type, variable.nullable, False, variable.minimum, variable.maximum, values)
        return self._new(node, domain)

    def _term(self, node: Node) -> int:
        lowest, highest = RANGES.get(node.overload, (None, None)) if isinstance(node, Call) else (None, None)
        domain = Domain(node.type, may_fail(node), node.type == DOUBLE, lowest, highest)
        return self._new(node, domain)

    def outcome(self, node: Node) -> Atom:
        """Make the test itself an axis: what is known of it is when it has no value."""
        strict = is_strict(node)
        names = [part for part in walk(node) if isinstance(part, Name)] if strict else []
        ties = tuple(dict.fromkeys(map(self._name, names)))
        two_valued = isinstance(node, Call) and node.overload in ("equals", "in_list") and is_plain(node)
        return Atom(self._new(node, Domain(BOOL, not two_valued and may_fail(node))), "outcome", ties=ties)

    def _new(self, node: Node, domain: Domain) -> int:
        key = self._keys[node]
        if key not in self.places:
            self.places[key] = len(self.domains)
            self.domains.append(domain)
            self.nodes.append(node)
        return self.places[key]
