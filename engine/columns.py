"""One column, read quickly: what is clean beyond doubt in normal form, and a mark on every other value.

INVARIANT: a value that is not marked is one that `values.read_value` reads to the same normal form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.values import TIME_MAX, TIME_MIN, Refused

NORMAL_TYPES = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "category": pa.string(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
}
EXACT = 2**53  # whole numbers up to here are floats without loss
PLAIN_INT = r"^-?[0-9]{1,18}$"
PLAIN_FLOAT = r"^-?[0-9]{1,15}(\.[0-9]{1,17})?$"
MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}
DAY = 86_400_000_000

# (normal values with null where missing or marked, marks)
Quick = tuple[pa.Array, np.ndarray]


def quick_column(kind: str, column: pa.Array) -> Quick:
    """Read a column (as `plain_column` gives it) as `kind` ('int', 'float', …)."""
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), NORMAL_TYPES[kind]), _none(column)
    for reads, quick in _QUICK[kind]:
        if reads(column.type):
            normal, odd = quick(column)
            return normal, odd & _valid(column)
    return pa.nulls(len(column), NORMAL_TYPES[kind]), _valid(column)


def plain_column(column: pa.Array) -> pa.Array:
    """Undo what only says how values are stored: dictionaries, runs, long and viewed strings."""
    if pa.types.is_dictionary(column.type):
        if pa.types.is_string_view(
            column.type.value_type
        ):  # Polars' categories: Arrow takes nothing from those
            column = pa.DictionaryArray.from_arrays(column.indices, column.dictionary.cast(pa.large_string()))
        column = column.dictionary_decode()
    elif pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        try:
            column = column.cast(pa.string())
        except pa.ArrowInvalid:  # more than 2 GiB of text in one block: value by value, then
            return column
    return column


def value_at(column: pa.Array, row: int) -> Any:
    """Give one value as Python has it. Raises Refused for one that Python cannot hold."""
    scalar = column[row]
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        raise Refused("not valid UTF-8") from None
    except (ValueError, OverflowError):
        if pa.types.is_timestamp(scalar.type) and scalar.type.unit == "ns":
            raise Refused("finer than a microsecond") from None
        raise Refused("a value that Python cannot hold") from None


def _int_from_int(column: pa.Array) -> Quick:
    if not pa.types.is_uint64(column.type):
        return column.cast(pa.int64()), _none(column)
    odd = _numbers(column, np.uint64) > np.uint64(2**63 - 1)
    return _masked(_numbers(column, np.uint64).astype(np.int64), odd, column, pa.int64()), odd


def _int_from_float(column: pa.Array) -> Quick:
    numbers = _numbers(column, np.float64)
    missing = np.isnan(numbers)
    clean = (np.abs(numbers) <= EXACT) & (np.floor(numbers) == numbers)
    whole = np.where(clean, numbers, 0).astype(np.int64)
    return _masked(whole, ~clean, column, pa.int64()), ~clean & ~missing


def _int_from_text(column: pa.Array) -> Quick:
    return _from_pattern(column, PLAIN_INT, pa.int64())


def _float_from_float(column: pa.Array) -> Quick:
    numbers = _numbers(column, np.float64)
    unfit = ~np.isfinite(numbers)
    if not unfit.any() and not column.null_count and pa.types.is_float64(column.type):
        return column, unfit
    return _masked(numbers, unfit, column, pa.float64()), np.isinf(numbers)


def _float_from_int(column: pa.Array) -> Quick:
    numbers = _numbers(column, np.uint64 if pa.types.is_uint64(column.type) else np.int64)
    odd = numbers > EXACT if pa.types.is_uint64(column.type) else (numbers > EXACT) | (numbers < -EXACT)
    return _masked(numbers.astype(np.float64), odd, column, pa.float64()), odd


def _float_from_text(column: pa.Array) -> Quick:
    return _from_pattern(column, PLAIN_FLOAT, pa.float64())


def _float_from_decimal(column: pa.Array) -> Quick:
    # By way of text, whose reading rounds correctly; a cast of decimals to floats need not.
    return _float_from_text(column.cast(pa.string()))


def _bool_from_bool(column: pa.Array) -> Quick:
    return column, _none(column)


def _bool_from_number(column: pa.Array) -> Quick:
    numbers = _numbers(column, np.float64)
    clean = (numbers == 0) | (numbers == 1)
    return _masked(numbers == 1, ~clean, column, pa.bool_()), ~clean & ~np.isnan(numbers)


def _bool_from_text(column: pa.Array) -> Quick:
    yes = pc.is_in(column, pa.array(["true", "True", "TRUE", "1"]))
    no = pc.is_in(column, pa.array(["false", "False", "FALSE", "0"]))
    odd = ~(_truths(yes) | _truths(no))
    return _masked(_truths(yes), odd, column, pa.bool_()), odd


def _text_from_text(column: pa.Array) -> Quick:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:  # bytes that are no UTF-8 somewhere: value by value
        return pa.nulls(len(column), pa.string()), np.ones(len(column), dtype=bool)
    return column, _none(column)


def _text_from_bool(column: pa.Array) -> Quick:
    return column.cast(pa.string()), _none(column)


def _text_from_number(column: pa.Array) -> Quick:
    whole, odd = _int_from_float(column) if pa.types.is_floating(column.type) else _int_from_int(column)
    return whole.cast(pa.string()), odd


def _time_from_timestamp(column: pa.Array) -> Quick:
    moments = _numbers(column, np.int64)
    if column.type.unit == "ns":
        odd = moments % 1_000 != 0
        moments = moments // 1_000
    else:
        scale = MICROS[column.type.unit]
        odd = (moments < TIME_MIN // scale) | (moments > TIME_MAX // scale)
        moments = np.where(odd, 0, moments) * scale
    return _masked(moments, odd, column, NORMAL_TYPES["timestamp"]), odd


def _time_from_date(column: pa.Array) -> Quick:
    days = _numbers(column, np.int32).astype(np.int64)
    odd = (days < TIME_MIN // DAY) | (days > TIME_MAX // DAY)
    return _masked(np.where(odd, 0, days) * DAY, odd, column, NORMAL_TYPES["timestamp"]), odd


def _time_from_text(column: pa.Array) -> Quick:
    for zone in (None, "UTC"):
        try:
            return _time_from_timestamp(column.cast(pa.timestamp("us", zone)))
        except pa.ArrowInvalid:  # a value of another form among them
            continue
    return pa.nulls(len(column), NORMAL_TYPES["timestamp"]), np.ones(len(column), dtype=bool)


def _from_pattern(column: pa.Array, pattern: str, kind: pa.DataType) -> Quick:
    plain = pc.match_substring_regex(column, pattern)
    odd = ~_truths(plain)
    if odd.any():
        column = pc.if_else(plain, column, pa.scalar(None, pa.string()))
    return column.cast(kind), odd


def _numbers(column: pa.Array, kind: Any) -> np.ndarray:
    """Give a column's numbers as NumPy has them; where null, whatever: 0, or NaN for floats."""
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    if column.null_count:
        fill = np.nan if pa.types.is_floating(column.type) else 0
        column = pc.fill_null(column, pa.scalar(fill, column.type))
    numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
    return numbers.astype(kind, copy=False)


