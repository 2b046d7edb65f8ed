"""Rows' figures have the measure as their mean, whatever labels are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.decide import Runtime
from engine.evaluation.evaluate import evaluate_rows
from engine.evaluation.metrics import auc
from engine.experiments.judge import _areas, _spread
from engine.experiments.outcome import Outcome, winner_bundle
from engine.training.targets import MISSING
from tests.engine.experiments.small_sweep import QUICK, run, write_sweep


@given(st.integers(0, 1_000), st.integers(2, 4), st.booleans(), st.booleans())
def test_the_mean_of_rows_is_the_area(seed: int, classes: int, ties: bool, weighed: bool) -> None:
    """As an evaluation has it, weights too: of two classes, and of more the mean of one against the rest;
    rows without a label at the mean.
    """
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.arange(classes), rng.integers(MISSING, classes, 60)])
    margins = rng.normal(size=(int((codes != MISSING).sum()), 1 if classes == 2 else classes))
    margins = margins.round(0) if ties else margins
    weights = rng.uniform(0.1, 5.0, len(codes)) if weighed else None
    known = codes[codes != MISSING]
    counts = None if weights is None else weights[codes != MISSING]
    each = [1] if classes == 2 else range(classes)
    expected = np.mean([auc(margins[:, at], known == code, counts) for at, code in enumerate(each)])
    rows = _areas(margins, codes, classes, weights)
    assert rows is not None
    assert rows.mean() == pytest.approx(expected)


def test_the_error_of_an_area_is_delongs() -> None:
    """Against the variance between many samples of the same population."""
    rng = np.random.default_rng(5)
    areas, errors = [], []
    for _ in range(300):
        codes = (rng.random(400) < 0.3).astype(int)
        rows = _areas((rng.normal(size=400) + codes)[:, None], codes, 2)
        assert rows is not None
        areas.append(rows.mean())
        errors.append(rows.std() / np.sqrt(len(rows)))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)


def test_a_row_that_counts_twice_is_as_good_as_two() -> None:
    """For the area; its error is that of the rows there are."""
    rng = np.random.default_rng(6)
    codes, twice = np.arange(200) % 2, rng.random(200) < 0.4
    margins = rng.normal(size=(200, 1)) + codes[:, None]
    weighed = _areas(margins, codes, 2, np.where(twice, 2.0, 1.0))
    again = np.append(np.arange(200), np.flatnonzero(twice))
    repeated = _areas(margins[again], codes[again], 2)
    assert weighed is not None
    assert repeated is not None
    assert weighed.mean() == pytest.approx(repeated.mean())


def test_a_class_that_no_row_has_gives_no_area() -> None:
    """There is nothing to rank."""
    assert _areas(np.zeros((3, 1)), np.zeros(3, int), 2) is None


def test_figures_of_some_rows_keep_their_mean_and_their_error() -> None:
    """Half of the rows known: the error of the mean is that of the half."""
    rng = np.random.default_rng(1)
    values, known = rng.normal(size=500), np.arange(1_000) % 2 == 0
    rows = _spread(values, known)
    assert rows.mean() == pytest.approx(values.mean())
    assert rows.std() / np.sqrt(1_000) == pytest.approx(values.std() / np.sqrt(500))


def test_an_area_goes_by_the_weights_of_the_label(tmp_path: Path) -> None:
    """As an evaluation of the bundle on the same rows has it; without weights it is another."""
    weighed = QUICK.replace('positive: "yes"}', 'positive: "yes", weight: counts}')
    text = weighed.replace("[logistic, naive-bayes]", "[logistic]")
    path = write_sweep(tmp_path, "measure: auc\nlabel: lost\nseeds: [3]\nrace: false\n", text=text)
    counts = pa.array(np.random.default_rng(2).choice([0.0, 1.0, 9.0], 700))
    rows = pq.read_table(tmp_path / "rows.parquet").append_column("counts", counts)
    pq.write_table(rows, tmp_path / "rows.parquet")
    outcome = run(path)
    variant, bundle = winner_bundle(outcome)
    evaluated = evaluate_rows(
        Runtime.open(bundle), variant.project, outcome.prepared.validation, source="validation rows"
    )
    figures = evaluated.to_json()["classifiers"]["lost"]
    assert figures["weighted"]
    assert outcome.winner.quality("auc") == pytest.approx(figures["auc"])
    assert plain_auc(outcome) != pytest.approx(figures["auc"])


def plain_auc(outcome: Outcome) -> float | None:
    """The area of the winner with every row counting once."""
    variant, bundle = winner_bundle(outcome)
    validation = outcome.prepared.validation
    scores = Runtime.open(bundle).model.batch(validation.fields)
    place = list(variant.project.scores).index("lost")
    return auc(scores[:, place], validation.codes["lost"] == 1)
