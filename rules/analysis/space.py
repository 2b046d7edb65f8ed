"""Checked conditions in, formulas over cells out: when each is true, and when it is false.

What is compared with constants becomes an axis: a field, or a term such as `size(memo)` or `amount * 2.0`.
Any other test is an axis of its own, which may come out either way: formulas then allow more than can happen,
never less. That no box of cells is left is therefore proof; that one is left must be confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any as Anything

from rules.analysis.axes import LOGIC, Atom, Axes
from rules.analysis.cells import Cells
from rules.analysis.constants import folded
from rules.analysis.formula import ALWAYS, NEVER, Formula, In, every, opposite, some
from rules.expression import BOOL, Call, Keys, Literal, Node, Variable

MOST_TESTS = 4000
"""Tests of one condition that is looked into."""
WIDE = 32
"""Tests from which on a condition counts as wide: those below are always looked into."""
MOST_WIDE = 16_000
"""Tests of all wide conditions together that are looked into, those that come first before others."""


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
        self._keys = Keys() if keys is None else keys
        self._axes = axes = Axes(variables, lists, self._keys)
        self.nodes, self.atoms = axes.nodes, axes.atoms
        self._true: dict[int, Formula] = {}
        self._folded: dict[int, tuple[Node, Node]] = {}
        self.beyond: set[int] = set()  # the places of conditions that the bounds leave out
        left = MOST_WIDE
        for place, condition in enumerate(map(self._fold, conditions)):
            size = _size(condition)
            left -= size if size > WIDE else 0
            if size > MOST_TESTS or (size > WIDE and left < 0):
                axes.atoms[self._keys[condition]] = axes.outcome(condition)
                self.beyond.add(place)
            else:
                axes.read(condition)
        self.cells: list[Cells] = [domain.cut() for domain in axes.domains]
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
        return self._axes.places.get(self._keys[self._fold(node)])

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


def _size(node: Node) -> int:
    """Give how many tests the formula of a condition would hold: a ternary asks for its condition twice."""
    if not isinstance(node, Call):
        return 1
    sizes = [_size(part) for part in node.arguments] if node.overload in LOGIC else [1]
    return sum(sizes) + (sizes[0] if node.overload == "conditional" else 0)
