"""Rows that stand on both sides of the split are counted, whatever their fields hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.training.build import fit
from engine.training.repeats import Side, note, repeated, row_hashes
from engine.training.seen import seen_before, write_seen
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project

QUICK = PROJECT.replace("epochs: 4", "epochs: 1")


def sides(table: pa.Table, labels: np.ndarray, learned: int) -> tuple[Side, Side]:
    """The first rows of a table are learned from, the others judged."""
    hashes, codes = row_hashes(table), {"bad": labels.astype(np.int64)}
    numbers = np.arange(table.num_rows)
    return Side(table, codes, hashes, numbers[:learned]), Side(table, codes, hashes, numbers[learned:])


def test_equal_rows_are_found_and_others_are_not() -> None:
    """Equal in every field, missing ones too; a row that differs in one field is another."""
    rows = row_hashes(pa.table({"x": [1, 1, 2, None, None, 1], "y": ["a", "a", "a", "b", "b", None]}))
    assert repeated(rows[[0, 3]], rows[[1, 2, 4, 5]]).tolist() == [True, False, True, False]


def test_rows_that_are_all_different_are_told_apart() -> None:
    """A hundred thousand rows, no two equal."""
    rng = np.random.default_rng(0)
    pairs = np.stack([np.arange(100_000) // 300, np.arange(100_000) % 300], axis=1)[rng.permutation(100_000)]
    rows = row_hashes(pa.table({"a": pairs[:, 0], "b": pairs[:, 1]}))
    assert not repeated(rows[:50_000], rows[50_000:]).any()


@pytest.mark.parametrize("form", ["number", "text"])
def test_copies_are_counted_with_and_without_their_label(form: str) -> None:
    """80 of 200 rows are copies, 2 of them with another label: numbers of two fields, or a text alone."""
    rng = np.random.default_rng(3)
    labels = rng.random(800) < 0.3
    number = pa.array(rng.normal(size=800).round(2))
    table = pa.table({"a": number, "b": pa.array(rng.integers(0, 90, 800))})
    if form == "text":
        table = pa.table({"a": [f"message {n}" for n in range(800)]})
    copied = np.arange(80)
    labels = np.concatenate([labels, labels[copied], labels[:120]])
    labels[800:802] ^= True
    others = pa.table({"a": pa.array(rng.normal(size=120) + 9), "b": pa.array([1] * 120)})
    if form == "text":
        others = pa.table({"a": [f"other {n}" for n in range(120)]})
    judged = pa.concat_tables([table, table.slice(0, 80), others]).combine_chunks()
    said = note(*sides(judged, labels, 800), "test", "split by group")
    assert said == (
        "80 of 200 test rows equal a training row in every field, 78 of them in the label too; where equal "
        "rows are one thing seen twice, figures on them flatter: split by group"
    )


@pytest.mark.parametrize("copies", [4, 9])
def test_a_few_equal_rows_are_not_told_of(copies: int) -> None:
    """Fewer than five, or than one in a hundred: a table of amounts and months has those."""
    rng = np.random.default_rng(4)
    table = pa.table({"a": rng.normal(size=2_000), "b": rng.normal(size=2_000)})
    twice = pa.concat_tables([table.slice(0, 1_000), table.slice(0, copies), table.slice(1_000)])
    labels = rng.random(twice.num_rows) < 0.4
    labels[1_000 : 1_000 + copies] = labels[:copies]
    assert note(*sides(twice.combine_chunks(), labels, 1_000), "test", "") == ""


@given(
    levels=st.lists(st.integers(2, 6), min_size=1, max_size=4),
    skew=st.floats(0.3, 3.0),
    tells=st.floats(0.0, 1.0),
    seed=st.integers(0, 999),
)
@settings(max_examples=40, deadline=None)
def test_rows_of_few_values_are_not_told_of(levels: list[int], skew: float, tells: float, seed: int) -> None:
    """However well they tell the label: they are equal by chance."""
    rng = np.random.default_rng(seed)
    fields = {
        f"f{place}": rng.choice(count, 1_000, p=rng.dirichlet(np.full(count, skew)))
        for place, count in enumerate(levels)
    }
    labels = np.where(rng.random(1_000) < tells, fields["f0"] == 0, rng.random(1_000) < 0.3)
    table = pa.table(fields)
    assert note(*sides(table, labels, 800), "test", "") == ""
    seen = write_seen(row_hashes(table.slice(0, 800)))
    assert seen_before(seen, table.slice(800).combine_chunks()) == ()


def test_rows_that_recur_in_a_judged_file_are_not_said_to_be_of_the_fit() -> None:
    """Fields that hang together make equal rows, however rare their values would be together."""
    rng = np.random.default_rng(6)
    kind = rng.integers(0, 60, 3_000)
    table = pa.table({f"f{place}": (kind * 7 + place) % 61 for place in range(6)})
    seen = write_seen(row_hashes(table.slice(0, 2_400)))
    assert seen_before(seen, table.slice(2_400).combine_chunks()) == ()
    single = pa.table({"a": rng.normal(size=600), "b": rng.normal(size=600)})
    seen = write_seen(row_hashes(single.slice(0, 500)))
    assert "60 of 160 rows equal" in seen_before(seen, single.slice(440).combine_chunks())[0]


def test_copies_with_labels_of_their_own_are_not_told_of() -> None:
    """Who remembers the rows gains nothing where the label is another, or drawn anew."""
    rng = np.random.default_rng(5)
    table = pa.table({"a": rng.normal(size=500), "b": rng.normal(size=500)})
    twice = pa.concat_tables([table, table]).combine_chunks()
    labels = rng.random(500) < 0.4
    for again in (~labels, rng.random(500) < 0.4):
        assert note(*sides(twice, np.concatenate([labels, again]), 500), "test", "") == ""


def doubled() -> pa.Table:
    table = small_table(300)
    customers = pa.array([f"c{row}" for row in range(300)])
    table = table.append_column("customer", customers)
    return pa.concat_tables([table, table])


def test_a_fit_tells_of_repeated_rows_and_a_split_by_group_has_none(tmp_path: Path) -> None:
    """Every row twice: drawn at random most are on both sides, drawn by customer none is."""
    random = fit(write_project(tmp_path / "random", text=QUICK), doubled(), now=NOW)
    evaluation = random.json("evaluation.json")
    assert " of 120 validation rows equal a training row" in evaluation["data"]["warnings"][-1]
    assert any(" of 150 test rows equal a training row" in one for one in evaluation["warnings"])
    by_group = QUICK.replace("by: random,", "by: group, field: customer,")
    grouped = fit(write_project(tmp_path / "group", text=by_group), doubled(), now=NOW)
    evaluation = grouped.json("evaluation.json")
    told = evaluation["data"]["warnings"] + evaluation["warnings"]
    assert not any("equal a training row" in one for one in told)


def test_a_column_to_split_by_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before anything is learned."""
    text = QUICK.replace("by: random,", "by: group, field: customer,")
    with pytest.raises(InputError, match=r"no column 'customer', by which project\.yaml splits"):
        fit(write_project(tmp_path, text=text), small_table(100), now=NOW)
