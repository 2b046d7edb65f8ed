"""The functions of CEL's `strings` extension that filters use: characters, places, parts and replacement.

Characters are code points. Of a place outside the text there is no value.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.expression import INT, STRING
from rules.functions.forms import is_constant
from rules.functions.table import ERROR, Function


def char_at(text: str, place: int) -> Any:
    """Give one character; just behind the text there is an empty one."""
    return text[place : place + 1] if 0 <= place <= len(text) else ERROR


def index_from(text: str, part: str, start: int) -> Any:
    """Give the first place at or after `start` where a part stands, or -1."""
    return text.find(part, start) if 0 <= start <= len(text) else ERROR


def last_index_from(text: str, part: str, start: int) -> Any:
    """Give the last place at or before `start` where a part stands, or -1."""
    return text.rfind(part, 0, start + len(part)) if 0 <= start <= len(text) else ERROR


def tail(text: str, start: int) -> Any:
    """Give the text from a place on."""
    return text[start:] if 0 <= start <= len(text) else ERROR


def slice_of(text: str, start: int, end: int) -> Any:
    """Give the text from a place to another."""
    return text[start:end] if 0 <= start <= end <= len(text) else ERROR


def replace_some(text: str, old: str, new: str, most: int) -> str:
    """Replace the first so many; all of them, if the number is negative."""
    return text.replace(old, new, most) if most >= 0 else text.replace(old, new)


def each(convert: Callable[..., Any], result: str, fails: bool) -> Callable[..., Any]:
    """Make a kernel that goes value by value; an argument may be one value for all rows."""

    def kernel(*columns: Any) -> Any:
        size = next(len(column) for column in columns if not is_constant(column))
        values = [convert(*row) for row in zip(*map(_listed, columns, repeat(size)), strict=False)]
        if not fails:
            return _column(values, result)
        failed = np.fromiter((value is ERROR for value in values), bool, size)
        blank = "" if result == STRING else 0
        return _column([blank if value is ERROR else value for value in values], result), failed

    return kernel


def _listed(column: Any, size: int) -> Any:
    if is_constant(column):
        return repeat(column.item() if isinstance(column, np.generic) else column, size)
    return column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()


def _column(values: list[Any], kind: str) -> Any:
    return pa.array(values, pa.string()) if kind == STRING else np.array(values, dtype=np.int64)


def _replace(texts: Any, old: Any, new: Any) -> Any:
    if isinstance(old, str) and isinstance(new, str) and old and not is_constant(texts):
        return pc.replace_substring(texts, pattern=old, replacement=new)
    return each(str.replace, STRING, fails=False)(texts, old, new)


def _row(
    name: str, overload: str, others: tuple[str, ...], result: str, scalar: str, columnar: Callable[..., Any]
) -> Function:
    return Function(name, overload, (STRING, *others), result, scalar, columnar, member=True)


def _failing(
    name: str, overload: str, others: tuple[str, ...], result: str, scalar: str, convert: Callable[..., Any]
) -> Function:
    kernel = each(convert, result, fails=True)
    return Function(name, overload, (STRING, *others), result, scalar, kernel, fails=True, member=True)


_FIND, _RFIND = each(str.find, INT, fails=False), each(str.rfind, INT, fails=False)

ROWS: list[Function] = [
    _failing("charAt", "string_char_at_int", (INT,), STRING, "char_at({0}, {1})", char_at),
    _row("indexOf", "string_index_of_string", (STRING,), INT, "{0}.find({1})", _FIND),
    _failing(
        "indexOf", "string_index_of_string_int", (STRING, INT), INT, "index_from({0}, {1}, {2})", index_from
    ),
    _row("lastIndexOf", "string_last_index_of_string", (STRING,), INT, "{0}.rfind({1})", _RFIND),
    _failing(
        "lastIndexOf",
        "string_last_index_of_string_int",
        (STRING, INT),
        INT,
        "last_index_from({0}, {1}, {2})",
        last_index_from,
    ),
    _failing("substring", "string_substring_int", (INT,), STRING, "tail({0}, {1})", tail),
    _failing(
        "substring", "string_substring_int_int", (INT, INT), STRING, "slice_of({0}, {1}, {2})", slice_of
    ),
    _row(
        "replace",
        "string_replace_string_string",
        (STRING, STRING),
        STRING,
        "{0}.replace({1}, {2})",
        _replace,
    ),
    _row(
        "replace",
        "string_replace_string_string_int",
        (STRING, STRING, INT),
        STRING,
        "replace_some({0}, {1}, {2}, {3})",
        each(replace_some, STRING, fails=False),
    ),
    _row("reverse", "string_reverse", (), STRING, "{0}[::-1]", pc.utf8_reverse),
]
SCOPE: dict[str, Any] = {
    "char_at": char_at,
    "index_from": index_from,
    "last_index_from": last_index_from,
    "tail": tail,
    "slice_of": slice_of,
    "replace_some": replace_some,
}
