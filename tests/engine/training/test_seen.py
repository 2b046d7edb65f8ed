"""A bundle knows the rows that it was fitted on: all of a small table, a fair sample of a large one."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import BundleError
from engine.training.repeats import row_hashes
from engine.training.seen import MOST, read_seen, write_seen


def rows(start: int, stop: int) -> np.ndarray:
    numbers = np.arange(start, stop)
    return row_hashes(pa.table({"a": numbers, "b": [f"text {n}" for n in numbers], "c": numbers / 7}))


def warning(fitted: np.ndarray, judged: np.ndarray) -> str:
    seen = read_seen(write_seen(fitted))
    assert seen is not None
    return seen.warning(judged)


def test_rows_of_a_small_table_are_counted_exactly() -> None:
    """And none is told of where there is none."""
    assert warning(rows(0, 1_000), rows(990, 1_200)).startswith("10 of 210 rows equal")
    assert warning(rows(0, 1_000), rows(1_000, 3_000)) == ""


def test_rows_of_a_large_table_are_estimated_within_a_bound_of_bytes() -> None:
    """16,384 hashes are kept, whatever the table; the estimate is near, and of strange rows there is none."""
    fitted = rows(0, 200_000)
    assert len(np.unique(fitted)) == 200_000
    assert len(write_seen(fitted)) < 16 * MOST
    said = warning(fitted, rows(190_000, 210_000))
    assert said.startswith("about ")
    assert abs(int(said.split()[1].replace(",", "")) - 10_000) < 1_000
    assert warning(fitted, rows(200_000, 240_000)) == ""


def test_the_order_of_rows_plays_no_part() -> None:
    """So the same rows give the same part."""
    fitted = rows(0, 20_000)
    assert write_seen(fitted) == write_seen(fitted[::-1])


def test_a_row_has_the_same_hash_in_every_process() -> None:
    """Python's own hashes of texts differ from one to the next."""
    code = "from tests.engine.training.test_seen import rows; print(rows(0, 3).tolist())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(rows(0, 3).tolist())


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"form":1,"bound":"x","hashes":""}', b'{"form":1,"bound":"0f","hashes":"AAA"}']
)
def test_a_part_that_is_none_is_refused(data: bytes) -> None:
    """By the bundle's own error."""
    with pytest.raises(BundleError, match=r"seen\.json: no hashes of rows"):
        read_seen(data)


def test_a_part_of_a_later_form_says_nothing() -> None:
    """It is no reason not to evaluate."""
    assert read_seen(b'{"form":2}') is None
