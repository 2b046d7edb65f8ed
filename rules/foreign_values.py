"""`Foreign` nodes evaluated by the CEL runtime: for one record, and for the rows of a block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rules.expression import BOOL, DOUBLE, INT, STRING, Foreign, ListName
from rules.functions.forms import Column, Truth, either, is_constant
from rules.functions.table import ERROR

KEPT = 65_536
"""Results kept for rows to come: rows repeat one another more often than not."""

_PYTHON = {BOOL: bool, INT: int, DOUBLE: float, STRING: str}
_NUMPY: dict[str, Any] = {BOOL: bool, INT: np.int64, DOUBLE: np.float64}
_BLANK: dict[str, Any] = {BOOL: False, INT: 0, DOUBLE: 0.0, STRING: ""}


def one_record(node: Foreign, lists: Mapping[str, Collection[Any]]) -> Callable[..., Any]:
    """Make a function of the values of a node's fields, in order: its value, None for null, or ERROR."""
    prepared: list[Any] = []

    def evaluate(*values: Any) -> Any:
        if not prepared:
            prepared.append(_prepared(node, lists))
        result = prepared[0](values)
        return result if result is None or type(result) is _PYTHON[node.type] else ERROR

    return evaluate


def many_records(
    node: Foreign, lists: Mapping[str, Collection[Any]]
) -> Callable[[int, Sequence[Column | Truth]], Column | Truth]:
    """Make a function of a number of rows and the columns of a node's fields that gives the node's column."""
    evaluate = one_record(node, lists)
    kept: dict[tuple[Any, ...], Any] = {}

    def rows(count: int, columns: Sequence[Column | Truth]) -> Column | Truth:
        if len(kept) > KEPT:
            kept.clear()
        results = []
        for key, values in zip(_rows(count, columns, bits=True), _rows(count, columns), strict=True):
            # Another thread may clear what is kept between any two lines.
            result = kept.get(key, kept)
            if result is kept:
                result = kept[key] = evaluate(*values)
            results.append(result)
        return _column(node.type, results)

    return rows


def _prepared(node: Foreign, lists: Mapping[str, Collection[Any]]) -> Callable[[Sequence[Any]], Any]:
    """Compile a node; its lists, of which it sees the entries in rising order, stay where they are."""
    from rules.runtime import compiled

    value = compiled(node.checked, node.inputs)
    if not any(isinstance(name, ListName) for name in node.inputs):
        return value
    fixed = [sorted(lists[name.name]) if isinstance(name, ListName) else None for name in node.inputs]

    def evaluate(values: Sequence[Any]) -> Any:
        given = iter(values)
        return value([next(given) if one is None else one for one in fixed])

    return evaluate


def _rows(count: int, columns: Sequence[Column | Truth], bits: bool = False) -> Any:
    """Give each row's values; or, as bits, what tells them apart: 0.0 and -0.0 are two, NaN is one."""
    if not columns:
        return [()] * count
    return zip(*(_listed(count, column, bits) for column in columns), strict=True)


def _listed(count: int, column: Column | Truth, bits: bool) -> list[Any]:
    values = column.true if isinstance(column, Truth) else column.values
    if is_constant(values):
        listed = [values.item() if isinstance(values, np.generic) else values] * count
    elif isinstance(values, np.ndarray):
        listed = (values.view(np.int64) if bits and values.dtype == np.float64 else values).tolist()
    else:
        listed = values.to_pylist()
    if column.null is None:
        return listed
    return [None if null else value for null, value in zip(column.null.tolist(), listed, strict=True)]


def _column(kind: str, results: list[Any]) -> Column | Truth:
    null = _mask(one is None for one in results)
    error = _mask(one is ERROR for one in results)
    values = [_BLANK[kind] if one is None or one is ERROR else one for one in results]
    if kind == STRING:
        return Column(STRING, pa.array(values, pa.string()), null, error)
    plain = np.array(values, dtype=_NUMPY[kind])
    if kind != BOOL:
        return Column(kind, plain, null, error)
    open_ = either(null, error)
    return Truth(plain, None if open_ is None else ~(plain | open_), null)


def _mask(rows: Iterable[bool]) -> np.ndarray | None:
    mask = np.array(list(rows), dtype=bool)
    return mask if mask.any() else None
