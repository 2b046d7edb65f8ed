"""The simple classifiers that may sit on an embedding: each kind fitted on training rows and read as margins.

Kinds stand in the order of simplicity by which a tie is settled (docs/decisions/0006): weighted sums, a
product of bell curves, a tree of questions, a memory of rows.

A margin says how much a row leans to a class, on whatever scale the kind has; calibration makes it a
probability.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from engine.training.solver import logistic

KINDS = (
    "logistic",
    "linear-svm",
    "lda",
    "nearest-centroid",
    "naive-bayes",
    "tree",
    "nearest-neighbours",
)
LINEAR = frozenset({"logistic", "linear-svm", "lda", "nearest-centroid"})

STRENGTHS = {
    "logistic": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0),
    "linear-svm": (1e-4, 1e-3, 1e-2),
}
DEPTHS = (4, 6)
DIRECTIONS = (1, 2, 4)
MOST_REFERENCES = 5_000
MOST_SVM_ROWS = 50_000
NEIGHBOURS = 50


@dataclass(frozen=True)
class Centroids:
    """The middle of each class, `(classes, dimensions)`; a row leans to the nearest."""

    centres: np.ndarray

    def decision_function(self, rows: np.ndarray) -> np.ndarray:
        """−½ |row − centre|², without what all classes share: `(n,)` for two classes, else `(n, classes)`."""
        weights, intercepts = self.affine()
        margins: np.ndarray = rows @ weights + intercepts
        return margins[:, 0] if margins.shape[1] == 1 else margins

    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights `(dimensions, margins)` and intercepts `(margins,)`."""
        weights, intercepts = self.centres.T, -0.5 * (self.centres**2).sum(axis=1)
        if len(self.centres) > 2:
            return weights, intercepts
        return weights[:, 1:] - weights[:, :1], intercepts[1:] - intercepts[:1]


@dataclass(frozen=True)
class Fitted:
    """One fitted classifier: `view` maps the embedding to what `model` reads, both scikit-learn objects."""

    kind: str
    view: Any
    model: Any
    settings: Mapping[str, float] = field(default_factory=dict)
    floor: float = 0.0  # probabilities below it are read as it: a leaf or a neighbourhood is never certain

    @property
    def gives_probabilities(self) -> bool:
        return self.kind in {"tree", "nearest-neighbours"}

    def margins(self, embedding: np.ndarray) -> np.ndarray:
        """`(n, width)` float32 → `(n, 1)` float64 for two classes, `(n, classes)` for more."""
        seen = self.view.transform(embedding.astype(np.float64))
        if self.kind in LINEAR:
            margins: np.ndarray = self.model.decision_function(seen)
            return margins.reshape(len(margins), -1)
        if self.kind == "naive-bayes":
            logs: np.ndarray = self.model.predict_joint_log_proba(seen)
        else:
            logs = np.log(np.clip(self.model.predict_proba(seen), self.floor, 1.0))
        return logs if logs.shape[1] > 2 else logs[:, 1:] - logs[:, :1]


def fit_kind(
    kind: str,
    embedding: np.ndarray,
    codes: np.ndarray,
    guide: np.ndarray,
    seed: int,
    weights: np.ndarray | None = None,
) -> Iterator[Fitted]:
    """Fit every variant of a kind on training rows: one a strength, or one a view's size and a depth.

    `embedding` `(n, width)` float32; `codes` `(n,)` int64 with every class present; `guide` `(width,)`
    float64 says how much each standardised dimension matters to the label (see `importance`); `weights`
    `(n,)` how much each row counts, 1 on average. LDA and neighbours take none: they see rows alike.
    """
    rows = embedding.astype(np.float64)
    if kind in {"logistic", "linear-svm"}:
        yield from _linear(kind, rows, codes, seed, weights)
        return
    for directions in DIRECTIONS[: 1 + int(np.searchsorted(DIRECTIONS, rows.shape[1]))]:
        view = low_dimensional_view(rows, guide, min(directions, rows.shape[1]))
        seen = view.transform(rows)
        if kind == "naive-bayes":
            yield Fitted(kind, view, GaussianNB().fit(seen, codes, weights), {"directions": seen.shape[1]})
        elif kind == "lda":
            # Shrunken (Ledoit and Wolf 2004), so that directions that hardly vary are not blown up.
            model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(seen, codes)
            yield Fitted(kind, view, model, {"directions": seen.shape[1]})
        elif kind == "nearest-centroid":
            own = [codes == code for code in np.unique(codes)]
            counted = np.ones(len(codes)) if weights is None else weights
            centres = np.stack([np.average(seen[at], axis=0, weights=counted[at]) for at in own])
            yield Fitted(kind, view, Centroids(centres), {"directions": seen.shape[1]})
        elif kind == "tree":
            yield from _trees(view, seen, codes, seed, weights)
        elif kind == "nearest-neighbours":
            yield _neighbours(view, seen, codes, seed)
        else:
            raise ValueError(f"unknown kind of classifier '{kind}'; known: {', '.join(KINDS)}")


