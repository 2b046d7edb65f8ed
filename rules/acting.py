"""From hits to what each rule of a stage did where: fired, would have, was suppressed, was left open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from rules.acts import Act
from rules.columns import ARROW_TYPES
from rules.hits import NOWHERE, Hits
from rules.stage import TableMember
from rules.table_acts import Pairs

Rows = np.ndarray  # int32 row numbers, rising, none twice


@dataclass(frozen=True, eq=False, slots=True)
class Acting:
    """What one rule did where; or rows of a table that do the same, no two of them in one row of the batch.

    held, opened: where it fired because its condition held, and because it was unknown; fired: both.
    shadow: where it would have fired; suppressed: where an exception kept it from that.
    unknown: where its condition was unknown, whatever that led to.
    who: of a table's rows, the index of the rule for each of whichever rows there are; None for one rule.
    """

    act: Act
    held: Rows
    opened: Rows
    fired: Rows
    shadow: Rows
    suppressed: Rows
    unknown: Rows
    who: Rows | None = None

    @property
    def index(self) -> int | Rows:
        """The index of the rule, or of each row's."""
        return self.act.index if self.who is None else self.who

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


def what_acted(
    acts: Sequence[Act],
    hits: Hits,
    batch: pa.RecordBatch,
    tables: Sequence[tuple[TableMember, Pairs]] = (),
) -> list[Acting]:
    """Say of every rule, in order, what it did; `hits` are those of the stage's conditions on `batch`.

    `tables` have their own hits; their rows come after the rules that stand before them.
    """
    stopped: np.ndarray | None = None  # `(n,)` bool, once a rule has stopped those after it
    acting: list[Acting] = []
    pending = list(reversed(tables))
    for place, (act, held, unknown) in enumerate(zip(acts, hits.true, hits.unknown, strict=False)):
        while pending and pending[-1][0].before <= place:
            acting += _table(*pending.pop(), stopped, hits, batch)
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
    for table, pairs in reversed(pending):
        acting += _table(table, pairs, stopped, hits, batch)
    return acting


def _table(
    table: TableMember, pairs: Pairs, stopped: np.ndarray | None, hits: Hits, batch: pa.RecordBatch
) -> Iterator[Acting]:
    """Give what the rows of a table did, those together that do the same."""
    if stopped is not None:
        going = ~stopped[pairs[0]]
        pairs = pairs[0][going], pairs[1][going], pairs[2][going]
    for act, is_open, rows, who in table.acts.groups(pairs):
        for kind, chosen in _kept_from(act, is_open, rows, hits, batch):
            some, by = (rows, who) if chosen is None else (rows[chosen], who[chosen])
            fires = some if kind == "fires" else NOWHERE
            yield Acting(
                act=act,
                held=NOWHERE if is_open else fires,
                opened=fires if is_open else NOWHERE,
                fired=fires,
                shadow=some if kind == "shadow" else NOWHERE,
                suppressed=some if kind == "suppressed" else NOWHERE,
                unknown=some if is_open else NOWHERE,
                who=by,
            )


def _kept_from(
    act: Act, is_open: bool, rows: Rows, hits: Hits, batch: pa.RecordBatch
) -> Iterator[tuple[str, np.ndarray | None]]:
    """Part rows by what becomes of them; the second is which of the rows, `(n,)` bool, None for all."""
    if is_open and not act.fires_on_unknown:
        yield "open", None
        return
    if act.exception < 0 and (act.shadow or act.rollout is None):
        yield ("shadow" if act.shadow else "fires"), None
        return
    suppressed = np.zeros(len(rows), dtype=bool)
    if act.exception >= 0:
        suppressed = np.isin(rows, hits.true[act.exception], assume_unique=True)
    shadow = np.full(len(rows), act.shadow)
    if not act.shadow and act.rollout is not None:
        shadow = ~act.rollout.among(_keys(act, rows, batch))
    for kind, which in (
        ("suppressed", suppressed), ("shadow", shadow & ~suppressed), ("fires", ~shadow & ~suppressed)
    ):  # fmt: skip
        if which.any():
            yield kind, which


def _keys(act: Act, rows: Rows, batch: pa.RecordBatch) -> pa.Array:
    """Give the rollout's key of these rows."""
    name = act.rollout.key if act.rollout is not None else ""
    return batch.column(name).take(pa.array(rows)).cast(ARROW_TYPES[act.key_type])


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
    inside = act.rollout.among(_keys(act, rows, batch))
    return rows[inside], rows[~inside]
