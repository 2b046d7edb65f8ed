"""The benchmark of quality picks boosters by what it says it picks them by, and keeps means apart."""

from __future__ import annotations

import pytest

pytest.importorskip("pandas")

from benchmarks.boosters import BOOSTERS, Result
from benchmarks.quality import DRIFTING, Run, _figures, _means


def result(validation: float, test: float, precision: float = 0.5) -> Result:
    return Result(validation, 0.4, test, 0.4, precision, 1.0)


def one_run(ours: float = 0.9, rarest: float = 0.3) -> Run:
    """LightGBM is best on validation, CatBoost on test; with our columns XGBoost is best on validation."""
    peers = {name: result(0.80, 0.80) for name in BOOSTERS}
    peers |= {"lightgbm": result(0.95, 0.88), "catboost": result(0.85, 0.91), "logistic": result(0.99, 0.99)}
    engineered = {name: result(0.80, 0.80) for name in BOOSTERS} | {"xgboost": result(0.95, 0.87)}
    return Run(result(0.9, ours, 0.6), "logistic", rarest, peers, engineered)


def values(figures: list) -> dict[str, float]:
    return {one.name: round(one.value, 6) for one in figures}


def test_boosters_are_picked_on_validation_and_on_test() -> None:
    """The logistic model is no booster, however good it is."""
    found = values(_figures("adult", [one_run()]))
    assert found["adult: against the booster picked on validation"] == 0.02
    assert found["adult: against the booster picked on test"] == -0.01
    assert found["adult: picked on validation, with our columns"] == 0.03


def test_average_precision_stands_beside_where_a_class_is_rare() -> None:
    assert "adult: average precision" not in values(_figures("adult", [one_run(rarest=0.1)]))
    found = values(_figures("adult", [one_run(rarest=0.09)]))
    assert found["adult: its gap to the booster picked on validation"] == 0.1


def test_a_drifting_table_is_held_against_the_raw_logistic_alone() -> None:
    figures = {one.name: one for one in _figures(DRIFTING, [one_run()])}
    assert figures[f"{DRIFTING}: against the raw logistic"].met is False
    assert figures[f"{DRIFTING}: against the booster picked on test"].target == ""


def test_means_are_over_tables_of_means_over_seeds() -> None:
    found = values(_means({"adult": [one_run(0.9), one_run(0.92)], "telco_churn": [one_run(0.87)]}))
    assert found["mean against the booster picked on validation"] == 0.01
