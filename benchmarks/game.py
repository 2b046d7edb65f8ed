"""A score as a game of a record's fields: exact values, and what SHAP's explainers say of the same game."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import comb
from typing import Any

import numpy as np

from engine.margins import Margins
from engine.model import Model, open_session
from engine.onnx_part import part_of
from engine.references import References

SCORE = "fraud"
ORDERS = (1, 2, 3, 5, 8, 12, 16, 20, 25, 30, 40, 60)

Values = Mapping[str, Any]
Say = Callable[[Values], np.ndarray]  # a record → what each field added, in the order of `Encoding.names`


class Errors:
    """How far from exact values what is said of some records is, over records and fields together."""

    def __init__(self, judged: Sequence[Values], truth: np.ndarray) -> None:
        self.judged, self.truth = judged, truth

    def square(self, say: Say) -> float:
        """Root mean square, as a share of that of the exact values."""
        return self.of_square(self.differences(say) + self.truth)

    def mean(self, say: Say) -> float:
        """Mean absolute error, as a share of the exact values' mean size."""
        return float(np.abs(self.differences(say)).mean() / np.abs(self.truth).mean())

    def differences(self, say: Say) -> np.ndarray:
        """What is said less the exact values: `(records, fields)`."""
        off: np.ndarray = np.array([say(values) for values in self.judged]) - self.truth
        return off

    def of_square(self, found: np.ndarray) -> float:
        """The same as `square` of what was found, `(records, fields)`."""
        return float(np.sqrt(np.mean((found - self.truth) ** 2) / np.mean(self.truth**2)))


class Game:
    """A score as a function of which row each field's value is taken from: what SHAP is given.

    A cell says which of the rows its value comes from; equal values have equal cells, so that shap, too, may
    pass over fields that do not change.
    """

    def __init__(self, model: Model, references: References) -> None:
        self._encoding, self._references = model._encoding, references
        self._margins = Margins.of(model.classifiers, model.scores)
        graph, _ = part_of(model._graph, self._margins.tensors)
        self._session = open_session(graph)
        self._column = model.scores.index(SCORE)
        self._stacked: Mapping[str, np.ndarray] = references.rows
        self.background = self._cells(references.rows)
        self.names = model._encoding.names

    def of(self, values: Values) -> np.ndarray:
        """Put a record beside the reference rows: its cells, `(1, fields)`."""
        own = self._encoding.record(values)
        self._stacked = {
            name: np.concatenate([rows, own[name]]) for name, rows in self._references.rows.items()
        }
        return self._cells(self._stacked)[-1:]

    def log_odds(self, cells: np.ndarray) -> np.ndarray:
        """Cells `(n, fields)` → log-odds of the score, `(n,)`."""
        picked = cells.astype(np.int64)
        found = []
        for at in range(0, len(picked), 2_048):
            part = picked[at : at + 2_048]
            mixed = {
                name: self._stacked[name][part[:, owners], np.arange(len(owners))]
                for name, owners in self._encoding.owners.items()
            }
            values = self._session.run(self._margins.tensors, mixed)
            found.append(self._margins.log_odds(values)[:, self._column])
        return np.concatenate(found)

    def exact(self, values: Values) -> np.ndarray:
        """Σ over sets S without a field of |S|! (n − |S| − 1)! / n! · gain, over all reference rows."""
        record, fields = self.of(values), len(self.names)
        sets = np.arange(2**fields)
        taken = (sets[:, None] >> np.arange(fields) & 1).astype(bool)
        worth = np.mean([self.log_odds(np.where(taken, record, row)) for row in self.background], axis=0)
        sizes = taken.sum(axis=1)
        added = []
        for field in range(fields):
            without = sets[~taken[:, field]]
            shares = np.array([1 / (fields * comb(fields - 1, size)) for size in range(fields)])[
                sizes[without]
            ]
            added.append(shares @ (worth[without | 1 << field] - worth[without]))
        return np.array(added)

    def _cells(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        columns: dict[int, np.ndarray] = {}
        for name, owners in self._encoding.owners.items():
            for field in np.unique(owners):
                held = np.nan_to_num(rows[name][:, owners == field].astype(np.float64), nan=np.inf)
                _, first, group = np.unique(held, axis=0, return_index=True, return_inverse=True)
                columns[int(field)] = first[group.reshape(-1)]
        return np.column_stack([columns[field] for field in sorted(columns)]).astype(np.float64)


def shap_explainers(game: Game, rows: float, aim: float, off: Errors) -> dict[str, Say]:
    """SHAP at its defaults, at our number of rows, and at the fewest orders that reach `aim`."""
    import shap

    fields, background = len(game.names), game.background
    kernel = shap.KernelExplainer(game.log_odds, background)
    by_permutation = permutation_explainer(game)
    # A walk there and back asks for 2 · fields + 1 sets, each against every reference row.
    once = 2 * fields + 1
    equal = max(once, int(np.ceil(rows / len(background))))

    def by_kernel(samples: int | str, values: Values) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = kernel.shap_values(game.of(values)[0], nsamples=samples, silent=True)
        return np.asarray(given).reshape(-1)

    orders = next((few for few in ORDERS if off.mean(partial(by_permutation, few * once)) <= aim), ORDERS[-1])
    return {
        f"shap.PermutationExplainer, as exact, {orders} orders": partial(by_permutation, orders * once),
        "shap.KernelExplainer, default": partial(by_kernel, "auto"),
        "shap.KernelExplainer, equal": partial(by_kernel, equal),
        "shap.PermutationExplainer, default": partial(by_permutation, 500),
        "shap.PermutationExplainer, equal": partial(by_permutation, once),
    }


def permutation_explainer(game: Game) -> Callable[[int, Values], np.ndarray]:
    """SHAP's PermutationExplainer against all background rows of a game: (evaluations, record) → fields."""
    import shap

    background = game.background
    permutation = shap.PermutationExplainer(
        game.log_odds, shap.maskers.Independent(background, len(background))
    )

    def say(evaluations: int, values: Values) -> np.ndarray:
        given = permutation(game.of(values), max_evals=evaluations, silent=True)
        return np.asarray(given.values).reshape(-1)

    return say
