"""Arithmetic: int64 where leaving the range is no value, and IEEE doubles where everything has one."""

from __future__ import annotations

from typing import Any

import numpy as np

from rules.expression import DOUBLE, INT
from rules.functions.table import ERROR, Function

LOW, HIGH = -(2**63), 2**63 - 1


def divide_int(a: int, b: int) -> Any:
    """Divide towards zero."""
    if b == 0 or (a == LOW and b == -1):
        return ERROR
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def modulo_int(a: int, b: int) -> Any:
    """Give the remainder with the sign of the dividend."""
    if b == 0 or (a == LOW and b == -1):
        return ERROR
    remainder = abs(a) % abs(b)
    return -remainder if a < 0 else remainder


def divide_double(a: float, b: float) -> float:
    """Divide as IEEE 754 does: by zero too."""
    if b:
        return a / b
    if a == 0 or a != a:
        return float("nan")
    return float("inf") if (a > 0) == (np.copysign(1.0, b) > 0) else float("-inf")


def _add(a: Any, b: Any) -> Any:
    total = a + b
    return total, ((a ^ total) & (b ^ total)) < 0


def _subtract(a: Any, b: Any) -> Any:
    difference = a - b
    return difference, ((a ^ b) & (a ^ difference)) < 0


def _multiply(a: Any, b: Any) -> Any:
    product = a * b
    # |a|·|b| as doubles is off by less than 2⁻⁵¹ of itself: under 2⁶² nothing can have overflowed.
    doubtful = np.abs(np.multiply(a, b, dtype=np.float64)) >= 2.0**62
    if not doubtful.any():
        return product, doubtful
    left, right = np.broadcast_arrays(a, b)
    failed = np.zeros(product.shape, dtype=bool)
    for row in np.flatnonzero(doubtful):
        failed[row] = not LOW <= int(left[row]) * int(right[row]) <= HIGH
    return product, failed


def _divide(a: Any, b: Any) -> Any:
    failed = (b == 0) | ((a == LOW) & (b == -1))
    divisor = np.where(failed, 1, b)
    quotient = a // divisor
    remainder = a - quotient * divisor
    return quotient + ((remainder != 0) & ((a < 0) != (divisor < 0))), failed


def _modulo(a: Any, b: Any) -> Any:
    failed = (b == 0) | ((a == LOW) & (b == -1))
    return np.fmod(a, np.where(failed, 1, b)), failed


def _negate(a: Any) -> Any:
    return -a, a == LOW


_INTS, _DOUBLES = (INT, INT), (DOUBLE, DOUBLE)
_IN_RANGE = "({{t}} if LOW <= ({{t}} := {}) <= HIGH else ERROR)"

ROWS: list[Function] = [
    Function("_+_", "add_int64", _INTS, INT, _IN_RANGE.format("{0} + {1}"), _add, fails=True),
    Function("_-_", "subtract_int64", _INTS, INT, _IN_RANGE.format("{0} - {1}"), _subtract, fails=True),
    Function("_*_", "multiply_int64", _INTS, INT, _IN_RANGE.format("{0} * {1}"), _multiply, fails=True),
    Function("_/_", "divide_int64", _INTS, INT, "divide_int({0}, {1})", _divide, fails=True),
    Function("_%_", "modulo_int64", _INTS, INT, "modulo_int({0}, {1})", _modulo, fails=True),
    Function("-_", "negate_int64", (INT,), INT, _IN_RANGE.format("-{0}"), _negate, fails=True),
    Function("_+_", "add_double", _DOUBLES, DOUBLE, "{0} + {1}", np.add),
    Function("_-_", "subtract_double", _DOUBLES, DOUBLE, "{0} - {1}", np.subtract),
    Function("_*_", "multiply_double", _DOUBLES, DOUBLE, "{0} * {1}", np.multiply),
    Function("_/_", "divide_double", _DOUBLES, DOUBLE, "divide_double({0}, {1})", np.divide),
    Function("-_", "negate_double", (DOUBLE,), DOUBLE, "-{0}", np.negative),
]
SCOPE: dict[str, Any] = {
    "LOW": LOW,
    "HIGH": HIGH,
    "divide_int": divide_int,
    "modulo_int": modulo_int,
    "divide_double": divide_double,
}
