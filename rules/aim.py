"""A test or a term and what it should come out as: values for its fields that may well make it so.

No promise: what is found is tried by an evaluator. Text is put together from the parts that are asked for,
sums and products with a known side are undone, times are built from their parts.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.expression import STRING, Call, Literal, Name, Node
from rules.terms import ORDERINGS

HOUR = 3_600_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SUNDAY = 1_767_484_800_000_000  # 2026-01-04
_LONGEST = 1000

# What undoes `left ∘ right`: for the left side from the result and the right, for the right from the left.
_UNDONE: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "add": (operator.sub, operator.sub),
    "subtract": (operator.add, lambda result, left: left - result),
    "multiply": (lambda result, right: result / right, lambda result, left: result / left),
    "divide": (operator.mul, lambda result, left: left / result),
}
_TIMES: dict[str, Callable[[int], int]] = {
    "timestamp_to_hours": lambda n: _SUNDAY + n * HOUR,
    "timestamp_to_minutes": lambda n: _SUNDAY + n * 60_000_000,
    "timestamp_to_seconds": lambda n: _SUNDAY + n * 1_000_000,
    "timestamp_to_milliseconds": lambda n: _SUNDAY + n * 1000,
    "timestamp_to_day_of_week": lambda n: _SUNDAY + n * 24 * HOUR,
    "timestamp_to_day_of_month": lambda n: _SUNDAY + (n - 3) * 24 * HOUR,
    "timestamp_to_day_of_month_1_based": lambda n: _SUNDAY + (n - 4) * 24 * HOUR,
    "timestamp_to_day_of_year": lambda n: _SUNDAY + (n - 3) * 24 * HOUR,
    "timestamp_to_month": lambda n: _moment(datetime(2026, n + 1, 1, tzinfo=UTC)),
    "timestamp_to_year": lambda n: _moment(datetime(n, 1, 1, tzinfo=UTC)),
    "timestamp_to_int64": lambda n: n * 1_000_000,
}
_SAME = ("string_lower_ascii", "string_upper_ascii", "string_trim")
_PUT: dict[str, Callable[[str, str], str]] = {
    "starts_with_string": lambda text, part: part + text,
    "ends_with_string": lambda text, part: text + part,
    "contains_string": lambda text, part: text + part,
}


def aim(node: Node, wanted: Any, record: dict[str, Any], taken: set[str]) -> None:
    """Set fields of `record` so that `node` may come out as `wanted`; `taken` are those set for a reason."""
    try:
        _aim(node, wanted, record, taken)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return


def _aim(node: Node, wanted: Any, record: dict[str, Any], taken: set[str]) -> None:
    if isinstance(node, Name):
        record[node.name] = wanted
        taken.add(node.name)
    if not isinstance(node, Call) or wanted is None:
        return
    word = node.overload
    if word == "int64_to_double":
        _aim(node.arguments[0], int(wanted), record, taken)
    elif word in _SAME:
        _aim(node.arguments[0], wanted, record, taken)
    elif word in ("size_string", "string_size") and wanted <= _LONGEST:
        _aim(node.arguments[0], "x" * wanted, record, taken)
    elif word in _TIMES:
        _aim(node.arguments[0], _TIMES[word](wanted), record, taken)
    elif word in _PUT and wanted is True:
        _put(node, record, taken)
    elif word in ORDERINGS or word == "equals":
        _compare(node, wanted, record, taken)
    elif word.rpartition("_")[0] in _UNDONE:
        _undo(node, wanted, record, taken)


def _put(node: Call, record: dict[str, Any], taken: set[str]) -> None:
    """Add the part that a text should start with, end with or hold."""
    inner, part = node.arguments[0], _known(node.arguments[1], record)
    if isinstance(inner, Call) and inner.overload in _SAME:
        inner = inner.arguments[0]
    if isinstance(inner, Name) and isinstance(part, str):
        before = record.get(inner.name) if inner.name in taken else ""
        _aim(inner, _PUT[node.overload](before or "", part), record, taken)


def _compare(node: Call, wanted: bool, record: dict[str, Any], taken: set[str]) -> None:
    """Bring one side to the other, or past it."""
    left, right = node.arguments
    settled = isinstance(left, Name) and left.name in taken and _known(right, {}) is None
    sides: tuple[Node, Node] = (left, right)
    target, other = reversed(sides) if isinstance(left, Literal) or settled else sides
    value = _known(other, record)
    if value is None:
        return None
    word = ORDERINGS.get(node.overload, "equals")
    equal = word.endswith("equals") == wanted
    if equal:
        return _aim(target, value, record, taken)
    if isinstance(value, bool):
        return _aim(target, not value, record, taken)
    up = ("greater" in word) == wanted if word != "equals" else True
    up = up != (target is right and word != "equals")
    if target.type == STRING:
        moved = value + "a" if up else value[:-1]
    else:
        step = max(1, int(abs(value) // 1000))
        moved = value + step if up else value - step

    return _aim(target, moved, record, taken)


def _undo(node: Call, wanted: Any, record: dict[str, Any], taken: set[str]) -> None:
    left_from, right_from = _UNDONE[node.overload.rpartition("_")[0]]
    left, right = node.arguments
    number = int if node.type == "int" else float
    if (known := _known(right, record)) is not None and not isinstance(left, Literal):
        _aim(left, number(left_from(wanted, known)), record, taken)
    elif (known := _known(left, record)) is not None:
        _aim(right, number(right_from(wanted, known)), record, taken)


def _known(node: Node, record: dict[str, Any]) -> Any:
    """Give the value of a literal, or of a field as the record has it now."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Name):
        return record.get(node.name)
    if isinstance(node, Call) and node.overload == "int64_to_double":
        value = _known(node.arguments[0], record)
        return None if value is None else float(value)
    return None


def _moment(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
