"""How much an expression may make of its inputs: a bound on sizes and on work, before anything is evaluated.

Every part has a size of at most c · Lᵈ characters or entries, where L is the longest text or list given.
Texts doubled again and again, and lists made of every pair, are refused; the CEL runtime itself ends loops
after 10,000 rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.expression import Foreign, ListName, Node, Quantifier, children
from rules.tree import Tree

ROUNDS = 10_000
"""The rounds of all loops that the CEL runtime allows in one evaluation."""

MOST = 20_000_000.0
MOST_PER_INPUT = 1_000_000.0

_HINT = "split the condition, or shorten its texts and lists"


class Size(NamedTuple):
    """At most `factor` · Lᵈ, d being `degree`; of a list, its largest entry has at most the size `entry`."""

    factor: float
    degree: int = 0
    entry: tuple[float, int] | None = None

    def __or__(self, other: Size) -> Size:
        """Take the larger of two."""
        return Size(max(self.factor, other.factor), max(self.degree, other.degree), _larger(self, other))

    def plus(self, other: Size) -> Size:
        """Put two together."""
        return Size(self.factor + other.factor, max(self.degree, other.degree), _larger(self, other))

    def times(self, other: Size) -> Size:
        """Make as many of one as the other counts."""
        return Size(self.factor * other.factor, self.degree + other.degree, self.entry)

    @property
    def one(self) -> Size:
        """One entry of a list."""
        return Size(*self.entry) if self.entry else Size(self.factor, self.degree)


def _larger(a: Size, b: Size) -> tuple[float, int] | None:
    """Give the size of the largest entry of either list."""
    if a.entry is None or b.entry is None:
        return a.entry or b.entry
    return max(a.entry[0], b.entry[0]), max(a.entry[1], b.entry[1])


ONE = Size(1.0)


@dataclass(frozen=True)
class TooMuch:
    """The part that makes too much."""

    tree: Tree
    message: str
    hint: str = _HINT


class _StopError(Exception):
    pass


@dataclass
class _Bounds:
    sizes: dict[str, Size] = field(default_factory=dict)
    found: TooMuch | None = None

    def size(self, tree: Tree, rounds: float = 1.0) -> Size:
        """Bound one part's size, where `rounds` are those of the loops around it."""
        size = self._size(tree, rounds)
        if tree.kind in ("name", "constant"):
            return size
        work = size.factor * rounds
        if size.degree > 1 or work > (MOST_PER_INPUT if size.degree else MOST):
            self.found = TooMuch(tree, "this can grow too large: a text or list made of copies of copies")
            raise _StopError
        return size

    def _size(self, tree: Tree, rounds: float) -> Size:
        if tree.kind == "constant":
            return Size(max(len(tree.value), 1)) if tree.type in ("string", "bytes") else ONE
        if tree.kind == "name":
            return self.sizes.get(tree.value, Size(1.0, 1))
        if tree.kind == "loop":
            return self._loop(tree, rounds)
        below = [self.size(child, rounds) for child in tree.children]
        if tree.kind == "call":
            return _called(tree.value, below)
        total, largest = ONE, ONE
        for size in below:
            total, largest = total.plus(size), largest | size
        return Size(total.factor, total.degree, (largest.factor, largest.degree))

    def _loop(self, tree: Tree, rounds: float) -> Size:
        over, start, going, step, result = tree.children
        variable, second, accumulator = tree.value
        range_, begins = self.size(over, rounds), self.size(start, rounds)
        count = min(range_.factor, ROUNDS) if not range_.degree else float(ROUNDS)
        outer = self.sizes
        # The runtime ends after so many rounds of all loops together.
        within = min(rounds * count, ROUNDS)
        self.sizes = {**outer, accumulator: begins, variable: range_.one, second: range_.one}
        self.size(going, within)
        grows = self._growth(step, accumulator, within)
        made = begins.plus(grows.times(Size(count)))
        self.sizes = {**outer, accumulator: made}
        size = self.size(result, rounds)
        self.sizes = outer
        return size

    def _growth(self, step: Tree, accumulator: str, rounds: float) -> Size:
        """Bound what one round adds: CEL's macros add to the accumulator or leave it, no more."""
        if _is(step, accumulator):
            return Size(0.0)
        if step.kind == "call" and step.value == "_?_:_" and not _reads(step.children[0], accumulator):
            self.size(step.children[0], rounds)
            one, other = (self._growth(child, accumulator, rounds) for child in step.children[1:])
            return one | other
        adds = step.kind == "call" and step.value in ("_+_", "_&&_", "_||_") and len(step.children) == 2
        if adds and _is(step.children[0], accumulator) and not _reads(step.children[1], accumulator):
            added = self.size(step.children[1], rounds)
            return added if step.value == "_+_" else Size(0.0)
        if not _reads(step, accumulator):
            return self.size(step, rounds)
        self.found = TooMuch(step, "a loop that no macro makes", "use all, exists, exists_one, map or filter")
        raise _StopError


