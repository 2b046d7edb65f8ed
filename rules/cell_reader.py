"""The text of one cell of a decision table in, its tests out.

A cell tests one input, as DMN's unary tests do, with CEL's literals: `-` for any; `'gold'`, `5`, `true`,
`null`; `> 5000`; `[1..5)`; `'a', 'b'`; `not('a', 'b')`; `in ['a', 'b']`, `in a_list`, `not in a_list`. Text,
days and durations may stand bare where nothing else can be meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rules.cell_hints import ANY_WORDS
from rules.cell_literals import WORD, LiteralReader
from rules.cell_values import NUMBER, number_of
from rules.cells import ANY, EQUALITIES, Cell, CellError, Test
from rules.errors import nearest
from rules.expression import BOOL, CIDR, DOUBLE, INT, STRING

MAX_CELL = 10_000
_OPERATOR = re.compile(r"[<>=!]=?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN = re.compile(r"(not\s+)?in(?![\w])")
_NOT = re.compile(r"not\s*\(")
_QUICK = re.compile(rf"(<=|>=|<|>)?\s*({NUMBER})")
_INTERVAL = re.compile(rf"([\[(])\s*({NUMBER})\s*\.\.\s*({NUMBER})\s*([\])])")
_WORDS = frozenset(
    ("null", "in", "not", *(f(word) for word in ANY_WORDS for f in (str.lower, str.upper, str.title)))
)


def read_cell(
    text: str,
    kind: str,
    lists: Mapping[str, str] | None = None,
    values: Sequence[str] | None = None,
    *,
    nullable: bool = True,
    wary: bool = True,
) -> Cell:
    """Read a cell that tests an input of the given type.

    `lists` gives each list's element type; `values` are the only texts that the input ever holds, if they are
    known; an input that is not nullable is not compared with null. `wary` refuses bare text that seems to
    mean something else; what a bundle holds has been read before. Raises CellError.

    >>> read_cell("> 5000", "double")
    Cell(tests=(Test(how='>', low=5000, high=None),), negated=False)
    >>> read_cell("gold, silver", "string").tests[1].low
    'silver'
    """
    stripped = text.strip()
    if stripped in ("", "-"):
        return ANY
    if len(text) > MAX_CELL:
        raise CellError(
            0, f"the cell has {len(text):,} characters; at most {MAX_CELL:,} are read", "use a list"
        )
    # What most cells are needs no reader.
    if kind == DOUBLE and (quick := _QUICK.fullmatch(stripped)) is not None:
        return Cell((Test(quick[1] or "==", number_of(quick[2], 0)),))
    if kind == DOUBLE and (quick := _INTERVAL.fullmatch(stripped)) is not None:
        low, high = number_of(quick[2], 0), number_of(quick[3], 0)
        if low < high:
            return Cell((Test(quick[1] + quick[4], low, high),))
    word = kind == STRING and values is None and WORD.fullmatch(stripped) is not None
    if word and stripped not in _WORDS and stripped not in (lists or ()):
        return Cell((Test("==", stripped),))
    return _Reader(text, kind, lists or {}, values, nullable, wary).cell()


class _Reader(LiteralReader):
    """Reads one cell from left to right."""

    def cell(self) -> Cell:
        self.blanks()
        if found := _IN.match(self.text, self.at):
            return self._membership(bool(found[1]), found.end())
        negated = _NOT.match(self.text, self.at)
        if negated is not None:
            self.at = negated.end()
        tests = self._several(self._test)
        if negated:
            self.expect(")", "close the bracket of not(…)")
        self.end()
        return Cell(tests, bool(negated))

    def _membership(self, negated: bool, end: int) -> Cell:
        self.at = end
        self.blanks()
        if self.peek() == "[":
            self.at += 1
            self.bracketed = True
            tests = self._several(lambda: (Test("==", self.literal(equality=True)),))
            self.expect("]", "close the bracket of the list")
            self.end()
            return Cell(tests, negated)
        found = _NAME.match(self.text, self.at)
        if not found:
            self.fail("'in' needs a list", "as: in known_devices, or: in ['a', 'b']")
        name, start = found[0], self.at
        self.at = found.end()
        self.end()
        element = self.lists.get(name)
        if element is None:
            raise CellError(start, f"unknown list '{name}'", nearest(name, self.lists))
        if element == CIDR and self.kind != STRING:
            raise CellError(
                start, f"a {self.kind} is no IP address", "networks hold addresses written as text"
            )
        if element not in (self.kind, CIDR) and {element, self.kind} != {INT, DOUBLE}:
            raise CellError(start, f"a {self.kind} is never in a list of {element} values")
        return Cell((Test("in", name),), negated)

    def _several(self, read: Callable[[], tuple[Test, ...]]) -> tuple[Test, ...]:
        tests = list(read())
        while self.take(","):
            tests += read()
        return tuple(dict.fromkeys(tests))

    def _test(self) -> tuple[Test, ...]:
        """Read one test; it is given as one, or, where it can never hold and is not refused, as none."""
        self.blanks()
        here = self.peek()
        if here in ("[", "("):
            return (self._interval(here),)
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            return (Test("==", self.literal(equality=True)),)
        how, start = operator[0], self.at
        how = {"=": "==", "!": "!"}.get(how, how)
        if how == "!":
            self.fail("'!' alone is no test", "write != or not(…)")
        self.at = operator.end()
        self.blanks()
        if how in EQUALITIES:
            return (Test(how, self.literal(equality=True)),)
        if self.kind == BOOL:
            raise CellError(start, f"'{how}' on true and false says nothing", "write true or false")
        return (self._ordering(how, self.literal()),)

    def _ordering(self, how: str, bound: Any) -> Test:
        """Bring a bound between two whole numbers to the whole number below it."""
        if self.kind == INT and isinstance(bound, float):
            return Test({"<": "<=", "<=": "<=", ">": ">", ">=": ">"}[how], math.floor(bound))
        return Test(how, bound)

    def _interval(self, opening: str) -> Test:
        start = self.at
        self.at += 1
        low = self.literal()
        self.blanks()
        if not self.text.startswith("..", self.at):
            hint = "an interval is as [1..5] or (1..5); a set as 'a', 'b' or in ['a', 'b']"
            self.fail("'..' is missing", hint)
        self.at += 2
        high = self.literal()
        self.blanks()
        closing = self.peek()
        if closing not in ("]", ")"):
            self.fail("the interval does not end", "close it by ] or )")
        self.at += 1
        if self.kind == BOOL:
            raise CellError(start, "an interval of true and false says nothing", "write true or false")
        if low > high or (low == high and opening + closing != "[]"):
            raise CellError(start, "no value is in this interval", "the smaller end comes first")
        if self.kind != INT:
            return Test(opening + closing, low, high)
        least = math.floor(low) + 1 if isinstance(low, float) or opening == "(" else low
        most = math.floor(high) if isinstance(high, float) else high - (closing == ")")
        if least > most:
            raise CellError(start, "no whole number is in this interval")
        return Test("[]", least, most)
