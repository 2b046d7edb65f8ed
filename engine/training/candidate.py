"""One candidate for a classifier's place: a kind at its best setting, judged on validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.training.calibrate import Calibration
from engine.training.classifiers import Fitted
from engine.training.export import Exported
from engine.training.fuse import Head
from engine.training.own import OwnFitted
from engine.training.raw import RawFitted
from engine.training.simplest import least

AnyFitted = Fitted | RawFitted | OwnFitted
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


def best_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """The one of least loss; a loss that is no number is worse than any."""
    return candidates[least([one.losses for one in candidates])]


def finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if np.isfinite(value) else None
