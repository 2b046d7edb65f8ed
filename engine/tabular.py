"""Tables in: whatever speaks Arrow, as blocks of rows, each row read exactly as the schema reads a record.

A column is read in two steps. A quick reading (`engine.columns`) takes the values that are clean beyond
doubt, all at once; each value that it leaves goes through `Field.read`, the very function that reads records.
So a row and a record give the same values and the same problems, by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.columns import NORMAL_TYPES, plain_column, quick_column, value_at
from engine.errors import FieldProblem, InputError, RecordError
from engine.schema import Field, Schema
from engine.values import Refused

BLOCK_ROWS = 16_384
Reject = tuple[int, tuple[FieldProblem, ...]]


@dataclass(frozen=True, slots=True)
class Normal:
    """A block after reading: the rows in normal form, which rows of the block they are, and those refused."""

    batch: pa.RecordBatch
    rows: np.ndarray
    rejects: tuple[Reject, ...]


def batches(data: Any, rows: int = BLOCK_ROWS) -> Iterator[pa.RecordBatch]:
    """Give any table as record batches of at most `rows` rows.

    Takes pyarrow's own tables and readers, and whatever has `__arrow_c_stream__` or `__arrow_c_array__`:
    pandas, Polars, DuckDB results and others. Raises InputError for anything else.
    """
    schema, given = _opened(data)
    none = True
    for batch in given:
        for start in range(0, batch.num_rows, rows):
            none = False
            yield batch.slice(start, rows)
    if none and len(schema):  # its columns are known, and are looked at like those of any other table
        yield pa.RecordBatch.from_pylist([], schema)


def normalise(schema: Schema, batch: pa.RecordBatch) -> Normal:
    """Read a block as `Schema.read` reads records; rows with problems are left out and listed."""
    names = batch.schema.names
    problems: dict[int, list[FieldProblem]] = {}
    columns = []
    for field in schema.fields:
        if names.count(field.name) > 1:
            raise InputError(f"column '{field.name}' stands {names.count(field.name)} times in the table")
        given = batch.column(field.name) if field.name in names else pa.nulls(batch.num_rows)
        columns.append(_read_column(field, given, problems))
    normal = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))
    rows = np.arange(batch.num_rows)
    if problems:
        good = np.ones(batch.num_rows, dtype=bool)
        good[list(problems)] = False
        normal, rows = normal.filter(pa.array(good)), rows[good]
    rejects = tuple((row, tuple(problems[row])) for row in sorted(problems))
    return Normal(normal, rows, rejects)


def read_records(schema: Schema, records: Sequence[Mapping[str, Any]]) -> Normal:
    """Read records one by one into a block."""
    read, rows, rejects = [], [], []
    for row, record in enumerate(records):
        try:
            read.append(schema.read(record))
            rows.append(row)
        except RecordError as error:
            rejects.append((row, error.problems))
    columns = []
    for field, kind in zip(schema.fields, arrow_schema(schema).types, strict=True):
        values = [record[field.name] for record in read]
        physical = pa.int64() if field.type == "timestamp" else kind
        columns.append(pa.array(values, physical).cast(kind))
    batch = pa.RecordBatch.from_arrays(columns, schema=arrow_schema(schema))
    return Normal(batch, np.array(rows, dtype=np.int64), tuple(rejects))


def arrow_schema(schema: Schema) -> pa.Schema:
    """Give the columns of a block in normal form."""
    return pa.schema([pa.field(field.name, NORMAL_TYPES[field.type]) for field in schema.fields])


def _read_column(field: Field, given: pa.Array, problems: dict[int, list[FieldProblem]]) -> pa.Array:
    """Read one column: quickly where it is clean, value by value where not; note what is refused."""
    column, odd = quick_column(field.type, plain_column(given))
    odd = _odd_values(field, column, odd)
    if column.null_count and (field.default is not None or not field.nullable):
        odd |= _mask(column.is_null())
    rows = np.flatnonzero(odd)
    if not len(rows):
        return column
    read = []
    for row in rows.tolist():
        normal = value = None
        try:
            value = value_at(given, row)
            normal = field.read(value)
        except Refused as refused:
            problems.setdefault(row, []).append(field.problem(value, refused))
        read.append(normal)
    physical = pa.int64() if field.type == "timestamp" else column.type
    return pc.replace_with_mask(column, pa.array(odd), pa.array(read, physical).cast(column.type))


def _odd_values(field: Field, column: pa.Array, odd: np.ndarray) -> np.ndarray:
    """Mark the values that the field's range or list of values may refuse as well."""
    outside = None
    if field.min is not None:
        outside = pc.less(column, pa.scalar(field.min, column.type))
    if field.max is not None:
        above = pc.greater(column, pa.scalar(field.max, column.type))
        outside = above if outside is None else pc.or_kleene(outside, above)
    if field.values is not None:
        unlisted = pc.and_(
            pc.invert(pc.is_in(column, pa.array(field.values, column.type))), column.is_valid()
        )
        outside = unlisted if outside is None else pc.or_kleene(outside, unlisted)
    return odd if outside is None else odd | _mask(outside)


def _mask(array: pa.Array) -> np.ndarray:
    """Turn an Arrow truth column into NumPy's; unknown is false."""
    mask: np.ndarray = pc.fill_null(array, fill_value=False).to_numpy(zero_copy_only=False)
    return mask


def _opened(data: Any) -> tuple[pa.Schema, Iterable[pa.RecordBatch]]:
    kind = type(data).__name__
    try:
        if isinstance(data, pa.RecordBatch):
            return data.schema, [data]
        if isinstance(data, pa.Table):
            return data.schema, data.to_batches()
        if hasattr(data, "__arrow_c_stream__"):
            reader = pa.RecordBatchReader.from_stream(data)
            return reader.schema, reader
        if hasattr(data, "__arrow_c_array__"):
            batch = pa.record_batch(data)
            return batch.schema, [batch]
    except pa.ArrowInvalid:  # one column speaks Arrow as well
        raise InputError(f"a {kind} is no table but a column: give a table with the fields' names") from None
    hint = ""
    if isinstance(data, dict):
        hint = "; decide() takes one record"
    elif hasattr(data, "collect"):
        hint = "; call its collect() first"
    raise InputError(f"a {kind} is no table: give anything that speaks Arrow (pyarrow, pandas, Polars){hint}")
