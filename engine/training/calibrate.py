"""Margins to probabilities, by a few numbers fitted on rows that the classifier was not fitted on.

Two classes: p = σ(slope · margin + intercept), Platt's sigmoid, or a line from step to step that never falls.
More: p = softmax(slope · margins), a temperature. Or none, where a margin is best read as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.training.simplest import simplest

FOLDS = 5
LEAST_PROBABILITY = 1e-7  # a log-loss of at most 16 for one row
MOST_STEPS = 64


@dataclass(frozen=True)
class Calibration:
    """p = σ(slope · margin + intercept), or softmax(slope · margins) with intercept 0.

    With `steps`, pairs of a margin and the probability there, both ascending: the straight line from step to
    step, level before the first and after the last; slope and intercept are then 1 and 0.
    """

    slope: float
    intercept: float = 0.0
    steps: tuple[tuple[float, float], ...] = ()

    def probabilities(self, margins: np.ndarray) -> np.ndarray:
        """`(n, 1)` margins → `(n, 2)` probabilities; `(n, classes)` → `(n, classes)`; float64."""
        if self.steps:
            at, level = np.array(self.steps).T
            positive = np.interp(margins[:, 0], at, level)
            return np.column_stack([1.0 - positive, positive])
        logits = self.slope * margins + self.intercept
        if margins.shape[1] == 1:
            positive = _sigmoid(logits[:, 0])
            return np.column_stack([1.0 - positive, positive])
        return _softmax(logits)


def fit_calibration(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> Calibration:
    """Minimise the log-loss of `(n, 1)` or `(n, classes)` margins against `(n,)` class codes.

    `weights` `(n,)` say how much each row counts, 1 on average. A classifier that leans the wrong way gets
    slope 0: it then says the class rates and nothing else.
    """
    counted = np.ones(len(codes)) if weights is None else weights
    if margins.shape[1] == 1:
        return _fit_sigmoid(margins[:, 0], codes, counted)
    return fit_slope(margins, codes, counted)


def log_losses(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """−log of the probability given to each row's own class: `(n, classes)`, `(n,)` → `(n,)` float64."""
    own = probabilities[np.arange(len(codes)), codes]
    losses: np.ndarray = -np.log(np.clip(own, LEAST_PROBABILITY, 1.0))
    return losses


Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Calibration]


