"""Which kind of classifier gets the place: the simplest whose log-loss is within one standard error of the
best.

Candidates are compared on validation rows, each calibrated without the row it is judged on. A candidate
whose exported graph differs from scikit-learn on those rows is out of the running, with the reason kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from engine.errors import TandemError
from engine.training.calibrate import Calibration, cross_fitted_losses, fit_calibration
from engine.training.classifiers import KINDS, Fitted, fit_kind, importance
from engine.training.export import Exported, export, passthrough
from engine.training.fuse import Head, fuse

LARGEST_DIFFERENCE = 1e-5
NEGLIGIBLE = 1e-4  # nats a row: where every kind is all but perfect, standard errors mean nothing


@dataclass(frozen=True)
class Rows:
    """What one classifier learns from and is judged on: embeddings `(n, width)` float32, class codes `(n,)`
    int64.
    """

    embedding: np.ndarray
    codes: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """One kind at its best setting; `losses` are per validation row, `refused` says why it cannot be
    chosen.
    """

    kind: str
    fitted: Fitted
    calibration: Calibration
    losses: np.ndarray = field(repr=False)
    exported: Exported | None = None
    parity: float | None = None
    refused: str = ""

    def head(self, name: str, classes: int) -> Head:
        """The graph of this candidate, for fusing."""
        if self.exported is None:
            raise ValueError(f"a refused candidate has no graph: {self.refused}")
        return Head(name, self.exported, self.calibration, classes)


@dataclass(frozen=True)
class Choice:
    """The chosen candidate among all that ran."""

    chosen: Candidate
    candidates: tuple[Candidate, ...]

    def table(self) -> list[dict[str, Any]]:
        """One row a candidate, JSON-able: loss, distance to the best in standard errors, parity, why
        refused.
        """
        best = _best([one for one in self.candidates if not one.refused])
        return [self._row(one, best) for one in self.candidates]

    def _row(self, one: Candidate, best: Candidate) -> dict[str, Any]:
        difference, error = paired_difference(one.losses, best.losses)
        return {
            "kind": one.kind,
            "settings": dict(one.fitted.settings),
            "log_loss": _finite(float(one.losses.mean())),
            "behind_best": _finite(difference),
            "standard_error": _finite(error),
            "calibration": asdict(one.calibration),
            "parity": one.parity,
            "refused": one.refused or None,
            "chosen": one is self.chosen,
        }


class NoCandidate(TandemError):
    """Every candidate of a classifier was refused; the message lists the reasons."""


def run_candidates(
    kinds: Sequence[str], train: Rows, validation: Rows, classes: int, seed: int
) -> list[Candidate]:
    """Fit each kind on training rows, calibrate and export it; simplest kind first."""
    # One thread: on few cores the libraries' threads wait for each other ten times as long as they work, and
    # sums come out the same on any number of cores.
    with threadpool_limits(1), warnings.catch_warnings():
        # A fit that stopped early, or on a nearly singular matrix, is judged by its losses like any other.
        warnings.simplefilter("ignore")
        guide = importance(train.embedding, train.codes)
        candidates = []
        for kind in sorted(kinds, key=KINDS.index):
            fits = fit_kind(kind, train.embedding, train.codes, guide, seed)
            tried = [_judged(fitted, validation, seed) for fitted in fits]
            candidates.append(_exported(_best(tried), validation.embedding, classes))
        return candidates


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Take the simplest candidate within one standard error of the best; candidates come simplest first.

    Raises NoCandidate if all were refused.
    """
    running = [one for one in candidates if not one.refused]
    if not running:
        raise NoCandidate("; ".join(f"{one.kind}: {one.refused}" for one in candidates))
    best = _best(running)
    for one in running:
        behind, error = paired_difference(one.losses, best.losses)
        if behind <= max(error, NEGLIGIBLE):
            return Choice(one, tuple(candidates))
    raise AssertionError("the best is within one standard error of itself")


def refuse(candidates: Sequence[Candidate], refused: Candidate, reason: str) -> list[Candidate]:
    """The same candidates, one of them out of the running."""
    return [replace(one, refused=reason) if one is refused else one for one in candidates]


def paired_difference(losses: np.ndarray, best: np.ndarray) -> tuple[float, float]:
    """Mean of the row-by-row difference and its standard error, sd/√n: both models are judged on the same
    rows.
    """
    difference = losses - best
    spread = float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return float(difference.mean()), spread / float(np.sqrt(len(difference)))


def _best(candidates: Sequence[Candidate]) -> Candidate:
    """The one of least loss; a loss that is no number is worse than any."""
    means = [float(one.losses.mean()) for one in candidates]
    return candidates[min(range(len(means)), key=lambda place: (means[place] != means[place], means[place]))]


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None


def _judged(fitted: Fitted, validation: Rows, seed: int) -> Candidate:
    margins = fitted.margins(validation.embedding)
    losses = cross_fitted_losses(margins, validation.codes, seed)
    return Candidate(fitted.kind, fitted, fit_calibration(margins, validation.codes), losses)


def _exported(candidate: Candidate, embedding: np.ndarray, classes: int) -> Candidate:
    """Export and compare with scikit-learn; what goes wrong there refuses the candidate, not the fit."""
    if not np.isfinite(candidate.losses).all():
        return replace(candidate, refused="its probabilities are no numbers on some validation rows")
    try:
        exported = export(candidate.fitted, embedding.shape[1])
        difference = parity(replace(candidate, exported=exported), embedding, classes)
    except Exception as error:  # converters raise whatever they like
        return replace(candidate, refused=f"cannot be exported: {str(error).splitlines()[0]}")
    if not difference <= LARGEST_DIFFERENCE:
        reason = f"its graph differs from scikit-learn by {difference:.1e}, more than {LARGEST_DIFFERENCE:g}"
        return replace(candidate, parity=difference, refused=reason)
    return replace(candidate, exported=exported, parity=difference)


def parity(candidate: Candidate, embedding: np.ndarray, classes: int) -> float:
    """Largest difference between the exported probabilities and scikit-learn's on the given rows."""
    model = fuse(passthrough(embedding.shape[1]), [candidate.head("candidate", classes)])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    scores = session.run(["scores"], {"given": embedding})[0]
    return largest_difference(candidate, scores, embedding)


def largest_difference(candidate: Candidate, scores: np.ndarray, embedding: np.ndarray) -> float:
    """max |scores − scikit-learn's calibrated probabilities|; `(n, 1)` or `(n, classes)`, `(n, width)`."""
    expected = candidate.calibration.probabilities(candidate.fitted.margins(embedding))
    expected = expected[:, 1:] if expected.shape[1] == 2 else expected
    return float(np.abs(scores.astype(np.float64) - expected).max())
