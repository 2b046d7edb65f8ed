"""Orders of the fields: every field once, one seed one choice, and none between the others too often."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from engine.training.orders import balanced_orders


def orders(fields: int, count: int, seed: int = 1) -> np.ndarray:
    return balanced_orders(fields, count, np.random.default_rng(seed))


@pytest.mark.parametrize("fields", [1, 2, 3, 12, 60])
def test_each_order_has_every_field_once(fields: int) -> None:
    """Also where there are no three fields, and where there are too many threes to look at all."""
    assert (np.sort(orders(fields, 9), axis=1) == np.arange(fields)).all()


def test_one_seed_gives_one_choice() -> None:
    """Twice the same, and with another seed others."""
    assert (orders(12, 24) == orders(12, 24)).all()
    assert (orders(12, 24) != orders(12, 24, seed=2)).any()


def test_of_three_fields_each_is_between_the_others_about_as_often() -> None:
    """The shares are less than half as far from a third as those of drawn orders."""
    draw = np.random.default_rng(5)
    drawn = np.stack([draw.permutation(10) for _ in range(40)])
    assert unevenness(orders(10, 40)) < 0.5 * unevenness(drawn)


def unevenness(chosen: np.ndarray) -> float:
    """How far, root mean square, the shares of orders in which a field is between two are from a third."""
    at = np.argsort(chosen, axis=1)
    shares = [
        np.mean((at[:, a] < at[:, b]) != (at[:, c] < at[:, b]))
        for one in combinations(range(chosen.shape[1]), 3)
        for a, b, c in ((one[0], one[1], one[2]), (one[1], one[0], one[2]), (one[0], one[2], one[1]))
    ]
    return float(np.sqrt(np.mean((np.array(shares) - 1 / 3) ** 2)))
