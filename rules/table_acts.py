"""The rows of a table as acts: one at a time for a record, in kinds that do the same for a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from rules.acts import Act
from rules.checked_tables import CheckedTable
from rules.expression import STRING

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]  # records, rows of the table, whether left open


class TableActs:
    """What the rows of one table do; `first` is the index of its first row among all rules of the set.

    `exception` is the position, among the stage's conditions, of what suppresses them; -1 for none.
    """

    def __init__(self, checked: CheckedTable, first: int, exception: int = -1) -> None:
        self.checked, self.first, self.exception = checked, first, exception
        self.size = len(checked.table.rows)
        self._kept: dict[int, Act] = {}
        kinds: dict[tuple[Any, ...], int] = {}
        of = []
        for row in checked.table.rows:
            caps, floors = tuple(row.cap.items()), tuple(row.floor.items())
            key = row.decide, row.priority, row.reason, row.tags, caps, floors
            of.append(kinds.setdefault(key, len(kinds)))
        self.kinds = np.array(of, dtype=np.int32)
        firsts = np.unique(self.kinds, return_index=True)[1].tolist()
        # A kind stands where its rows stand: no other rule has a rank between theirs.
        self.examples = tuple(self._example(row) for row in firsts)

    def act(self, row: int) -> Act:
        """Give what one row does."""
        found = self._kept.get(row)
        if found is None:
            found = self._kept[row] = self._act(row)
        return found

    def groups(self, pairs: Pairs) -> Iterator[tuple[Act, bool, np.ndarray, np.ndarray]]:
        """Part hits into groups of one kind, in which no record is twice.

        Gives the kind as an act, whether the rows are left open, the records (rising) and each one's row as
        the index of its rule. What a record has comes in the order of the table, over all groups.
        """
        records, rows, opened = pairs
        if not len(records):
            return
        turn = _turns(records)
        key = (turn.astype(np.int64) * len(self.examples) + self.kinds[rows]) * 2 + opened
        order = np.argsort(key, kind="stable")
        keys = key[order]
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(keys)], strict=True):
            chosen = order[start:end]
            kind, is_open = divmod(int(keys[start]) % (2 * len(self.examples)), 2)
            yield self.examples[kind], bool(is_open), records[chosen], rows[chosen] + np.int32(self.first)

    def _example(self, row: int) -> Act:
        one, ranks = self.checked.table.rows[row], self.checked.ranks
        return replace(self.act(row), rank=ranks.base(one), open_rank=ranks.base(one, reviews=True))

    def _act(self, row: int) -> Act:
        checked, one = self.checked, self.checked.table.rows[row]
        table, rank = checked.table, checked.ranks.rank(one, row)
        return Act(
            index=self.first + row,
            id=f"{table.id}.{one.id}",
            rank=rank.decides,
            open_rank=rank.reviews,
            file=rank.file,
            unique=checked.ranks.unique,
            decide=one.decide,
            caps=one.cap,
            floors=one.floor,
            reason=one.reason,
            tags=one.tags,
            shadow=table.mode == "shadow",
            stop=False,
            rollout=table.rollout,
            key_type=STRING if checked.key is None else checked.key.type,
            exception=self.exception,
            fires_on_unknown=table.on_unknown in ("fire", "review"),
            reviews_on_unknown=table.on_unknown == "review",
        )


def _turns(records: np.ndarray) -> np.ndarray:
    """Count for each hit the earlier ones of its record: records are in order."""
    fresh = np.flatnonzero(np.diff(records, prepend=-1))
    if len(fresh) == len(records):
        return np.zeros(len(records), dtype=np.int64)
    lengths = np.diff(fresh, append=len(records))
    turns: np.ndarray = np.arange(len(records)) - np.repeat(fresh, lengths)
    return turns
