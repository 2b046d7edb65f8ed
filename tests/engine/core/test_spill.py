"""A table too large for memory is the same table: values, types, fingerprint, wherever its blocks begin."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import spill, spill_columns
from engine.errors import InputError, OutputError
from engine.spill import blocks_of, gathered, let_go
from engine.training.reuse import fingerprint

COLUMNS = {
    "flag": (pa.bool_(), st.booleans()),
    "whole": (pa.int64(), st.integers(-(2**62), 2**62)),
    "small": (pa.int8(), st.integers(-128, 127)),
    "number": (pa.float64(), st.floats(allow_nan=False)),
    "moment": (pa.timestamp("us", "UTC"), st.integers(0, 2**50)),
    "text": (pa.string(), st.text(max_size=5)),
    "long": (pa.large_string(), st.text(max_size=5)),
    "bytes": (pa.binary(), st.binary(max_size=3)),
    "price": (pa.decimal128(9, 2), st.integers(0, 99).map(lambda cents: Decimal(cents) / 4)),
    "level": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["a", "b", "c"])),
    "list": (pa.list_(pa.int32()), st.lists(st.integers(0, 9), max_size=2)),
    "nothing": (pa.null(), st.none()),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 40))
    columns = {}
    for name, (kind, values) in COLUMNS.items():
        present = values if draw(st.booleans()) else values | st.none()
        drawn = draw(st.lists(present, min_size=rows, max_size=rows))
        plain = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
        column = pa.array(drawn, plain)
        columns[name] = column.dictionary_encode() if isinstance(kind, pa.DictionaryType) else column
    return pa.table(columns)


def cut(table: pa.Table, places: list[int]) -> Iterator[pa.RecordBatch]:
    """The table in blocks that begin at these rows."""
    bounds = sorted({0, *(place % table.num_rows for place in places), table.num_rows})
    for start, stop in pairwise(bounds):
        yield from table.slice(start, stop - start).to_batches()


@settings(deadline=None, max_examples=60)
@given(tables(), st.lists(st.integers(0, 40), max_size=5))
def test_a_table_in_files_is_the_table(tmp_path_factory: object, table: pa.Table, places: list[int]) -> None:
    """Whatever its columns hold and wherever its blocks begin; and nothing is left in the folder."""
    folder = tmp_path_factory.mktemp("spill")  # type: ignore[attr-defined]
    held = gathered(cut(table, places), folder, most=0)
    held.validate(full=True)
    assert held.equals(table)
    assert fingerprint(held) == fingerprint(table)
    let_go()
    assert held.equals(table)
    assert list(folder.iterdir()) == []


def numbers(rows: int) -> pa.Table:
    return pa.table({"n": np.arange(rows), "t": [f"text {row}" for row in range(rows)]})


def test_few_rows_stay_in_memory(tmp_path: Path) -> None:
    """No folder is made for them."""
    folder = tmp_path / "spill"
    table = numbers(1_000)
    assert gathered(iter(table.to_batches(max_chunksize=10)), folder).equals(table)
    assert not folder.exists()


def test_texts_of_more_than_an_array_holds_go_on_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut after the same row, wherever blocks begin: the fingerprint is the same."""
    monkeypatch.setattr(spill_columns, "MOST_TEXT", 3_000)
    table = numbers(1_000)
    ways = [gathered(iter(table.to_batches(max_chunksize=size)), tmp_path, most=0) for size in (7, 64, 1_000)]
    assert all(held.equals(table) for held in ways)
    assert {held.column("t").num_chunks for held in ways} == {3}
    assert len({fingerprint(held) for held in ways}) == 1


def test_blocks_give_every_row_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table in files as of one in memory."""
    monkeypatch.setattr(spill, "BLOCK_ROWS", 64)
    table = numbers(500)
    held = gathered(iter(table.to_batches()), tmp_path, most=0)
    blocks = list(blocks_of(held))
    assert [block.num_rows for block in blocks] == [64] * 7 + [52]
    assert pa.Table.from_batches(blocks).equals(table)


@pytest.mark.parametrize("most", [0, 2**30])
def test_blocks_that_disagree_get_the_type_that_holds_both(tmp_path: Path, most: int) -> None:
    """Whole numbers and fractions are fractions; a column that comes later was missing before."""
    blocks = [pa.record_batch({"x": [1, 2]}), pa.record_batch({"x": [0.5], "y": ["a"]})]
    held = gathered(iter(blocks), tmp_path, most=most)
    assert held.to_pylist() == [{"x": 1.0, "y": None}, {"x": 2.0, "y": None}, {"x": 0.5, "y": "a"}]


@pytest.mark.parametrize("most", [0, 2**30])
def test_blocks_that_share_no_type_are_refused(tmp_path: Path, most: int) -> None:
    """With the column's name."""
    blocks = [pa.record_batch({"x": [1]}), pa.record_batch({"x": ["a"]})]
    with pytest.raises(InputError, match=r"disagree on a column: .*x"):
        gathered(iter(blocks), tmp_path, most=most)


def test_where_there_is_no_room_it_says_so(tmp_path: Path) -> None:
    """A full disk (here: a limit on files) and a folder that cannot be made; nothing is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(OutputError, match=r"its rows cannot be kept there .*: File too large; make room"):
            gathered(iter(numbers(5_000).to_batches()), tmp_path / "spill", most=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "spill").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be kept there"):
        gathered(iter(numbers(50).to_batches()), tmp_path / "file", most=0)


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path: Path) -> None:
    """Not what another process is writing now."""
    for name, age in (("rows-old", 7_200), ("rows-new", 60)):
        (tmp_path / name / "0").mkdir(parents=True)
        for path in (tmp_path / name / "0", tmp_path / name):
            os.utime(path, (time.time() - age,) * 2)
    gathered(iter(numbers(50).to_batches()), tmp_path, most=0)
    assert [path.name for path in tmp_path.iterdir()] == ["rows-new"]
