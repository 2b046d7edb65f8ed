"""Which kind of classifier gets the place: the simplest whose log-loss is within one standard error of the
best.

Candidates are compared on validation rows, each calibrated without the row it is judged on. A candidate
whose exported graph differs from scikit-learn on those rows is out of the running, with the reason kept: of
the project's own, one that differs by more than single precision explains.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits

from embeddings.encode import Encoding
from engine.errors import TandemError
from engine.project.records import OwnClassifier
from engine.training.calibrate import NONE, Calibration, best_calibration
from engine.training.classifiers import KINDS, LINEAR, STRENGTHS, Fitted, fit_kind, importance, settings_tried
from engine.training.export import Exported, export, inputs_alone, passthrough
from engine.training.fuse import Head, fuse
from engine.training.own import NotUsable, OwnFitted, export_own, fit_own
from engine.training.raw import RAW, RawFitted, fit_raw
from engine.training.raw import STRENGTHS as RAW_STRENGTHS
from engine.training.simplest import least, paired_difference, simplest

AnyFitted = Fitted | RawFitted | OwnFitted

LARGEST_DIFFERENCE = 1e-5
LARGEST_OF_OWN = 1e-3  # converters add up in single precision what scikit-learn does in double
ROWS_A_CALL = 4_096
NEGLIGIBLE = 1e-4  # nats a row: where every kind is all but perfect, standard errors mean nothing


@dataclass(frozen=True)
class Rows:
    """What one classifier learns from and is judged on: embeddings `(n, width)` float32, class codes `(n,)`
    int64; what the embedding was made from, for the baseline that reads the fields themselves; and how much
    each row counts `(n,)` float64, 1 on average, where the label has weights.
    """

    embedding: np.ndarray
    codes: np.ndarray
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None


@dataclass(frozen=True)
class Recalled:
    """A classifier that was fitted and exported before: what is left of scikit-learn's."""

    kind: str
    settings: Mapping[str, float] = field(default_factory=dict)


Tell = Callable[[str, float], None]
"""Called with what is being fitted and the share of all candidates done, 0 to 1."""

Tried = Callable[[int], None]
"""Called with the number of settings of one kind that were tried."""

Recall = Callable[[str, Callable[[], "Candidate"]], "Candidate"]
"""Called with a kind and what fits it; gives the candidate, recalled or fitted."""


@dataclass(frozen=True)
class Candidate:
    """One kind at its best setting, judged on validation rows; `refused` says why it cannot be chosen.

    losses: of each row, under a calibration fitted without it, times its weight: `(n,)` float64.
    margins: what scikit-learn gives for the rows, before calibration: `(n, margins)` float64.
    """

    kind: str
    fitted: AnyFitted | Recalled
    calibration: Calibration
    losses: np.ndarray = field(repr=False)
    margins: np.ndarray = field(repr=False)
    exported: Exported | None = None
    parity: float | None = None
    refused: str = ""

    @property
    def probabilities(self) -> np.ndarray:
        """What scikit-learn and the calibration give for the rows: `(n, classes)` float64."""
        return self.calibration.probabilities(self.margins)

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
        return _exported(_best_of(raw, validation, seed, tried), validation, classes)

    def fitted(kind: str, tried: Tried) -> Candidate:
        stretch = np.zeros(0) if kind in STRENGTHS else guide()  # those need none, and it takes a while
        fits = fit_kind(kind, train.embedding, train.codes, stretch, seed, train.weights)
        return _exported(_best_of(fits, validation, seed, tried), validation, classes)

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
    return _exported(judged, validation, classes)


def choose(candidates: Sequence[Candidate]) -> Choice:
    """Take the simplest candidate within one standard error of the best; candidates come simplest first.

    Raises NoCandidate if all were refused.
    """
    running = [one for one in candidates if not one.refused]
    if not running:
        raise NoCandidate("; ".join(f"{one.kind}: {one.refused}" for one in candidates))
    place = simplest([one.losses for one in running], NEGLIGIBLE)
    return Choice(running[place], tuple(candidates))


def choose_best(candidates: Sequence[Candidate]) -> Choice:
    """Take the candidate of least loss, the baseline only where there is no other.

    For models on a part of the rows, which are compared and never served: there the baseline is within one
    standard error of most, and what it says is the same of all of them. Raises NoCandidate.
    """
    running = [one for one in candidates if not one.refused]
    if not running:
        raise NoCandidate("; ".join(f"{one.kind}: {one.refused}" for one in candidates))
    return Choice(_best([one for one in running if one.kind != RAW] or running), tuple(candidates))


def refuse(candidates: Sequence[Candidate], refused: Candidate, reason: str) -> list[Candidate]:
    """The same candidates, one of them out of the running."""
    return [replace(one, refused=reason) if one is refused else one for one in candidates]


def _best(candidates: Sequence[Candidate]) -> Candidate:
    """The one of least loss; a loss that is no number is worse than any."""
    return candidates[least([one.losses for one in candidates])]


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None


