"""One record and a column batch give the same inputs, bit for bit, whatever the values."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import Encoding, Slot, Spec, fit_encoding
from embeddings.fields import BOUND
from tests.embeddings.tables import SLOTS, batch, records, spec, table

ENCODING = fit_encoding(spec(text_tokens=12), table())
TYPES = {"number": pa.float64(), "flag": pa.bool_(), "category": pa.string(), "text": pa.string()}
SCHEMA = pa.schema(
    [
        ("amount", pa.float64()),
        ("age", pa.int64()),
        ("country", pa.string()),
        ("known", pa.bool_()),
        ("memo", pa.string()),
        ("moment", pa.timestamp("us", "UTC")),
    ]
)
# Characters that UTF-8 can hold; a lone surrogate cannot be in an Arrow string.
CHARACTERS = st.characters(exclude_categories=["Cs"])
WHOLE = st.integers(-(2**63), 2**63 - 1)
ROW = st.fixed_dictionaries(
    {
        "amount": st.none()
        | st.floats()
        | st.sampled_from([1e308, -1e308, 5e-324, -0.0, math.inf, -math.inf]),
        "age": st.none() | WHOLE | st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63)]),
        "country": st.none() | st.sampled_from(["NO", "DE", "日本", "no", "", "NO\0"]) | st.text(CHARACTERS),
        "known": st.none() | st.booleans(),
        "memo": st.none() | st.text(CHARACTERS) | st.text("aB1 .é/日\0\t", max_size=90),
        "moment": st.none() | WHOLE,
    }
)


def encoded_alike(encoding: Encoding, rows: list[dict[str, Any]], data: pa.RecordBatch) -> None:
    inputs = encoding.batch(data)
    for place, row in enumerate(rows):
        alone = encoding.record(row)
        assert alone.keys() == inputs.keys()
        for name, value in alone.items():
            assert value.dtype == inputs[name].dtype
            assert value.shape == (1, *inputs[name].shape[1:])
            assert value.tobytes() == inputs[name][place].tobytes(), (name, row)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=8))
def test_a_record_is_encoded_as_its_row_of_a_batch(rows: list[dict[str, Any]]) -> None:
    """Nulls, NaN, infinities, extreme numbers, any text: `record` and `batch` give the same bits."""
    encoded_alike(ENCODING, rows, pa.RecordBatch.from_pylist(rows, SCHEMA))


def test_a_real_table_is_encoded_alike() -> None:
    """Every row of a table with all kinds of columns, and of a slice of it."""
    data = table(500, seed=8)
    encoded_alike(ENCODING, records(data), batch(data))
    encoded_alike(ENCODING, records(data)[37:80], batch(data).slice(37, 43))


def test_numbers_stay_finite() -> None:
    """No finite or infinite number becomes an infinity; only a missing one is NaN."""
    values = [1e308, -1e308, math.inf, -math.inf, 0.0, None, math.nan]
    rows = pa.record_batch({"amount": pa.array(values, pa.float64())})
    encoding = Encoding(ENCODING.numbers[:1], (), (), ())
    numeric = encoding.batch(rows)["numeric"][:, 0]
    assert np.isnan(numeric).tolist() == [False] * 5 + [True] * 2
    assert numeric[:4].tolist() == [BOUND, -BOUND, BOUND, -BOUND]


def test_an_unseen_level_and_a_missing_one_have_rows_of_their_own() -> None:
    """Within its part of the table a category is 0 unseen, 1 missing, then its levels in order."""
    (category,) = (c for c in ENCODING.categories if c.name == "country")
    encoding = Encoding((), (), (category,), ())
    rows = [
        encoding.record({"country": value})["categories"].item() for value in ["XX", None, *category.levels]
    ]
    assert rows == list(range(2 + len(category.levels)))


def test_fields_of_one_kind_alone_give_one_input() -> None:
    """An input is there only where the encoding has fields for it."""
    for slot, name in zip(
        SLOTS, ["numeric", "numeric", "categories", "categories", "text.memo", "numeric"], strict=True
    ):
        data = table(50).select([slot.name])
        encoding = fit_encoding(Spec(slots=(slot,)), data)
        assert list(encoding.batch(batch(data))) == [name]


def test_no_rows_give_empty_inputs() -> None:
    """A batch of no rows has the right shapes."""
    shapes = {name: value.shape[1:] for name, value in ENCODING.batch(batch(table(5))).items()}
    empty = ENCODING.batch(batch(table(5)).slice(0, 0))
    assert {name: value.shape for name, value in empty.items()} == {
        name: (0, *s) for name, s in shapes.items()
    }


def test_a_moment_is_cyclic_in_day_and_week() -> None:
    """A week later a moment has the same columns, six hours later others; the epoch was a Thursday."""
    encoding = Encoding((), ENCODING.clocks, (), ())
    hour, week = 3_600_000_000, 7 * 86_400_000_000

    def columns(moment: int) -> list[float]:
        return encoding.record({"moment": moment})["numeric"][0].tolist()

    thursday = 2 * math.pi * 3 / 7
    assert columns(0) == pytest.approx([0, 1, math.sin(thursday), math.cos(thursday)], abs=1e-7)
    assert columns(6 * hour)[:2] == pytest.approx([1, 0], abs=1e-7)
    assert columns(-week) == columns(0) == columns(59_999_999)


def test_threads_encode_alike() -> None:
    """Four threads encoding the same records at once get what one thread gets."""
    rows = records(table(300, seed=9))
    encoding = Encoding.from_json(ENCODING.to_json())
    expected = [[value.tobytes() for value in ENCODING.record(row).values()] for row in rows]
    got: dict[int, list[list[bytes]]] = {}

    def work(number: int) -> None:
        got[number] = [[value.tobytes() for value in encoding.record(row).values()] for row in rows]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[number] == expected for number in range(4)] == [True] * 4


def test_a_missing_column_is_named() -> None:
    """A record without a field of the encoding is a KeyError with its name."""
    encoding = fit_encoding(Spec(slots=(Slot("amount", "number"),)), table(20))
    with pytest.raises(KeyError, match="amount"):
        encoding.record({})
