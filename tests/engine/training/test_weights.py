"""Sample weights: read or refused with the row, and a row of weight two counts as two everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.evaluation import metrics
from engine.model import Model
from engine.project import Label
from engine.training.build import fit
from engine.training.calibrate import best_calibration, fit_calibration, fit_steps
from engine.training.classifiers import KINDS, fit_kind, importance
from engine.training.targets import label_weights
from rules.errors import CheckFailed
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project
from tests.engine.training.tables import embedding_rows

WEIGHED = PROJECT.replace('positive: "yes"}', 'positive: "yes", weight: counts}')


def weights_of(values: list[Any], codes: list[int] | None = None) -> list[float]:
    found = label_weights(
        Label("lost", "y", weight="w"),
        pa.table({"w": pa.array(values)}),
        np.array(codes or [1] * len(values)),
        "train.csv",
    )
    assert found is not None
    return found.tolist()


def test_weights_are_read_where_the_label_is_known() -> None:
    """Whole numbers and fractions; what stands beside a missing label is not looked at and counts 0."""
    assert weights_of([1, 0, 3]) == [1.0, 0.0, 3.0]
    assert weights_of([0.5, float("nan"), None, 2.0], [1, -1, -1, 0]) == [0.5, 0.0, 0.0, 2.0]
    assert label_weights(Label("lost", "y"), pa.table({"w": [1]}), np.array([1]), "x") is None


@pytest.mark.parametrize(
    ("message", "values"),
    [
        ("2 of 3 rows have no finite weight from 0 on; the first is row 1: -1", [1, -1, -2]),
        ("the first is row 1: nan", [1.0, float("nan")]),
        ("the first is row 0: inf", [float("inf"), 1.0]),
        ("the first is row 1: None", [1.0, None]),
        ("a column of string; weights are numbers from 0 on", ["1", "2"]),
        ("a column of bool; weights are numbers", [True, False]),
    ],
)
def test_what_is_no_weight_is_refused_at_its_row(message: str, values: list[Any]) -> None:
    """The message names the file, the label, the column, and the first row."""
    with pytest.raises(InputError, match=r"train.csv: label 'lost' \(weight 'w'\): ") as raised:
        weights_of(values)
    assert message in str(raised.value)


def test_a_missing_column_of_weights_names_the_nearest() -> None:
    with pytest.raises(InputError, match="no column 'weigth', the weight of label 'lost'; did you mean"):
        label_weights(Label("lost", "y", weight="weigth"), pa.table({"weight": [1]}), np.array([1]), "x")


def test_a_label_is_not_its_own_weight(tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="'was_lost' is the label itself"):
        write_project(tmp_path, text=WEIGHED.replace("weight: counts", "weight: was_lost"))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"lda", "nearest-neighbours"}))
def test_the_heavier_of_two_contradicting_rows_is_believed(kind: str) -> None:
    """Every row is there with both labels; the one with three quarters of the weight wins."""
    vectors, codes = embedding_rows(2, rows=500)
    both, labels = np.vstack([vectors, vectors]), np.concatenate([codes, 1 - codes])
    for heavy in (codes, 1 - codes):
        weights = np.concatenate([np.where(heavy == codes, 1.5, 0.5), np.where(heavy == codes, 0.5, 1.5)])
        guide = importance(both, labels, weights)
        *_, fitted = fit_kind(kind, both, labels, guide, 1, weights)
        calibration = fit_calibration(fitted.margins(both), labels, weights)
        said = calibration.probabilities(fitted.margins(vectors))[:, 1]
        assert metrics.auc(said, heavy == 1) > 0.8


@pytest.mark.parametrize("classes", [2, 3])
def test_calibrating_by_whole_weights_is_calibrating_repeated_rows(classes: int) -> None:
    """The sigmoid and the temperature; and for two classes the steps."""
    rng = np.random.default_rng(4)
    margins = rng.normal(size=(400, 1 if classes == 2 else classes))
    codes = (margins[:, 0] + rng.normal(size=400) > 0).astype(np.int64) * (classes - 1)
    times = rng.integers(0, 4, 400)
    again = np.repeat(np.arange(400), times)
    for one in (fit_calibration, *((fit_steps,) if classes == 2 else ())):
        found = one(margins[times > 0], codes[times > 0], times[times > 0].astype(float))
        expected = one(margins[again], codes[again])
        assert np.allclose(found.probabilities(margins), expected.probabilities(margins), atol=1e-6)


def test_losses_of_a_calibration_carry_the_weights() -> None:
    """A row of weight 0 has none, so that what is compared is the weighted mean."""
    vectors, codes = embedding_rows(2)
    weights = np.where(np.arange(len(codes)) % 2 == 0, 2.0, 0.0)
    _, losses = best_calibration(vectors[:, :1], codes, 1, stepped=False, weights=weights)
    assert not losses[1::2].any()
    assert losses[::2].all()


ROWS = st.lists(
    st.tuples(st.sampled_from([0.1, 0.4, 0.5, 0.9]), st.booleans(), st.integers(0, 3)),
    min_size=1,
    max_size=40,
)


@given(ROWS)
def test_figures_by_whole_weights_are_those_of_repeated_rows(rows: list[tuple[float, bool, int]]) -> None:
    """Also where nothing counts at all."""
    scores, positive, times = (np.array(column) for column in zip(*rows, strict=True))
    again = np.repeat(np.arange(len(rows)), times)
    both = np.column_stack([1 - scores, scores])
    for one in (metrics.auc, metrics.average_precision, metrics.brier):
        expected = one(scores[again], positive[again])
        assert one(scores, positive, times.astype(float)) == pytest.approx(expected)
    for other in (metrics.log_loss, metrics.accuracy):
        expected = other(both[again], positive[again].astype(np.int64))
        assert other(both, positive.astype(np.int64), times.astype(float)) == pytest.approx(expected)


def test_a_fit_learns_from_rows_by_their_weight(tmp_path: Path) -> None:
    """Rows of weight 0 hold the wrong label, and neither fit nor figures follow them."""
    table = small_table(1_200)
    wrong = np.random.default_rng(5).random(1_200) < 0.6
    told = np.array(table["was_lost"].to_pylist())
    told[wrong] = np.where(told[wrong] == "yes", "no", "yes")
    table = table.set_column(table.column_names.index("was_lost"), "was_lost", pa.array(told))
    table = table.append_column("counts", pa.array(np.where(wrong, 0.0, 2.5)))
    weighed = fit(write_project(tmp_path / "a", text=WEIGHED), table, now=NOW)
    figures = weighed.json("evaluation.json")["classifiers"]
    assert figures["lost"]["weighted"]
    assert "weighted" not in figures["size"]
    assert figures["lost"]["auc"] > 0.85
    plain = fit(write_project(tmp_path / "b"), table, now=NOW)
    assert plain.json("evaluation.json")["classifiers"]["lost"]["auc"] < 0.7
    assert plain.lineage["model_key"] != weighed.lineage["model_key"]


def test_a_class_without_weight_is_refused(tmp_path: Path) -> None:
    table = small_table(400)
    light = pa.array([0.0 if value == "yes" else 1.0 for value in table["was_lost"].to_pylist()])
    with pytest.raises(InputError, match="no training row with a weight above 0 is of class 'yes'"):
        fit(write_project(tmp_path, text=WEIGHED), table.append_column("counts", light), now=NOW)


def test_a_positive_in_two_hundred_is_learnt(tmp_path: Path) -> None:
    """At 0.5 % the scores rank unseen rows and say the rate on average."""
    table = small_table(8_000, seed=9)
    rng = np.random.default_rng(9)
    weight = np.array(table["weight"].fill_null(0.0))
    risk = 1.5 * weight + 0.2 * table["stops"].to_numpy() + rng.normal(size=8_000)
    lost = np.where(risk > np.quantile(risk, 0.995), "yes", "no")
    table = table.set_column(table.column_names.index("was_lost"), "was_lost", pa.array(lost))
    project = write_project(tmp_path, text=PROJECT.replace(", candidates: [logistic, naive-bayes]", ""))
    bundle = fit(project, table, now=NOW)
    figures = bundle.json("evaluation.json")["classifiers"]["lost"]
    assert figures["positive_share"] == pytest.approx(0.005, abs=1e-4)
    assert figures["auc"] > 0.9
    assert figures["average_precision"] > 0.1
    scores = Model.open(bundle.parts, project.schema).batch(_fields(project, table))[:, 0]
    assert scores.mean() == pytest.approx(0.005, abs=0.003)


def test_labels_missing_in_some_rows_teach_the_others(tmp_path: Path) -> None:
    """Two labels, each missing where the other is known in half of the rows: both are learnt."""
    table = small_table(1_600)
    odd = np.arange(1_600) % 4
    for name, absent in (("was_lost", odd == 0), ("size_class", odd == 1)):
        values = pa.array(table[name].to_pylist(), pa.string(), mask=None)
        kept = pa.array([None if gone else value.as_py() for value, gone in zip(values, absent, strict=True)])
        table = table.set_column(table.column_names.index(name), name, kept)
    figures = fit(write_project(tmp_path), table, now=NOW).json("evaluation.json")["classifiers"]
    assert figures["lost"]["rows"] < 400
    assert figures["size"]["rows"] < 400
    assert min(figures["lost"]["auc"], figures["size"]["auc"]) > 0.85


def _fields(project: Any, table: pa.Table) -> pa.RecordBatch:
    from engine.training.rows import read_labelled

    return read_labelled(project, table, "table").fields