def settings_tried(kind: str) -> int:
    """How many variants `fit_kind` gives of a kind, at most."""
    if kind in STRENGTHS:
        return len(STRENGTHS[kind])
    return len(DIRECTIONS) * (len(DEPTHS) if kind == "tree" else 1)


def importance(embedding: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Weight of each standardised dimension in a strongly regularised logistic model: `(width,)` float64."""
    scaled = StandardScaler(copy=False).fit_transform(embedding.astype(np.float64))
    model = logistic(1e-3, scaled.shape, len(np.unique(codes)), steps=50).fit(scaled, codes, weights)
    lengths: np.ndarray = np.linalg.norm(model.coef_, axis=0)
    return lengths


def low_dimensional_view(rows: np.ndarray, guide: np.ndarray, directions: int) -> Pipeline:
    """Standardise, stretch each dimension by its weight, keep the few directions that vary most.

    An embedding's dimensions are collinear and mostly idle for one label: distances, bell curves and
    axis-parallel questions need the few directions in which the label moves.
    """
    scaler = StandardScaler().fit(rows)
    most = guide.max() or 1.0
    scaler.scale_ = scaler.scale_ / np.maximum(guide, most * 1e-6)
    components = PCA(directions, svd_solver="covariance_eigh").fit(scaler.transform(rows))
    return Pipeline([("stretch", scaler), ("directions", components)])


def _linear(
    kind: str, rows: np.ndarray, codes: np.ndarray, seed: int, weights: np.ndarray | None
) -> Iterator[Fitted]:
    view = StandardScaler(copy=False).fit(rows)
    seen = view.transform(rows)  # in place: there may be a million rows
    for strength in STRENGTHS[kind]:
        if kind == "logistic":
            model = logistic(strength, seen.shape, len(np.unique(codes)), steps=100)
            model.fit(seen, codes, weights)
        else:
            kept = sample(codes, MOST_SVM_ROWS, seed)
            model = LinearSVC(C=strength, dual=False, random_state=seed, max_iter=2_000).fit(
                seen[kept], codes[kept], None if weights is None else weights[kept]
            )
        yield Fitted(kind, view, model, {"C": strength})


def _trees(
    view: Pipeline, seen: np.ndarray, codes: np.ndarray, seed: int, weights: np.ndarray | None
) -> Iterator[Fitted]:
    leaf = max(5, min(200, len(codes) // 500))
    for depth in DEPTHS:
        model = DecisionTreeClassifier(
            max_depth=depth, min_samples_leaf=leaf, criterion="log_loss", random_state=seed
        )
        yield Fitted(
            "tree",
            view,
            model.fit(seen, codes, weights),
            {"directions": seen.shape[1], "depth": depth},
            floor=0.5 / leaf,
        )


def _neighbours(view: Pipeline, seen: np.ndarray, codes: np.ndarray, seed: int) -> Fitted:
    """Remember a seeded sample of distinct points, so that no two references are equally far for being
    equal.
    """
    _, first = np.unique(seen, axis=0, return_index=True)
    distinct = np.sort(first)
    _, of_class = np.unique(codes, return_index=True)  # no class is lost for standing where another stands
    kept = np.union1d(distinct[sample(codes[distinct], MOST_REFERENCES - len(of_class), seed)], of_class)
    count = max(1, min(NEIGHBOURS, len(kept) // 10))
    model = KNeighborsClassifier(count, algorithm="brute").fit(seen[kept], codes[kept])
    settings = {"directions": seen.shape[1], "references": len(kept), "neighbours": count}
    return Fitted("nearest-neighbours", view, model, settings, floor=0.5 / (count + 1))


def sample(codes: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most `most` row numbers in ascending order, drawn evenly, with every class among them."""
    if len(codes) <= most:
        return np.arange(len(codes))
    drawn = np.random.default_rng(seed).permutation(len(codes))
    _, first = np.unique(codes[drawn], return_index=True)
    rest = np.delete(drawn, first)[: most - len(first)]
    return np.sort(np.concatenate([drawn[first], rest]))
