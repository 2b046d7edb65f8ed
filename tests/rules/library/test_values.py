"""How records and tables take values: a column is taken as its values are, one by one, and refused alike."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rules
from rules.expression import BOOL, DOUBLE, INT, STRING, TIMESTAMP, Variable
from rules.records import Records
from rules.tabular import read_table

FIELDS = {"b": "bool", "i": "int", "d": "double", "s": "string", "t": "timestamp"}
FILE = """\
rules:
  - {id: b, when: b, tag: x}
  - {id: i, when: i > 1, tag: x}
  - {id: d, when: d > 1.0, tag: x}
  - {id: s, when: s > 'a', tag: x}
  - {id: t, when: "t > timestamp('2026-01-01T00:00:00Z') && t.getHours('Europe/Paris') > 0", tag: x}
  - {id: f, when: scores.fraud > 0.5, tag: x}
  - {id: g, when: scores.grade.a > 0.5, tag: x}
"""
MICROS = st.integers(-(2**62), 2**62) | st.integers(-3, 3) | st.just(2**62)
TEXTS = st.sampled_from(["2026-01-02", "2026-01-02T03:04:05+01:00", "soon", "", "20260102T0304", "a", "é"])
NUMBERS = (
    st.floats() | st.integers(-3, 3).map(float) | st.sampled_from([2.0**53 + 2, 2.0**63, -(2.0**63), 1e-320])
)
WHOLE = st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53 + 1, 2**63 - 1])
DECIMALS = st.decimals(-(10**20), 10**20, places=4) | st.integers(-(2**64), 2**64).map(Decimal)
COLUMNS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.null(), st.none()),
    (pa.bool_(), st.booleans()),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), WHOLE),
    (pa.uint64(), st.integers(0, 3) | st.integers(0, 2**64 - 1)),
    (pa.float16(), st.sampled_from([0.5, 2.0, math.nan, math.inf]).map(np.float16)),
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), NUMBERS),
    (pa.decimal128(38, 4), DECIMALS),
    (pa.decimal256(60, 4), DECIMALS),
    (pa.string(), TEXTS),
    (pa.large_string(), TEXTS),
    (pa.string_view(), TEXTS),
    (pa.dictionary(pa.int8(), pa.string()), TEXTS),
    (pa.dictionary(pa.int8(), pa.int64()), WHOLE),
    (pa.date32(), st.dates()),
    (pa.date64(), st.dates()),
    *((pa.timestamp(unit), MICROS) for unit in ("s", "ms", "us", "ns")),
    *((pa.timestamp(unit, "+05:30"), MICROS) for unit in ("us", "ns")),
    (pa.time64("us"), st.integers(0, 10**9)),
    (pa.duration("us"), st.integers(-9, 9)),
    (pa.binary(), st.binary()),
    (pa.list_(pa.int64()), st.lists(WHOLE, max_size=2)),
    (pa.struct({"a": pa.int64()}), st.fixed_dictionaries({"a": st.just(1)})),
]
RECORD_OF = {kind: Records([Variable("x", kind)]) for kind in (BOOL, INT, DOUBLE, STRING, TIMESTAMP)}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> rules.LoadedRules:
    path = tmp_path_factory.mktemp("rules") / "a.yaml"
    path.write_text(FILE, encoding="utf-8")
    return rules.load(path, FIELDS, scores=["fraud", "grade.a"])


def read(reader: Any) -> Any:
    """What was read, or that it was refused."""
    try:
        return reader()
    except rules.RulesError:
        return "refused"


def told(loaded: rules.LoadedRules, data: Any) -> str:
    with pytest.raises(rules.RulesError) as refused:
        loaded.apply(data) if not isinstance(data, dict) else loaded.judge(data)
    return str(refused.value)


@pytest.mark.parametrize("kind", RECORD_OF)
@pytest.mark.parametrize(("given_type", "values"), COLUMNS, ids=[str(kind) for kind, _ in COLUMNS])
@settings(max_examples=25)  # of each of 150 pairs of types
@given(data=st.data())
def test_a_column_is_taken_as_its_values_are(
    kind: str, given_type: pa.DataType, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Of every type and for every field: the same value of each row, or the column is refused as one is."""
    column = pa.array(data.draw(st.lists(st.none() | values, min_size=1, max_size=5)), given_type)
    try:
        rows = column.to_pylist()
    except (ValueError, OverflowError):  # a moment that Python cannot hold
        rows = [object()]
    alone = [read(lambda row=row: RECORD_OF[kind].read({"x": row})["x"]) for row in rows]
    table = pa.table({"x": pa.chunked_array([column.slice(0, 1), column.slice(1)])})
    together = read(lambda: read_table([Variable("x", kind)], table)["x"])
    if "refused" in alone:
        assert together == "refused"
    else:
        assert isinstance(together, pa.ChunkedArray)
        assert together.cast(pa.int64() if kind == TIMESTAMP else together.type).to_pylist() == alone