def too_much(tree: Tree) -> TooMuch | None:
    """Give the part of an expression that makes too much of what it is given; None if there is none."""
    bounds = _Bounds()
    try:
        bounds.size(tree)
    except _StopError:
        return bounds.found
    return None


def too_many_rounds(node: Node, sizes: Mapping[str, int]) -> str:
    """Say which lists a condition would loop over for too long, given their sizes; or nothing."""
    looped: dict[str, int] = {}
    if _rounds(node, sizes, looped) <= ROUNDS:
        return ""
    names = " and ".join(f"'{name}' ({size:,} entries)" for name, size in sorted(looped.items()))
    return f"this loops over {names}; at most {ROUNDS:,} rounds are made"


def _rounds(node: Node, sizes: Mapping[str, int], looped: dict[str, int]) -> int:
    if isinstance(node, Quantifier):
        looped[node.over.name] = size = sizes.get(node.over.name, 0)
        return size * max(_rounds(node.body, sizes, looped), 1)
    if isinstance(node, Foreign):
        named = {one.name: sizes.get(one.name, 0) for one in node.inputs if isinstance(one, ListName)}
        looped |= named
        return sum(named.values())
    return sum(_rounds(child, sizes, looped) for child in children(node))


def _called(function: str, below: list[Size]) -> Size:
    if function in _LARGER:
        return _LARGER[function](below)
    if function in _SMALL:
        return ONE
    total = Size(0.0)
    for size in below:
        total = total.plus(size)
    return total


def _replaced(below: list[Size]) -> Size:
    return below[0].times(below[2].plus(ONE)) if len(below) > 2 else ONE


def _joined(below: list[Size]) -> Size:
    return below[0].times((below[1] if len(below) > 1 else ONE).plus(ONE))


def _formatted(below: list[Size]) -> Size:
    # A directive has two characters at least, and at most 1,000 digits after the point.
    total = Size(below[0].factor * 1000, below[0].degree)
    for size in below[1:]:
        total = total.plus(Size(size.factor * 4, size.degree))
    return total


def _quoted(below: list[Size]) -> Size:
    return Size(below[0].factor * 8, below[0].degree)


def _chosen(below: list[Size]) -> Size:
    size = ONE
    for one in below[1:]:
        size = size | one
    return size


def _one_of(below: list[Size]) -> Size:
    return below[0].one


_LARGER = {
    "_[_]": _one_of,
    "replace": _replaced,
    "join": _joined,
    "format": _formatted,
    "strings.quote": _quoted,
    "_?_:_": _chosen,
}
_SMALL = frozenset(
    (
        *("_&&_", "_||_", "!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "@not_strictly_false"),
        *("_-_", "_*_", "_/_", "_%_", "-_", "int", "uint", "double", "bool", "timestamp", "duration", "size"),
        *("matches", "contains", "startsWith", "endsWith", "indexOf", "lastIndexOf", "charAt", "type"),
    )
)


def _is(tree: Tree, name: str) -> bool:
    return tree.kind == "name" and tree.value == name


def _reads(tree: Tree, name: str) -> bool:
    """Whether a part reads a variable that no loop within it hides."""
    if _is(tree, name):
        return True
    inner = tree.kind == "loop" and name in tree.value
    return any(_reads(child, name) for child in (tree.children[:2] if inner else tree.children))
