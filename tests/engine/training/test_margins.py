"""Margins: where a fused graph holds them, for every kind of classifier, they squash to its scores."""

from __future__ import annotations

import numpy as np
import pytest

from engine.margins import LEAST, Margins
from engine.model import open_session
from engine.onnx_part import part_of
from engine.training.calibrate import Calibration
from engine.training.classifiers import KINDS, fit_kind, importance
from engine.training.export import export, passthrough
from engine.training.fuse import Head, fuse
from engine.training.margins import margins_of

SIGMOID = Calibration(0.7, 0.2)
STEPS = Calibration(1.0, 0.0, ((-2.0, 0.05), (0.0, 0.4), (1.5, 0.9)))


def embedded(classes: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(classes)
    codes = draw.integers(0, classes, 400)
    return (draw.normal(size=(400, 6)) + codes[:, None]).astype(np.float32), codes


def head(name: str, kind: str, classes: int, calibration: Calibration = SIGMOID) -> Head:
    rows, codes = embedded(classes)
    fitted = next(fit_kind(kind, rows, codes, importance(rows, codes), 1))
    if classes > 2:
        calibration = Calibration(0.7)
    return Head(name, export(fitted, rows.shape[1]), calibration, classes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("alone", [True, False])
def test_margins_squash_to_the_scores(kind: str, classes: int, alone: bool) -> None:
    """σ of the log-odds is the score, whatever stands beside the classifier in the graph."""
    heads = [head("one", kind, classes)]
    if not alone:
        heads = [
            head("first", "logistic", 2),
            *heads,
            head("stepped", "tree", 2, STEPS),
            head("last", "lda", 4),
        ]
    log_odds, scores = both(heads)
    squashed = 1 / (1 + np.exp(-log_odds))
    assert squashed == pytest.approx(np.clip(scores, LEAST, 1 - LEAST), abs=2e-6)


def test_log_odds_tell_apart_what_scores_no_longer_do() -> None:
    """Where scores have reached their highest, margins still differ."""
    log_odds, scores = both([head("sure", "logistic", 2, Calibration(3_000.0))])
    certain = scores[:, 0] == scores.max()
    assert certain.sum() > 5
    assert len(np.unique(log_odds[certain, 0])) == certain.sum()


def both(heads: list[Head]) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds by the margins, and the scores."""
    rows, _ = embedded(2)
    model, found = fuse(passthrough(rows.shape[1]), heads), margins_of(heads)
    stated = [
        {"scores": [f"{one.name}{at}" for at in range(one.scores)], "margins": found[one.name].to_json()}
        for one in heads
    ]
    margins = Margins.of(stated, [name for one in stated for name in one["scores"]])
    part, _ = part_of(model, margins.tensors)
    log_odds = margins.log_odds(open_session(part).run(margins.tensors, {"given": rows}))
    return log_odds, open_session(model).run(["scores"], {"given": rows})[0]
