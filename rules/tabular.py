"""A table as given in, whoever made it; one Arrow column for every variable out, or all that does not fit.

Only the columns that variables name are taken; any other is left alone, or refused where tables are strict.
A struct column `scores` holds `scores.fraud`. What a table lacks is missing in every row, and so are null
and NaN.

INVARIANT: a column is taken as `records` takes its values one by one, and refused where it refuses one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules import arrays
from rules.columns import ARROW_TYPES
from rules.errors import RulesError
from rules.expression import BOOL, DOUBLE, INT, STRING, TIMESTAMP, Variable
from rules.form import shown
from rules.functions.clock import FIRST, LAST
from rules.records import WANTED, moment, nested, unknown

Named = tuple[str, pa.ChunkedArray]


def read_table(variables: Sequence[Variable], data: Any, *, strict: bool = False) -> pa.Table:
    """Give one column for every variable, of its type, null throughout where the table has none.

    Takes what has `__arrow_c_stream__` or `__arrow_c_array__`: pyarrow, pandas, Polars, DuckDB and others.

    Raises RulesError with every column that is of another type, or there twice; if `strict`, every other one.
    """
    names = [variable.name for variable in variables]
    holders = nested(names)
    problems: list[str] = []
    rows, all_names, given = _given(data, {*names, *holders}, problems)
    found: dict[str, list[pa.ChunkedArray]] = {}
    for name, column in _spread(given, holders, problems):
        found.setdefault(name, []).append(column)
    columns = []
    for variable in variables:
        name, kind = variable.name, variable.type
        named = found.get(name, ())
        if len(named) > 1:
            problems.append(f"the column '{name}' stands {len(named)} times in the table")
        elif not named:
            columns.append(pa.chunked_array([pa.nulls(rows, ARROW_TYPES[kind])]))
        else:
            try:
                columns.append(_cast(_decoded(named[0]), kind))
            except (TypeError, ValueError, pa.ArrowNotImplementedError) as error:
                reason = f": {error}" if isinstance(error, ValueError) else ""
                problems.append(f"the column '{name}' is {named[0].type}; {kind} is needed{reason}")
    if strict:
        given_names = dict.fromkeys((*all_names, *found))
        problems += unknown("column", [name for name in given_names if name not in holders], set(names))
    if problems:
        raise RulesError("\n".join(problems))
    return pa.Table.from_arrays(columns, names=names)


def _given(data: Any, wanted: Collection[str], problems: list[str]) -> tuple[int, Sequence[Any], list[Named]]:
    """Give the number of rows, all names, and the columns with wanted names; one may stand more than once."""
    if hasattr(data, "iloc"):  # pandas
        named = list(_of_pandas(data, wanted, problems))
        return len(data), list(data.columns), named
    if hasattr(data, "iter_columns") and hasattr(data, "with_columns"):  # Polars
        parts = [(name, data.select([name])) for name in data.columns if name in wanted]
        return len(data), data.columns, list(_one_by_one(parts, problems))
    table = _opened(data)
    columns = zip(table.column_names, table.columns, strict=True)
    return table.num_rows, table.column_names, [(name, column) for name, column in columns if name in wanted]


def _of_pandas(data: Any, wanted: Collection[str], problems: list[str]) -> Iterator[Named]:
    if not hasattr(data, "columns"):
        raise RulesError("a Series is no table: give a DataFrame, or its to_frame()")
    # The levels of an index are columns to Arrow where they have names, and may hold anything.
    levels = [name for name in data.index.names if isinstance(name, str) and name in wanted]
    parts = [(name, data.index.get_level_values(name).to_frame(index=False, name=name)) for name in levels]
    data = data.reset_index(drop=True)
    for place, name in enumerate(data.columns):
        if isinstance(name, str) and name in wanted:
            parts.append((name, data.iloc[:, [place]]))
    return _one_by_one(parts, problems)


def _one_by_one(parts: Sequence[tuple[str, Any]], problems: list[str]) -> Iterator[Named]:
    """Take tables of one column each, so that the one that Arrow cannot hold is known."""
    for name, part in parts:
        try:
            yield name, pa.RecordBatchReader.from_stream(part).read_all().column(0)
        except (pa.ArrowException, ValueError, TypeError) as error:
            reason = str(error).encode("utf-8", "backslashreplace").decode()
            problems.append(f"the column '{name}' cannot be read: {reason}")


def _opened(data: Any) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    try:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data).read_all()
        if hasattr(data, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(data)])
    except pa.ArrowInvalid:  # one column speaks Arrow as well
        pass
    hint = "; judge() takes one record" if isinstance(data, Mapping) else ""
    hint = hint or ("; call its collect() first" if hasattr(data, "collect") else "")
    kind = type(data).__name__
    raise RulesError(f"a {kind} is no table: give anything that speaks Arrow (pyarrow, pandas, Polars){hint}")


def _spread(columns: Sequence[Named], holders: Mapping[str, str], problems: list[str]) -> Iterator[Named]:
    """Give the fields of structs that hold variables as columns with dotted names."""
    for name, column in columns:
        inner = holders.get(name)
        if inner is None:
            yield name, column
        elif pa.types.is_struct(column.type):
            fields = [f"{name}.{field.name}" for field in column.type.fields]
            yield from _spread(list(zip(fields, column.flatten(), strict=True)), holders, problems)
        elif column.null_count < len(column):
            problems.append(f"the column '{name}' is {column.type}; a struct that holds '{inner}' is needed")


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Undo what only says how values are stored: dictionaries, and runs."""
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if not pa.types.is_dictionary(column.type):
        return column
    kind = column.type.value_type
    if not pa.types.is_string_view(kind):
        return column.cast(kind)
    # Polars' categories: Arrow decodes none that are such strings.
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(pa.large_string()))
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, pa.dictionary(column.type.index_type, pa.large_string())).cast(
        pa.large_string()
    )


