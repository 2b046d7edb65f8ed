"""The baseline that an embedding must beat: a logistic model on the fields themselves.

It reads the encoded inputs and no embedding: clipped numbers, a weight for each level of a category, a weight
for each token of a text. It serves from the same graph as everything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from embeddings.design import SPAN, TEXT_SCALE, design, token_rarity
from embeddings.encode import Encoding
from engine.project.classifiers import RAW
from engine.training.classifiers import sample
from engine.training.solver import GRADIENTS, MOST_GRADIENTS, logistic

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
MOST_ROWS = 50_000
_DENSE_COLUMNS = 400

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class RawWeights:
    """Weights by what they multiply; the last axis is the margins: one for two classes, else one a class.

    `numeric` `(2 * columns, margins)` of clipped values, then of missing flags; `table` `(rows, margins)` of
    category levels; `texts` `(tokens, margins + 1)`, with the square of each token's own weight at the end.
    """

    numeric: np.ndarray
    table: np.ndarray
    texts: tuple[tuple[str, np.ndarray], ...]
    intercepts: np.ndarray
    span: float = SPAN


@dataclass(frozen=True)
class RawFitted:
    """A fitted baseline; `model` is scikit-learn's, on the columns of `embeddings.design`."""

    encoding: Encoding
    rarity: tuple[np.ndarray, ...]
    model: LogisticRegression
    settings: Mapping[str, float] = field(default_factory=dict)
    kind: str = RAW

    def margins(self, inputs: Inputs) -> np.ndarray:
        """Encoded inputs of n rows → `(n, 1)` float64 for two classes, `(n, classes)` for more."""
        matrix = _readable(design(self.encoding, inputs, self.rarity))
        margins: np.ndarray = self.model.decision_function(matrix)
        return margins.reshape(len(margins), -1)

    def weights(self) -> RawWeights:
        """The weights as the graph holds them."""
        weights = self.model.coef_.T
        numbers, levels = 2 * self.encoding.columns, self.encoding.table_rows
        texts = []
        start = numbers + levels
        for text, rarity in zip(self.encoding.texts, self.rarity, strict=True):
            own = weights[start : start + text.rows] * rarity[:, None] * TEXT_SCALE
            texts.append((text.name, np.hstack([own, rarity[:, None].astype(np.float64) ** 2])))
            start += text.rows
        table = weights[numbers : numbers + levels]
        return RawWeights(weights[:numbers], table, tuple(texts), self.model.intercept_)


def fit_raw(
    encoding: Encoding, inputs: Inputs, codes: np.ndarray, seed: int, weights: np.ndarray | None = None
) -> Iterator[RawFitted]:
    """Fit one baseline for each strength on training rows; `codes` `(n,)` int64 with every class present.

    `weights` `(n,)` say how much each row counts, 1 on average.
    """
    kept = sample(codes, MOST_ROWS, seed)
    rarity = tuple(token_rarity(inputs[f"text.{text.name}"], text.rows) for text in encoding.texts)
    matrix = _readable(design(encoding, {name: array[kept] for name, array in inputs.items()}, rarity))
    for strength in STRENGTHS:
        if isinstance(matrix, np.ndarray):
            model = logistic(strength, matrix.shape, len(np.unique(codes)), steps=200)
        else:
            model = LogisticRegression(C=strength, solver=GRADIENTS, max_iter=MOST_GRADIENTS)
        model.fit(matrix, codes[kept], None if weights is None else weights[kept])
        yield RawFitted(encoding, rarity, model, {"C": strength})


def _readable(matrix: Any) -> Any:
    """A narrow matrix is quicker dense."""
    return matrix.toarray() if matrix.shape[1] <= _DENSE_COLUMNS else matrix
