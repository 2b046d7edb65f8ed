"""What moved a score: how much each field of one record added to it, beyond what reference rows have.

Fields are given their Shapley values (Shapley 1953) on the scale of log-odds, ln(p / (1 − p)): what changing
a field from a reference row's value to the record's adds, averaged over the orders in which fields can be
changed and over the reference rows. Each reference row is walked to the record in one order and in its
reverse, all walks as one batch through the bundle's own graph (Castro, Gómez and Tejada 2009, "Polynomial
calculation of the Shapley value based on sampling"; Mitchell, Cooper, Frank and Holmes 2022, "Sampling
permutations for Shapley value estimation", section 4.1).

INVARIANT: contributions add up to the record's log-odds less the mean of the reference rows, since every walk
ends where it should. A field that no score reads, or that equals every reference row's, adds nothing. Where
fields add up or act in pairs, as in a linear model, the values are exact; of more entangled fields, the walks
are an unbiased estimate. The same record gives the same values, always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from embeddings.encode import Encoding
from engine.errors import BundleError
from engine.margins import Margins
from engine.references import REFERENCES, References

ROWS_A_CALL = 2_048

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Contributions:
    """What moved one score: `base`, the mean of the reference rows, and what each of `fields` added to it
    make `log_odds`, the record's own. The field that added most, up or down, comes first.
    """

    score: str
    base: float
    log_odds: float
    fields: Mapping[str, float]


class Explainer:
    """A graph, its margins and reference rows. Safe to use from several threads: nothing changes."""

    def __init__(
        self,
        encoding: Encoding,
        session: onnxruntime.InferenceSession,
        scores: Sequence[str],
        margins: Margins,
        references: References,
    ) -> None:
        self._encoding, self._session, self._margins = encoding, session, margins
        self._scores, self._rows = tuple(scores), references.rows
        self._owners = encoding.owners
        # The fields of each input, and where the columns of each begin: they stand side by side.
        self._fields = {name: np.unique(owners, return_index=True) for name, owners in self._owners.items()}
        # Of each walk: the reference row it starts from, the fields in order, and the turn of each field.
        self._from = np.tile(np.arange(len(references)), 2)[:, None]
        self._orders = np.concatenate([references.orders, references.orders[:, ::-1]])
        self._turns = np.argsort(self._orders, axis=1)
        self._bases = self._log_odds(self._rows)
        if len(self._scores) != self._bases.shape[1] or len(references) != len(self._bases):
            raise BundleError("the margins of the model are not those of its scores", part=REFERENCES)

    def explain(self, values: Mapping[str, Any]) -> dict[str, Contributions]:
        """Say what moved each score of one record in normal form; a score that is no number is left out."""
        own, added = self._added(self._encoding.record(values))
        base = self._bases.mean(axis=0)
        names = self._encoding.names
        found = {}
        for place, score in enumerate(self._scores):
            column = added[:, place]
            if not np.isfinite([own[place], *column]).all():
                continue
            strongest = np.argsort(-np.abs(column), kind="stable").tolist()
            fields = {names[field]: float(column[field]) for field in strongest}
            found[score] = Contributions(score, float(base[place]), float(own[place]), fields)
        return found

    def _added(self, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
        """A record's inputs → its log-odds `(scores,)` and what each field added, `(fields, scores)`."""
        # A field that equals the reference row's changes nothing: the row after it is the row before it.
        changes = self._differs(inputs)[self._from, self._orders]
        changed = changes.cumsum(axis=1)
        all_changed = changed[:, -1:]
        walk, step = np.nonzero(changes & (changed < all_changed))
        record = np.ones((1, len(self._encoding.names)), bool)
        taken = np.concatenate([record, self._turns[walk] <= step[:, None]])
        met = self._log_odds_of(inputs, taken, np.concatenate([[0], self._from[walk, 0]]))

        # Every row met: the reference rows, the record itself, then the rows between, walk by walk.
        rows = np.concatenate([self._bases, met])
        record_at = len(self._bases)
        first = record_at + 1 + np.concatenate([[0], np.cumsum(np.maximum(all_changed[:-1, 0] - 1, 0))])
        between = first[:, None] + changed - 1
        at = np.where(changed == 0, self._from, np.where(changed == all_changed, record_at, between))
        steps = np.diff(rows[np.concatenate([self._from, at], axis=1)], axis=1)
        by_field = steps[np.arange(len(steps))[:, None], self._turns]
        return met[0], by_field.mean(axis=0)

    def _differs(self, inputs: Inputs) -> np.ndarray:
        """Which fields of a record differ from those of each reference row: `(references, fields)` bool."""
        differs = np.zeros((len(self._bases), len(self._encoding.names)), bool)
        for name, (fields, first) in self._fields.items():
            own, others = inputs[name], self._rows[name]
            unlike = (own != others) & ~((own != own) & (others != others))
            differs[:, fields] = np.logical_or.reduceat(unlike, first, axis=1)
        return differs

    def _log_odds_of(self, inputs: Inputs, taken: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Rows with the record's values where `taken` `(n, fields)`, else those of the reference row `start`
        `(n,)` → `(n, scores)`.
        """
        found = []
        for at in range(0, len(taken), ROWS_A_CALL):
            mine, whose = taken[at : at + ROWS_A_CALL], start[at : at + ROWS_A_CALL]
            mixed = {
                name: np.where(mine[:, owners], inputs[name], self._rows[name][whose])
                for name, owners in self._owners.items()
            }
            found.append(self._log_odds(mixed))
        return np.concatenate(found)

    def _log_odds(self, inputs: Inputs) -> np.ndarray:
        """Inputs of n rows → `(n, scores)` float64."""
        return self._margins.log_odds(self._session.run(self._margins.tensors, dict(inputs)))
