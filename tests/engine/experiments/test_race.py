"""Weak variants are dropped on evidence, and the best with no more than the stated risk."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.experiments.race import WHOLE, Rung, drop, risk_of_keeping, rungs_for

EARLY = Rung(1 / 9, 1 / 8)


def losses_of(means: list[float], rows: int = 2_000, spread: float = 0.09, seed: int = 0) -> np.ndarray:
    """Losses with exactly these means, on rows whose difficulty all variants share."""
    rng = np.random.default_rng(seed)
    shared = rng.exponential(0.3, rows)
    own = rng.normal(0, spread / np.sqrt(2), (len(means), rows))
    return shared - shared.mean() + own - own.mean(axis=1, keepdims=True) + np.array(means)[:, None]


def test_what_is_far_behind_is_dropped_and_what_is_near_is_kept() -> None:
    """Places are those of the losses given, the best first."""
    found = drop(losses_of([0.30, 0.24, 0.242, 0.40]), EARLY, 0.01)
    assert found.kept == (1, 2)
    assert found.dropped == (0, 3)
    assert found.risk <= 0.01


def test_equals_are_dropped_at_no_risk() -> None:
    """Where two variants say the same of every row, it does not matter which one goes on."""
    same = losses_of([0.3])
    found = drop(np.vstack([same, same]), EARLY, 0.01)
    assert found.kept == (0,)
    assert found.risk == 0.0


def test_of_equals_among_others_the_first_goes_on() -> None:
    """Nine that say one of two things are two variants to the race."""
    pair = losses_of([0.24, 0.243])
    found = drop(pair[[1, 0, 0, 0, 1, 0, 1, 0, 0]], EARLY, 0.01)
    assert found.kept == (1, 0)
    assert found.risk == 0.0
    assert sorted(found.dropped) == [2, 3, 4, 5, 6, 7, 8]


def test_one_variant_is_never_dropped() -> None:
    """There is none to compare it with."""
    assert drop(losses_of([0.3]), EARLY, 0.5).kept == (0,)


def test_more_rows_and_more_seeds_tell_more() -> None:
    """The same lead, seen later or more often, drops more."""
    losses = losses_of([0.240, 0.249])
    risks = [
        risk_of_keeping(losses, rung, 1, 0.0, seeds)
        for rung, seeds in ((EARLY, 1), (Rung(0.5, 0.5), 1), (EARLY, 8))
    ]
    assert risks[0] > risks[1] > 0
    assert risks[0] > risks[2]


def test_a_larger_tolerance_takes_a_smaller_risk() -> None:
    """What does not matter is no loss."""
    losses = losses_of([0.240, 0.244])
    risks = [risk_of_keeping(losses, EARLY, 1, tolerance) for tolerance in (0.0, 0.005, 0.02)]
    assert risks[0] > risks[1] > risks[2]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0.2, 0.5), min_size=1, max_size=8),
    st.floats(0.0, 0.3),
    st.integers(0, 3),
)
def test_the_risk_never_exceeds_the_allowance(means: list[float], allowance: float, seed: int) -> None:
    """The kept come before the dropped, everyone is one or the other, the best seen is kept."""
    losses = losses_of(means, rows=200, seed=seed)
    found = drop(losses, EARLY, allowance)
    assert found.risk <= allowance
    assert sorted((*found.kept, *found.dropped)) == list(range(len(means)))
    for places in (found.kept, found.dropped):
        ordered = [losses[place].mean() for place in places]
        assert ordered == sorted(ordered)


@pytest.mark.parametrize(
    ("rows", "count", "shares"),
    [
        (50_000, 4, [1 / 27, 1 / 9, 1 / 3, 1]),
        (8_000, 4, [1 / 8, 3 / 8, 1]),
        (4_000, 4, [1 / 4, 1]),
        (1_900, 4, [1]),
        (50_000, 1, [1]),
    ],
)
def test_a_rung_has_rows_enough_to_tell(rows: int, count: int, shares: list[float]) -> None:
    """Each has three times the rows of the one before; the first has 1,000, the last but one at most half."""
    rungs = rungs_for(rows, 40, count)
    assert [rung.rows for rung in rungs] == pytest.approx(shares)
    assert rungs[-1] == WHOLE
    assert WHOLE.whole
    assert WHOLE.cost == 1.0


@pytest.mark.parametrize(("epochs", "early"), [(80, 10), (40, 5), (20, 5), (3, 3)])
def test_a_part_is_learned_in_few_epochs(epochs: int, early: int) -> None:
    """An eighth, but no fewer than five where there are as many."""
    first, *_ = rungs_for(50_000, epochs, 4)
    assert first.epochs * epochs == pytest.approx(early)


def test_variants_lie_closer_on_more_rows() -> None:
    """By 15 % less for each doubling, until there is nothing left to double."""
    assert EARLY.stretch == pytest.approx(1 + 0.15 * np.log2(9))
    assert EARLY.stretch > Rung(1 / 3, 1 / 8).stretch > WHOLE.stretch == 1.0