def _cast(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Bring a column into the type of the rule language. Raises TypeError or ValueError."""
    if pa.types.is_floating(column.type):
        column = _without_nan(column)
    if column.null_count == len(column):  # also of a type that says nothing, as pandas' object
        return pa.chunked_array([pa.nulls(len(column), ARROW_TYPES[kind])])
    for fits, cast in _CASTS[kind]:
        if fits(column.type):
            return cast(column)
    raise TypeError(column.type)


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    column = column.cast(pa.float64())
    # One pass that makes nothing: the least of values is NaN where one is.
    if not any(np.isnan(_held(chunk, np.float64).min(initial=0.0)) for chunk in column.chunks):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)


def _held(chunk: pa.Array, kind: Any) -> np.ndarray:
    """Give the numbers as Arrow holds them: where null, anything."""
    held: np.ndarray = np.frombuffer(chunk.buffers()[1] or b"", kind)
    return held[chunk.offset : chunk.offset + len(chunk)]


def _as(kind: str, *, safe: bool = True) -> Callable[[pa.ChunkedArray], pa.ChunkedArray]:
    wanted = ARROW_TYPES[kind]
    return lambda column: column if column.type == wanted else column.cast(wanted, safe=safe)


def _nearest(column: pa.ChunkedArray) -> pa.ChunkedArray:
    # By way of text, whose reading rounds correctly; a cast of decimals to floats need not.
    return column.cast(pa.string()).cast(pa.float64())


def _date(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return _timestamp(column.cast(pa.date32()).cast(pa.timestamp("s")))


def _timestamp(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type.unit == "ns":  # below a microsecond is cut off
        cut = [_micros(chunk.cast(pa.int64())) for chunk in column.chunks]
        column = pa.chunked_array(cut, pa.int64()).cast(pa.timestamp("us"))
    column = column.cast(ARROW_TYPES[TIMESTAMP])
    ends = pc.min_max(column.cast(pa.int64())).as_py()
    if not FIRST <= ends["min"] <= ends["max"] <= LAST:
        raise ValueError("it holds moments outside the years 1 to 9999")
    return column


def _micros(nanoseconds: pa.Array) -> pa.Array:
    """Divide, rounded down as a clock is cut, which Arrow's own division does not do before 1970."""
    cut = _held(nanoseconds, np.int64) // 1_000
    present = nanoseconds.is_valid().buffers()[1] if nanoseconds.null_count else None
    return pa.Array.from_buffers(pa.int64(), len(cut), [present, pa.py_buffer(cut)])


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read ISO 8601 text: as Arrow does, if all have or lack a zone; else each distinct text by itself."""
    column = column.cast(pa.string())
    for zone in (None, "UTC"):
        try:
            return _timestamp(column.cast(pa.timestamp("us", zone)))
        except ValueError:  # one of another form, or no moment
            continue
    coded = column.combine_chunks().dictionary_encode()
    found = arrays.column(TIMESTAMP, [_moment(text) for text in coded.dictionary.to_pylist()])
    return pa.chunked_array([found.take(coded.indices)])


def _moment(text: str) -> int | None:
    try:
        return moment(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not {WANTED[TIMESTAMP]}") from None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_Cast = tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], pa.ChunkedArray]]
_CASTS: dict[str, tuple[_Cast, ...]] = {
    BOOL: ((pa.types.is_boolean, _as(BOOL)),),
    INT: ((_is_number, _as(INT)),),
    DOUBLE: (
        (pa.types.is_decimal, _nearest),
        (_is_number, _as(DOUBLE, safe=False)),
    ),
    STRING: ((_is_text, _as(STRING)),),
    TIMESTAMP: (
        (pa.types.is_timestamp, _timestamp),
        (pa.types.is_date, _date),
        (_is_text, _moments),
    ),
}
