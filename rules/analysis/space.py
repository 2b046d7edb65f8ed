"""Checked conditions in, formulas over cells out: when each is true, and when it is false.

What is compared with constants becomes an axis: a field, or a term such as `size(memo)` or `amount * 2.0`.
Any other test is an axis of its own, which may come out either way: formulas then allow more than can happen,
never less. That no box of cells is left is therefore proof; that one is left must be confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any as Anything

from rules.analysis.cells import Cells, Domain, members
from rules.analysis.constants import folded
from rules.analysis.formula import ALWAYS, NEVER, Formula, In, every, opposite, some
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
from rules.functions import TABLE
from rules.functions.table import Function
from rules.terms import ORDERINGS, RANGES, WORDS

MOST_TESTS = 4000
"""Tests of one condition that is looked into."""
WIDE = 32
"""Tests from which on a condition counts as wide: those below are always looked into."""
MOST_WIDE = 16_000
"""Tests of all wide conditions together that are looked into, those that come first before others."""
_LOGIC = ("logical_not", "logical_and", "logical_or", "conditional")
EXACT = 2**53  # below it an int and its double are one number
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


class Space:
    """The axes of a set of conditions, and their formulas.

    `lists` has the entries of each list; one of more than a hundred thousand is not looked into. `keys` are
    the conditions' numbers, where they have some.
    """

    def __init__(
        self,
        conditions: Iterable[Node],
        variables: Sequence[Variable],
        lists: Mapping[str, Anything],
        keys: Keys | None = None,
    ) -> None:
        self.nodes: list[Node] = []  # of each axis
        self.atoms: dict[int, Atom] = {}  # by number of the test
        self._variables = {variable.name: variable for variable in variables}
        self._lists = lists
        self._entries: dict[tuple[str, str], frozenset[Anything] | None] = {}
        self._keys = Keys() if keys is None else keys
        self._axes: dict[int, int] = {}
        self._domains: list[Domain] = []
        self._true: dict[int, Formula] = {}
        self._folded: dict[int, tuple[Node, Node]] = {}
        self.beyond: set[int] = set()  # the places of conditions that the bounds leave out
        left = MOST_WIDE
        for place, condition in enumerate(map(self._fold, conditions)):
            size = _size(condition)
            left -= size if size > WIDE else 0
            if size > MOST_TESTS or (size > WIDE and left < 0):
                self.atoms[self._keys[condition]] = self._outcome(condition)
                self.beyond.add(place)
            else:
                self._read(condition)
        self.cells: list[Cells] = [domain.cut() for domain in self._domains]
        self.full: list[int] = [cells.full for cells in self.cells]

    def true(self, node: Node) -> Formula:
        """Give where a condition is true."""
        return self._formula(self._fold(node), True)

    def false(self, node: Node) -> Formula:
        """Give where a condition is false."""
        return self._formula(self._fold(node), False)

    def unknown(self, node: Node) -> Formula:
        """Give where a condition is neither."""
        both = (self.true(node), self.false(node))
        return every(*(opposite(formula, self.full) for formula in both))

    def axis(self, node: Node) -> int | None:
        """Give the axis of a field or term, if it is one."""
        return self._axes.get(self._keys[self._fold(node)])

    def number(self, node: Node) -> int:
        """Give the number that nodes of its structure have."""
        return self._keys[node]

    def atom(self, node: Node) -> Atom | None:
        """Give the test that a node is, if it is one."""
        return self.atoms.get(self._keys[self._fold(node)])

    def part(self, atom: Atom) -> tuple[int, int]:
        """Give the cells of its axis in which a test is true, and those in which it is false."""
        cells = self.cells[atom.axis]
        if atom.word == "missing":
            return cells.missing, cells.present
        if atom.word == "outcome":
            return 2, 1
        found = cells.among(atom.value) if atom.word == "among" else cells.ordered(atom.word, atom.value)
        if atom.word == "among" and not atom.strict:
            found |= cells.missing if atom.null else 0
            return found, cells.full & ~found
        return found, cells.present & ~found

    def _fold(self, node: Node) -> Node:
        """Give a node with its constant parts worked out."""
        known = self._folded.get(id(node))
        if known is None:
            known = self._folded[id(node)] = (
                node,
                folded(node),
            )  # kept, so that its id is not given to another
        return known[1]

    def _formula(self, node: Node, wanted: bool) -> Formula:
        key = self._keys[node] * 2 + wanted
        kept = self._true.get(key)
        if kept is None:
            kept = self._true[key] = self._made(node, wanted)
        return kept

    def _made(self, node: Node, wanted: bool) -> Formula:
        if self._keys[node] in self.atoms:
            return self._tested(node, wanted)
        if isinstance(node, Literal):
            return ALWAYS if node.value is wanted else NEVER
        if isinstance(node, Call):
            parts = node.arguments
            match node.overload:
                case "logical_not":
                    return self._formula(parts[0], not wanted)
                case "not_equals":
                    return self._formula(Call("equals", parts, BOOL, node.offset), not wanted)
                case "logical_and" | "logical_or":
                    join = every if (node.overload == "logical_and") is wanted else some
                    return join(*(self._formula(part, wanted) for part in parts))
                case "conditional":
                    return some(
                        every(self.true(parts[0]), self._formula(parts[1], wanted)),
                        every(self.false(parts[0]), self._formula(parts[2], wanted)),
                    )
        raise TypeError(f"no formula for {node!r}")

    def _tested(self, node: Node, wanted: bool) -> Formula:
        atom = self.atoms[self._keys[node]]
        test = In(atom.axis, self.part(atom)[0 if wanted else 1])
        return every(test, *(In(axis, self.cells[axis].present) for axis in atom.ties))

    def _read(self, node: Node) -> None:
        """Note every test of a condition."""
        if isinstance(node, Literal):
            return
        if isinstance(node, Call):
            if node.overload in _LOGIC:
                for part in node.arguments:
                    self._read(part)
                return
            if node.overload == "not_equals":
                self._read(Call("equals", node.arguments, BOOL, node.offset))
                return
        key = self._keys[node]
        if key not in self.atoms:
            self.atoms[key] = self._recognised(node) or self._outcome(node)

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
        if not _comparable(left, right.value):
            return None
        operand = self._operand(left)
        if operand is None:
            return None
        if word == "equals":
            return self._among(operand, [right])
        self._domains[operand.axis].bounds.add(right.value)
        return Atom(operand.axis, word, right.value, ties=operand.ties)

    def _membership(self, left: Node, right: Node) -> Atom | None:
        if isinstance(left, Literal):
            return None
        if isinstance(right, ListName):
            kind = _inner(left).type
            entries = self._listed(right.name, kind) if right.element in (INT, DOUBLE, STRING) else None
            operand = self._operand(left) if entries is not None else None
            if operand is None or entries is None:
                return None
            self._domains[operand.axis].sets[entries] = None
            return Atom(operand.axis, "among", entries, operand.strict, ties=operand.ties)
        if not isinstance(right, ListLiteral):
            return None
        literals = [part for part in right.elements if isinstance(part, Literal)]
        if len(literals) < len(right.elements) or not all(_comparable(left, part.value) for part in literals):
            return None
        operand = self._operand(left)
        return self._among(operand, literals) if operand else None

    def _among(self, operand: _Operand, literals: Sequence[Literal]) -> Atom:
        null = any(literal.type == NULL for literal in literals)
        values = [literal.value for literal in literals if literal.type != NULL]
        if not values and null and not operand.strict:
            return Atom(operand.axis, "missing")
        kept = members(values, self._domains[operand.axis].type)
        self._domains[operand.axis].sets[kept] = None
        return Atom(operand.axis, "among", kept, operand.strict, null, operand.ties)

    def _listed(self, name: str, kind: str) -> frozenset[Anything] | None:
        """Give the entries of a list as values of a type; None where they are too many or too large."""
        key = name, kind
        if key not in self._entries:
            entries = self._lists[name]
            usable = (
                kind in (INT, DOUBLE, STRING)
                and len(entries) <= MAX_ENTRIES
                and all(_exact(kind, entry) for entry in entries)
            )
            self._entries[key] = members(entries, kind) if usable else None
        return self._entries[key]

    def _operand(self, node: Node) -> _Operand | None:
        """Give the axis that a side of a comparison is, if it is one."""
        inner = _inner(node)
        if isinstance(inner, Name):
            return _Operand(self._name(inner), inner, inner is not node, ())
        if inner.type not in _TYPES or inner.type == BOOL or not _strict(node):
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
        domain = Domain(node.type, _fails(node), node.type == DOUBLE, lowest, highest)
        return self._new(node, domain)

    def _outcome(self, node: Node) -> Atom:
        """Make the test itself an axis: what is known of it is when it has no value."""
        strict = _strict(node)
        names = [part for part in walk(node) if isinstance(part, Name)] if strict else []
        ties = tuple(dict.fromkeys(map(self._name, names)))
        two_valued = isinstance(node, Call) and node.overload in ("equals", "in_list") and _plain(node)
        return Atom(self._new(node, Domain(BOOL, not two_valued and _fails(node))), "outcome", ties=ties)

    def _new(self, node: Node, domain: Domain) -> int:
        key = self._keys[node]
        if key not in self._axes:
            self._axes[key] = len(self._domains)
            self._domains.append(domain)
            self.nodes.append(node)
        return self._axes[key]


def _size(node: Node) -> int:
    """Give how many tests the formula of a condition would hold: a ternary asks for its condition twice."""
    if not isinstance(node, Call):
        return 1
    sizes = [_size(part) for part in node.arguments] if node.overload in _LOGIC else [1]
    return sum(sizes) + (sizes[0] if node.overload == "conditional" else 0)


def _inner(node: Node) -> Node:
    """Look through the widening of a field: its double is compared as the field is."""
    if isinstance(node, Call) and node.overload == "int64_to_double" and isinstance(node.arguments[0], Name):
        return node.arguments[0]
    return node


def _strict(node: Node) -> bool:
    """Say whether a node has a value (not null) exactly where all its fields do and nothing in it fails."""
    if isinstance(node, Call):
        return isinstance(TABLE.get(node.overload), Function) and all(map(_strict, node.arguments))
    return isinstance(node, Name) or (isinstance(node, Literal) and node.type != NULL)


def _fails(node: Node) -> bool:
    """Say whether a node may have no value though none of its fields is missing."""
    if isinstance(node, Name | Literal):
        return False
    if not isinstance(node, Call) or not _strict(node):
        return True
    row = TABLE[node.overload]
    return (isinstance(row, Function) and row.fails) or any(map(_fails, node.arguments))


def _plain(node: Call) -> bool:
    parts = [part for part in walk(node) if part is not node]
    return all(isinstance(part, Name | Literal | ListName | ListLiteral) for part in parts)


def _comparable(node: Node, value: Anything) -> bool:
    return value is None or _exact(_inner(node).type, value)


def _exact(kind: str, value: Anything) -> bool:
    """Say whether comparing a value of this type with a constant is the same as by exact numbers."""
    if kind == INT and isinstance(value, float):
        return -EXACT < value < EXACT
    if kind == DOUBLE and isinstance(value, int):
        return -EXACT < value < EXACT
    return True
