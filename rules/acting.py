"""From hits to what each rule of a stage did where: fired, would have, was suppressed, was left open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rules.acts import Act
from rules.columns import ARROW_TYPES
from rules.hits import NOWHERE, Hits

Rows = np.ndarray  # int32 row numbers, rising, none twice


@dataclass(frozen=True, eq=False, slots=True)
class Acting:
    """What one rule did where.

    held, opened: where it fired because its condition held, and because it was unknown; fired: both.
    shadow: where it would have fired; suppressed: where an exception kept it from that.
    unknown: where its condition was unknown, whatever that led to.
    """

    act: Act
    held: Rows
    opened: Rows
    fired: Rows
    shadow: Rows
    suppressed: Rows
    unknown: Rows

    @property
    def deciding(self) -> Rows:
        """Where it is among those that may decide."""
        return self.fired if self.act.decide is not None else self.reviewed

    @property
    def reviewed(self) -> Rows:
        """Where it asks for review, and does nothing else."""
        return self.opened if self.act.reviews_on_unknown else NOWHERE

    @property
    def bounding(self) -> Rows:
        """Where its caps and floors count."""
        return self.held if self.act.reviews_on_unknown else self.fired


def what_acted(acts: Sequence[Act], hits: Hits, batch: pa.RecordBatch) -> list[Acting]:
    """Say of every rule, in order, what it did; `hits` are those of the stage's conditions on `batch`."""
    stopped: np.ndarray | None = None  # `(n,)` bool, once a rule has stopped those after it
    acting = []
    for act, held, unknown in zip(acts, hits.true, hits.unknown, strict=False):
        if stopped is not None:
            held, unknown = held[~stopped[held]], unknown[~stopped[unknown]]
        opened = unknown if act.fires_on_unknown else NOWHERE
        shadow = suppressed = NOWHERE
        if act.exception >= 0:
            excepted = hits.true[act.exception]
            (held, one), (opened, other) = _split(held, excepted), _split(opened, excepted)
            suppressed = united(one, other)
        if act.shadow:
            shadow, held, opened = united(held, opened), NOWHERE, NOWHERE
        elif act.rollout is not None:
            (held, one), (opened, other) = _rolled_out(act, held, batch), _rolled_out(act, opened, batch)
            shadow = united(one, other)
        fired = united(held, opened)
        if act.stop and len(fired):
            stopped = np.zeros(hits.rows, dtype=bool) if stopped is None else stopped
            stopped[fired] = True
        acting.append(Acting(act, held, opened, fired, shadow, suppressed, unknown))
    return acting


def united(one: Rows, other: Rows) -> Rows:
    """Unite rows that have none in common."""
    if not len(other):
        return one
    return np.sort(np.concatenate([one, other])) if len(one) else other


def _split(rows: Rows, others: Rows) -> tuple[Rows, Rows]:
    """Give the rows that are none of the others, and those that are."""
    if not len(rows) or not len(others):
        return rows, NOWHERE
    among = np.isin(rows, others, assume_unique=True)
    return rows[~among], rows[among]


def _rolled_out(act: Act, rows: Rows, batch: pa.RecordBatch) -> tuple[Rows, Rows]:
    """Give the rows that are in the rule's rollout, and those that are not; only their keys are hashed."""
    if not len(rows) or act.rollout is None:
        return rows, NOWHERE
    keys = batch.column(act.rollout.key).take(pa.array(rows)).cast(ARROW_TYPES[act.key_type])
    inside = act.rollout.among(keys)
    return rows[inside], rows[~inside]
