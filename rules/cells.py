"""What one cell of a decision table asks: tests of its input, of which one must hold, or none if negated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.errors import RulesError
from rules.period import Period

EQUALITIES = ("==", "!=")
ORDERINGS = {"<": "less", "<=": "less_equals", ">": "greater", ">=": "greater_equals"}


class CellError(RulesError):
    """What is wrong in a cell, at an offset in its text."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset, self.message, self.hint = offset, message, hint


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a value; a timestamp and a duration are held in microseconds.

    `how` is an operator and `low` its bound, `in` and a list's name, or brackets of an interval up to `high`.
    """

    how: str
    low: Any
    high: Any = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell asks: that one of its tests holds, or none where negated; without tests, nothing."""

    tests: tuple[Test, ...] = ()
    negated: bool = False

    @property
    def list(self) -> str | None:
        """The list that the cell looks its value up in."""
        return self.tests[0].low if self.tests and self.tests[0].how == "in" else None


ANY = Cell()


def period_cell(period: Period | None) -> Cell:
    """Give the cell that the event's time must meet; ANY where a row always counts."""
    if period is None:
        return ANY
    if period.start is not None and period.end is not None:
        return Cell((Test("[)", period.start, period.end),))
    return Cell((Test(">=", period.start) if period.start is not None else Test("<", period.end),))


def bounds(test: Test) -> list[tuple[str, Any]]:
    """Give the comparisons that a test of no equality joins by &&."""
    if test.how in ORDERINGS or test.how == "!=":
        return [(test.how, test.low)]
    return [(">=" if test.how[0] == "[" else ">", test.low), ("<=" if test.how[1] == "]" else "<", test.high)]
