"""Rows that stand on both sides of the split are counted, whatever their fields hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.training.build import fit
from engine.training.repeats import repeated, row_hashes, warnings_of
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project

QUICK = PROJECT.replace("epochs: 4", "epochs: 1")


def test_equal_rows_are_counted_and_others_are_not() -> None:
    """Equal in every field, missing ones too; a row that differs in one field is another."""
    rows = row_hashes(pa.table({"x": [1, 1, 2, None, None, 1], "y": ["a", "a", "a", "b", "b", None]}))
    assert repeated(rows[[0, 3]], rows[[1, 2, 4, 5]]) == 2
    assert warnings_of(rows, np.array([0]), {"test": np.array([2, 5])}) == ()


def test_rows_that_are_all_different_are_told_apart() -> None:
    """A hundred thousand rows, no two equal."""
    rng = np.random.default_rng(0)
    pairs = np.stack([np.arange(100_000) // 300, np.arange(100_000) % 300], axis=1)[rng.permutation(100_000)]
    rows = row_hashes(pa.table({"a": pairs[:, 0], "b": pairs[:, 1]}))
    assert repeated(rows[:50_000], rows[50_000:]) == 0


def doubled() -> pa.Table:
    table = small_table(300)
    customers = pa.array([f"c{row}" for row in range(300)])
    table = table.append_column("customer", customers)
    return pa.concat_tables([table, table])


def test_a_fit_tells_of_repeated_rows_and_a_split_by_group_has_none(tmp_path: Path) -> None:
    """Every row twice: drawn at random most are on both sides, drawn by customer none is."""
    random = fit(write_project(tmp_path / "random", text=QUICK), doubled(), now=NOW)
    told = random.json("evaluation.json")["data"]["warnings"]
    assert [one.split(" rows equal")[0].split(" of ")[1] for one in told[-2:]] == [
        "120 validation",
        "150 test",
    ]
    by_group = QUICK.replace("by: random,", "by: group, field: customer,")
    grouped = fit(write_project(tmp_path / "group", text=by_group), doubled(), now=NOW)
    assert not any(
        "equal a training row" in one for one in grouped.json("evaluation.json")["data"]["warnings"]
    )


def test_a_column_to_split_by_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before anything is learned."""
    text = QUICK.replace("by: random,", "by: group, field: customer,")
    with pytest.raises(InputError, match=r"no column 'customer', by which project\.yaml splits"):
        fit(write_project(tmp_path, text=text), small_table(100), now=NOW)
