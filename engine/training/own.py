"""A classifier of scikit-learn that the project names is fitted, and its scores are read as margins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import has_fit_parameter

from embeddings.encode import Encoding
from engine.project.estimators import estimator_class, parameters
from engine.project.records import OwnClassifier
from engine.training.classifiers import sample
from engine.training.views import (
    EmbeddingView,
    FieldsView,
    Inputs,
    NotUsable,
    columns_of,
    embedding_view,
    fields_view,
)

BOOSTED = "sklearn.ensemble.HistGradientBoostingClassifier"
MOST_CELLS = 250_000_000  # rows times columns that a classifier is given at once


@dataclass(frozen=True)
class OwnFitted:
    """A fitted classifier of the project's own."""

    own: OwnClassifier
    view: EmbeddingView | FieldsView
    model: Any
    floor: float  # probabilities below it are read as it: no model is ever certain

    @classmethod
    def unfitted(cls, own: OwnClassifier) -> OwnFitted:
        """What stands in the table of candidates for one that could not be fitted."""
        return cls(own, EmbeddingView(np.zeros(0), np.zeros(0)), None, 0.0)

    @property
    def kind(self) -> str:
        return self.own.name

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"estimator": self.own.estimator, "input": self.own.input, **self.own.params}

    @property
    def boosted(self) -> bool:
        return self.own.estimator == BOOSTED

    @property
    def gives_probabilities(self) -> bool:
        return hasattr(self.model, "predict_proba") and not self.boosted

    def margins(self, embedding: np.ndarray, inputs: Inputs) -> np.ndarray:
        """`(n, 1)` float64 for two classes, `(n, classes)` for more. Raises NotUsable."""
        step = max(1, MOST_CELLS // columns_of(self.view, embedding))
        blocks = [
            self._margins(
                embedding[at : at + step], {name: array[at : at + step] for name, array in inputs.items()}
            )
            for at in range(0, max(1, len(embedding)), step)
        ]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _margins(self, embedding: np.ndarray, inputs: Inputs) -> np.ndarray:
        # In float64: some models would otherwise work in single precision, which the graph may not.
        seen = self.view.of(embedding, inputs).astype(np.float64)
        try:
            if not self.gives_probabilities:
                margins = np.asarray(self.model.decision_function(seen), np.float64)
                return np.reshape(margins, (len(margins), -1))
            logs = np.log(np.clip(self.model.predict_proba(seen), self.floor, 1.0))
        except Exception as error:  # scikit-learn raises whatever it likes
            raise NotUsable(f"cannot score: {first_line(error)}") from error
        return np.asarray(logs if logs.shape[1] > 2 else logs[:, 1:] - logs[:, :1])


def fit_own(
    own: OwnClassifier,
    encoding: Encoding | None,
    embedding: np.ndarray,
    inputs: Inputs,
    codes: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
) -> OwnFitted:
    """Fit on training rows; what is random is seeded, unless `params` say otherwise.

    `weights` `(n,)` go to a classifier that takes them; the others see rows alike. Where the view has so many
    columns that all rows of it would be too large, it learns from a seeded sample.

    Raises NotUsable where scikit-learn refuses, or the fields have too many columns.
    """
    found = estimator_class(own.estimator)
    seeded = {"random_state": seed} if "random_state" in parameters(found) else {}
    view = fields_view(encoding) if own.input == "fields" else embedding_view(embedding)
    most = MOST_CELLS // columns_of(view, embedding)
    if len(codes) > most:
        kept = sample(codes, most, seed)
        embedding, codes = embedding[kept], codes[kept]
        inputs = {name: array[kept] for name, array in inputs.items()}
        weights = None if weights is None else weights[kept]
    try:
        model = found(**{**seeded, **own.params})
        counted = {} if weights is None or not _takes_weights(model) else {"sample_weight": weights}
        model.fit(view.of(embedding, inputs).astype(np.float64), codes, **counted)
    except Exception as error:  # so here
        raise NotUsable(f"cannot be fitted: {first_line(error)}") from error
    return OwnFitted(own, view, model, floor=0.5 / (len(codes) + 1))


def _takes_weights(model: Any) -> bool:
    return bool(has_fit_parameter(model, "sample_weight"))


def first_line(error: Exception) -> str:
    """What went wrong, in one line of at most 300 letters."""
    return (str(error) or type(error).__name__).splitlines()[0][:300]