def cross_fitted_losses(
    margins: np.ndarray,
    codes: np.ndarray,
    seed: int,
    fit: Fit = fit_calibration,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Log-loss of each row, times its weight, under a calibration fitted without it: `(n,)` float64."""
    losses = np.empty(len(codes))
    counted = np.ones(len(codes)) if weights is None else weights
    fold = _folds(codes, seed)
    for number in range(fold.max() + 1):
        out = fold == number
        fitted = fit(margins[~out], codes[~out], counted[~out])
        losses[out] = log_losses(fitted.probabilities(margins[out]), codes[out]) * counted[out]
    return losses


def best_calibration(
    margins: np.ndarray, codes: np.ndarray, seed: int, *, stepped: bool, weights: np.ndarray | None = None
) -> tuple[Calibration, np.ndarray]:
    """The simplest calibration within one standard error of the best, and its cross-fitted losses `(n,)`,
    each times its row's weight.

    None is simplest, then a slope, then slope and intercept, and with `stepped` steps: those last also for
    giving many rows the same score. What is no better than none on rows that it was not fitted on is out.
    """
    counted = np.ones(len(codes)) if weights is None else weights
    plain = log_losses(NONE.probabilities(margins), codes) * counted
    fits: list[Fit] = [fit_slope]
    if margins.shape[1] == 1 and np.isfinite(margins).all():
        fits += [fit_calibration, fit_steps] if stepped else [fit_calibration]
    tried = [(fit, cross_fitted_losses(margins, codes, seed, fit, counted)) for fit in fits]
    running = [(fit, losses) for fit, losses in tried if losses.mean() < plain.mean()]
    place = simplest([plain, *(losses for _, losses in running)]) if running else 0
    if place == 0:
        return NONE, plain
    fit, losses = running[place - 1]
    return fit(margins, codes, counted), losses


def fit_slope(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> Calibration:
    """The slope alone of least log-loss, for two classes or more."""
    counted = np.ones(len(codes)) if weights is None else weights
    if margins.shape[1] == 1:
        margins = np.column_stack([np.zeros(len(margins)), margins])
    return _fit_temperature(margins, codes, counted)


def fit_steps(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> Calibration:
    """Isotonic regression of `(n, 1)` margins, drawn to the class rate by one row, in 64 steps at most."""
    from sklearn.isotonic import IsotonicRegression

    counted = np.ones(len(codes)) if weights is None else weights
    model = IsotonicRegression(out_of_bounds="clip").fit(margins[:, 0], codes, counted)
    at, level = model.X_thresholds_, model.y_thresholds_
    # One more row of the class rate for each level: none says never or always.
    levels, place = np.unique(model.predict(margins[:, 0]), return_inverse=True)
    rows = np.bincount(place, counted)
    own = rows[np.clip(np.searchsorted(levels, level), 0, len(rows) - 1)]
    level = np.maximum.accumulate((level * own + np.average(codes, weights=counted)) / (own + 1))
    if len(at) > MOST_STEPS:
        kept = np.unique(np.linspace(0, len(at) - 1, MOST_STEPS).round().astype(int))
        at, level = at[kept], level[kept]
    apart = np.concatenate([[True], np.diff(at) > _LEAST_STEP * max(1.0, float(np.abs(at).max()))])
    if apart.sum() < 2:
        return fit_calibration(margins, codes, counted)
    return Calibration(1.0, 0.0, tuple(zip(at[apart].tolist(), level[apart].tolist(), strict=True)))


NONE = Calibration(1.0)
_LEAST_STEP = 1e-9


def _folds(codes: np.ndarray, seed: int) -> np.ndarray:
    """A fold number for each row, every class spread over the folds; `(n,)` int64."""
    order = np.random.default_rng(seed).permutation(len(codes))
    ranked = order[np.argsort(codes[order], kind="stable")]
    fold = np.empty(len(codes), np.int64)
    fold[ranked] = np.arange(len(codes)) % min(FOLDS, len(codes))
    return fold


def _fit_sigmoid(margin: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> Calibration:
    """Damped Newton steps on Platt's smoothed targets, (N₊+1)/(N₊+2) and 1/(N₋+2)."""
    positives = float((codes * weights).sum())
    negatives = float(weights.sum()) - positives
    target = np.where(codes == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    prior = float(np.log((positives + 1) / (negatives + 1)))
    scale = float(np.std(margin))
    # Equal margins, up to rounding, tell nothing apart; what is no number tells nothing at all.
    if not scale > 1e-12 * max(1e-12, float(np.abs(margin).max())) or not np.isfinite(scale):
        return Calibration(0.0, prior)
    design = np.column_stack([(margin - margin.mean()) / scale, np.ones(len(margin))])

    def loss(at: np.ndarray) -> float:
        logits = design @ at
        return float(np.mean(weights * (np.logaddexp(0.0, logits) - target * logits)))

    line, best = np.array([1.0, prior]), np.inf
    for _ in range(100):
        probability = _sigmoid(design @ line)
        gradient = design.T @ (weights * (probability - target))
        spread = weights * probability * (1 - probability)
        curvature = (design * spread[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (now := loss(line - step)) > loss(line) and np.abs(step).max() > 1e-12:
            step = step / 2
        line = line - step
        if best - now < 1e-13:
            break
        best = now
    slope = float(line[0]) / scale
    if slope <= 0.0:
        return Calibration(0.0, prior)
    return Calibration(slope, float(line[1]) - slope * float(margin.mean()))


def _fit_temperature(margins: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> Calibration:
    """Newton steps in the slope s, from d/ds = E_p[margin] − own margin and d²/ds² = Var_p[margin]."""
    centred = margins - margins.max(axis=1, keepdims=True)
    own = centred[np.arange(len(codes)), codes]
    low, high = 0.0, 1e3
    slope = 1.0 / max(float(centred.std()), 1e-9)
    for _ in range(100):
        probability = _softmax(slope * centred)
        mean = (probability * centred).sum(axis=1)
        gradient = float((weights * (mean - own)).mean())
        curvature = float((weights * ((probability * centred**2).sum(axis=1) - mean**2)).mean())
        low, high = (low, slope) if gradient > 0 else (slope, high)
        proposed = slope - gradient / max(curvature, 1e-12)
        following = proposed if low < proposed < high else (low + high) / 2
        if abs(following - slope) <= 1e-12 * max(slope, 1e-12):
            break
        slope = following
    return Calibration(slope)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    # σ(x) = ½ (1 + tanh(x/2)) neither overflows nor needs a branch.
    squashed: np.ndarray = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return squashed


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
