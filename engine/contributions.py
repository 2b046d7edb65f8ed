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

from embeddings.encode import Encoding
from engine.errors import BundleError
from engine.margins import Margins
from engine.references import REFERENCES, References
from engine.walks import Walks


@dataclass(frozen=True, slots=True)
class Contributions:
    """What moved one score: `base`, the mean of the reference rows, and what each of `fields` added to it
    make `log_odds`, the record's own. The field that added most, up or down, comes first.

    `error` is what `fields` are off by, root mean square, as estimates of the Shapley values over the
    bundle's reference rows; None where no row is walked by two orders.
    """

    score: str
    base: float
    log_odds: float
    fields: Mapping[str, float]
    error: float | None = None


class Explainer:
    """A model's scores and the walks to a record. Safe to use from several threads: nothing changes."""

    def __init__(
        self,
        encoding: Encoding,
        model: bytes,
        scores: Sequence[str],
        margins: Margins,
        references: References,
        sums: Sequence[str] = (),
    ) -> None:
        self._encoding, self._names, self._scores = encoding, encoding.names, tuple(scores)
        self._walks = Walks(model, encoding, margins, references, sums)
        self._rows, self._shares = len(references), shares_of(len(references), len(references.orders))
        self._base = self._walks.bases.mean(axis=0).tolist()
        if len(self._scores) != len(self._base):
            raise BundleError("the margins of the model are not those of its scores", part=REFERENCES)

    def explain(self, values: Mapping[str, Any]) -> dict[str, Contributions]:
        """Say what moved each score of one record in normal form; a score that is no number is left out."""
        walked = self._walks.to(self._encoding.record(values))
        # There and back: (2 · orders, fields, scores) → (orders, fields, scores).
        there, back = walked.added.reshape(2, len(self._shares), *walked.added.shape[1:])
        by_order = (there + back) / 2
        added = np.tensordot(self._shares, by_order, 1)
        errors = self._errors(by_order)
        strongest = np.argsort(-np.abs(added), axis=0, kind="stable").T.tolist()
        told = np.isfinite(walked.own) & np.isfinite(added).all(axis=0)
        return {
            score: Contributions(
                score, base, own, {self._names[field]: amounts[field] for field in strongest[place]}, error
            )
            for place, (score, base, own, amounts, error) in enumerate(
                zip(self._scores, self._base, walked.own.tolist(), added.T.tolist(), errors, strict=True)
            )
            if told[place]
        }

    def _errors(self, by_order: np.ndarray) -> list[float | None]:
        """The standard error of what fields add, root mean square over the fields, of each score.

        Two orders of one row differ by √2 times what one is off by; the shares say how that averages out.
        """
        twice = by_order[self._rows :]
        if not len(twice):
            return [None] * by_order.shape[2]
        off = ((by_order[: len(twice)] - twice) ** 2).mean(axis=(0, 1)) / 2
        errors: list[float | None] = np.sqrt(off * (self._shares**2).sum()).tolist()
        return errors


def shares_of(rows: int, orders: int) -> np.ndarray:
    """What each order counts, `(orders,)`, so that every reference row counts the same."""
    starts = np.arange(orders) % rows
    shares: np.ndarray = 1 / (rows * np.bincount(starts, minlength=rows)[starts])
    return shares
