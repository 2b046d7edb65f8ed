"""Calibration of the classifier that a fit chooses, before and after, on the test rows of ten public tables.

Expected calibration error: the mean distance of what was said from what came true, in 15 equally full bins
of the likeliest class. TANDEM_TABLES and TANDEM_SEEDS narrow a run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import Figure, figure
from benchmarks.public import TABLES, Case, case
from engine.evaluation.metrics import log_loss
from engine.training.calibrate import NONE
from engine.training.choose import Rows, choose, margins_of
from engine.training.learn import candidates_of, embed_rows, run_graph

BINS = 15


@dataclass(frozen=True)
class Judged:
    """Error and log-loss of one set of probabilities."""

    error: float
    loss: float


def run(*, quick: bool) -> list[Figure]:
    names = ["german_credit"] if quick else os.environ.get("TANDEM_TABLES", ",".join(TABLES)).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")][: 1 if quick else None]
    figures: list[Figure] = []
    errors = []
    for name in names:
        runs = [_before_and_after(case(name, seed)) for seed in seeds]
        before, after = (
            Judged(*np.mean([(one.error, one.loss) for one in side], axis=0))
            for side in zip(*runs, strict=True)
        )
        errors.append(after.error)
        figures += [
            figure(f"{name}: calibration error before", before.error, ""),
            figure(f"{name}: its error after", after.error, "", target=f"<= {before.error + 5e-5:.4f}"),
            figure(f"{name}: log-loss before", before.loss, ""),
            figure(f"{name}: log-loss after", after.loss, "", target=f"<= {before.loss + 5e-5:.4f}"),
        ]
    return [*figures, figure("mean calibration error", float(np.mean(errors)), "", target="<= 0.012")]


def _before_and_after(given: Case) -> tuple[Judged, Judged]:
    training, validation, test = (
        given.rows.take(at) for at in (given.parts.train, given.parts.validation, given.parts.test)
    )
    embedded, _, _ = embed_rows(given.project, training, validation, lambda _, __: None)
    ran = candidates_of(given.project, "score", embedded, training, validation)
    chosen = choose(ran).chosen
    inputs = embedded.encoding.batch(test.fields)
    codes = test.codes["truth"]
    margins = margins_of(chosen.fitted, Rows(run_graph(embedded.encoder, "embedding", inputs), codes, inputs))
    return tuple(_judged(one.probabilities(margins), codes) for one in (NONE, chosen.calibration))


def _judged(probabilities: np.ndarray, codes: np.ndarray) -> Judged:
    return Judged(calibration_error(probabilities, codes), float(log_loss(probabilities, codes) or 0.0))


def calibration_error(probabilities: np.ndarray, codes: np.ndarray) -> float:
    """Mean over rows of |mean said − share that came true| of their bin (Naeini et al. 2015, section 3).

    Two classes are judged by the second one's probability, more by the likeliest one's.
    """
    if probabilities.shape[1] == 2:
        said, came_true = probabilities[:, 1], codes == 1
    else:
        said, came_true = probabilities.max(axis=1), probabilities.argmax(axis=1) == codes
    order = np.argsort(said, kind="stable")
    gaps = [
        abs(said[rows].mean() - came_true[rows].mean()) * len(rows)
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]
    return float(np.sum(gaps) / len(codes))
