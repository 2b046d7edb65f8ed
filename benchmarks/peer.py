"""The stack a team would build instead: torch embedding, scikit-learn classifiers, zen-engine expressions.

Tuned as its users would: evaluation and inference mode, one thread a call, no finiteness checks in
scikit-learn, all expressions compiled beforehand, values already read and typed. It encodes with our
encoding, has our network's architecture and the bundle's kinds of classifier (not calibrated), and keeps no
reasons.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import sklearn
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from benchmarks.bare import BareModel
from benchmarks.hundred import Filter, hundred_filters
from embeddings.encode import Encoding
from embeddings.network import Network
from engine.project import load_project
from engine.tabular import batches, normalise

ROWS = 5_000
_KINDS = {
    "logistic": lambda: LogisticRegression(C=0.01, max_iter=500),
    "raw-logistic": lambda: LogisticRegression(C=0.01, max_iter=500),  # the peer has it on its embedding
    "lda": LinearDiscriminantAnalysis,
    "nearest-centroid": GaussianNB,  # a centroid has no predict_proba of its own
    "linear-svm": lambda: LogisticRegression(
        C=0.01, max_iter=500
    ),  # a linear SVM has no predict_proba of its own
    "naive-bayes": GaussianNB,
    "tree": lambda: DecisionTreeClassifier(max_depth=6, random_state=7),
    "nearest-neighbours": lambda: KNeighborsClassifier(50),
}


@dataclass(frozen=True)
class Fitted:
    """What the peer serves with; `example` is one row of network inputs."""

    network: Network
    classifiers: tuple[Any, ...]
    names: tuple[tuple[str, ...], ...]  # each classifier's score names, in its classes' order
    encoding: Encoding
    example: dict[str, torch.Tensor]


def fit_peer(place: Path) -> Fitted:
    """The network of the project's architecture, and classifiers of the bundle's kinds on its embedding.

    The network keeps its first weights: they change no duration.
    """
    project = load_project(place)
    bare = BareModel(place)
    labelled = pq.read_table(place / "data" / "payments.parquet").slice(0, ROWS)
    spec = replace(project.embedding, slots=tuple(project.schema.slots()))
    torch.manual_seed(7)
    network = Network(spec, bare.encoding, dict.fromkeys(project.labels, 2)).eval()
    inputs = [bare.encoding.batch(normalise(bare.schema, batch).batch) for batch in batches(labelled)]
    tensors = {name: torch.tensor(np.concatenate([part[name] for part in inputs])) for name in inputs[0]}
    with torch.inference_mode():
        embedding = network.embed(tensors).numpy()
    classifiers, names = [], []
    for described in bare.classifiers:
        label = labelled[project.labels[described["label"]].column]
        known = ~np.asarray(label.is_null())
        truth = np.array(label.to_pylist(), dtype=object)[known].astype(str)
        fitted = _KINDS[described["kind"]]().fit(embedding[known], truth)
        scores = described["scores"]
        ordered = (
            [f"{described['name']}.{name}" for name in fitted.classes_]
            if len(scores) > 1
            else ["", scores[0]]
        )
        classifiers.append(fitted)
        names.append(tuple(ordered))
    example = {name: tensor[:1] for name, tensor in tensors.items()}
    return Fitted(network, tuple(classifiers), tuple(names), bare.encoding, example)


class Peer:
    """One record in normal form in, an outcome with the filters that fired out."""

    def __init__(self, fitted: Fitted, filters: tuple[Filter, ...] = hundred_filters()) -> None:
        import zen  # only here: `startup` unpickles this stack and needs no expressions

        # The encoding's arrays are read-only, which torch warns of once; nothing writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        torch.set_num_threads(1)
        sklearn.set_config(assume_finite=True)
        self._fitted = fitted
        self._filters = filters
        self._expressions = [zen.compile_expression(item.zen) for item in filters]
        self._gathered = zen.compile_expression("[" + ", ".join(item.zen for item in filters) + "]")

    def decide(self, values: Mapping[str, Any]) -> dict[str, Any]:
        context = self._context(values)
        return self._outcome(context, [expression.evaluate(context) for expression in self._expressions])

    def decide_with_one_expression(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same with all conditions in one expression, so that the record crosses into Rust once."""
        context = self._context(values)
        return self._outcome(context, self._gathered.evaluate(context))

    def _context(self, values: Mapping[str, Any]) -> dict[str, Any]:
        scores = self._scores(values)
        fraud = scores["fraud"]
        likely = fraud * values["amount"] >= 8.0 or scores["disputed"] >= 0.3
        proposed = "decline" if fraud >= 0.5 else "review" if likely else "approve"
        # zen-engine refuses to order a missing value: a number stands in for it.
        ratio = values["amount_ratio"]
        return {
            **values,
            "amount_ratio": 0.0 if ratio is None else ratio,
            "scores": scores,
            "proposed": proposed,
        }

    def _scores(self, values: Mapping[str, Any]) -> dict[str, Any]:
        inputs = {
            name: torch.from_numpy(array) for name, array in self._fitted.encoding.record(values).items()
        }
        with torch.inference_mode():
            embedding = self._fitted.network.embed(inputs).numpy()
        scores: dict[str, Any] = {"kind": {}}
        for classifier, names in zip(self._fitted.classifiers, self._fitted.names, strict=True):
            row = classifier.predict_proba(embedding)[0].tolist()
            for name, score in zip(names, row, strict=True):
                head, _, rest = name.partition(".")
                if rest:
                    scores[head][rest] = score
                elif head:
                    scores[head] = score
        return scores

    def _outcome(self, context: dict[str, Any], held: list[bool]) -> dict[str, Any]:
        fired = [item for item, holds in zip(self._filters, held, strict=True) if holds]
        deciding = [item for item in fired if item.effect.startswith("decide")]
        if not deciding:
            return {
                "outcome": context["proposed"],
                "decided_by": "policy",
                "fired": [item.id for item in fired],
            }
        best = max(deciding, key=lambda item: item.priority)
        outcome = best.effect.partition(": ")[2]
        return {"outcome": outcome, "decided_by": best.id, "fired": [item.id for item in fired]}
