"""Every kind of classifier learns, is calibrated, is exported as scikit-learn computes it, and is fused
exactly.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from engine.training.calibrate import fit_calibration, fit_steps, log_losses
from engine.training.candidate import Rows
from engine.training.candidates import run_candidates
from engine.training.choose import choose
from engine.training.classifiers import KINDS, MOST_REFERENCES, Fitted, fit_kind, importance
from engine.training.export import export, passthrough
from engine.training.fuse import Head, fuse
from engine.training.parity import largest_difference
from tests.engine.training.tables import embedding_rows

FITTED_ROWS = 600


def scores_of(model: bytes, embedding: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(["scores"], {"given": embedding})[0]


def fitted_kind(kind: str, classes: int) -> tuple[Fitted, np.ndarray, np.ndarray]:
    """One variant of a kind, and the rows it was not fitted on."""
    vectors, codes = embedding_rows(classes)
    train, train_codes = vectors[:FITTED_ROWS], codes[:FITTED_ROWS]
    *_, fitted = fit_kind(kind, train, train_codes, importance(train, train_codes), seed=1)
    return fitted, vectors[FITTED_ROWS:], codes[FITTED_ROWS:]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_beats_guessing_and_is_exported_as_scikit_learn_computes_it(
    kind: str, classes: int
) -> None:
    """Calibrated held-out log-loss is below that of the class rates, and the graph gives the same within
    1e-5.
    """
    fitted, vectors, codes = fitted_kind(kind, classes)
    margins = fitted.margins(vectors)
    calibration = fit_calibration(margins, codes)
    expected = calibration.probabilities(margins)
    rates = np.bincount(codes, minlength=classes) / len(codes)
    assert log_losses(expected, codes).mean() < -(rates * np.log(rates)).sum()

    head = Head("x", export(fitted, vectors.shape[1]), calibration, classes)
    scores = scores_of(fuse(passthrough(vectors.shape[1]), [head]), vectors)
    assert scores.dtype == np.float32
    assert scores.shape == (len(vectors), 1 if classes == 2 else classes)
    assert np.abs(scores - (expected[:, 1:] if classes == 2 else expected)).max() <= 1e-5


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_scores_the_same_alone_and_in_any_batch(kind: str, classes: int) -> None:
    """The exported scores are equal bit for bit for batches of every size."""
    fitted, vectors, codes = fitted_kind(kind, classes)
    head = Head(
        "x", export(fitted, vectors.shape[1]), fit_calibration(fitted.margins(vectors), codes), classes
    )
    model = fuse(passthrough(vectors.shape[1]), [head])
    whole = scores_of(model, vectors)
    for size in (1, 2, 3, 7, 8, 33):
        assert np.array_equal(scores_of(model, vectors[5 : 5 + size]), whole[5 : 5 + size])


def test_several_classifiers_share_one_graph_in_the_order_given() -> None:
    """Linear and other heads, of two and more classes, come out in order and equal to each one alone."""
    heads, alone = [], []
    vectors = embedding_rows(2)[0][FITTED_ROWS:]
    for number, (kind, classes) in enumerate(
        [("logistic", 2), ("tree", 3), ("linear-svm", 3), ("naive-bayes", 2)]
    ):
        fitted, rows, codes = fitted_kind(kind, classes)
        calibration = fit_calibration(fitted.margins(rows), codes)
        heads.append(Head(f"c{number}", export(fitted, vectors.shape[1]), calibration, classes))
        alone.append(scores_of(fuse(passthrough(vectors.shape[1]), heads[-1:]), vectors))
    fused = scores_of(fuse(passthrough(vectors.shape[1]), heads), vectors)
    assert fused.shape == (len(vectors), 1 + 3 + 3 + 1)
    assert np.abs(fused - np.hstack(alone)).max() <= 1e-6


def test_two_class_linear_heads_cost_three_nodes_and_a_name() -> None:
    """Three calibrated logistic classifiers add one MatMul, one Add and one Sigmoid to an encoder."""
    import onnx

    fitted, rows, codes = fitted_kind("logistic", 2)
    calibration = fit_calibration(fitted.margins(rows), codes)
    heads = [Head(f"c{number}", export(fitted, rows.shape[1]), calibration, 2) for number in range(3)]
    model = onnx.load_model_from_string(fuse(passthrough(rows.shape[1]), heads))
    assert [node.op_type for node in model.graph.node] == ["Identity", "MatMul", "Add", "Sigmoid"]


def test_nearest_neighbours_remember_a_bounded_number_of_distinct_rows() -> None:
    """However many rows and repeats there are, the references are at most the bound, and no two are equal."""
    vectors, codes = embedding_rows(2, rows=7_000, width=6)
    doubled, twice = np.vstack([vectors, vectors]), np.concatenate([codes, 1 - codes])
    *_, fitted = fit_kind("nearest-neighbours", doubled, twice, importance(doubled, twice), seed=1)
    assert fitted.settings["references"] <= MOST_REFERENCES
    assert len(np.unique(fitted.model._fit_X, axis=0)) == fitted.settings["references"]


def test_an_embedding_that_says_nothing_leaves_the_class_rate() -> None:
    """Every row alike: kinds that give no numbers are refused, and the chosen one says how common the class
    is.
    """
    vectors, codes = np.ones((400, 6), np.float32), np.arange(400) % 4 // 3
    rows = Rows(vectors[:200], codes[:200]), Rows(vectors[200:], codes[200:])
    choice = choose(run_candidates(KINDS, *rows, 2, seed=1))
    scores = scores_of(fuse(passthrough(6), [choice.chosen.head("x", 2)]), vectors[:3])
    assert scores == pytest.approx(0.25, abs=0.01)
    assert all(row["log_loss"] is None or row["log_loss"] < 1 for row in choice.table())


def test_the_difference_that_refuses_a_candidate_is_seen() -> None:
    """A graph that is off by 0.02 is measured as off by 0.02."""
    vectors, codes = embedding_rows(2)
    rows = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    chosen = choose(run_candidates(["logistic"], *rows, 2, seed=1)).chosen
    scores = scores_of(fuse(passthrough(vectors.shape[1]), [chosen.head("x", 2)]), rows[1].embedding)
    assert largest_difference(chosen, scores) <= 1e-6
    assert largest_difference(chosen, scores + np.float32(0.02)) == pytest.approx(0.02, abs=1e-5)


SCRIPT = """
import hashlib, sys
from engine.training.candidate import Rows
from engine.training.candidates import run_candidates
from engine.training.choose import choose
from engine.training.classifiers import KINDS
from engine.training.export import passthrough
from engine.training.fuse import fuse
from tests.engine.training.tables import embedding_rows
vectors, codes = embedding_rows(3)
rows = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
for one in run_candidates(KINDS, *rows, 3, seed=1):
    print(one.kind, hashlib.sha256(fuse(passthrough(12), [one.head("x", 3)])).hexdigest())
"""


def test_two_processes_export_the_same_bytes() -> None:
    """Fitting and exporting every kind in two processes with different hash seeds gives equal files."""
    root = Path(__file__).parents[3]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(outputs[0].splitlines()) == len(KINDS)
    assert len(hashlib.sha256(b"").hexdigest()) == len(outputs[0].split()[1])


@pytest.mark.parametrize("classes", [2, 3])
def test_steps_are_exported_exactly(classes: int) -> None:
    """A tree calibrated in steps scores in the graph as it says; several classes get a temperature."""
    fitted, vectors, codes = fitted_kind("tree", classes)
    margins = fitted.margins(vectors)
    calibration = fit_steps(margins, codes) if classes == 2 else fit_calibration(margins, codes)
    expected = calibration.probabilities(margins)
    head = Head("x", export(fitted, vectors.shape[1]), calibration, classes)
    scores = scores_of(fuse(passthrough(vectors.shape[1]), [head]), vectors)
    assert np.abs(scores - (expected[:, 1:] if classes == 2 else expected)).max() <= 1e-6
