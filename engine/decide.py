"""The whole serving path: a record in, its decision out; a block of rows in, their decisions out.

    schema → rules before → model → policy (proposes) → rules after → outcome

A rule of stage `before` that decides ends the matter, and the model is not run for that record. Both halves
of this page take the same steps; a row and a record get the same decision, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from engine.decided import Decided, take_rows, with_columns
from engine.decision import POLICY, Decision
from engine.runtime import Runtime, identity
from rules.judged import both
from rules.verdict import Verdict, Verdicts

__all__ = ["Runtime", "decide_block", "decide_record", "decide_values"]

NOTHING = Verdict()


def decide_record(
    runtime: Runtime, record: Mapping[str, Any], *, name: str | None = None, now: datetime | None = None
) -> Decision:
    """Decide one record; `name` is its id, if not the one it holds.

    Raises RecordError with every problem of a record that the schema refuses.
    """
    values = runtime.schema.read(record)
    if name is not None:
        name = identity(name)
    elif runtime.id_column is not None:
        name = identity(record.get(runtime.id_column))
    return decide_values(runtime, values, name, now or datetime.now(UTC))


def decide_values(
    runtime: Runtime,
    values: dict[str, Any],
    name: str | None,
    now: datetime,
    scores: Sequence[float | None] | None = None,
) -> Decision:
    """Decide a record in normal form; scores and proposal are added to `values`.

    The model is not asked again where its `scores` of the record are known.
    """
    before = runtime.rules.before(values)
    if before.outcome is not None:
        return _decision(runtime, before.outcome, None, before.decided_by, {}, before, NOTHING, name, now)
    if scores is None:
        scores = runtime.model.record(values)
    values.update(zip(runtime.score_variables, scores, strict=True))
    values["proposed"] = proposed = runtime.policy.propose(values)
    after = runtime.rules.after(values)
    outcome, decided_by = _outcome(runtime, values, proposed, after)
    named = dict(zip(runtime.model.scores, scores, strict=True))
    return _decision(runtime, outcome, proposed, decided_by, named, before, after, name, now)


def decide_block(runtime: Runtime, batch: pa.RecordBatch) -> Decided:
    """Decide n rows in normal form."""
    before = runtime.rules.before_batch(batch)
    rest = np.flatnonzero(before.outcome < 0)
    rows = take_rows(batch, rest)
    scores = runtime.model.batch(rows)
    rows = with_columns(rows, zip(runtime.score_variables, scores.T, strict=True))
    proposed = runtime.policy.propose_batch(rows)
    rows = with_columns(rows, [("proposed", runtime.outcome_names.take(pa.array(proposed)))])
    after = runtime.rules.after_batch(rows)
    outcome, decided_by = _outcomes(runtime, rows, proposed, after)
    return Decided.of(before, after, rest, outcome, decided_by, proposed, scores)


def _outcome(
    runtime: Runtime, values: dict[str, Any], proposed: str, after: Verdict
) -> tuple[str, str | None]:
    """A rule's word; else, where bounds changed scores, the policy's on the new scores; else the proposal."""
    if after.outcome is not None:
        return after.outcome, after.decided_by
    if not after.adjusted:
        return proposed, POLICY
    bounded = {f"scores.{name}": score for name, score in after.adjusted.items()}
    outcome = runtime.policy.propose(values | bounded)
    return outcome, after.adjusted_by if outcome != proposed else POLICY


def _outcomes(
    runtime: Runtime, rows: pa.RecordBatch, proposed: np.ndarray, after: Verdicts
) -> tuple[np.ndarray, np.ndarray]:
    """The same for m rows: `(m,)` codes of outcomes and of the rules that decided, -1 for the policy."""
    outcome = np.where(after.outcome >= 0, after.outcome, proposed)
    decided_by = after.decided_by.copy()
    changed = np.logical_or.reduce([after.outcome < -1, *after.changed.values()]) & (after.outcome < 0)
    at = np.flatnonzero(changed)
    if len(at):
        bounded = [(f"scores.{name}", scores[at]) for name, scores in after.adjusted.items()]
        again = runtime.policy.propose_batch(with_columns(take_rows(rows, at), bounded))
        decided_by[at] = np.where(again != proposed[at], after.adjusted_by[at], -1)
        outcome[at] = again
    return outcome, decided_by


def _decision(
    runtime: Runtime,
    outcome: str,
    proposed: str | None,
    decided_by: str | None,
    scores: Mapping[str, float | None],
    before: Verdict,
    after: Verdict,
    name: str | None,
    now: datetime,
) -> Decision:
    by_rule = decided_by not in (None, POLICY)
    said = (
        before
        if after is NOTHING
        else after
        if _is_silent(before)
        else both(before, after, after_decides=by_rule)
    )
    return Decision(
        outcome, proposed, decided_by or POLICY, scores or dict(runtime.no_scores), dict(after.adjusted),
        said.reasons, said.fired, said.shadow, said.suppressed, said.unknown, said.tags, runtime.digest, name,
        now,
    )  # fmt: skip


def _is_silent(verdict: Verdict) -> bool:
    return not (verdict.fired or verdict.unknown or verdict.shadow or verdict.suppressed)
