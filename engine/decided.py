"""Decisions of n rows, in columns: as codes while they are made, as Arrow columns where they go out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from engine.decision import POLICY
from engine.values import EPOCH, MICROSECOND
from rules.judged import LISTS as TEXTS
from rules.judged import NAME, joined_lists, names, texts
from rules.verdict import Verdicts

MOMENT = pa.timestamp("us", "UTC")


@dataclass(frozen=True, eq=False)
class Decided:
    """n decisions.

    outcome, proposed: `(n,)` int16 codes over the outcomes, -1 where the model was not run.
    decided_by: `(n,)` int32 codes over the rules, -1 for the policy.
    scores: `(n, scores)` float64, NaN for none.
    adjusted: for each score that a rule bounds, `(n,)` float64, NaN where it was left as it is.
    lists: n lists of dictionary-encoded text for each of `TEXTS`.
    counts: in how many rows each rule `fired`, would have (`shadow`), was `suppressed`, was left open
    (`unknown`): `(rules,)` int64 each. violations: rows in which rules of hit policy `unique` overlapped.
    """

    outcome: np.ndarray
    proposed: np.ndarray
    decided_by: np.ndarray
    scores: np.ndarray
    adjusted: Mapping[str, np.ndarray]
    lists: Mapping[str, pa.ListArray]
    counts: Mapping[str, np.ndarray]
    violations: int

    @classmethod
    def of(
        cls,
        before: Verdicts,
        after: Verdicts,
        rest: np.ndarray,
        outcome: np.ndarray,
        decided_by: np.ndarray,
        proposed: np.ndarray,
        scores: np.ndarray,
    ) -> Decided:
        """Put together what rules of stage `before` decided and, at the rows `rest`, what came after."""
        rows = len(before)
        bounded = {
            name: np.where(after.changed[name], values, np.nan) for name, values in after.adjusted.items()
        }
        return cls(
            outcome=_spread(outcome, rest, before.outcome),
            proposed=_spread(proposed, rest, np.full(rows, -1, proposed.dtype)),
            decided_by=_spread(decided_by, rest, before.decided_by),
            scores=_spread(scores, rest, np.full((rows, scores.shape[1]), np.nan)),
            adjusted={name: _spread(new, rest, np.full(rows, np.nan)) for name, new in bounded.items()},
            lists=joined_lists(before, after, rest, decided_by >= 0),
            counts={name: counts + after.counts[name] for name, counts in before.counts.items()},
            violations=before.violations + after.violations,
        )

    def __len__(self) -> int:
        return len(self.outcome)


def decision_schema(scores: Iterable[str], adjusts: Iterable[str]) -> pa.Schema:
    """Give the columns of decisions: the same as the fields of a `Decision`."""
    lists = [pa.field(name, pa.list_(pa.string())) for name in TEXTS]
    return pa.schema(
        [
            pa.field("id", pa.string()),
            pa.field("outcome", NAME),
            pa.field("proposed", NAME),
            pa.field("decided_by", NAME),
            *(pa.field(f"scores.{name}", pa.float64()) for name in scores),
            *(pa.field(f"adjusted.{name}", pa.float64()) for name in adjusts),
            *lists,
            pa.field("bundle", NAME),
            pa.field("at", MOMENT),
        ]
    )


def decision_columns(
    decided: Decided,
    schema: pa.Schema,
    *,
    ids: pa.Array,
    outcomes: tuple[str, ...],
    rules: tuple[str, ...],
    digest: str,
    now: datetime,
) -> pa.RecordBatch:
    """Give n decisions as Arrow columns; `schema` is what `decision_schema` gave."""
    rows = len(decided)
    deciders = np.where(decided.decided_by < 0, len(rules), decided.decided_by)
    moment = (now - EPOCH) // MICROSECOND
    columns: dict[str, pa.Array] = {
        "id": ids,
        "outcome": names(decided.outcome, outcomes),
        "proposed": names(decided.proposed, outcomes),
        "decided_by": names(deciders, (*rules, POLICY)),
        "bundle": names(np.zeros(rows, np.int32), (digest,)),
        "at": pa.array(np.full(rows, moment, np.int64)).view(MOMENT),
    }
    scored = [field.name for field in schema if field.name.startswith("scores.")]
    columns |= {name: _numbers(decided.scores[:, place]) for place, name in enumerate(scored)}
    columns |= {f"adjusted.{name}": _numbers(values) for name, values in decided.adjusted.items()}
    columns |= {name: texts(lists) for name, lists in decided.lists.items()}
    return pa.RecordBatch.from_arrays([columns[field.name] for field in schema], schema=schema)


def with_columns(batch: pa.RecordBatch, columns: Iterable[tuple[str, Any]]) -> pa.RecordBatch:
    """Give the batch with these columns added, or put in the place of those of the same name."""
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, values in columns:
        arrays[name] = _numbers(values) if isinstance(values, np.ndarray) else values
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def take_rows(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    """Give these rows of a batch; the batch itself where they are all of it."""
    return batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))


def _spread(values: np.ndarray, rows: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Put `values` at `rows` of `whole`, left as it is elsewhere."""
    if len(rows) == len(whole):
        return values
    spread = whole.copy()
    spread[rows] = values
    return spread


def _numbers(values: np.ndarray) -> pa.Array:
    """Make a column of floats, null for NaN."""
    return pa.array(values, pa.float64(), from_pandas=True)
