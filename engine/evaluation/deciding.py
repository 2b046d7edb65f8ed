"""Three ways to decide the same rows: by the model alone, by the filters alone, and as the engine does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from engine.decide import decide_block
from engine.decided import Decided, with_columns

if TYPE_CHECKING:
    from engine.decide import Runtime


@dataclass(frozen=True, eq=False)
class Deciding:
    """One way's word on n rows.

    outcome: `(n,)` codes over the outcomes.
    seen: columns `scores.NAME` and `proposed` as this way has them, null where it has none.
    """

    outcome: np.ndarray
    seen: Mapping[str, pa.Array]


def model_alone(runtime: Runtime, fields: pa.RecordBatch, scores: np.ndarray) -> Deciding:
    """Let the policy decide every row; `scores` `(n, scores)` float64 are the model's."""
    columns = _score_columns(runtime, scores)
    outcome = runtime.policy.propose_batch(with_columns(fields, columns.items()))
    return Deciding(outcome, {**columns, "proposed": _names(outcome, runtime)})


def filters_alone(runtime: Runtime, fields: pa.RecordBatch) -> Deciding:
    """Let the rules decide without a model: every score and the proposal are missing."""
    nothing: dict[str, pa.Array] = {
        name: pa.nulls(fields.num_rows, pa.float64()) for name in runtime.score_variables
    }
    nothing["proposed"] = pa.nulls(fields.num_rows, pa.string())
    before = runtime.rules.before_batch(fields).outcome
    after = runtime.rules.after_batch(with_columns(fields, nothing.items())).outcome
    # INVARIANT: outcomes run from the mildest; what no rule decides is the first.
    return Deciding(np.maximum(np.where(before >= 0, before, after), 0), nothing)


def together(runtime: Runtime, fields: pa.RecordBatch) -> tuple[Deciding, Decided]:
    """Decide as the engine does; also gives its decisions in full."""
    decided = decide_block(runtime, fields)
    columns = _score_columns(runtime, decided.scores)
    return Deciding(decided.outcome, {**columns, "proposed": _names(decided.proposed, runtime)}), decided


def _score_columns(runtime: Runtime, scores: np.ndarray) -> dict[str, pa.Array]:
    """`(n, scores)` float64 with NaN for none → one column a score."""
    return {
        name: pa.array(column, pa.float64(), from_pandas=True)
        for name, column in zip(runtime.score_variables, scores.T, strict=True)
    }


def _names(codes: np.ndarray, runtime: Runtime) -> pa.Array:
    """Codes of outcomes as their names, null for −1."""
    known = pa.array(codes, pa.int32(), mask=codes < 0)
    return pa.array(runtime.outcomes, pa.string()).take(known)
