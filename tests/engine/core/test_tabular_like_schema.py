"""A row of a table and a record read alike: the same values, the same problems, whatever a column holds."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.columns import value_at
from engine.errors import FieldProblem, RecordError
from engine.schema import Field, Schema
from engine.tabular import normalise
from engine.values import EPOCH, MICROSECOND, Refused

FIELDS = [
    Field("x", "int"),
    Field("x", "int", nullable=True, min=-5, max=40),
    Field("x", "int", nullable=True, values=(1, 2, 39)),
    Field("x", "int", default=7),
    Field("x", "float"),
    Field("x", "float", nullable=True, min=-5.5, max=40),
    Field("x", "bool", nullable=True),
    Field("x", "category", nullable=True),
    Field("x", "category", values=("a", "true", "39", "")),
    Field("x", "text", default="none"),
    Field("x", "text"),
    Field("x", "timestamp", nullable=True),
]

BIG = [2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 0, 1, 39]
integers = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([n for n in BIG if -(2**63) <= n < 2**63])
floats = st.floats() | st.sampled_from([0.0, -0.0, 1.0, 39.0, 39.5, 2.0**53, 2.0**63, math.nan, math.inf])
decimals = st.decimals(min_value=-(10**14), max_value=10**14, places=4)
stamps = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001
numbers_as_text = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.from_regex(r"[+-]?[0-9]{0,25}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,4})?", fullmatch=True),
    decimals.map(str),
)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-11))])
times_as_text = st.one_of(
    stamps.map(datetime.isoformat),
    stamps.map(lambda moment: moment.isoformat(" ", "seconds")),
    st.builds(lambda moment, zone: moment.replace(tzinfo=zone).isoformat(), stamps, zones),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T t][0-2][0-9](:[0-6][0-9](:[0-6][0-9]([.,][0-9]{1,9})?)?)?)?"
        r"( ?Z|[+-][0-2][0-9]:?([0-6][0-9])?)?",
        fullmatch=True,
    ),
    st.dates().map(date.isoformat),
)
odd_texts = st.sampled_from(
    [
        "",
        " ",
        " 39 ",
        "39.0",
        "1e3",
        "0x1F",
        "1_000",
        "nan",
        "NaN",
        "inf",
        "-0",
        "TRUE",
        "true",
        " False",
        "yes",
    ]
)
texts = st.one_of(st.text(max_size=8), numbers_as_text, times_as_text, odd_texts)


def lists(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | values, min_size=1, max_size=6)


def column(values: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
    return lists(values).map(lambda given: pa.array(given, kind))


def dictionary(values: st.SearchStrategy[Any], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
    return column(values, kind).map(lambda given: given.dictionary_encode())


stamp_units = st.sampled_from(["s", "ms", "us", "ns"])
COLUMNS = st.one_of(
    column(st.integers(-128, 127), pa.int8()),
    column(integers, pa.int64()),
    column(st.integers(0, 2**64 - 1) | st.sampled_from([n for n in BIG if n >= 0]), pa.uint64()),
    column(floats, pa.float64()),
    column(st.floats(width=32), pa.float32()),
    column(st.floats(width=16).map(np.float16), pa.float16()),
    column(st.booleans(), pa.bool_()),
    column(texts, pa.string()),
    column(texts, pa.string()),
    column(times_as_text, pa.string()),
    column(numbers_as_text, pa.string()),
    column(texts, pa.large_string()),
    column(texts, pa.string_view()),
    dictionary(texts, pa.string()),
    dictionary(integers, pa.int64()),
    column(decimals, pa.decimal128(20, 4)),
    column(st.integers(-(10**37), 10**37).map(Decimal), pa.decimal128(38, 0)),
    column(stamps, pa.timestamp("us")),
    st.builds(
        lambda given, unit, zone: pa.array(given, pa.int64()).cast(pa.timestamp(unit, zone)),
        lists(integers | st.integers(0, 2**40)),
        stamp_units,
        st.sampled_from([None, "UTC", "+05:30"]),
    ),
    column(st.dates(), pa.date32()),
    column(st.integers(-(2**31), 2**31 - 1), pa.int32()).map(lambda days: days.cast(pa.date32())),
    column(st.dates(), pa.date64()),
    column(st.binary(max_size=4), pa.binary()),
    column(st.lists(st.integers(0, 9), max_size=2), pa.list_(pa.int64())),
    column(st.fixed_dictionaries({"a": st.integers(0, 9)}), pa.struct([("a", pa.int64())])),
    column(st.timedeltas(timedelta(0), timedelta(days=9)), pa.duration("us")),
    st.integers(1, 4).map(pa.nulls),
    lists(st.sampled_from(["a", "b"])).map(
        lambda given: pa.compute.run_end_encode(pa.array(given, pa.string()))
    ),
)


def as_records(field: Field, given: pa.Array) -> list[Any]:
    """What `Schema.read` makes of each value alone: the value, or the problems."""
    read: list[Any] = []
    for row in range(len(given)):
        try:
            read.append(Schema((field,)).read({"x": value_at(given, row)})["x"])
        except RecordError as error:
            read.append(error.problems)
        except Refused as refused:
            read.append((FieldProblem("x", str(refused)),))
    return read


def as_table(field: Field, given: pa.Array) -> list[Any]:
    """What `normalise` makes of the same values in one column."""
    normal = normalise(Schema((field,)), pa.RecordBatch.from_arrays([given], names=["x"]))
    column = normal.batch.column("x")
    values = column.cast(pa.int64()) if field.type == "timestamp" else column
    read = dict(zip(normal.rows.tolist(), values.to_pylist(), strict=True)) | dict(normal.rejects)
    return [read[row] for row in range(len(given))]


def same(left: Any, right: Any) -> bool:
    """Equal in type as well, and for floats in every bit."""
    if isinstance(left, float) and isinstance(right, float):
        return math.copysign(1.0, left) == math.copysign(1.0, right) and left == right
    return type(left) is type(right) and left == right


@pytest.mark.parametrize(
    "field", FIELDS, ids=lambda field: f"{field.type}-{'null' if field.nullable else 'not'}"
)
@settings(max_examples=150, deadline=None)
@given(given=COLUMNS)
@example(given=pa.array(["2026-03-01 12", "2026-03-01T12:30", "2026-03-01 12:30:00.123456"]))
@example(given=pa.array(["2026-03-01T12:30:00Z", "2026-03-01T12:30:00+01:00"]))
@example(given=pa.array(["0000-01-01", "9999-12-31T23:59:60", "2026-02-30"]))
@example(given=pa.array(["-0", "-0.0", "0", "999999999999999", "9999999999999999", "0.1"]))
@example(given=pa.array([-0.0, 0.0, 5e-324, 1.7976931348623157e308]))
def test_a_row_reads_as_the_record_it_holds(field: Field, given: pa.Array) -> None:
    """Values and problems of a column are those of its values read one by one."""
    expected, got = as_records(field, given), as_table(field, given)
    assert all(map(same, got, expected)), (got, expected)


def test_bytes_that_are_no_utf8_are_refused_row_by_row() -> None:
    """A text column with broken UTF-8 loses the broken rows alone."""
    broken = pa.array([b"ok", b"\xff\xfe", None], pa.binary()).view(pa.string())
    field = Field("x", "category", nullable=True)
    assert as_table(field, broken) == ["ok", (FieldProblem("x", "not valid UTF-8"),), None]


def test_a_timestamp_is_microseconds_in_utc() -> None:
    """A naive time counts as UTC, a zoned one is moved there, a date is its midnight."""
    moment = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    expected = (moment - EPOCH) // MICROSECOND
    schema = Schema((Field("x", "timestamp"),))
    given = [moment, moment.replace(tzinfo=None), "2026-03-01T12:30:00Z", "2026-03-01 13:30+0100"]
    assert [schema.read({"x": value})["x"] for value in given] == [expected] * 4
    assert schema.read({"x": date(1970, 1, 2)}) == {"x": 86_400_000_000}
