"""Every row is in exactly one of training, validation and test, by a seeded draw, by time or by order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.project import Split
from engine.training.split import split_rows


@given(
    by=st.sampled_from(["random", "time", "order"]),
    rows=st.integers(20, 300),
    validation=st.sampled_from([0.1, 0.25, 3]),
    test=st.sampled_from([0.0, 0.2, 5]),
    seed=st.integers(0, 9),
)
def test_the_three_parts_hold_every_row_once(
    by: str, rows: int, validation: float, test: float, seed: int
) -> None:
    """A partition, whatever the way of splitting."""
    rng = np.random.default_rng(seed)
    parts = split_rows(
        Split(by, validation, test, seed, "at"),
        rows,
        strata=rng.integers(-1, 2, rows),
        times=rng.integers(0, 50, rows),
    )
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert np.array_equal(np.sort(together), np.arange(rows))


@pytest.mark.parametrize("by", ["time", "order"])
def test_later_rows_are_held_out(by: str) -> None:
    """Training ends before validation begins, and validation before the test."""
    times = np.arange(100)[::-1] if by == "time" else None
    parts = split_rows(Split(by, 0.1, 0.2, field="at"), 100, times=times)
    moments = np.arange(100) if times is None else times
    assert moments[parts.train].max() < moments[parts.validation].min()
    assert moments[parts.validation].max() < moments[parts.test].min()
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (70, 10, 20)


def test_a_random_draw_takes_the_same_share_of_every_class() -> None:
    """Ten rare rows in a thousand: two go to the test, one or two to validation."""
    strata = np.array([1] * 10 + [0] * 990)
    parts = split_rows(Split("random", 0.15, 0.2, 7), 1000, strata=strata)
    assert strata[parts.test].sum() == 2
    assert strata[parts.validation].sum() in (1, 2)


def test_the_seed_decides_the_draw() -> None:
    """Equal seeds draw equal rows, others draw others."""
    one, same, other = (split_rows(Split(seed=seed), 200).test for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_without_a_test_only_validation_is_held_out() -> None:
    """A project with a test file of its own keeps all other rows of the training file."""
    parts = split_rows(Split("random", 0.1, 0.2), 100, test=False)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (90, 10, 0)


def test_held_out_rows_that_leave_none_to_learn_from_are_refused() -> None:
    """The message has the numbers and says what to lower."""
    with pytest.raises(
        InputError, match="50 validation and 60 test rows leave none of 100 for training; lower"
    ):
        split_rows(Split("random", 50, 60), 100)


def test_groups_stay_together() -> None:
    """No group is in two parts; the parts are about as large as asked; the seed decides the draw."""
    groups = np.random.default_rng(0).integers(0, 150, 1_000)
    split = Split("group", 0.15, 0.2, seed=3, field="customer")
    parts = split_rows(split, 1_000, groups=groups)
    sets = [set(groups[rows].tolist()) for rows in (parts.train, parts.validation, parts.test)]
    assert len(sets[0] | sets[1] | sets[2]) == sum(map(len, sets))
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(1_000))
    assert abs(len(parts.test) - 200) < 15
    assert abs(len(parts.validation) - 150) < 15
    assert np.array_equal(split_rows(split, 1_000, groups=groups).test, parts.test)


@pytest.mark.parametrize("groups", [np.zeros(100, np.int64), None])
def test_groups_that_cannot_be_shared_out_are_refused(groups: np.ndarray | None) -> None:
    """One group of all rows, and no groups at all."""
    with pytest.raises(InputError, match=r"1 groups cannot be shared out|by group needs a column"):
        split_rows(Split("group", 0.1, 0.2, field="customer"), 100, groups=groups)
