"""The functions of CEL's `math` extension: greatest and least, rounding, signs, kinds of numbers, bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rules.expression import BOOL, DOUBLE, INT
from rules.functions.arithmetic import LOW
from rules.functions.table import ERROR, Function

_WHOLE = 2.0**52
_MASK = 2**64 - 1


def _rounded(to_int: Callable[[float], int]) -> Callable[[float], float]:
    """Make a rounding that keeps the sign of zero, and what is whole or no number as it is."""

    def rounded(value: float) -> float:
        return math.copysign(to_int(value), value) if -_WHOLE < value < _WHOLE else value

    return rounded


ceil_double, floor_double, trunc_double = _rounded(math.ceil), _rounded(math.floor), _rounded(math.trunc)


def round_double(value: float) -> float:
    """Round half away from zero."""
    if not -_WHOLE < value < _WHOLE:
        return value
    whole = math.trunc(value)
    away = abs(value - whole) >= 0.5
    return math.copysign(abs(whole) + away, value)


def sign_double(value: float) -> float:
    """Give -1.0, 0.0 or 1.0; NaN has none."""
    return 1.0 if value > 0 else -1.0 if value < 0 else value if value != value else 0.0


def sqrt_double(value: float) -> float:
    """Give the square root; of a negative number it is NaN."""
    return math.sqrt(value) if value >= 0 else math.nan


def shift_left(value: int, by: int) -> Any:
    """Shift 64 bits; what is beyond is lost."""
    if by < 0:
        return ERROR
    return _signed(value << by & _MASK) if by < 64 else 0


def shift_right(value: int, by: int) -> Any:
    """Shift 64 bits, with zeros from the left."""
    if by < 0:
        return ERROR
    return _signed((value & _MASK) >> by) if by < 64 else 0


def _signed(bits: int) -> int:
    return bits - 2**64 if bits >> 63 else bits


def _shift(kernel: Callable[..., Any]) -> Callable[..., Any]:
    def shifted(values: Any, by: Any) -> Any:
        far, failed = by > 63, by < 0
        bits = kernel(np.asarray(values).astype(np.uint64), np.where(far | failed, 0, by).astype(np.uint64))
        return np.where(far, np.uint64(0), bits).astype(np.int64), np.broadcast_to(failed, bits.shape)

    return shifted


def _round(values: Any) -> Any:
    whole = np.trunc(values)
    return np.copysign(np.abs(whole) + (np.abs(values - whole) >= 0.5), values)


def _absolute(values: Any) -> Any:
    return np.abs(values), values == LOW


_ABSOLUTE = "(abs({0}) if {0} != LOW else ERROR)"
_INT, _DOUBLE, _INTS, _DOUBLES = (INT,), (DOUBLE,), (INT, INT), (DOUBLE, DOUBLE)


def _one(name: str, kind: str, result: str, scalar: str, columnar: Callable[..., Any]) -> Function:
    return Function(f"math.{name}", f"math_{name}_{kind}", (kind,), result, scalar, columnar)


def _bits(name: str, scalar: str, columnar: Callable[..., Any], fails: bool = False) -> Function:
    return Function(f"math.{name}", f"math_{name}_int_int", _INTS, INT, scalar, columnar, fails)


ROWS: list[Function] = [
    Function("math.@max", "math_@max_int", _INT, INT, "{0}", lambda a: a),
    Function("math.@max", "math_@max_double", _DOUBLE, DOUBLE, "{0}", lambda a: a),
    Function("math.@min", "math_@min_int", _INT, INT, "{0}", lambda a: a),
    Function("math.@min", "math_@min_double", _DOUBLE, DOUBLE, "{0}", lambda a: a),
    Function("math.@max", "math_@max_int_int", _INTS, INT, "({0} if {0} > {1} else {1})", np.maximum),
    Function("math.@min", "math_@min_int_int", _INTS, INT, "({0} if {0} < {1} else {1})", np.minimum),
    Function(
        "math.@max",
        "math_@max_double_double",
        _DOUBLES,
        DOUBLE,
        "({1} if {0} < {1} else {0})",
        lambda a, b: np.where(np.less(a, b), b, a),
    ),
    Function(
        "math.@min",
        "math_@min_double_double",
        _DOUBLES,
        DOUBLE,
        "({1} if {0} > {1} else {0})",
        lambda a, b: np.where(np.greater(a, b), b, a),
    ),
    _one("ceil", DOUBLE, DOUBLE, "ceil_double({0})", np.ceil),
    _one("floor", DOUBLE, DOUBLE, "floor_double({0})", np.floor),
    _one("round", DOUBLE, DOUBLE, "round_double({0})", _round),
    _one("trunc", DOUBLE, DOUBLE, "trunc_double({0})", np.trunc),
    _one("abs", DOUBLE, DOUBLE, "abs({0})", np.abs),
    Function("math.abs", "math_abs_int", _INT, INT, _ABSOLUTE, _absolute, fails=True),
    _one("sign", DOUBLE, DOUBLE, "sign_double({0})", np.sign),
    _one("sign", INT, INT, "(({0} > 0) - ({0} < 0))", np.sign),
    _one("sqrt", DOUBLE, DOUBLE, "sqrt_double({0})", np.sqrt),
    _one("isNaN", DOUBLE, BOOL, "{0} != {0}", np.isnan),
    _one("isInf", DOUBLE, BOOL, "isinf({0})", np.isinf),
    _one("isFinite", DOUBLE, BOOL, "isfinite({0})", np.isfinite),
    _bits("bitAnd", "{0} & {1}", np.bitwise_and),
    _bits("bitOr", "{0} | {1}", np.bitwise_or),
    _bits("bitXor", "{0} ^ {1}", np.bitwise_xor),
    Function("math.bitNot", "math_bitNot_int_int", _INT, INT, "~{0}", np.invert),
    _bits("bitShiftLeft", "shift_left({0}, {1})", _shift(np.left_shift), fails=True),
    _bits("bitShiftRight", "shift_right({0}, {1})", _shift(np.right_shift), fails=True),
]
SCOPE: dict[str, Any] = {
    "abs": abs,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
    "ceil_double": ceil_double,
    "floor_double": floor_double,
    "trunc_double": trunc_double,
    "round_double": round_double,
    "sign_double": sign_double,
    "sqrt_double": sqrt_double,
    "shift_left": shift_left,
    "shift_right": shift_right,
}
