"""What one row of the operator table says: an operator's overload, its scalar form and its columnar form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Error:
    """The value of an expression that has none: a missing operand, an overflow, a bad conversion."""

    def __repr__(self) -> str:
        return "ERROR"

    def __bool__(self) -> bool:
        raise TypeError("an error is neither true nor false")


ERROR = Error()


@dataclass(frozen=True)
class Function:
    """A strict operator or function: it has a value only where every argument has one.

    `scalar` is a Python expression of the present arguments `{0}`, `{1}` (`{t}` is a fresh local name); it
    may use what its family's SCOPE names, and gives ERROR where there is no value if `fails`.
    `columnar` takes arrays (or, for a literal, one value) without nulls and gives an array; if `fails`, the
    array and a mask of the rows that have no value.
    Texts are Arrow string arrays, all else NumPy arrays: bool, int64, float64, timestamps and durations int64
    microseconds. `zoned`: the last argument is a time zone, always a literal.
    """

    name: str
    overload: str
    arguments: tuple[str, ...]
    result: str
    scalar: str
    columnar: Callable[..., Any]
    fails: bool = False
    member: bool = False
    zoned: bool = False


@dataclass(frozen=True)
class Form:
    """An operator that looks at missing values itself: logic, equality, membership, the ternary.

    `scalar` takes a writer and `Source`s and gives a `Source`; `columnar` takes the number of rows and
    columns (`Column` or `Truth`) and gives one.
    """

    name: str
    overload: str
    scalar: Callable[..., Any]
    columnar: Callable[..., Any]