def _masked(values: np.ndarray, odd: np.ndarray, column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Make the normal column: null where the given one is null, and where a value is odd."""
    mask = ~_valid(column) | odd if column.null_count else odd
    physical = pa.int64() if pa.types.is_timestamp(kind) else kind
    normal = pa.array(values, physical, mask=mask if mask.any() else None)
    return normal.view(kind) if physical != kind else normal


def _valid(column: pa.Array) -> np.ndarray:
    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    return _truths(column.is_valid())


def _none(column: pa.Array) -> np.ndarray:
    return np.zeros(len(column), dtype=bool)


def _truths(array: pa.Array) -> np.ndarray:
    truths: np.ndarray = pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)
    return truths


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


_TEXT = pa.types.is_string
_QUICK: dict[str, tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], Quick]], ...]] = {
    "int": (
        (pa.types.is_integer, _int_from_int),
        (pa.types.is_floating, _int_from_float),
        (_TEXT, _int_from_text),
    ),
    "float": (
        (pa.types.is_floating, _float_from_float),
        (pa.types.is_integer, _float_from_int),
        (pa.types.is_decimal, _float_from_decimal),
        (_TEXT, _float_from_text),
    ),
    "bool": (
        (pa.types.is_boolean, _bool_from_bool),
        (_number, _bool_from_number),
        (_TEXT, _bool_from_text),
    ),
    "timestamp": (
        (pa.types.is_timestamp, _time_from_timestamp),
        (pa.types.is_date32, _time_from_date),
        (_TEXT, _time_from_text),
    ),
}
_STRINGS = (
    (_TEXT, _text_from_text),
    (pa.types.is_boolean, _text_from_bool),
    (_number, _text_from_number),
)
_QUICK |= {"category": _STRINGS, "text": _STRINGS}
