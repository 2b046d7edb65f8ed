"""Calibration of the classifier that a fit chooses, before and after, on the test rows of the public tables.

Expected calibration error is the mean distance of what was said from what came true, in 15 equally full bins.
Rows are few, so a perfect model has an error too: its mean stands beside, with the share of perfect models
that are as far off, and an estimate that is nought for them. What a table and seed came to is kept in .bench/
until the sources change, so a run that was stopped goes on. TANDEM_TABLES and TANDEM_SEEDS narrow a run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.figures import Figure, figure
from benchmarks.kept import kept
from benchmarks.public import TABLES, Case, case
from engine.evaluation.metrics import calibration_error, full_bins, log_loss, said_and_true
from engine.training.calibrate import NONE
from engine.training.candidate import Rows
from engine.training.candidates import margins_of
from engine.training.choose import choose
from engine.training.embed import embed_rows, run_graph
from engine.training.learn import candidates_of

DRAWS = 500
DRIFTING = "bank_marketing"  # test rows are later than all others, and what comes true changes with time
_SHAPE_A_RUN = ("embeddings", "engine/training", "benchmarks/public.py", "benchmarks/calibration.py")


@dataclass(frozen=True)
class Judged:
    """One set of probabilities on test rows.

    floor: the mean error of labels drawn from these probabilities; as_far: the share of such draws whose
    error is at least this one's; debiased: an estimate of the error that is nought on average for them.
    """

    error: float
    loss: float
    floor: float
    as_far: float
    debiased: float


Pair = tuple[Judged, Judged]


def run(*, quick: bool) -> list[Figure]:
    names = ["german_credit"] if quick else os.environ.get("TANDEM_TABLES", ",".join(TABLES)).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")][: 1 if quick else None]
    runs = {name: [_kept(name, seed) for seed in seeds] for name in names}
    sides = {name: tuple(map(_mean, zip(*of, strict=True))) for name, of in runs.items()}
    figures = [one for name, (before, after) in sides.items() for one in _figures(name, before, after)]
    steady = [after for name, (_, after) in sides.items() if name != DRIFTING]
    if DRIFTING in sides and steady:
        figures += _means("steady tables: ", steady, "")
    return figures + _means("", [after for _, after in sides.values()], "<= 0.012")


def _figures(name: str, before: Judged, after: Judged) -> list[Figure]:
    return [
        figure(f"{name}: calibration error before", before.error, ""),
        figure(f"{name}: its error after", after.error, "", target=f"<= {before.error + 5e-5:.4f}"),
        figure(f"{name}: error of a perfect model", after.floor, ""),
        figure(f"{name}: perfect models as far off", after.as_far, ""),
        figure(f"{name}: debiased error before", before.debiased, ""),
        figure(f"{name}: debiased error after", after.debiased, ""),
        figure(f"{name}: log-loss before", before.loss, ""),
        figure(f"{name}: log-loss after", after.loss, "", target=f"<= {before.loss + 5e-5:.4f}"),
    ]


def _means(of: str, judged: list[Judged], target: str) -> list[Figure]:
    mean = _mean(judged)
    return [
        figure(f"{of}mean error of perfect models", mean.floor, ""),
        figure(f"{of}mean debiased error", mean.debiased, ""),
        figure(f"{of}mean calibration error", mean.error, "", target=target),
    ]


def _mean(judged: Iterable[Judged]) -> Judged:
    return Judged(*np.mean([list(asdict(one).values()) for one in judged], axis=0).tolist())


def _kept(name: str, seed: int) -> Pair:
    def make() -> list[dict[str, float]]:
        print(f"{name} seed {seed}", file=sys.stderr, flush=True)
        return [asdict(one) for one in _before_and_after(case(name, seed), seed)]

    before, after = kept("calibration", f"{name}-{seed}", _SHAPE_A_RUN, make)
    return Judged(**before), Judged(**after)


def _before_and_after(given: Case, seed: int) -> Pair:
    training, validation, test = (
        given.rows.take(at) for at in (given.parts.train, given.parts.validation, given.parts.test)
    )
    embedded, _, _ = embed_rows(given.project, training, validation, lambda _, __: None)
    ran = candidates_of(given.project, "score", embedded, training, validation)
    chosen = choose(ran).chosen
    inputs = embedded.encoding.batch(test.fields)
    codes = test.codes["truth"]
    margins = margins_of(chosen.fitted, Rows(run_graph(embedded.encoder, "embedding", inputs), codes, inputs))
    before, after = (one.probabilities(margins) for one in (NONE, chosen.calibration))
    return judged(before, codes, seed), judged(after, codes, seed)


def judged(probabilities: np.ndarray, codes: np.ndarray, seed: int) -> Judged:
    """All figures of `(n, classes)` probabilities against `(n,)` class codes."""
    error = float(calibration_error(probabilities, codes) or 0.0)
    drawn = drawn_errors(probabilities, seed)
    return Judged(
        error,
        float(log_loss(probabilities, codes) or 0.0),
        float(drawn.mean()),
        float((drawn >= error - 1e-12).mean()),
        debiased_error(probabilities, codes),
    )


def drawn_errors(probabilities: np.ndarray, seed: int, draws: int = DRAWS) -> np.ndarray:
    """The errors of a model that is right: labels drawn from its own probabilities; `(draws,)` float64."""
    said, _ = said_and_true(probabilities, np.zeros(len(probabilities), np.int64))
    rng = np.random.default_rng(seed)
    return _errors(said, rng.random((draws, len(said))) < said)


def debiased_error(probabilities: np.ndarray, codes: np.ndarray) -> float:
    """Root of the mean squared distance in those bins, less what the labels' own chance adds to it.

    Kumar, Liang and Ma 2019, section 4.2: Σ share · ((said − true)² − true · (1 − true) / (rows − 1)), which
    chance makes negative as often as not where nothing is wrong; it is then told as 0.
    """
    said, came_true = said_and_true(probabilities, codes)
    total = 0.0
    for rows in full_bins(said):
        true = came_true[rows].mean()
        chance = true * (1 - true) / max(len(rows) - 1, 1)
        total += ((said[rows].mean() - true) ** 2 - chance) * len(rows)
    return float(np.sqrt(max(total, 0.0) / len(codes)))


def _errors(said: np.ndarray, came_true: np.ndarray) -> np.ndarray:
    """`(n,)` said and `(draws, n)` that came true → the error of each draw `(draws,)`."""
    gaps = [
        np.abs(said[rows].mean() - came_true[:, rows].mean(axis=1)) * len(rows) for rows in full_bins(said)
    ]
    errors: np.ndarray = np.sum(gaps, axis=0) / len(said)
    return errors
