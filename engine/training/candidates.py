"""Every kind that competes for one place becomes a candidate: fitted at each setting, judged, and exported.

Each is calibrated without the row it is judged on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

import numpy as np
from threadpoolctl import threadpool_limits

from embeddings.encode import Encoding
from engine.project.classifiers import RAW
from engine.project.records import OwnClassifier
from engine.training.calibrate import NONE, best_calibration
from engine.training.candidate import AnyFitted, Candidate, Rows, best_candidate
from engine.training.classifiers import KINDS, LINEAR, STRENGTHS, Fitted, fit_kind, importance, settings_tried
from engine.training.own import OwnFitted, fit_own
from engine.training.parity import export_candidate
from engine.training.raw import STRENGTHS as RAW_STRENGTHS
from engine.training.raw import RawFitted, fit_raw
from engine.training.views import NotUsable

Tell = Callable[[str, float], None]
"""Called with what is being fitted and the share of all candidates done, 0 to 1."""

Tried = Callable[[int], None]
"""Called with the number of settings of one kind that were tried."""

Recall = Callable[[str, Callable[[], Candidate]], Candidate]
"""Called with a kind and what fits it; gives the candidate, recalled or fitted."""


def run_candidates(
    kinds: Sequence[str | OwnClassifier],
    train: Rows,
    validation: Rows,
    classes: int,
    seed: int,
    encoding: Encoding | None = None,
    recall: Recall = lambda _, make: make(),
    tell: Tell = lambda _, __: None,
) -> list[Candidate]:
    """Fit each kind on training rows, calibrate and export it; simplest kind first.

    With `encoding`, that of the rows' inputs, the baseline on the fields themselves stands before all others.
    """
    order: list[str | OwnClassifier] = sorted((kind for kind in kinds if kind != RAW), key=_complexity)
    if encoding is not None:
        order = [RAW, *order]

    @cache
    def guide() -> np.ndarray:
        return importance(train.embedding, train.codes, train.weights)

    def baseline(tried: Tried) -> Candidate:
        assert encoding is not None  # noqa: S101 — asked for only where there is one
        raw = fit_raw(encoding, train.inputs, train.codes, seed, train.weights)
        return export_candidate(_best_of(raw, validation, seed, tried), validation, classes)

    def fitted(kind: str, tried: Tried) -> Candidate:
        stretch = np.zeros(0) if kind in STRENGTHS else guide()  # those need none, and it takes a while
        fits = fit_kind(kind, train.embedding, train.codes, stretch, seed, train.weights)
        return export_candidate(_best_of(fits, validation, seed, tried), validation, classes)

    # One thread: on few cores the libraries' threads wait for each other ten times as long as they work, and
    # sums come out the same on any number of cores.
    with threadpool_limits(1), warnings.catch_warnings():
        # A fit that stopped early, or on a nearly singular matrix, is judged by its losses like any other.
        warnings.simplefilter("ignore")
        candidates = []
        for place, kind in enumerate(order):
            tried = _tried(tell, kind, place, len(order))
            tried(0)
            if isinstance(kind, OwnClassifier):
                make = partial(_own, kind, train, validation, classes, seed, encoding)
                candidates.append(recall(kind.identity, make))
            elif kind == RAW:
                candidates.append(recall(kind, partial(baseline, tried)))
            else:
                candidates.append(recall(kind, partial(fitted, kind, tried)))
        return candidates


def margins_of(fitted: AnyFitted, rows: Rows) -> np.ndarray:
    """Margins from what the kind reads: the fields' own encoding, or the embedding."""
    if isinstance(fitted, OwnFitted):
        return fitted.margins(rows.embedding, rows.inputs)
    return fitted.margins(rows.inputs) if isinstance(fitted, RawFitted) else fitted.margins(rows.embedding)


def _tried(tell: Tell, kind: str | OwnClassifier, place: int, kinds: int) -> Tried:
    """Tell of one kind, the `place`-th of `kinds`, by the number of its settings that were tried."""
    own = isinstance(kind, OwnClassifier)
    name = kind.name if isinstance(kind, OwnClassifier) else kind
    settings = 1 if own else len(RAW_STRENGTHS) if kind == RAW else settings_tried(name)

    def tried(number: int) -> None:
        setting = "" if own else f", setting {min(number + 1, settings)} of {settings}"
        share = (place + min(number / settings, 1.0)) / kinds
        tell(f"{name} ({place + 1} of {kinds}{setting})", share)

    return tried


def _complexity(kind: str | OwnClassifier) -> float:
    """The place in the order of simplicity; one of the project's own stands after the kind that it names."""
    if isinstance(kind, str):
        return KINDS.index(kind)
    return len(KINDS) if not kind.after else -0.5 if kind.after == RAW else KINDS.index(kind.after) + 0.5


def _own(
    own: OwnClassifier,
    train: Rows,
    validation: Rows,
    classes: int,
    seed: int,
    encoding: Encoding | None,
) -> Candidate:
    """A candidate of the project's own; what cannot be used is out of the running, with the reason."""
    try:
        fitted = fit_own(own, encoding, train.embedding, train.inputs, train.codes, seed, train.weights)
        judged = _judged(fitted, validation, seed)
    except NotUsable as error:
        none = np.full(len(validation.codes), np.nan)
        return Candidate(own.name, OwnFitted.unfitted(own), NONE, none, none[:, None], refused=str(error))
    return export_candidate(judged, validation, classes)


def _best_of(fits: Iterable[Fitted | RawFitted], validation: Rows, seed: int, tried: Tried) -> Candidate:
    judged = []
    for number, fitted in enumerate(fits, start=1):
        judged.append(_judged(fitted, validation, seed))
        tried(number)
    return best_candidate(judged)


def _judged(fitted: AnyFitted, validation: Rows, seed: int) -> Candidate:
    # Steps give ties, which cost a weighted sum its order and a tree or a product of curves nothing.
    stepped = fitted.kind not in LINEAR and fitted.kind != RAW
    margins = margins_of(fitted, validation)
    calibration, losses = best_calibration(
        margins, validation.codes, seed, stepped=stepped, weights=validation.weights
    )
    return Candidate(fitted.kind, fitted, calibration, losses, margins)