ONE_ABOVE = {"b": True, "i": 2, "d": 1.5, "s": "b", "t": datetime(2026, 6, 1, 12, tzinfo=UTC)}
MISSING = [
    None,
    math.nan,
    np.float64("nan"),
    np.datetime64("NaT"),
    pd.NaT,
    pd.NA,
    Decimal("NaN"),
]


@pytest.mark.parametrize("mark", MISSING, ids=lambda mark: f"{type(mark).__name__}-{mark}")
def test_whatever_marks_a_missing_value_is_missing_in_a_record(loaded: rules.LoadedRules, mark: Any) -> None:
    """In a field of any type, and in place of the scores."""
    marked = dict.fromkeys(["b", "i", "d", "s", "t", "scores"], mark)
    assert loaded.judge(marked) == loaded.judge({})
    assert loaded.judge({**marked, "scores": {"fraud": mark, "grade": mark}}) == loaded.judge({})


def test_a_frame_is_judged_as_its_records_are(loaded: rules.LoadedRules) -> None:
    """What pandas has for missing, in columns of every kind, is missing in the frame and in its records."""
    frame = pd.DataFrame(
        {
            "b": pd.Series([True, None, None, False], dtype="object"),
            "i": [2, math.nan, 1, 5],
            "d": [1.5, math.nan, math.inf, 1.0],
            "s": pd.Series(["b", math.nan, pd.NA, None], dtype="object"),
            "t": pd.to_datetime(["2026-06-01", None, "1969-12-31", "2026-01-01"]).as_unit("ns"),
            "scores.fraud": pd.array([0.9, pd.NA, 0.1, 0.5], dtype="Float64"),
        }
    )
    for row, record in zip(loaded.apply(frame).to_pylist(), frame.to_dict("records"), strict=True):
        verdict = loaded.judge(record)  # type: ignore[arg-type]
        assert (row["fired"], row["unknown"]) == (list(verdict.fired), list(verdict.unknown))


def test_nan_is_missing_in_every_table(loaded: rules.LoadedRules) -> None:
    """Whether pandas made it null on the way or not."""
    expected = loaded.apply(pa.table({"d": pa.array([None, 2.0]), "i": pa.array([None, 2])}))
    values = {"d": [math.nan, 2.0], "i": [math.nan, 2.0]}
    for given_table in (pa.table(values), pl.DataFrame(values), pd.DataFrame(values)):
        assert loaded.apply(given_table).equals(expected)


@pytest.mark.parametrize("value", [5, "a", [1], {"fraud": "a"}, {"fraud": {"a": 1}}])
def test_scores_of_another_shape_are_refused(loaded: rules.LoadedRules, value: Any) -> None:
    """They are not missing: no rule would tell."""
    assert told(loaded, {"scores": value}).startswith("'scores")
    assert told(loaded, pa.table({"scores": [value]})).startswith("the column 'scores")


def test_a_score_that_is_given_twice_is_refused(loaded: rules.LoadedRules) -> None:
    """By its dotted name and in the mapping or struct: nobody can tell which is meant."""
    assert told(loaded, {"scores.fraud": 0.1, "scores": {"fraud": 0.9}}).endswith(
        "stands twice in the record"
    )
    table = pa.table({"scores.fraud": [0.1], "scores": [{"fraud": 0.9}]})
    assert told(loaded, table) == "the column 'scores.fraud' stands 2 times in the table"


def test_values_and_columns_of_another_shape_say_what_is_needed(loaded: rules.LoadedRules) -> None:
    """Structs for a value, and values for a struct."""
    assert told(loaded, {"d": {"a": 1}}) == "'d' must be a number, got keys and values"
    assert told(loaded, {"scores": 5}) == "'scores' must be a mapping, as {'fraud': …}, got 5"
    struct = pa.table({"d": pa.array([{"a": 1}])})
    assert told(loaded, struct) == "the column 'd' is struct<a: int64>; double is needed"
    wrong = pa.table({"scores": ["a"]})
    assert told(loaded, wrong) == "the column 'scores' is string; a struct that holds 'fraud' is needed"


@pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["a", "b", "c"])], ids=["Categorical", "Enum"])
def test_categories_of_polars_are_text(loaded: rules.LoadedRules, kind: Any) -> None:
    frame = pl.DataFrame({"s": pl.Series(["b", None, "a", "b"], dtype=kind)})
    for rows in (frame, pl.concat([frame, frame.slice(0, 2)])):
        expected = loaded.apply(pa.table({"s": rows["s"].cast(pl.String).to_list()}))
        assert loaded.apply(rows).equals(expected)


def test_a_column_that_no_rule_reads_may_hold_anything(loaded: rules.LoadedRules) -> None:
    """Even what its library cannot give to Arrow; so may an index, and a name may stand twice."""
    expected = loaded.apply(pa.table({"i": [1, 2]}))
    wide = pl.DataFrame({"i": [1, 2], "o": pl.Series([1, 2**100], dtype=pl.Int128)})
    assert loaded.apply(wide).equals(expected)
    mixed = pd.DataFrame({"i": [1, 2], "o": [object(), 1], "p": [1, "a"]}, index=[object(), "x"])
    assert loaded.apply(mixed).equals(expected)
    assert loaded.apply(pd.concat([mixed, mixed[["o"]]], axis=1)).equals(expected)
    assert loaded.apply(pd.DataFrame({"o": [1, 2]})).equals(loaded.apply(pa.table({"o": [1, 2]})))
    assert loaded.apply(pl.DataFrame({"o": [1, 2]})).num_rows == 2
    assert loaded.apply(pd.DataFrame({"i": [1, 2]}).set_index("i")).equals(expected)


def test_a_column_that_its_library_cannot_give_is_named(loaded: rules.LoadedRules) -> None:
    """All of them at once, those that stand twice as well."""
    frame = pd.DataFrame([[1, "a", 1, 1], ["x", 2, 1, 1]], columns=["i", "s", "d", "d"])
    lines = told(loaded, frame).splitlines()
    assert [line.split("'")[1] for line in lines if line.startswith("the column")] == ["i", "s", "d"]
    assert lines[-1] == "the column 'd' stands 2 times in the table"
    wide = pl.DataFrame({"i": pl.Series([1, 2**100], dtype=pl.Int128)})
    assert told(loaded, wide).startswith("the column 'i' cannot be read")


def test_a_value_of_another_type_is_told_with_its_type(loaded: rules.LoadedRules) -> None:
    """Where its look does not say it; and as text that any terminal prints."""
    assert told(loaded, {"i": Decimal("1.5")}).endswith("64 bits, got 1.5 (a Decimal)")
    assert told(loaded, {"d": timedelta(1)}) == "'d' must be a number, got 1 day, 0:00:00 (a timedelta)"
    assert told(loaded, {"s": "\ud800"}) == r"'s' must be text, got '\ud800'"


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_moments_outside_the_years_1_to_9999_are_refused(loaded: rules.LoadedRules, unit: str) -> None:
    """In a column, and in a record by way of a time zone."""
    scale = {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    for seconds, fits in [(-62_135_596_800, True), (253_402_300_799, True), (253_402_300_800, False)]:
        table = pa.table({"t": pa.array([seconds * scale], pa.timestamp(unit, "UTC"))})
        if fits:
            assert loaded.apply(table).num_rows == 1
        else:
            assert "outside the years 1 to 9999" in told(loaded, table)
    assert "years 1 to 9999" in told(loaded, {"t": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))})
    assert "years 1 to 9999" in told(loaded, {"t": np.datetime64(2**60, "Y")})


def test_a_date_is_its_midnight_and_what_is_finer_than_a_microsecond_is_cut(
    loaded: rules.LoadedRules,
) -> None:
    """In UTC; and rounded down before 1970 as well."""
    moments = Records([Variable("t", TIMESTAMP)])
    assert moments.read({"t": date(1970, 1, 2)}) == {"t": 86_400_000_000}
    assert moments.read({"t": np.datetime64(-1, "ns")}) == moments.read({"t": pd.Timestamp(-1)}) == {"t": -1}


def test_the_first_text_that_is_no_moment_is_shown(loaded: rules.LoadedRules) -> None:
    table = pa.table({"t": ["2026-01-01", "2026-01-01T00:00:00Z", "soon"]})
    assert told(loaded, table).startswith("the column 't' is string; timestamp is needed: 'soon' is not a")


def test_loaded_rules_are_shown_in_a_line(loaded: rules.LoadedRules) -> None:
    assert repr(loaded).startswith("<LoadedRules: 7 rules of ")
    assert len(repr(loaded)) < 300
    assert loaded.judge(ONE_ABOVE).fired == ("b", "i", "d", "s", "t")
