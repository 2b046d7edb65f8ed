"""Records and tables as given in, what conditions read out; what does not fit is refused.

Names are flat, with dots: `{"scores": {"fraud": 0.7}}` and a struct column `scores` hold `scores.fraud`. What
a record or table lacks is missing. Names that no condition knows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from rules.columns import ARROW_TYPES
from rules.errors import RulesError
from rules.expression import BOOL, DOUBLE, INT, STRING, TIMESTAMP, Variable
from rules.form import shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DEEPEST = 4  # structs within structs: `scores.grade.a` needs two
_WHOLE = 2.0**63


def read_record(variables: Sequence[Variable], record: Mapping[str, Any]) -> dict[str, Any]:
    """Give the value of every variable, None where the record has none.

    Raises RulesError with every value that its variable cannot hold.
    """
    if not isinstance(record, Mapping):
        raise RulesError(f"a record is a mapping of names to values, not a {type(record).__name__}")
    given = dict(_flat(record))
    values: dict[str, Any] = {}
    problems = []
    for variable in variables:
        value = given.get(variable.name)
        try:
            values[variable.name] = None if value is None else _READERS[variable.type](value)
        except (TypeError, ValueError, OverflowError, AttributeError):
            wanted = _WANTED[variable.type]
            problems.append(f"'{variable.name}' must be {wanted}, got {shown(value)}")
    if problems:
        raise RulesError("\n".join(problems))
    return values


def read_table(data: Any) -> pa.Table:
    """Give any table as Arrow's, its structs spread over columns with dotted names.

    Takes what has `__arrow_c_stream__` or `__arrow_c_array__`: pyarrow, pandas, Polars, DuckDB and others.
    """
    hint = "; judge() takes one record" if isinstance(data, Mapping) else ""
    hint = hint or ("; call its collect() first" if hasattr(data, "collect") else "")
    try:
        table = _opened(data)
    except pa.ArrowInvalid:  # one column speaks Arrow as well
        table = None
    if table is None:
        kind = type(data).__name__
        raise RulesError(
            f"a {kind} is no table: give anything that speaks Arrow (pyarrow, pandas, Polars){hint}"
        )
    for _ in range(DEEPEST):
        if not any(pa.types.is_struct(field.type) for field in table.schema):
            break
        table = table.flatten()
    return table


def read_columns(variables: Sequence[Variable], table: pa.Table) -> pa.Table:
    """Give one column for every variable, of its type, null throughout where the table has none.

    Raises RulesError with every column that is of another type, or there twice.
    """
    names = table.column_names
    columns, problems = [], []
    for variable in variables:
        wanted = ARROW_TYPES[variable.type]
        found = names.count(variable.name)
        if found > 1:
            problems.append(f"the column '{variable.name}' stands {found} times in the table")
        elif not found:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, wanted)]))
        else:
            column = table.column(variable.name)
            try:
                columns.append(_cast(column, variable.type))
            except (TypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                reason = f": {error}" if isinstance(error, pa.ArrowInvalid) else ""
                problems.append(
                    f"the column '{variable.name}' is {column.type}; {variable.type} is needed{reason}"
                )
    if problems:
        raise RulesError("\n".join(problems))
    return pa.Table.from_arrays(columns, names=[variable.name for variable in variables])


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and depth < DEEPEST:
            yield from _flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value


def _bool(value: Any) -> bool:
    value = _plain(value)
    if type(value) is not bool:
        raise TypeError(value)
    return value


def _int(value: Any) -> int:
    value = _plain(value)
    whole = isinstance(value, float) and -_WHOLE <= value < _WHOLE and value.is_integer()
    if isinstance(value, bool) or not (isinstance(value, int) or whole):
        raise TypeError(value)
    if not -(2**63) <= value < 2**63:
        raise OverflowError(value)
    return int(value)


def _double(value: Any) -> float:
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    value.encode()  # half a surrogate pair is no text
    return str(value)


def _timestamp(value: Any) -> int:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise TypeError(value)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - EPOCH) // MICROSECOND


def _plain(value: Any) -> Any:
    """Give a NumPy scalar as Python has it."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


_READERS: dict[str, Callable[[Any], Any]] = {
    BOOL: _bool, INT: _int, DOUBLE: _double, STRING: _string, TIMESTAMP: _timestamp,
}  # fmt: skip
_WANTED = {
    BOOL: "true or false",
    INT: "a whole number of 64 bits",
    DOUBLE: "a number",
    STRING: "text",
    TIMESTAMP: "a datetime, or text as '2026-11-01T12:00:00Z'",
}


def _opened(data: Any) -> pa.Table | None:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data).read_all()
    if hasattr(data, "__arrow_c_array__"):
        return pa.Table.from_batches([pa.record_batch(data)])
    return None


def _cast(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
    """Bring a column into the type of the rule language where every value stays what it is."""
    given = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_null(given) or _FITTING[kind](given)):
        raise TypeError(given)
    if kind == TIMESTAMP:
        column = column if not pa.types.is_dictionary(column.type) else column.cast(given)
        if pa.types.is_date(given):
            column = column.cast(pa.timestamp("s")).cast(pa.timestamp("us"))
        elif pa.types.is_timestamp(given) and given.unit == "ns":  # below a microsecond is cut off
            column = column.cast(pa.timestamp("us", given.tz), safe=False)
    return column if column.type == ARROW_TYPES[kind] else column.cast(ARROW_TYPES[kind])


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


_FITTING: dict[str, Callable[[pa.DataType], bool]] = {
    BOOL: pa.types.is_boolean,
    INT: _is_number,
    DOUBLE: _is_number,
    STRING: _is_text,
    TIMESTAMP: lambda kind: bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
}