def margins_of(fitted: AnyFitted, rows: Rows) -> np.ndarray:
    """Margins from what the kind reads: the fields' own encoding, or the embedding."""
    if isinstance(fitted, OwnFitted):
        return fitted.margins(rows.embedding, rows.inputs)
    return fitted.margins(rows.inputs) if isinstance(fitted, RawFitted) else fitted.margins(rows.embedding)


def _best_of(fits: Iterable[Fitted | RawFitted], validation: Rows, seed: int, tried: Tried) -> Candidate:
    judged = []
    for number, fitted in enumerate(fits, start=1):
        judged.append(_judged(fitted, validation, seed))
        tried(number)
    return _best(judged)


def _judged(fitted: AnyFitted, validation: Rows, seed: int) -> Candidate:
    # Steps give ties, which cost a weighted sum its order and a tree or a product of curves nothing.
    stepped = fitted.kind not in LINEAR and fitted.kind != RAW
    margins = margins_of(fitted, validation)
    calibration, losses = best_calibration(
        margins, validation.codes, seed, stepped=stepped, weights=validation.weights
    )
    return Candidate(fitted.kind, fitted, calibration, losses, margins)


def _exported(candidate: Candidate, rows: Rows, classes: int) -> Candidate:
    """Export and compare with scikit-learn; what goes wrong there refuses the candidate, not the fit."""
    if not np.isfinite(candidate.losses).all():
        return replace(candidate, refused="its probabilities are no numbers on some validation rows")
    if isinstance(candidate.fitted, Recalled):
        raise TypeError("a recalled candidate is exported already")
    tried: list[tuple[float, float, Candidate]] = []
    try:
        for exported in _graphs(candidate.fitted, rows.embedding.shape[1], classes):
            one = replace(candidate, exported=exported)
            scores = _graph_scores(one, rows, classes)
            difference = largest_difference(one, scores)
            if difference <= LARGEST_DIFFERENCE:
                return replace(one, parity=difference)
            tried.append((difference, _moved(one, scores, rows), one))
    except NotUsable as error:
        return replace(candidate, refused=str(error))
    except Exception as error:  # converters raise whatever they like
        return replace(candidate, refused=f"cannot be exported: {str(error).splitlines()[0]}")
    difference, moved, one = min(tried, key=lambda each: each[0])
    own = isinstance(candidate.fitted, OwnFitted)
    if own and difference <= LARGEST_OF_OWN and moved <= NEGLIGIBLE:
        return replace(one, parity=difference)
    most = LARGEST_OF_OWN if own else LARGEST_DIFFERENCE
    reason = f"its graph differs from scikit-learn by {difference:.1e}, more than {most:g}"
    if own and difference <= LARGEST_OF_OWN:
        reason = f"its graph differs from scikit-learn by {moved:.1e} nats a row, more than {NEGLIGIBLE:g}"
    return replace(candidate, parity=_finite(difference), refused=reason)


def _graphs(fitted: AnyFitted, width: int, classes: int) -> Iterable[Exported]:
    """The graphs that a classifier may have: one, but for those of the project's own."""
    return export_own(fitted, width, classes) if isinstance(fitted, OwnFitted) else [export(fitted, width)]


def allowed_difference(candidate: Candidate) -> float:
    """How far the scores of a candidate in the running may be from scikit-learn's, fused with others."""
    return LARGEST_DIFFERENCE if candidate.kind in (RAW, *KINDS) else LARGEST_OF_OWN


def _graph_scores(candidate: Candidate, rows: Rows, classes: int) -> np.ndarray:
    """What the exported graph gives for the validation rows: `(n, 1)` or `(n, classes)` float32."""
    if candidate.exported is not None and candidate.exported.reads_inputs:
        encoder, given = inputs_alone(rows.inputs), dict(rows.inputs)
    else:
        encoder, given = passthrough(rows.embedding.shape[1]), {"given": rows.embedding}
    model = fuse(encoder, [candidate.head("candidate", classes)])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # In blocks: a row's distances to all references are thousands of numbers.
    blocks = [
        session.run(["scores"], {name: array[at : at + ROWS_A_CALL] for name, array in given.items()})[0]
        for at in range(0, len(rows.codes), ROWS_A_CALL)
    ]
    return np.concatenate(blocks)


def _moved(candidate: Candidate, scores: np.ndarray, rows: Rows) -> float:
    """How far the graph's log-losses are from scikit-learn's, in the mean over the rows."""
    ours = np.column_stack([1.0 - scores, scores]) if scores.shape[1] == 1 else scores
    at = np.arange(len(rows.codes))[:, None], rows.codes[:, None]
    logs = [np.log(np.clip(one.astype(np.float64)[at], 1e-7, 1.0)) for one in (ours, candidate.probabilities)]
    return float(np.average(np.abs(logs[0] - logs[1])[:, 0], weights=rows.weights))


def largest_difference(candidate: Candidate, scores: np.ndarray) -> float:
    """max |scores − scikit-learn's calibrated probabilities|, of all validation rows with a label.

    `scores` `(n, 1)` or `(n, classes)`.
    """
    expected = candidate.probabilities
    expected = expected[:, 1:] if expected.shape[1] == 2 else expected
    return float(np.abs(scores.astype(np.float64) - expected).max())
