"""A sheet of bits: a line for each question and each combination of questions, a column for each row of data.

What conditions ask of single columns, and how that combines by `&&`, `||` and `!`, is numbered once. A strip
of rows is then answered by few calls, each over many lines and long enough to leave Python's lock to other
threads. A line says where its node is true; where values are missing, a second sheet says where it is
possible, that is true or unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from rules.bits import Bits, Plane
from rules.cuts import Cuts
from rules.verdict import text_array

NONE, WHOLE = 0, 1  # the lines that are nowhere and everywhere true
AT_ONCE = 128  # lines combined in one call: enough for calls that are long, few enough to stay in the cache

Node = tuple[Any, ...]
Edge = float | int | None


class Strip(Protocol):
    """Some rows of a batch, a multiple of eight from its block's first."""

    rows: int

    def values(self, name: str) -> np.ndarray:
        """Give a column of numbers; where it is null, anything."""
        ...

    def null(self, name: str) -> Plane | None:
        """Say where a column is null; None if nowhere."""
        ...

    def codes(self, name: str) -> tuple[np.ndarray, Plane | None]:
        """Give for each row which of the texts sought in a column it is, and where it is none of them."""
        ...

    def given(self, key: int) -> Bits:
        """Answer a node that the sheet has no words for."""
        ...


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The lines of one column of numbers: thresholds, then what is above, below and between them."""

    name: str
    cuts: Cuts
    first: int
    above: np.ndarray
    below: np.ndarray
    between: np.ndarray
    after: np.ndarray


@dataclass(frozen=True, slots=True)
class _Junction:
    """Lines first to last, each made of the lines that `parts` name; a later part may be of fewer lines."""

    operator: str
    first: int
    last: int
    parts: tuple[np.ndarray, ...]


class Drafted:
    """The nodes of a sheet while they are met; nodes of equal structure are one."""

    def __init__(self) -> None:
        self._numbers: dict[Node, int] = {}

    def above(self, name: str, edge: Edge) -> int:
        """Where a column is at or above a threshold; `None` is above everything."""
        return self._node("above", name, edge)

    def below(self, name: str, edge: Edge) -> int:
        """Where a column is a number below a threshold."""
        return self._node("below", name, edge)

    def between(self, name: str, edge: Edge, after: Edge) -> int:
        """Where a column is at or above the one threshold and below the other; nowhere unknown."""
        return self._node("between", name, edge, after)

    def text(self, name: str, text: str) -> int:
        """Where a column is a text; nowhere unknown."""
        return self._node("text", name, text)

    def null(self, name: str) -> int:
        """Where a column is null."""
        return self._node("null", name)

    def given(self, key: int) -> int:
        """Where a node holds that is answered elsewhere."""
        return self._node("given", key)

    def every(self, parts: Sequence[int]) -> int:
        """Where all of some nodes hold."""
        return self._node("and", tuple(dict.fromkeys(parts)))

    def some(self, parts: Sequence[int]) -> int:
        """Where some of some nodes hold."""
        return self._node("or", tuple(dict.fromkeys(parts)))

    def opposite(self, part: int) -> int:
        """Where a node does not hold."""
        return self._node("not", (part,))

    def _node(self, *node: Any) -> int:
        return self._numbers.setdefault(node, len(self._numbers))

    def sheet(self, kinds: Mapping[str, type[Any]], wanted: Sequence[int]) -> Sheet:
        """Number the lines; `kinds` are those of the columns of numbers, `wanted` the nodes to be read."""
        return Sheet(list(self._numbers), kinds, wanted)


class Sheet:
    """The lines of a set of conditions; nothing in it changes, threads may share it."""

    def __init__(self, nodes: Sequence[Node], kinds: Mapping[str, type[Any]], wanted: Sequence[int]) -> None:
        self._lines = np.zeros(len(nodes), dtype=np.intp)
        self.size = 2
        by_kind: dict[str, list[int]] = {}
        for number, node in enumerate(nodes):
            by_kind.setdefault(node[0], []).append(number)
        self._of_numbers = self._place_numbers(nodes, by_kind, kinds)
        self.texts = self._place_texts(nodes, by_kind.get("text", []))
        self._nulls = [(nodes[number][1], self._place([number])) for number in by_kind.get("null", [])]
        self._given = [(nodes[number][1], self._place([number])) for number in by_kind.get("given", [])]
        self._junctions = self._place_junctions(nodes)
        self.wanted = self._lines[list(wanted)]
        self._names = {column.name for column in self._of_numbers}

    def fill(self, strip: Strip, true: np.ndarray, spare: np.ndarray) -> np.ndarray:
        """Answer every line for a strip.

        **Shape**: writes `true`, `(size, ceil(rows / 8))` uint8; `spare` is another like it. Gives where the
        lines are possible: the one or the other.
        """
        possible = true
        if any(strip.null(name) is not None for name in self._names):
            possible = spare
        given = [(line, strip.given(key)) for key, line in self._given]
        if any(one is not may for _, (one, may) in given):
            possible = spare
        sheets = (true,) if possible is true else (true, possible)
        for sheet in sheets:
            sheet[NONE], sheet[WHOLE] = 0, 255
            for name, line in self._nulls:
                null = strip.null(name)
                sheet[line] = 0 if null is None else null
        for line, (one, may) in given:
            true[line] = one
            if possible is not true:
                possible[line] = may
        for column in self._of_numbers:
            _answer_numbers(column, strip, true, possible)
        for name, (sought, first) in self.texts.items():
            _answer_texts(*strip.codes(name), true[first : first + len(sought)])
            if possible is not true:
                possible[first : first + len(sought)] = true[first : first + len(sought)]
        for junction in self._junctions:
            _join(junction, true, possible)
        return possible

    def _place(self, numbers: Sequence[int]) -> int:
        """Give nodes the next lines; gives the first."""
        first = self.size
        self._lines[list(numbers)] = np.arange(first, first + len(numbers))
        self.size += len(numbers)
        return first

    def _place_numbers(
        self, nodes: Sequence[Node], by_kind: Mapping[str, list[int]], kinds: Mapping[str, type[Any]]
    ) -> list[_Numbers]:
        ordered: dict[str, dict[str, list[int]]] = {}
        for kind in ("above", "below", "between"):
            for number in by_kind.get(kind, []):
                ordered.setdefault(nodes[number][1], {}).setdefault(kind, []).append(number)
        columns = []
        for name, by_operator in ordered.items():
            asked = [nodes[number] for numbers in by_operator.values() for number in numbers]
            edges = sorted({edge for node in asked for edge in node[2:] if edge is not None})
            first = self.size
            places = {edge: first + place for place, edge in enumerate(edges)} | {None: NONE}
            self.size += len(edges)
            lines = {}
            for kind in ("above", "below", "between"):
                numbers = by_operator.get(kind, [])
                self._place(numbers)
                lines[kind] = np.array([places[nodes[number][2]] for number in numbers], dtype=np.intp)
            after = [places[nodes[number][3]] for number in by_operator.get("between", [])]
            cuts = Cuts(np.array(edges, dtype=kinds[name]))
            columns.append(_Numbers(name, cuts, first, **lines, after=np.array(after, dtype=np.intp)))
        return columns

    def _place_texts(self, nodes: Sequence[Node], numbers: Sequence[int]) -> dict[str, tuple[pa.Array, int]]:
        sought: dict[str, list[int]] = {}
        for number in numbers:
            sought.setdefault(nodes[number][1], []).append(number)
        return {
            name: (text_array([nodes[number][2] for number in some]), self._place(some))
            for name, some in sought.items()
        }

    def _place_junctions(self, nodes: Sequence[Node]) -> list[_Junction]:
        """Place what hangs on other lines after them: parts are numbered before what they are parts of."""
        levels: list[int] = []
        groups: dict[tuple[int, str], list[int]] = {}
        for number, node in enumerate(nodes):
            joined = node[0] in ("and", "or", "not")
            levels.append(1 + max(levels[part] for part in node[1]) if joined else 0)
            if joined:
                groups.setdefault((levels[number], node[0]), []).append(number)
        junctions = []
        for (_, operator), numbers in sorted(groups.items()):
            numbers.sort(key=lambda number: -len(nodes[number][1]))
            for start in range(0, len(numbers), AT_ONCE):
                some = numbers[start : start + AT_ONCE]
                depth = len(nodes[some[0]][1])
                parts = tuple(
                    self._lines[[nodes[number][1][at] for number in some if len(nodes[number][1]) > at]]
                    for at in range(depth)
                )
                first = self._place(some)
                junctions.append(_Junction(operator, first, self.size, parts))
        return junctions


def _answer_numbers(column: _Numbers, strip: Strip, true: np.ndarray, possible: np.ndarray) -> None:
    """Above: T = A & present; below: T = number & present & not A; both are possible where null too."""
    first = column.first
    end = first + len(column.cuts.edges)
    numbers = column.cuts.fill(strip.values(column.name), true[first:end])
    null = strip.null(column.name)
    above, below = end, end + len(column.above)
    between = below + len(column.below)
    last = between + len(column.between)
    _take(true[:end], column.above, true[above:below])
    _take(true[:end], column.below, true[below:between])
    np.bitwise_not(true[below:between], out=true[below:between])
    if numbers is not None:
        true[below:between] &= numbers
    if last > between:
        _take(true[:end], column.after, true[between:last])
        np.bitwise_not(true[between:last], out=true[between:last])
        true[between:last] &= true.take(column.between, axis=0)
    if null is not None:
        true[above:last] &= ~null
    if possible is not true:
        if null is None:
            possible[above:between] = true[above:between]
        else:
            np.bitwise_or(true[above:between], null, out=possible[above:between])
        possible[between:last] = true[between:last]


def _answer_texts(codes: np.ndarray, none: Plane | None, planes: np.ndarray) -> None:
    for start in range(0, len(planes), AT_ONCE):
        some = planes[start : start + AT_ONCE]
        equal = codes == np.arange(start, start + len(some), dtype=codes.dtype)[:, None]
        some[:] = np.packbits(equal, axis=1, bitorder="little")
    if none is not None:
        planes &= ~none


def _join(junction: _Junction, true: np.ndarray, possible: np.ndarray) -> None:
    """Combine: T(a && b) = T(a) & T(b), and so for P and for ||; T(!a) = not P(a), P(!a) = not T(a)."""
    first, last, parts = junction.first, junction.last, junction.parts
    sheets = (true,) if possible is true else (true, possible)
    if junction.operator == "not":
        for sheet, other in zip(sheets, reversed(sheets), strict=True):
            out = sheet[first:last]
            _take(other[:first], parts[0], out)
            np.bitwise_not(out, out=out)
        return
    combine = np.bitwise_and if junction.operator == "and" else np.bitwise_or
    for sheet in sheets:
        out = sheet[first:last]
        _take(sheet[:first], parts[0], out)
        for part in parts[1:]:
            some = out[: len(part)]
            combine(some, sheet.take(part, axis=0), out=some)


def _take(sheet: np.ndarray, lines: np.ndarray, out: np.ndarray) -> None:
    """Copy lines to later ones: what is read ends before what is written, so that NumPy makes no copy."""
    if len(lines):
        sheet.take(lines, axis=0, out=out, mode="clip")
