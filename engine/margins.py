"""Where a graph holds its scores before they are squashed, and how log-odds are read there.

A probability next to 0 or 1 has lost what told it from its neighbours; the margin before it has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import BundleError

PART = "model/scores.json"
SCORES = "scores"  # the one output of every graph
LOG_ODDS, LOGITS, PROBABILITIES = "log-odds", "logits", "probabilities"
SCALES = (LOG_ODDS, LOGITS, PROBABILITIES)
LEAST = 1e-7  # a probability below it is read as it
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Margin:
    """The margins of one classifier: `count` columns of a tensor of the graph, from column `first`.

    `scale` says what they are: log-odds as they stand; logits of all classes, before a softmax; or
    probabilities.
    """

    tensor: str
    first: int
    count: int
    scale: str

    def to_json(self) -> dict[str, Any]:
        """Give what model/scores.json says of a classifier's margins."""
        return {"tensor": self.tensor, "first": self.first, "scale": self.scale}


@dataclass(frozen=True, slots=True)
class Margins:
    """The margins of all classifiers, in the order of their scores."""

    margins: tuple[Margin, ...]
    tensors: tuple[str, ...]  # what holds them, each once

    @classmethod
    def of(cls, classifiers: Iterable[Mapping[str, Any]], scores: Sequence[str]) -> Margins:
        """Read what model/scores.json states; where it states nothing, the scores themselves are read.

        Raises BundleError.
        """
        stated = list(classifiers)
        if not stated or not all("margins" in one for one in stated):
            return cls((Margin(SCORES, 0, len(scores), PROBABILITIES),), (SCORES,))
        margins = tuple(_margin(one) for one in stated)
        return cls(margins, tuple(dict.fromkeys(margin.tensor for margin in margins)))

    def log_odds(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """The values of `tensors` for n rows → ln(p / (1 − p)) of every score, `(n, scores)` float64."""
        held = dict(zip(self.tensors, values, strict=True))
        return np.concatenate(
            [
                _READ[margin.scale](
                    held[margin.tensor][:, margin.first : margin.first + margin.count].astype(np.float64)
                )
                for margin in self.margins
            ],
            axis=1,
        )


def _margin(classifier: Mapping[str, Any]) -> Margin:
    stated, scores = classifier["margins"], classifier.get("scores")
    if isinstance(stated, dict) and set(stated) == {"tensor", "first", "scale"} and isinstance(scores, list):
        tensor, first, scale = stated["tensor"], stated["first"], stated["scale"]
        if isinstance(tensor, str) and type(first) is int and first >= 0 and scale in SCALES:
            return Margin(tensor, first, len(scores), scale)
    raise BundleError("states margins of a wrong form", part=PART)


def _as_they_stand(margins: np.ndarray) -> np.ndarray:
    return margins


def _of_probabilities(probabilities: np.ndarray) -> np.ndarray:
    bounded = np.clip(probabilities, LEAST, 1 - LEAST)
    odds: np.ndarray = np.log(bounded) - np.log1p(-bounded)
    return odds


def _of_logits(logits: np.ndarray) -> np.ndarray:
    """z − ln Σ exp(other z), for each class against all others."""
    # Class by class: a maximum over few columns of many rows takes NumPy long.
    by_class = np.ascontiguousarray(logits.T)
    by_class -= by_class.max(axis=0)
    # Only what is added up is summed, nothing taken off again: what is small beside the highest stays.
    others = (1.0 - np.eye(len(by_class))) @ np.exp(by_class)
    odds: np.ndarray = by_class - np.log(np.maximum(others, _TINY))
    return odds.T


_READ = {LOG_ODDS: _as_they_stand, LOGITS: _of_logits, PROBABILITIES: _of_probabilities}
