"""Conversions between int, double, string and bool; what cannot be converted has no value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.expression import BOOL, DOUBLE, INT, STRING
from rules.functions.arithmetic import HIGH, LOW
from rules.functions.table import ERROR, Function

_INTEGER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*")
_NUMBER = re.compile(
    r"[ \t\n\v\f\r]*([+-]?)(?:(inf|infinity)|(nan(?:\([a-z0-9_]*\))?)"
    r"|((?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)"
    r"|(0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?))[ \t\n\v\f\r]*",
    re.IGNORECASE | re.ASCII,
)
_BOOLS = {
    "true": True, "True": True, "TRUE": True, "t": True, "1": True,
    "false": False, "False": False, "FALSE": False, "f": False, "0": False,
}  # fmt: skip


def double_to_int(value: float) -> Any:
    """Cut the fraction off; at and beyond ±2⁶³ there is no value."""
    return int(value) if -(2.0**63) < value < 2.0**63 else ERROR


def string_to_int(text: str) -> Any:
    """Read a decimal integer; ASCII white space around it is passed over."""
    found = _INTEGER.fullmatch(text)
    if not found or len(digits := found[1].lstrip("+-").lstrip("0")) > 19:
        return ERROR
    value = int(digits or "0")
    value = -value if found[1].startswith("-") else value
    return value if LOW <= value <= HIGH else ERROR


def string_to_double(text: str) -> Any:
    """Read a decimal or hexadecimal number, inf or nan; beyond the range of a double it is infinite."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return ERROR
    sign, infinite, nan, decimal, hexadecimal = found.groups()
    if nan:
        return math.nan
    if infinite:
        value = math.inf
    elif decimal:
        value = float(decimal)
    else:
        try:
            value = float.fromhex(hexadecimal)
        except OverflowError:
            value = math.inf
    return -value if sign == "-" else value


def string_to_bool(text: str) -> Any:
    """Read true, True, TRUE, t or 1, and their opposites."""
    return _BOOLS.get(text, ERROR)


def double_to_string(value: float) -> str:
    """Write the shortest digits that give the value back; an exponent below -4 and from 6 up."""
    if not math.isfinite(value):
        return "nan" if value != value else "inf" if value > 0 else "-inf"
    mantissa, exponent = _shortest(abs(value))
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if exponent < -4 or exponent >= 6:
        fraction = "." + mantissa[1:] if len(mantissa) > 1 else ""
        return f"{sign}{mantissa[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{mantissa}"
    whole, fraction = mantissa[: exponent + 1].ljust(exponent + 1, "0"), mantissa[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _shortest(value: float) -> tuple[str, int]:
    """Give the shortest decimal digits d₁d₂… and the exponent e of value = d₁.d₂… · 10ᵉ."""
    digits, _, exponent = repr(value).partition("e")
    whole, _, fraction = digits.partition(".")
    both = (whole + fraction).lstrip("0")
    shift = len(whole) - 1 if whole.strip("0") else len(both) - len(fraction) - 1
    return both.rstrip("0") or "0", (shift + int(exponent or 0)) if both else 0


def _distinct(convert: Callable[[Any], Any], texts: bool, kind: Any) -> Callable[[Any], Any]:
    """Convert a column value by value, each distinct one once."""

    def kernel(column: Any) -> Any:
        if texts:
            encoded = column.dictionary_encode()
            values, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        else:
            # By bits: -0.0 is not 0.0 as text, and NaN is one value.
            bits, codes = np.unique(column.view(np.int64), return_inverse=True)
            values = bits.view(column.dtype).tolist()
        converted = [convert(value) for value in values]
        if kind is None:
            return pa.array(converted, pa.string()).take(pa.array(codes))
        failed = np.fromiter((value is ERROR for value in converted), bool, len(converted))
        plain = np.array([0 if value is ERROR else value for value in converted], dtype=kind)
        return plain[codes], failed[codes]

    return kernel


def _double_to_int(values: Any) -> Any:
    failed = ~((values > -(2.0**63)) & (values < 2.0**63))
    return np.where(failed, 0.0, values).astype(np.int64), failed


def _bool_to_string(values: Any) -> Any:
    return pc.if_else(pa.array(values), "true", "false")


def _int_to_string(values: Any) -> Any:
    return pa.array(values).cast(pa.string())


def _same(values: Any) -> Any:
    return values


_TO_INT, _TO_BOOL = _distinct(string_to_int, True, np.int64), _distinct(string_to_bool, True, bool)
_TO_DOUBLE, _TO_TEXT = _distinct(string_to_double, True, np.float64), _distinct(double_to_string, False, None)

ROWS: list[Function] = [
    Function("int", "int64_to_int64", (INT,), INT, "{0}", _same),
    Function("int", "double_to_int64", (DOUBLE,), INT, "double_to_int({0})", _double_to_int, fails=True),
    Function("int", "string_to_int64", (STRING,), INT, "string_to_int({0})", _TO_INT, fails=True),
    Function("double", "double_to_double", (DOUBLE,), DOUBLE, "{0}", _same),
    Function("double", "int64_to_double", (INT,), DOUBLE, "float({0})", np.float64),
    Function(
        "double", "string_to_double", (STRING,), DOUBLE, "string_to_double({0})", _TO_DOUBLE, fails=True
    ),
    Function("string", "string_to_string", (STRING,), STRING, "{0}", _same),
    Function("string", "int64_to_string", (INT,), STRING, "str({0})", _int_to_string),
    Function("string", "double_to_string", (DOUBLE,), STRING, "double_to_string({0})", _TO_TEXT),
    Function("string", "bool_to_string", (BOOL,), STRING, "'true' if {0} else 'false'", _bool_to_string),
    Function("bool", "bool_to_bool", (BOOL,), BOOL, "{0}", _same),
    Function("bool", "string_to_bool", (STRING,), BOOL, "string_to_bool({0})", _TO_BOOL, fails=True),
]
SCOPE: dict[str, Any] = {
    "float": float,
    "str": str,
    "double_to_int": double_to_int,
    "string_to_int": string_to_int,
    "string_to_double": string_to_double,
    "string_to_bool": string_to_bool,
    "double_to_string": double_to_string,
}
