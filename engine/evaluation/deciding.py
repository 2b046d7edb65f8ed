"""Three ways to decide the same rows: by the model alone, by the filters alone, and as the engine does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.decide import decide_table

if TYPE_CHECKING:
    from engine.decide import Runtime

# What is decided does not depend on the moment; it only stamps the rows, and the stamp is dropped.
NO_MOMENT = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Deciding:
    """One way's word on n rows.

    outcome: `(n,)` codes over the outcomes.
    seen: columns `scores.NAME` and `proposed` as this way has them, null where it has none.
    decisions: the engine's own table of decisions, for the way that is the engine's.
    """

    outcome: np.ndarray
    seen: Mapping[str, pa.Array]
    decisions: pa.Table | None = None


def model_alone(runtime: Runtime, fields: pa.RecordBatch, scores: np.ndarray) -> Deciding:
    """Score every row and let the policy decide; `scores` `(n, scores)` float64 are the model's."""
    columns = {
        f"scores.{name}": pa.array(scores[:, place], from_pandas=True)
        for place, name in enumerate(runtime.model.scores)
    }
    outcome = runtime.policy.propose_batch(_with(fields, columns))
    return Deciding(outcome, {**columns, "proposed": _names(outcome, runtime.outcomes)})


def filters_alone(runtime: Runtime, fields: pa.RecordBatch) -> Deciding:
    """Let the rules decide without a model: every score and the proposal are missing."""
    nothing: dict[str, pa.Array] = {
        f"scores.{name}": pa.nulls(fields.num_rows, pa.float64()) for name in runtime.model.scores
    }
    nothing["proposed"] = pa.nulls(fields.num_rows, pa.string())
    before = runtime.rules.before_batch(fields).outcome
    after = runtime.rules.after_batch(_with(fields, nothing)).outcome
    decided = np.where(before >= 0, before, after)
    return Deciding(np.maximum(decided, 0), nothing)


def together(runtime: Runtime, fields: pa.RecordBatch) -> Deciding:
    """Decide as the engine does."""
    decisions = decide_table(runtime, fields, now=NO_MOMENT)
    columns = [name for name in decisions.column_names if name.startswith("scores.") or name == "proposed"]
    outcome = pc.index_in(_plain(decisions, "outcome"), pa.array(runtime.outcomes, pa.string()))
    return Deciding(
        outcome.to_numpy(zero_copy_only=False), {name: _plain(decisions, name) for name in columns}, decisions
    )


def _plain(table: pa.Table, name: str) -> pa.Array:
    """One column as one array, without its dictionary."""
    column = table.column(name)
    if isinstance(column.type, pa.DictionaryType):
        column = column.cast(column.type.value_type)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _with(fields: pa.RecordBatch, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {**dict(zip(fields.schema.names, fields.columns, strict=True)), **columns}
    )


def _names(codes: np.ndarray, names: Sequence[str]) -> pa.Array:
    return pa.array(np.array(names, object)[codes], pa.string())
