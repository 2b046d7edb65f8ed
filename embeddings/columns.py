"""A table as people hold it (pandas, polars, Arrow, NumPy) → Arrow columns of the kinds that are encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embeddings.errors import EncodingError
from embeddings.spec import Slot

TEXT_LENGTH = 20
"""Characters in the mean from which strings that hardly recur are free text, not the levels of a category."""
REPEATED = 0.5
_NORMAL = {
    "number": pa.float64(),
    "flag": pa.bool_(),
    "category": pa.string(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
}


_UNREADABLE = (
    pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError,
)  # fmt: skip


def arrow_table(data: Any, names: Sequence[str] | None = None) -> pa.Table:
    """Read a table of n rows; `names` are those of an array's columns, `x0`, `x1`, … if left out.

    Raises `EncodingError` for a column whose values share no type, or two columns of one name.
    """
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    if hasattr(data, "iloc"):
        columns = {name: _column(name, data.iloc[:, place]) for place, name in enumerate(data.columns)}
        if len(columns) < data.shape[1]:
            raise EncodingError("two columns have one name")
        table = pa.table({str(name): column for name, column in columns.items()})
    elif hasattr(data, "__arrow_c_stream__"):
        try:
            table = pa.table(data)
        except _UNREADABLE as error:
            raise EncodingError(f"a column cannot be read: {_reason(error)}") from error
    else:
        array = np.asarray(data)
        names = names or [f"x{place}" for place in range(array.shape[1])]
        kept = [column.tolist() if array.dtype.kind == "O" else column for column in array.T]
        read = [_column(name, column) for name, column in zip(names, kept, strict=True)]
        table = pa.table(read, names=list(names))
    if len(set(table.column_names)) < table.num_columns:
        raise EncodingError("two columns have one name")
    return table


def typed_rows(data: Any) -> Any:
    """A list of rows with texts or truth values as an array of objects: each column then has its own type.

    NumPy would make texts of all cells where one is a text. Anything else comes back as it is.
    """
    if not isinstance(data, list | tuple):
        return data
    try:
        array = np.array(data, dtype=object)
    except ValueError:  # rows of several lengths
        return data
    kept = array.ndim == 2 and any(isinstance(cell, str | bool | np.bool_) for cell in array.flat)
    return array if kept else data


def _column(name: Any, values: Any) -> pa.Array:
    try:
        return pa.array(values)
    except _UNREADABLE as error:
        raise EncodingError(f"column '{name}' cannot be read: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "it holds a whole number of more than 64 bits; give such as float, or as missing"
    if isinstance(error, UnicodeError):
        return "it holds a text that is no Unicode (half of a surrogate pair)"
    return str(error).splitlines()[0]


def slots_for(table: pa.Table, kinds: Mapping[str, str]) -> tuple[Slot, ...]:
    """Give every column a kind: the declared one, else one that its type and values suggest.

    Raises `EncodingError` for a kind of a column that is not there, an unknown kind, or a type that has none.
    """
    if not isinstance(kinds, Mapping):
        raise EncodingError(
            f"kinds: got {kinds!r}; give a kind for each column that has one: {{'memo': 'text'}}"
        )
    for name, kind in kinds.items():
        if name not in table.column_names:
            raise EncodingError(f"kinds: no column '{name}'; there are {', '.join(table.column_names)}")
        if not isinstance(kind, str) or kind not in _NORMAL:
            raise EncodingError(f"kinds: unknown kind '{kind}' of '{name}'; known: {', '.join(_NORMAL)}")
    return tuple(
        Slot(name, kinds.get(name) or _kind(name, table.column(name))) for name in table.column_names
    )


def normal_columns(table: pa.Table, slots: Sequence[Slot]) -> pa.RecordBatch:
    """Cast the slots' columns to what `Encoding.batch` reads; NaN is missing.

    Raises `EncodingError` for a column that is not there, values that are not of its kind, and infinities.
    """
    absent = [slot.name for slot in slots if slot.name not in table.column_names]
    if absent:
        raise EncodingError(
            f"no column for {', '.join(absent)}; the table has {', '.join(table.column_names)}"
        )
    columns = [_normal(slot, table.column(slot.name).combine_chunks()) for slot in slots]
    return pa.record_batch(columns, names=[slot.name for slot in slots])


def _kind(name: str, column: pa.ChunkedArray) -> str:
    kind = column.type.value_type if isinstance(column.type, pa.DictionaryType) else column.type
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "category" if isinstance(column.type, pa.DictionaryType) else "number"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "timestamp"
    if pa.types.is_null(kind):
        return "number"
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise EncodingError(f"column '{name}': a {kind} column has no kind; leave it out, or cast it")
    texts = column.cast(pa.string()).drop_null()
    if len(texts) == 0 or pc.count_distinct(texts).as_py() <= REPEATED * len(texts):
        return "category"
    return "category" if pc.mean(pc.utf8_length(texts)).as_py() < TEXT_LENGTH else "text"


def _normal(slot: Slot, column: pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    if isinstance(column.type, pa.DictionaryType):
        column = column.dictionary_decode()
    textual = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if textual and slot.kind in ("number", "flag"):
        raise EncodingError(f"column '{slot.name}': text, where a {slot.kind} is expected")
    if pa.types.is_timestamp(column.type) and column.type.tz is None and slot.kind == "timestamp":
        column = pc.assume_timezone(column, "UTC")
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        column = column.cast(_NORMAL[slot.kind], safe=slot.kind == "flag")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise EncodingError(f"column '{slot.name}' cannot be read as a {slot.kind}: {reason}") from error
    if slot.kind == "number":
        infinite = pc.sum(pc.is_inf(column)).as_py() or 0
        if infinite:
            raise EncodingError(
                f"column '{slot.name}': Input X contains infinity, {infinite} times; "
                "give such values as missing, or as a largest number"
            )
    return column
