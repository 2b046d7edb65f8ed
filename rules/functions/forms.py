"""What operators work on: source of generated Python for one record, arrays and masks for a block of rows.

Everywhere a value may be null (the data has none) or in error (no value can be computed); both are no
truth, yet `x == null` is true of the first and open for the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.expression import BOOL, STRING


@dataclass(frozen=True, slots=True)
class Source:
    """Python source of one node: `value` gives the value, None (if `null`) or ERROR (if `error`).

    For a bool, `true` and `false` are sources that are truthy exactly where the node is true or false.
    An `atom` is a bare name, free to repeat; `height` counts nested parentheses.
    """

    type: str
    value: str
    null: bool = False
    error: bool = False
    atom: bool = False
    true: str = ""
    false: str = ""
    height: int = 0

    @property
    def open(self) -> bool:
        """Whether it may be neither true nor false."""
        return self.null or self.error


@dataclass(frozen=True, slots=True)
class Elements:
    """The right side of `in` as source: constant sets by type and name, and what else must be compared."""

    sets: tuple[tuple[str, str], ...] = ()
    sources: tuple[Source, ...] = ()


class Writer(Protocol):
    """What a form may ask of the generator."""

    def once(self, source: Source) -> tuple[list[str], str]:
        """Give guards that must hold for a value without error, and a name for it."""
        ...

    def hoist(self, source: Source) -> Source:
        """Compute a source in a statement of its own and give its name."""
        ...


def truth(true: str, false: str | None, height: int) -> Source:
    """Make the source of a bool; without `false` it is always true or false."""
    if false is None:
        return Source(BOOL, true, true=true, false=f"(not {true})", height=height)
    value = f"(True if {true} else False if {false} else ERROR)"
    return Source(BOOL, value, error=True, true=true, false=false, height=height)


@dataclass(frozen=True, slots=True)
class Column:
    """A value for every row: array (or one constant), and masks of the rows that are null or in error.

    `valid`, where it is known already, are the rows that are neither.
    """

    type: str
    values: Any
    null: np.ndarray | None = None
    error: np.ndarray | None = None
    valid: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """A bool for every row: where it is true, where false (None: everywhere else), where null."""

    true: np.ndarray
    false: np.ndarray | None = None
    null: np.ndarray | None = None

    @property
    def falsity(self) -> np.ndarray:
        """The rows that are false."""
        return ~self.true if self.false is None else self.false

    @property
    def error(self) -> np.ndarray | None:
        """The rows that are in error; None if there are none."""
        if self.false is None:
            return None
        settled: np.ndarray = self.true | self.false
        return np.asarray(np.logical_not(settled if self.null is None else settled | self.null))


@dataclass(frozen=True, slots=True)
class Members:
    """The right side of `in` as data: constants by type, columns to compare with, whether null is in it.

    Constants are an array of a few, a frozenset of bools, or a set that finds a column `among` its members.
    """

    sets: tuple[tuple[str, Any], ...] = ()
    columns: tuple[Column | Truth, ...] = ()
    null: bool = False


def either(left: np.ndarray | None, right: np.ndarray | None) -> np.ndarray | None:
    """Unite two masks; None is a mask of no rows."""
    if left is None or right is None:
        return right if left is None else left
    return np.asarray(np.logical_or(left, right))


def present(column: Column | Truth) -> np.ndarray | None:
    """Give the rows that have a value; None if all have one."""
    if isinstance(column, Truth):
        return None if column.false is None else column.true | column.false
    if column.valid is not None:
        return column.valid
    bad = either(column.null, column.error)
    return None if bad is None else ~bad


def settle(true: np.ndarray, valid: np.ndarray | None) -> Truth:
    """Make a truth that is open outside the valid rows."""
    if valid is None:
        return Truth(true)
    # valid > true is valid & ~true in one pass.
    return Truth(true & valid, np.greater(valid, true))


def spread(rows: int, kind: str, value: Any) -> Any:
    """Repeat one constant over a block."""
    if kind == STRING:
        return pa.repeat(pa.scalar(value, pa.string()), rows)
    return np.full(rows, value)


def is_constant(values: Any) -> bool:
    """Say whether a column's values are one value for all rows."""
    return not isinstance(values, np.ndarray | pa.Array)


def same(rows: int, left: Column, right: Column) -> np.ndarray:
    """Compare present values of two columns; int against double compares as double, as CEL's runtime does."""
    a, b = left.values, right.values
    if is_constant(a) and is_constant(b):
        a = spread(rows, left.type, a)
    if left.type == STRING:
        return np.asarray(pc.equal(a, b).to_numpy(zero_copy_only=False), dtype=bool)
    if left.type != right.type:
        return np.equal(np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64))
    return np.asarray(np.equal(a, b))
